//! The room that a session takes on the disk. `docs/sqlite.md` has the numbers.

use std::time::Duration;

use cloakroom::ManualClock;
use cloakroom::store::{NewEntry, SqliteSynchronous, StoreKey};
use cloakroom_testing::MINUTE;
use tokio::task::JoinSet;

use crate::database::{Database, START, created, entry, number, options};

const SESSIONS: u64 = 5_000;

/// Returns the bytes of the file for each session, when the keys and the deadlines come in any order.
async fn bytes_for_each(size: usize) -> i64 {
    let database = Database::new();
    let store = options().clock(ManualClock::at(START)).command_timeout(MINUTE);
    let store = store.synchronous(SqliteSynchronous::Normal).open(database.path()).await.unwrap();
    let mut creating = JoinSet::new();
    for at in 0..SESSIONS {
        let random =
            |round: u64| (at + 1 + round).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        let mut key = [7; 32];
        key[..8].copy_from_slice(&random(0).to_be_bytes());
        let deadline = START.saturating_add(Duration::from_millis(random(1) % 1_800_000));
        let new = NewEntry::new(entry(at, 0, b"").commit, deadline, vec![7; size]);
        let store = store.clone();
        creating.spawn(async move { created(&store, &StoreKey::from_bytes(key), &new).await });
    }
    creating.join_all().await;
    let bytes = number(&database.other(), "PRAGMA page_count") * 4_096;
    bytes / i64::try_from(SESSIONS).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_size_of_a_session_on_the_disk() {
    let mut found = Vec::new();
    for size in [512, 2_048] {
        found.push(bytes_for_each(size).await);
        println!("a session of {size} bytes takes {} bytes", found.last().unwrap());
    }
    for (found, documented) in found.iter().zip([650, 4_180]) {
        assert!((documented * 9 / 10..=documented * 11 / 10).contains(found), "{found}");
    }
}
