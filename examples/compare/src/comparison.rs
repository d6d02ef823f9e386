//! All strategies, one after the other.

use std::env;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;

use crate::cli::Options;
use crate::existing::without_urls;
use crate::process::Folder;
use crate::results::{self, Comparison, Outcome, Plan};
use crate::stage::{self, STEPS, Staged};
use crate::strategy::{self, Strategy};
use crate::{Fallible, machine, report, store, with_causes};

/// The longest that one strategy may take, on a machine that has other work.
const STRATEGY_TIMEOUT: Duration = Duration::from_secs(900);

pub(crate) const INTERRUPTED: u8 = 130;

pub(crate) async fn compare(options: Options) -> Fallible<ExitCode> {
    let strategies = strategy::chosen(&options.only)?;
    let begun = Instant::now();
    let mut comparison = blank(&options)?;
    // The signals are watched before anything is made that has to be removed.
    let mut interruption = Interruption::listen()?;
    let folder = Folder::new()?;
    let progress = progress(strategies.len());
    comparison.interrupted = tokio::select! {
        () = run_all(&strategies, &options, &folder, &progress, &mut comparison) => false,
        () = interruption.comes() => true,
    };
    // Everything is removed before the report is written, which may fail.
    drop(folder);
    progress.finish_and_clear();
    comparison.seconds = begun.elapsed().as_secs_f64();
    print!("{}", report::terminal(&comparison));
    let written = report::write(&comparison, &options.out)?;
    println!("{}\n{}", written.json.display(), written.page.display());
    Ok(exit_code(&comparison))
}

fn exit_code(comparison: &Comparison) -> ExitCode {
    let has_failed = |outcome: &Outcome| matches!(outcome, Outcome::Failed { .. });
    match comparison.interrupted {
        true => ExitCode::from(INTERRUPTED),
        false if comparison.strategies.iter().any(has_failed) => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    }
}

fn blank(options: &Options) -> Fallible<Comparison> {
    Ok(Comparison {
        format: results::FORMAT,
        began: now()?,
        seconds: 0.0,
        command: command(),
        machine: machine::describe(),
        plan: Plan {
            quick: options.quick,
            nodes: options.nodes.into(),
            shoppers: options.shoppers(),
            seed: options.seed,
            session_kb: options.session_kb,
            failover: options.failover,
        },
        strategies: Vec::new(),
        interrupted: false,
    })
}

/// Returns the time in RFC 3339 and UTC.
pub(crate) fn now() -> Fallible<String> {
    Ok(OffsetDateTime::now_utc().replace_nanosecond(0)?.format(&Rfc3339)?)
}

/// Returns the command as it can be typed again, without the URLs of stores.
pub(crate) fn command() -> String {
    let profile = if cfg!(debug_assertions) { "" } else { "--release " };
    let words = without_urls(env::args().skip(1)).into_iter().map(|word| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./,=:".contains(c);
        if word.chars().all(is_plain) { word } else { format!("'{}'", word.replace('\'', r"'\''")) }
    });
    let words = words.collect::<Vec<_>>().join(" ");
    let command = match store::is_among_guests() {
        true => format!("scripts/nfs-test compare {words}"),
        false => format!("cargo run {profile}-p compare -- {words}"),
    };
    command.trim_end().to_owned()
}

/// A progress bar, which draws nothing when the output is not a terminal.
fn progress(strategies: usize) -> ProgressBar {
    let progress = ProgressBar::new(strategies as u64 * STEPS);
    if let Ok(style) = ProgressStyle::with_template("{bar:32} {percent:>3} %  {msg}") {
        progress.set_style(style);
    }
    progress
}

/// Notices SIGINT (Ctrl-C) and SIGTERM.
pub(crate) struct Interruption {
    interrupt: Signal,
    terminate: Signal,
}

impl Interruption {
    pub(crate) fn listen() -> Fallible<Self> {
        let (interrupt, terminate) = (SignalKind::interrupt(), SignalKind::terminate());
        Ok(Self { interrupt: signal(interrupt)?, terminate: signal(terminate)? })
    }

    pub(crate) async fn comes(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

async fn run_all(
    strategies: &[Strategy],
    options: &Options,
    folder: &Folder,
    progress: &ProgressBar,
    comparison: &mut Comparison,
) {
    for (number, strategy) in strategies.iter().enumerate() {
        let own = folder.path().join(strategy.id);
        let staged = stage::run(strategy, options, &own, progress);
        let staged = timeout(STRATEGY_TIMEOUT, staged).await;
        let staged =
            staged.unwrap_or_else(|_| Err(format!("not done in {STRATEGY_TIMEOUT:?}").into()));
        comparison.strategies.push(match staged {
            Ok(Staged::Measured(measured, version)) => {
                comparison.machine.versions.extend(version);
                Outcome::Measured(measured)
            }
            Ok(Staged::Needs(needs)) => Outcome::NotRun { strategy: strategy.name(), needs },
            Err(problem) => {
                Outcome::Failed { strategy: strategy.name(), problem: with_causes(&*problem) }
            }
        });
        progress.set_position((number as u64 + 1) * STEPS);
    }
}
