//! Checks with `strace` that a commit is on the disk when its command is answered.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use cloakroom::store::{SessionStore, SqliteStore, SqliteSynchronous};
use cloakroom::{Key, ManualClock, SessionLayer};
use cloakroom_testing::{Visitor, left_alone, patient};

use crate::child::{play, program, succeeds};
use crate::database::{Database, START, created, entry, key, options, other};

/// Looks for a file whose name tells what follows.
fn say(what: &str) {
    drop(std::fs::metadata(format!("/next/{what}")));
}

/// The child.
pub(crate) async fn each_command(root: &Path) {
    let clock = ManualClock::at(START);
    let open = async |name: &str, synchronous| {
        let options = options().clock(clock.clone()).synchronous(synchronous);
        options.command_timeout(Duration::from_secs(60)).open(root.join(name)).await.unwrap()
    };
    let store = open("sessions.db", SqliteSynchronous::Full).await;
    // The first commit also writes the log's header.
    created(&store, &key(9), &entry(9, 60, b"")).await;
    commands(&store).await;
    together(&store, &root.join("sessions.db")).await;
    let layer = SessionLayer::new(store.clone(), Key::from_bytes(&[7; 32]).unwrap());
    requests(patient(layer.clock(clock.clone()))).await;
    let normal = open("normal.db", SqliteSynchronous::Normal).await;
    created(&normal, &key(9), &entry(9, 60, b"")).await;
    say("normal");
    created(&normal, &key(1), &entry(1, 60, b"a coat")).await;
    say("end");
    // It empties its log when it is dropped, and that takes a while: not among the commands above.
    drop(store);
}

async fn commands(store: &SqliteStore) {
    say("create");
    let version = created(store, &key(1), &entry(1, 60, b"a coat")).await;
    say("load");
    store.load(&key(1)).await.unwrap().unwrap();
    say("replace");
    let new = entry(2, 60, b"a hat");
    store.replace(&key(1), &version, &new).await.unwrap();
    say("conflict");
    store.replace(&key(1), &version, &new).await.unwrap();
    say("exists");
    store.create(&key(1), &new).await.unwrap();
    say("touch");
    store.touch(&key(1), &new.commit.into(), entry(0, 90, b"").deadline).await.unwrap();
    say("skipped");
    store.touch(&key(1), &version, entry(0, 900, b"").deadline).await.unwrap();
    say("delete");
    store.delete(&key(1)).await.unwrap();
    say("absent");
    store.delete(&key(1)).await.unwrap();
    say("between");
}

/// A hundred commands that wait when the lock becomes free.
async fn together(store: &SqliteStore, path: &Path) {
    let lock = other(path);
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let entries: Vec<_> = (0..100).map(|at| (key(at + 100), entry(at.into(), 60, b""))).collect();
    let creates = left_alone(entries.iter().map(|(key, new)| store.create(key, new)));
    say("together");
    lock.execute_batch("ROLLBACK").unwrap();
    for create in creates {
        create.await.unwrap();
    }
    say("between");
}

async fn requests(layer: SessionLayer) {
    let guest = Visitor::new(layer);
    say("newcomer");
    guest.visit(async |session| session.insert("k", &1)).await.is_ok();
    say("reads");
    guest.visit(async |session| session.get::<u32>("k")).await.is_ok();
    say("writes");
    guest.visit(async |session| session.insert("k", &2)).await.is_ok();
    say("login");
    let renew = guest.visit(async |session| {
        session.renew()?;
        session.insert("k", &3)
    });
    renew.await.is_ok();
    say("logout");
    guest.visit(async |session| session.destroy().await).await.is_ok();
    say("between");
}

/// Returns how often the log was synchronised, by what was being done.
fn synchronised() -> BTreeMap<String, usize> {
    let database = Database::new();
    let log = database.beside("strace");
    let root = database.beside("root");
    std::fs::create_dir(&root).unwrap();
    let mut command = Command::new("strace");
    command.args(["--follow-forks", "-qq", "-e", "signal=none", "-e"]);
    command.arg("trace=%file,fsync,fdatasync").arg("-o").arg(&log).arg(program());
    play(&mut command, "trace", &root);
    succeeds(&mut command);
    let log = std::fs::read_to_string(log).unwrap();
    let (mut counts, mut current) = (BTreeMap::new(), String::new());
    for line in log.lines() {
        if let Some((_, name)) = line.split_once("/next/") {
            current = name.split('"').next().unwrap().to_owned();
            counts.entry(current.clone()).or_default();
        } else if line.contains("sync(") {
            *counts.entry(current.clone()).or_default() += 1;
        }
    }
    counts
}

#[test]
#[ignore = "needs strace"]
fn p08_a_write_is_on_the_disk_when_it_is_answered_and_waiting_writes_share_one_synchronisation() {
    let counts = synchronised();
    let expected = [
        ("create", 1),
        ("load", 0),
        ("replace", 1),
        ("conflict", 0),
        ("exists", 0),
        ("touch", 1),
        ("skipped", 0),
        ("delete", 1),
        ("absent", 0),
        // 64, then 36.
        ("together", 2),
        ("newcomer", 1),
        ("reads", 0),
        ("writes", 1),
        ("login", 2),
        ("logout", 1),
        ("normal", 0),
    ];
    for (what, count) in expected {
        assert_eq!(counts[what], count, "{what}: {counts:?}");
    }
}
