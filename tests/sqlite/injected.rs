//! System calls that fail during a commit, by `strace`: what the error proves (P8, P10).

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use cloakroom::ManualClock;
use cloakroom::store::{SessionStore, StoreErrorKind};

use crate::child::{play, program};
use crate::database::{Database, START, entry, key, number, options};

const SESSIONS: u8 = 40;

/// The child: creates sessions one after the other, and prints what became of each.
pub(crate) async fn create_each(root: &Path) {
    let options = options().clock(ManualClock::at(START));
    let options = options.command_timeout(Duration::from_secs(60));
    let store = options.open(root.join("sessions.db")).await.unwrap();
    for session in 0..SESSIONS {
        let created = store.create(&key(session), &entry(session.into(), 60, b"a coat")).await;
        let loaded = store.load(&key(session)).await.unwrap();
        match created {
            Ok(_) => assert!(loaded.is_some(), "{session} was acknowledged"),
            Err(error) => {
                println!("failed {:?} {} {error:?}", error.kind(), loaded.is_some());
            }
        }
    }
}

/// Runs the child with one call that fails, and returns its line about it.
fn failing(database: &Database, injected: &str) -> String {
    let mut command = Command::new("strace");
    let inject = format!("inject={injected}");
    command.args(["--follow-forks", "-qq", "-e", "signal=none", "-e", &inject]);
    command.arg("-o").arg(database.beside("strace")).arg(program());
    play(&mut command, "create", database.folder());
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text} {}", String::from_utf8_lossy(&output.stderr));
    let mut failed = text.lines().filter_map(|line| line.split_once("failed "));
    let (_, line) = failed.next().expect("a command fails");
    assert!(failed.next().is_none(), "the store goes on: {text}");
    line.to_owned()
}

fn is_whole(database: &Database, sessions: i64) {
    let connection = database.other();
    assert_eq!(number(&connection, "SELECT count(*) FROM cloakroom"), sessions);
    let check: String =
        connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
}

/// The commit may be in the log, and a process that recovers it after a crash would apply it.
#[test]
#[ignore = "needs strace"]
fn p10_a_commit_whose_synchronisation_fails_is_in_doubt_and_the_store_goes_on() {
    let database = Database::new();
    // Later than those of a thread that opens the database.
    let line = failing(&database, "fsync,fdatasync:error=EIO:when=15");
    let doubt = format!("{:?}", StoreErrorKind::Indeterminate);
    assert!(line.starts_with(&doubt) && line.contains("cannot commit"), "{line}");
    let is_there = line.starts_with(&format!("{doubt} true"));
    is_whole(&database, i64::from(SESSIONS) - 1 + i64::from(is_there));
}

#[test]
#[ignore = "needs strace"]
fn p10_a_commit_that_does_not_fit_on_the_disk_is_not_applied_and_the_store_goes_on() {
    let database = Database::new();
    let line = failing(&database, "pwrite64:error=ENOSPC:when=90");
    let refused = format!("{:?} false", StoreErrorKind::Unavailable);
    assert!(line.starts_with(&refused) && line.contains("free some space"), "{line}");
    is_whole(&database, i64::from(SESSIONS) - 1);
}
