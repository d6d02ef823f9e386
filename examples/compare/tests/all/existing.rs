//! `compare --store URL` as a program.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Output};

use cloakroom_testing::redis::{Flavour, Standalone};
use serde_json::Value;

use crate::quick::running::Running;
use crate::report::files::Folder;

/// A password that is a part of no other word.
const CANARY: &str = "hunter2canary";
/// More than any mark of an ended session takes, and far less than a session.
const MARK: u64 = 200;

struct Run {
    output: Output,
    json: String,
}

fn run(stores: &[&str], variables: &[(&str, &str)]) -> Run {
    let out = Folder::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_compare"));
    command.arg("--quick").arg("--out").arg(&out.0).envs(variables.iter().copied());
    for store in stores {
        command.args(["--store", store]);
    }
    let output = command.output().unwrap();
    let json = fs::read_to_string(out.0.join("stores.json")).unwrap_or_default();
    Run { output, json }
}

impl Run {
    /// All that was printed or written.
    fn everything(&self) -> String {
        let [printed, complained] = [&self.output.stdout, &self.output.stderr];
        let [printed, complained] = [printed, complained].map(|text| String::from_utf8_lossy(text));
        format!("{printed}{complained}{}", self.json)
    }

    /// Checks the figures of a store that keeps what it acknowledges. Returns false if the store was too slow to begin
    /// or to acknowledge all, as on a busy machine: then only the numbers of losses are checked.
    fn holds(&self, names: &[&str]) -> bool {
        if self.json.is_empty() && self.everything().contains("the session store is unavailable") {
            println!("the store did not open in time: {}", self.everything());
            return false;
        }
        let json: Value = serde_json::from_str(&self.json).unwrap();
        let stores = json["stores"].as_array().unwrap();
        let found: Vec<_> = stores.iter().map(|store| store["name"].as_str().unwrap()).collect();
        assert_eq!(found, names);
        for store in stores {
            let end = &store["end"];
            assert_eq!(
                (&end["changes_missing"], &end["came_back_by_copy"]),
                (&0.into(), &0.into())
            );
        }
        if stores.iter().any(was_slow) {
            println!("a store was too slow: {}", self.everything());
            return false;
        }
        assert!(self.output.status.success(), "{}", self.everything());
        for store in stores {
            is_measured(store);
        }
        true
    }
}

/// Returns whether a store has refused a request because a command took too long, or a step had no time for any.
fn was_slow(store: &Value) -> bool {
    let is_slow = |step: &Value| step["not_acknowledged"] != 0 || step["acknowledged"] == 0;
    let begun_too_late = |problem: &str| problem.contains("no session can be begun: 503");
    store["problem"].as_str().is_some_and(begun_too_late)
        || store["steps"].as_array().unwrap().iter().any(is_slow)
}

/// Checks the figures of a store that has acknowledged all requests.
fn is_measured(store: &Value) {
    assert!(store["problem"].is_null(), "{store}");
    let steps = store["steps"].as_array().unwrap();
    let kinds = steps.iter().map(|step| (step["request"].as_str(), step["at_once"].as_u64()));
    let kinds: Vec<_> = kinds.map(|(kind, tasks)| (kind.unwrap(), tasks.unwrap())).collect();
    let one = [("read", 1), ("write", 1), ("login", 1)];
    assert_eq!(kinds, [one, one.map(|(kind, _)| (kind, 64))].concat());
    for step in steps {
        assert!(step["acknowledged"].as_u64().unwrap() > 0, "{step}");
        assert_eq!(step["not_acknowledged"], 0, "{step}");
        assert!(step["latency"]["p50_ms"].as_f64().unwrap() > 0.0, "{step}");
        assert!(step["times_slower"].is_null() == (store["name"] == "memory"), "{step}");
    }
    let end = &store["end"];
    assert_eq!((&end["sessions"], &end["ended"]), (&64.into(), &64.into()), "{end}");
    assert!(end["changes_acknowledged"].as_u64().unwrap() > 0, "{end}");
}

/// Repeats a measurement that returns false because the store was too slow.
fn up_to_three_times(measures: impl Fn() -> bool) {
    assert!((0..3).any(|_| measures()), "the store was too slow in each of three runs");
}

