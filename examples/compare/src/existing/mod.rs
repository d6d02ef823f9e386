//! Measures stores that people already have: `compare --store URL`.
//!
//! Nothing is started. This process is the app, over whatever `cloakroom::connect` opens, and its
//! visitors send it requests without a network. So what is measured is the store and the way to it,
//! beside the memory store, which has no way.
//!
//! A URL may hold a password, so none is shown or written: a store is named by its scheme.

mod crowd;
mod table;
mod visitor;

use std::env;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use cloakroom::Backend;
use serde::Serialize;

use crate::cli::Options;
use crate::comparison::{Interruption, command, now};
use crate::report::replace;
use crate::results::{Latency, Machine};
use crate::{Fallible, machine, with_causes};
use crowd::{Crowd, Pace};

/// The version of `stores.json`. It is raised when a field changes its meaning.
const FORMAT: u32 = 1;
/// The word before the name of an environment variable that holds a URL.
const FROM_ENVIRONMENT: &str = "env:";

/// The pause after a request that was not acknowledged.
const PAUSE: Duration = Duration::from_millis(20);

#[derive(Debug, Serialize)]
pub(crate) struct Report {
    format: u32,
    began: String,
    seconds: f64,
    command: String,
    machine: Machine,
    quick: bool,
    session_kb: f64,
    interrupted: bool,
    /// The memory store first.
    stores: Vec<MeasuredStore>,
}

#[derive(Debug, Serialize)]
struct MeasuredStore {
    /// The scheme, and a number where several stores were given.
    name: String,
    steps: Vec<Step>,
    /// Absent where the visitors could not leave.
    end: Option<End>,
    /// Why it was not measured to the end.
    problem: Option<String>,
}

/// One kind of request, from so many visitors at once.
#[derive(Debug, Serialize)]
struct Step {
    request: Kind,
    at_once: usize,
    seconds: f64,
    acknowledged: u64,
    not_acknowledged: u64,
    requests_per_second: f64,
    /// Of the acknowledged requests.
    latency: Option<Latency>,
    /// The memory store's requests by second, divided by these. (With many at once, most of a
    /// request's time is spent waiting for the others in this process, so a ratio of latencies would
    /// say little of the store.)
    times_slower: Option<f64>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Read,
    Write,
    Login,
}

/// What was found when the visitors had left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
struct End {
    sessions: u64,
    /// Sessions whose logout was acknowledged.
    ended: u64,
    /// Sessions that a copy of the cookie from before the logout still opened.
    came_back_by_copy: u64,
    changes_acknowledged: u64,
    changes_missing: u64,
}

/// A store to be measured.
struct Subject {
    name: String,
    backend: Backend,
}

pub(crate) async fn measure(options: Options) -> Fallible<ExitCode> {
    let begun = Instant::now();
    let mut report = Report {
        format: FORMAT,
        began: now()?,
        seconds: 0.0,
        command: command(),
        machine: machine::describe(),
        quick: options.quick,
        session_kb: options.session_kb,
        interrupted: false,
        stores: Vec::new(),
    };
    let mut interruption = Interruption::listen()?;
    let subjects = subjects(&options.store).await?;
    let pace = if options.quick { Pace::quick() } else { Pace::full() };
    for subject in subjects {
        let mut crowd = Crowd::before(subject.backend, options.session_bytes())?;
        let mut measured = {
            let over = crowd.stop();
            let measuring = crowd.measure(pace);
            tokio::pin!(measuring);
            tokio::select! {
                measured = &mut measuring => measured,
                () = interruption.comes() => {
                    report.interrupted = true;
                    // What is under way ends first, so that the visitors have their cookies.
                    over.store(true, std::sync::atomic::Ordering::Relaxed);
                    measuring.await
                }
            }
        };
        compare_with(report.stores.first(), &mut measured.steps);
        let end = crowd.leave().await;
        let (steps, problem) = (measured.steps, measured.problem.map(|found| with_causes(&*found)));
        report.stores.push(MeasuredStore { name: subject.name, steps, end, problem });
        if report.interrupted {
            break;
        }
    }
    report.seconds = begun.elapsed().as_secs_f64();
    print!("{}", table::terminal(&report));
    println!("{}", write(&report, &options.out)?.display());
    Ok(match (report.interrupted, report.stores.iter().any(|store| store.problem.is_some())) {
        (true, _) => ExitCode::from(crate::comparison::INTERRUPTED),
        (false, true) => ExitCode::FAILURE,
        (false, false) => ExitCode::SUCCESS,
    })
}

