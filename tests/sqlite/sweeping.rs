//! Expired sessions go away by themselves, a few at a time, and the file gets smaller.

use std::fs;
use std::time::Duration;

use cloakroom::ManualClock;
use cloakroom::store::{SessionStore, SqliteStore, StoreKey};
use cloakroom_testing::processes::wait_until;
use cloakroom_testing::{HOUR, MINUTE, left_alone};

use crate::database::{Database, START, created, entry, key, live, number, options};

const SESSIONS: u64 = 1_000;

fn numbered(at: u64) -> StoreKey {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&at.to_be_bytes());
    StoreKey::from_bytes(key)
}

async fn fill(store: &SqliteStore, bytes: usize) {
    let mut creating = tokio::task::JoinSet::new();
    for at in 0..SESSIONS {
        let (store, new) = (store.clone(), entry(at, 60, &vec![7; bytes]));
        creating.spawn(async move { created(&store, &numbered(at), &new).await });
    }
    creating.join_all().await;
}

async fn patient(database: &Database, clock: &ManualClock) -> SqliteStore {
    let options = options().clock(clock.clone()).command_timeout(MINUTE);
    options.open(database.path()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_removes_what_has_expired_and_the_file_shrinks() {
    let (database, clock) = (Database::new(), ManualClock::at(START));
    let store = patient(&database, &clock).await;
    created(&store, &key(200), &entry(1, 1 << 20, b"it stays")).await;
    fill(&store, 2_000).await;
    clock.advance(Duration::from_secs(119));
    assert_eq!(store.sweep().await.unwrap(), 0, "a minute of grace");
    clock.advance(Duration::from_secs(1));
    assert_eq!(store.sweep().await.unwrap(), SESSIONS);
    assert_eq!(store.sweep().await.unwrap(), 0);
    assert_eq!(live(&store, &key(200)).await.bytes, "it stays");
    // It had more than two million bytes. The log is moved a moment after the sweep has ended.
    wait_until("the file is small", || fs::metadata(database.path()).unwrap().len() < 400_000);
}

/// A sweep that has begun does not hold up a write for longer than for a hundred sessions.
#[tokio::test(flavor = "multi_thread")]
async fn requests_go_on_between_the_steps_of_a_sweep() {
    let (database, clock) = (Database::new(), ManualClock::at(START));
    let store = patient(&database, &clock).await;
    fill(&store, 100).await;
    clock.advance(HOUR);
    let lock = database.other();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let sweeping = left_alone([store.sweep()]);
    let new = entry(SESSIONS + 1, 1 << 20, b"");
    let key = numbered(SESSIONS + 1);
    let creating = left_alone([store.create(&key, &new)]);
    lock.execute_batch("ROLLBACK").unwrap();
    for create in creating {
        create.await.unwrap();
    }
    // Nobody has polled the sweep since, so it cannot have taken its second step.
    assert_eq!(number(&lock, "SELECT count(*) FROM cloakroom"), 901);
    for sweep in sweeping {
        assert_eq!(sweep.await.unwrap(), SESSIONS);
    }
}

/// Large sessions are many pages, so fewer of them go at once.
#[tokio::test(flavor = "multi_thread")]
async fn several_processes_may_sweep_at_once() {
    let (database, clock) = (Database::new(), ManualClock::at(START));
    let (west, east) = (patient(&database, &clock).await, patient(&database, &clock).await);
    for at in 0..40 {
        created(&west, &numbered(at), &entry(at, 60, &[7; 200_000])).await;
    }
    clock.advance(HOUR);
    let (one, other) = tokio::join!(west.sweep(), east.sweep());
    assert_eq!(one.unwrap() + other.unwrap(), 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sweeper_runs_by_itself() {
    let (database, clock) = (Database::new(), ManualClock::at(START));
    let store = options().clock(clock.clone()).sweep_every(Duration::from_millis(50));
    let store = store.open(database.path()).await.unwrap();
    created(&store, &key(1), &entry(1, 60, b"a coat")).await;
    clock.advance(HOUR);
    let other = database.other();
    wait_until("it is gone", || number(&other, "SELECT count(*) FROM cloakroom") == 0);
}

/// The log is emptied by the store itself, and not by SQLite.
#[tokio::test(flavor = "multi_thread")]
async fn the_log_does_not_grow_without_end() {
    let (database, clock) = (Database::new(), ManualClock::at(START));
    let store = patient(&database, &clock).await;
    let mut version = created(&store, &key(1), &entry(0, 60, &[7; 900_000])).await;
    // More than 200 MB in all.
    for commit in 1..250 {
        let new = entry(commit, 60, &[7; 900_000]);
        store.replace(&key(1), &version, &new).await.unwrap();
        version = new.commit.into();
    }
    let log = fs::metadata(database.beside("sessions.db-wal")).unwrap().len();
    assert!(log < 80 << 20, "{log} bytes");
}
