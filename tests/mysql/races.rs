//! Many connections on few keys, under each isolation level.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use cloakroom::store::{
    CommitId, Created, MysqlStore, NewEntry, Replaced, SessionStore, StoreError, StoreErrorKind,
    Version,
};
use cloakroom_testing::mariadb::Server;

use super::meddler::{Meddler, Meddling};
use super::setup::{at, deadline, key, patient};

const TASKS: u64 = 64;
const KEYS: u64 = 8;
const ROUNDS: u64 = 40;

/// The results of all tasks.
#[derive(Default)]
struct Ledger {
    /// How often a replace that expected this version has won. A version is never given twice.
    won: Mutex<HashMap<Version, u32>>,
    next: AtomicU64,
    refused: AtomicU64,
}

impl Ledger {
    fn entry(&self) -> NewEntry {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        NewEntry::new(CommitId::from_bytes(number.to_be_bytes()), deadline(), vec![b'x'; 2048])
    }

    /// Checks that an error proves that nothing was applied.
    fn not_applied<T>(&self, answer: Result<T, StoreError>) -> Option<T> {
        match answer {
            Ok(answer) => Some(answer),
            Err(error) => {
                assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
                self.refused.fetch_add(1, Ordering::Relaxed);
                None
            }
        }
    }
}

async fn play(store: MysqlStore, ledger: Arc<Ledger>, task: u64) {
    for round in 0..ROUNDS {
        let key = key(u8::try_from((task + round) % KEYS).unwrap());
        let Some(Some(found)) = ledger.not_applied(store.load(&key).await) else {
            ledger.not_applied::<Created>(store.create(&key, &ledger.entry()).await);
            continue;
        };
        if (task * 7 + round).is_multiple_of(16) {
            ledger.not_applied(store.delete(&key).await);
            continue;
        }
        let replaced = store.replace(&key, &found.version, &ledger.entry()).await;
        match ledger.not_applied(replaced) {
            Some(Replaced::Done(_)) => {
                *ledger.won.lock().unwrap().entry(found.version).or_default() += 1;
            }
            Some(Replaced::Conflict(other)) => {
                assert_ne!(other.version, found.version, "the loser was shown what it expected");
            }
            Some(Replaced::Gone) | None => {}
        }
    }
}

async fn nobody_wins_twice(statement: &'static str) {
    let server = Server::start();
    // The store asks for READ COMMITTED; here the server hears another level.
    let statement = Some(("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", statement));
    let meddler = Meddler::before(server.port, Meddling { statement, ..Meddling::default() }).await;
    let store = patient().max_connections(TASKS as usize).connect(&at(meddler.port)).await.unwrap();
    let ledger = Arc::new(Ledger::default());
    let tasks: tokio::task::JoinSet<_> =
        (0..TASKS).map(|task| play(store.clone(), ledger.clone(), task)).collect();
    tasks.join_all().await;
    let won = ledger.won.lock().unwrap();
    assert!(won.values().all(|times| *times == 1), "{won:?}");
    let refused = ledger.refused.load(Ordering::Relaxed);
    println!("{} replaces won, {refused} commands refused", won.len());
    assert!(won.len() > 50, "too few replaces won to show anything: {}", won.len());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn nobody_wins_twice_under_read_committed() {
    nobody_wins_twice("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn nobody_wins_twice_under_repeatable_read() {
    nobody_wins_twice("SET SESSION tx_isolation = 'REPEATABLE-READ'").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn nobody_wins_twice_under_serializable() {
    nobody_wins_twice("SET SESSION tx_isolation = 'SERIALIZABLE'").await;
}