/// Opens all stores before any is measured.
async fn subjects(given: &[String]) -> Fallible<Vec<Subject>> {
    let memory = cloakroom::connect("memory:").await?;
    let mut subjects = vec![Subject { name: "memory".to_owned(), backend: memory }];
    for (number, text) in given.iter().enumerate() {
        let url = resolved(text)?;
        let name = match given.len() {
            1 => format!("your {}", scheme(&url)),
            _ => format!("your {} ({})", scheme(&url), number + 1),
        };
        let opened = cloakroom::connect(&url).await;
        let backend = opened.map_err(|error| format!("{name}: {}", with_causes(&error)))?;
        subjects.push(Subject { name, backend });
    }
    Ok(subjects)
}

/// Returns the URL itself, or the one in the variable that is named instead.
fn resolved(text: &str) -> Fallible<String> {
    match text.strip_prefix(FROM_ENVIRONMENT) {
        Some(name) => Ok(env::var(name).map_err(|_| format!("the variable {name} has no URL"))?),
        None => Ok(text.to_owned()),
    }
}

/// Returns what stands before `://`, or a word of ours if that is not a scheme. Anything else in a URL may
/// be a part of a password, however it is written.
fn scheme(url: &str) -> &str {
    const KNOWN: [&str; 14] = [
        "memory",
        "redis",
        "rediss",
        "redis-cluster",
        "rediss-cluster",
        "redis-sentinel",
        "rediss-sentinel",
        "redis+unix",
        "memcached",
        "memcacheds",
        "dynamodb",
        "file",
        "cookie",
        "private-cookie",
    ];
    let scheme = url.split(':').next().unwrap_or_default();
    if KNOWN.contains(&scheme) { scheme } else { "store" }
}

/// Hides the URLs among the words of a command line, except where a variable stands for one.
pub(crate) fn without_urls(words: impl Iterator<Item = String>) -> Vec<String> {
    let shown = |url: &str| match url.starts_with(FROM_ENVIRONMENT) {
        true => url.to_owned(),
        false => "URL".to_owned(),
    };
    let mut is_url = false;
    let mut hidden = Vec::new();
    for word in words {
        hidden.push(match word.strip_prefix("--store=") {
            Some(url) => format!("--store={}", shown(url)),
            None if is_url => shown(&word),
            None => word.clone(),
        });
        is_url = !is_url && word == "--store";
    }
    hidden
}

fn compare_with(memory: Option<&MeasuredStore>, steps: &mut [Step]) {
    for step in steps {
        let same = |other: &&Step| (other.request, other.at_once) == (step.request, step.at_once);
        let other = memory.and_then(|memory| memory.steps.iter().find(same));
        let times = other.map(|other| other.requests_per_second / step.requests_per_second);
        step.times_slower = times.filter(|times| times.is_finite());
    }
}

fn write(report: &Report, folder: &Path) -> Fallible<std::path::PathBuf> {
    std::fs::create_dir_all(folder)?;
    let path = folder.join("stores.json");
    replace(&path, &serde_json::to_vec_pretty(report)?)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_named_by_a_scheme_that_is_known_and_by_nothing_else() {
        assert_eq!(scheme("rediss-cluster://me:secret@host"), "rediss-cluster");
        assert_eq!(scheme("file:///mnt/efs"), "file");
        for url in ["secret", "secret:x@host", "REDIS://x", "", ":secret"] {
            assert_eq!(scheme(url), "store", "{url}");
        }
    }

    #[test]
    fn no_url_is_in_the_command_of_a_report() {
        let hidden = |words: &str| without_urls(words.split(' ').map(str::to_owned)).join(" ");
        assert_eq!(hidden("--store redis://a:b@c --quick"), "--store URL --quick");
        assert_eq!(hidden("--quick --store=redis://a:b@c"), "--quick --store=URL");
        assert_eq!(hidden("--store env:MY_URL --store=env:X"), "--store env:MY_URL --store=env:X");
        // What follows an option is its value, even if it looks like the option.
        assert_eq!(hidden("--store --store secret"), "--store URL secret");
        assert_eq!(hidden("--store"), "--store");
        assert_eq!(hidden("--only redis"), "--only redis");
    }

    #[test]
    fn a_variable_may_hold_the_url() {
        assert_eq!(resolved("memory:").unwrap(), "memory:");
        let error = resolved("env:COMPARE_NO_SUCH_VARIABLE").unwrap_err().to_string();
        assert_eq!(error, "the variable COMPARE_NO_SUCH_VARIABLE has no URL");
    }
}
