//! Processes that are killed at any instruction (P8, P10).

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cloakroom::Clock;
use cloakroom::store::{CommitId, NewEntry, Replaced, SessionStore, SqliteStore, StoreKey};
use cloakroom_testing::MINUTE;

use crate::child::Running;
use crate::database::{Database, created, live, options};

const KILLS: u64 = 20;
const SESSIONS: u8 = 16;

async fn open(root: &Path) -> SqliteStore {
    options().command_timeout(MINUTE).open(root.join("sessions.db")).await.unwrap()
}

/// Encodes a number several times over. The length depends on the number, so that a torn row is noticed.
fn coat(number: u64) -> NewEntry {
    let bytes = number.to_be_bytes().repeat(1 + usize::try_from(number % 1_000).unwrap());
    let far = Clock::system().now().saturating_add(Duration::from_secs(3_600));
    NewEntry::new(CommitId::from_bytes(number.to_be_bytes()), far, bytes)
}

fn number_of(bytes: &[u8]) -> u64 {
    let number = u64::from_be_bytes(*bytes.first_chunk().unwrap());
    assert_eq!(bytes, coat(number).bytes, "a torn session");
    number
}

/// The child: replaces sessions, and prints what was acknowledged, until it is killed.
pub(crate) async fn write_until_killed(root: &Path) {
    let store = open(root).await;
    let next = Arc::new(AtomicU64::new(0));
    let mut writers = tokio::task::JoinSet::new();
    for session in 0..SESSIONS {
        let (store, next, key) = (store.clone(), next.clone(), StoreKey::from_bytes([session; 32]));
        writers.spawn(async move {
            let mut entry = live(&store, &key).await;
            loop {
                let number = number_of(&entry.bytes) + 1;
                let replaced = store.replace(&key, &entry.version, &coat(number)).await.unwrap();
                assert!(matches!(replaced, Replaced::Done(_)), "{replaced:?}");
                println!("wrote {session} {number}");
                next.fetch_add(1, Ordering::Relaxed);
                entry = live(&store, &key).await;
            }
        });
    }
    writers.join_next().await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn p08_after_a_kill_every_acknowledged_write_is_there_and_whole() {
    let database = Database::new();
    let store = open(database.folder()).await;
    for session in 0..SESSIONS {
        created(&store, &StoreKey::from_bytes([session; 32]), &coat(0)).await;
    }
    // In every second round the last connection dies with the child, and the next one recovers.
    drop(store);
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    for kill in 0..KILLS {
        let beside = if kill % 2 == 0 { Some(open(database.folder()).await) } else { None };
        let mut child = Running::start("write", database.folder());
        let mut acknowledged = [0; SESSIONS as usize];
        let mut note = |line: String| {
            let (session, number) = line.split_once(' ').unwrap();
            acknowledged[session.parse::<usize>().unwrap()] = number.parse().unwrap();
        };
        note(child.next("wrote").unwrap());
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        tokio::time::sleep(Duration::from_micros(random % 50_000)).await;
        child.kill();
        while let Some(line) = child.next("wrote") {
            note(line);
        }
        let store = open(database.folder()).await;
        for session in 0..SESSIONS {
            let found = live(&store, &StoreKey::from_bytes([session; 32])).await;
            let (found, told) = (number_of(&found.bytes), acknowledged[usize::from(session)]);
            assert!(found >= told, "session {session}: {found} is there, {told} was acknowledged");
        }
        drop((store, beside));
    }
    let check: String =
        database.other().query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
}
