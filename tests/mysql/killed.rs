//! The server is killed while it is written to, and started again.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cloakroom::store::{
    CommitId, MysqlStore, NewEntry, Replaced, SessionStore, StoreErrorKind, StoreKey, Version,
};
use cloakroom_testing::HOUR;
use cloakroom_testing::mariadb::Server;

use super::setup::{at, created, deadline, entry, key, patient, store};

/// The versions that one key may have.
type Possible = Vec<Version>;

/// Writes one key again and again, and notes which versions it may have. The second part of a commit is the
/// task's number, so that no two tasks have the same.
async fn write(
    store: MysqlStore,
    task: u64,
    stop: Arc<AtomicBool>,
    known: Arc<Mutex<BTreeMap<u64, Possible>>>,
) {
    let key = StoreKey::from_bytes([u8::try_from(task).unwrap() + 1; 32]);
    let new = |number: u64| {
        let commit = CommitId::from_bytes((number << 8 | task).to_be_bytes());
        NewEntry::new(commit, deadline().saturating_add(HOUR), vec![b'x'; 2048])
    };
    let mut current = created(&store, &key, &new(0)).await;
    known.lock().unwrap().insert(task, vec![current]);
    for number in 1.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let entry = new(number);
        match store.replace(&key, &current, &entry).await {
            Ok(Replaced::Done(version)) => {
                current = version;
                known.lock().unwrap().insert(task, vec![current]);
            }
            Ok(other) => panic!("nobody else writes this key: {other:?}"),
            Err(error) if error.kind() == StoreErrorKind::Unavailable => {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Err(error) => {
                assert_eq!(error.kind(), StoreErrorKind::Indeterminate, "{error:?}");
                known.lock().unwrap().insert(task, vec![current, Version::from(entry.commit)]);
                // A later statement of the same connection could not overtake it: the server is dead.
                loop {
                    match store.load(&key).await {
                        Ok(found) => {
                            current = found.expect("an acknowledged row is gone").version;
                            let possible = known.lock().unwrap()[&task].clone();
                            assert!(possible.contains(&current), "{possible:?} {current:?}");
                            break;
                        }
                        Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
                    }
                }
            }
        }
    }
}

/// Acknowledged writes are there, and writes that were reported as not applied are not.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn a_killed_server_has_every_acknowledged_write_and_no_refused_one() {
    let server = Server::start();
    let store = patient().max_connections(8).connect(&at(server.port)).await.unwrap();
    let (stop, known) = (Arc::new(AtomicBool::new(false)), Arc::default());
    let tasks: tokio::task::JoinSet<_> =
        (0..8).map(|task| write(store.clone(), task, stop.clone(), Arc::clone(&known))).collect();
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        tokio::task::block_in_place(|| server.start_again());
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    stop.store(true, Ordering::Relaxed);
    tasks.join_all().await;
    let known = std::mem::take(&mut *known.lock().unwrap());
    for (task, possible) in known {
        let key = StoreKey::from_bytes([u8::try_from(task).unwrap() + 1; 32]);
        let found = store.load(&key).await.unwrap().expect("an acknowledged row is gone");
        assert!(possible.contains(&found.version), "{task}");
        assert_eq!(found.bytes.len(), 2048);
    }
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
