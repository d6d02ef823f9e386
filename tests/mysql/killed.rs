//! The server is killed while it is written to, and started again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cloakroom::store::{
    CommitId, MysqlStore, NewEntry, Replaced, SessionStore, StoreErrorKind, StoreKey, Version,
};
use cloakroom_testing::HOUR;
use cloakroom_testing::mariadb::Server;

use super::setup::{at, created, deadline, entry, key, patient, store};

const TASKS: u8 = 8;

/// The row of one task, as far as the answers tell.
struct Known {
    key: StoreKey,
    /// The version that was seen last.
    current: Version,
    /// The versions that the row may have: the current one, and those of writes that may have been applied.
    possible: Vec<Version>,
}

/// The commit's second part is the task's number, so that no two tasks have the same.
fn coat(task: u8, number: u64) -> NewEntry {
    let commit = CommitId::from_bytes((number << 8 | u64::from(task)).to_be_bytes());
    NewEntry::new(commit, deadline().saturating_add(HOUR), vec![b'x'; 2048])
}

impl Known {
    async fn new(store: &MysqlStore, task: u8) -> Self {
        let key = key(task);
        let current = created(store, &key, &coat(task, 0)).await;
        let possible = vec![current];
        Self { key, current, possible }
    }

    /// Takes what is there for the current version. A write that may have been applied stays possible: nothing
    /// says that it does not come late.
    fn found(&mut self, version: Version) {
        let possible = &self.possible;
        assert!(possible.contains(&version), "{version:?} is there, {possible:?} may be");
        self.current = version;
    }
}

/// Writes one row again and again, and returns how many writes were acknowledged.
async fn write(
    store: MysqlStore,
    task: u8,
    stop: Arc<AtomicBool>,
    mut known: Known,
) -> (u64, Known) {
    let mut acknowledged = 0;
    for number in 1.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let entry = coat(task, number);
        match store.replace(&known.key, &known.current, &entry).await {
            Ok(Replaced::Done(version)) => {
                acknowledged += 1;
                known.possible = vec![version];
                known.current = version;
            }
            Ok(Replaced::Conflict(entry)) => known.found(entry.version),
            Ok(Replaced::Gone) => panic!("the row of task {task} is gone"),
            Err(error) if error.kind() == StoreErrorKind::Unavailable => {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Err(error) => {
                assert_eq!(error.kind(), StoreErrorKind::Indeterminate, "{error:?}");
                known.possible.push(Version::from(entry.commit));
                known.found(version_once_back(&store, &known.key).await);
            }
        }
    }
    (acknowledged, known)
}

async fn version_once_back(store: &MysqlStore, key: &StoreKey) -> Version {
    loop {
        match store.load(key).await {
            Ok(found) => return found.expect("an acknowledged row is gone").version,
            Err(error) => assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Acknowledged writes are there, and writes that were reported as not applied are not.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn a_killed_server_has_every_acknowledged_write_and_no_refused_one() {
    let server = Server::start();
    let store = patient().max_connections(8).connect(&at(server.port)).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let mut tasks = tokio::task::JoinSet::new();
    for task in 1..=TASKS {
        // Before the first kill, which a busy machine may have done before a task of its own began.
        let known = Known::new(&store, task).await;
        tasks.spawn(write(store.clone(), task, stop.clone(), known));
    }
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        tokio::task::block_in_place(|| server.start_again());
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    stop.store(true, Ordering::Relaxed);
    let (mut acknowledged, mut rows) = (0, 0);
    for (writes, mut known) in tasks.join_all().await {
        let found = store.load(&known.key).await.unwrap().expect("an acknowledged row is gone");
        assert_eq!(found.bytes.len(), 2048);
        known.found(found.version);
        acknowledged += writes;
        rows += 1;
    }
    assert!(rows == TASKS && acknowledged > 0, "{rows} rows, {acknowledged} writes");
}

/// Idle connections that died with the server are not taken for good ones: a write that would have
/// been lost on one of them is sent on a new one.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn a_restart_between_two_commands_costs_nothing() {
    let server = Server::start();
    let store = store(&server).await;
    for number in 0..3 {
        created(&store, &key(number), &entry(number)).await;
        tokio::task::block_in_place(|| server.start_again());
        // Gives the runtime time to notice that the connection has ended, also on a busy machine.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let found = store.load(&key(number)).await.unwrap();
        assert_eq!(found.unwrap().bytes, "bytes");
    }
}