/// The sizes of all files below a folder. Those that somebody moves or removes meanwhile are left out.
fn sizes(folder: &Path) -> Vec<u64> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .flat_map(|entry| match entry.file_type().unwrap().is_dir() {
            true => sizes(&entry.path()),
            false => match entry.metadata() {
                Ok(metadata) => vec![metadata.len()],
                Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
                Err(error) => panic!("{error}"),
            },
        })
        .collect()
}

#[test]
fn a_folder_is_measured_and_only_marks_stay() {
    up_to_three_times(is_a_folder_measured);
}

fn is_a_folder_measured() -> bool {
    let folder = Folder::new();
    let url = format!("file://{}?durability=none", folder.0.display());
    let run = run(&["env:THE_FOLDER"], &[("THE_FOLDER", &url)]);
    let holds = run.holds(&["memory", "your file"]);
    assert!(!run.everything().contains(folder.0.to_str().unwrap()), "{}", run.everything());
    if holds {
        let sizes = sizes(&folder.0);
        assert!(sizes.len() > 64 && sizes.iter().all(|size| *size < MARK), "{sizes:?}");
    }
    holds
}

#[test]
fn after_ctrl_c_the_sessions_are_ended_too() {
    let folder = Folder::new();
    let url = format!("file://{}?durability=none", folder.0.display());
    // Several times the same one, so that a slow machine does not end before it is interrupted.
    let stores = ["--store", &url].repeat(5);
    let mut running = Running::start(&[&["--quick"], &stores[..]].concat());
    running.until_seen(|| sizes(&folder.0).iter().any(|size| *size > 2_000));
    running.signal("-INT");
    let (status, output) = running.wait();
    assert_eq!(status.code(), Some(130), "{output}");
    let json = fs::read(running.folder().join("stores.json")).unwrap();
    let json: Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["interrupted"], true);
    for store in &json["stores"].as_array().unwrap()[1..] {
        let end = &store["end"];
        assert!(end["sessions"].as_u64().unwrap() > 0 && end["sessions"] == end["ended"], "{end}");
    }
    let sizes = sizes(&folder.0);
    assert!(sizes.iter().all(|size| *size < MARK), "{sizes:?}");
}

#[test]
#[ignore = "needs redis-server"]
fn a_redis_server_is_measured_its_password_is_hidden_and_only_marks_stay() {
    up_to_three_times(is_a_redis_server_measured);
}

fn is_a_redis_server_measured() -> bool {
    let server = Standalone::start(Flavour::Redis7);
    server.ask(&["ACL", "SETUSER", "shop", "on", &format!(">{CANARY}"), "~*", "&*", "+@all"]).ok();
    let url = format!("redis://shop:{CANARY}@127.0.0.1:{}", server.port);
    let run = run(&[&url, "memory:"], &[]);
    let holds = run.holds(&["memory", "your redis (1)", "your memory (2)"]);
    assert!(!run.everything().contains(CANARY), "{}", run.everything());
    if !holds {
        return false;
    }
    assert!(run.json.contains("--store URL --store URL"), "{}", run.json);
    let keys = server.ask(&["KEYS", "*"]);
    assert!(keys.list().len() > 64);
    for key in keys.list() {
        let size = server.ask(&["STRLEN", &key.text()]).integer();
        assert!(size.unsigned_abs() < MARK, "{size}");
        assert!((1..=600).contains(&server.ask(&["TTL", &key.text()]).integer()));
    }
    true
}

#[test]
#[ignore = "needs redis-server"]
fn a_wrong_password_is_an_error_that_does_not_show_it() {
    let server = Standalone::start(Flavour::Redis7);
    let url = format!("redis://shop:{CANARY}@127.0.0.1:{}", server.port);
    let run = run(&[&url], &[]);
    assert!(!run.output.status.success());
    assert!(run.everything().contains("compare: your redis: "), "{}", run.everything());
    assert!(!run.everything().contains(CANARY), "{}", run.everything());
}

#[test]
fn what_is_no_url_is_an_error_that_does_not_show_it() {
    for url in
        [CANARY, "x:hunter2canary@y", "postgres://x:hunter2canary@y", "redis://hunter2canary@"]
    {
        let run = run(&[url], &[]);
        assert!(!run.output.status.success());
        assert!(!run.everything().contains(CANARY), "{}", run.everything());
    }
    let run = run(&["env:NO_SUCH_VARIABLE"], &[]);
    assert!(run.everything().contains("the variable NO_SUCH_VARIABLE has no URL"));
}
