//! Commands that wait: for another process's lock, for their turn, for a slow transaction.

use std::path::Path;
use std::time::Duration;

use cloakroom::store::{SessionStore, SqliteStore, StoreErrorKind};
use cloakroom::{ManualClock, Timestamp};
use cloakroom_testing::left_alone;
use cloakroom_testing::processes::wait_until;

use crate::child::Running;
use crate::database::{Database, START, created, entry, key, live, number, options, other};

/// The child: takes the lock of the database, and holds it until it is killed.
pub(crate) fn hold_the_lock(root: &Path) {
    let connection = other(&root.join("sessions.db"));
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    println!("held");
    std::thread::sleep(Duration::from_secs(600));
}

async fn open(database: &Database, timeout: Duration) -> SqliteStore {
    let options = options().clock(ManualClock::at(START)).command_timeout(timeout);
    options.open(database.path()).await.unwrap()
}

const SHORT: Duration = Duration::from_secs(5);
const LONG: Duration = Duration::from_secs(600);

/// The kinds of the errors of all four writes.
async fn kinds(store: &SqliteStore) -> [StoreErrorKind; 4] {
    let version = entry(1, 60, b"").commit.into();
    let (new, later) = (entry(9, 600, b"never"), Timestamp::MAX);
    let (key, other) = (key(1), key(2));
    let (replace, create, touch, delete) = tokio::join!(
        store.replace(&key, &version, &new),
        store.create(&other, &new),
        store.touch(&key, &version, later),
        store.delete(&key),
    );
    let errors = [
        replace.map(drop).unwrap_err(),
        create.map(drop).unwrap_err(),
        touch.map(drop).unwrap_err(),
        delete.unwrap_err(),
    ];
    errors.map(|error| error.kind())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_another_process_keeps_waiting_was_not_applied() {
    let database = Database::new();
    let (short, long) = (open(&database, SHORT).await, open(&database, LONG).await);
    created(&long, &key(1), &entry(1, 60, b"a coat")).await;
    let mut holder = Running::start("hold", database.folder());
    holder.next("held").unwrap();
    assert_eq!(kinds(&short).await, [StoreErrorKind::Unavailable; 4]);
    let shown = format!("{:?}", short.delete(&key(1)).await.unwrap_err());
    assert!(shown.contains("another process holds the database's lock"), "{shown}");
    assert_eq!(live(&long, &key(1)).await.bytes, "a coat", "reads go on");
    // A write whose patience lasts is carried out when the holder dies.
    let waiting = tokio::spawn({
        let long = long.clone();
        async move { long.create(&key(3), &entry(3, 60, b"")).await }
    });
    holder.kill();
    waiting.await.unwrap().unwrap();
    let found = live(&long, &key(1)).await;
    assert_eq!((&found.bytes[..], found.version), (&b"a coat"[..], entry(1, 0, b"").commit.into()));
    assert_eq!(long.load(&key(2)).await.unwrap(), None, "it was withdrawn");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_that_nobody_polls_hold_up_nobody_and_dropped_ones_are_not_carried_out() {
    let database = Database::new();
    let store = open(&database, LONG).await;
    let lock = database.other();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let entries: Vec<_> = (0..100).map(|at| (key(at), entry(at.into(), 60, b""))).collect();
    let left = left_alone(entries[..50].iter().map(|(key, new)| store.create(key, new)));
    let dropped = left_alone(entries[50..].iter().map(|(key, new)| store.create(key, new)));
    let loads = left_alone(entries.iter().map(|(key, _)| store.load(key)));
    drop(dropped);
    lock.execute_batch("ROLLBACK").unwrap();
    created(&store, &key(200), &entry(1, 60, b"")).await;
    assert_eq!(live(&store, &key(200)).await.bytes, "");
    assert_eq!(number(&database.other(), "SELECT count(*) FROM cloakroom"), 51);
    for create in left {
        create.await.unwrap();
    }
    drop(loads);
}

/// A trigger of somebody's makes each new session take a while: several times `SHORT` on a fast machine.
const SLOW: &str = "CREATE TABLE n (x); \
    INSERT INTO n WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 130) SELECT x FROM c; \
    CREATE TABLE sums (x); \
    CREATE TRIGGER slow AFTER INSERT ON cloakroom BEGIN \
        INSERT INTO sums SELECT sum(a.x + b.x + c.x + d.x) FROM n a, n b, n c, n d; END;";

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_has_begun_and_is_not_answered_in_time_is_indeterminate_and_may_be_applied() {
    let database = Database::new();
    let (store, long) = (open(&database, SHORT).await, open(&database, LONG).await);
    created(&long, &key(1), &entry(1, 60, b"a coat")).await;
    database.other().execute_batch(SLOW).unwrap();
    let (first, second) = (entry(2, 60, b"slow"), entry(3, 60, b"later"));
    let slow = tokio::spawn({
        let store = store.clone();
        async move { store.create(&key(2), &first).await }
    });
    // The lock is held as soon as the slow write has begun.
    let lock = database.other();
    lock.busy_timeout(Duration::ZERO).unwrap();
    wait_until("the slow write begins", || match lock.execute_batch("BEGIN IMMEDIATE") {
        Ok(()) => {
            lock.execute_batch("ROLLBACK").unwrap();
            slow.is_finished()
        }
        Err(_) => true,
    });
    let queued = store.create(&key(3), &second).await.unwrap_err();
    let slow = slow.await.unwrap().unwrap_err();
    assert_eq!(
        (slow.kind(), queued.kind()),
        (StoreErrorKind::Indeterminate, StoreErrorKind::Unavailable),
        "{slow:?} {queued:?}"
    );
    // A command behind it, of another handle, comes after it.
    long.delete(&key(1)).await.unwrap();
    assert_eq!(live(&long, &key(2)).await.bytes, "slow", "it was applied after all");
    assert_eq!(long.load(&key(3)).await.unwrap(), None, "it was withdrawn for good");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_expires_while_its_write_waits_is_gone() {
    let database = Database::new();
    let clock = ManualClock::at(START);
    let store = options().clock(clock.clone()).command_timeout(LONG).open(database.path());
    let store = store.await.unwrap();
    let version = created(&store, &key(1), &entry(1, 60, b"a coat")).await;
    let lock = database.other();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (key, new) = (key(1), entry(2, 600, b"late"));
    let waiting = left_alone([store.replace(&key, &version, &new)]);
    clock.advance(Duration::from_secs(60));
    lock.execute_batch("ROLLBACK").unwrap();
    for replaced in waiting {
        assert_eq!(replaced.await.unwrap(), cloakroom::store::Replaced::Gone);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_threads_end_with_the_last_clone_and_the_log_is_emptied() {
    let database = Database::new();
    let store = open(&database, LONG).await;
    created(&store, &key(1), &entry(1, 60, b"a coat")).await;
    let clone = store.clone();
    drop(store);
    live(&clone, &key(1)).await;
    drop(clone);
    wait_until("the log is removed", || !database.beside("sessions.db-wal").exists());
    assert_eq!(number(&database.other(), "SELECT count(*) FROM cloakroom"), 1);
}
