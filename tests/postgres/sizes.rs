//! Measures the bytes of a session on the server's disk. The figures of the guide come from here:
//!
//! ```text
//! cargo test --all-features --test postgres sizes -- --ignored --nocapture
//! ```

use cloakroom::store::{CommitId, NewEntry, Replaced, SessionStore, StoreKey, Version};
use cloakroom_testing::postgres::{Server, table};

use super::stores::{at, builder, entry};

const SESSIONS: u64 = 1_000;

/// Returns bytes that cannot be compressed, as keys have: distributed evenly.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()
    };
    std::iter::repeat_with(next).flatten().take(length).collect()
}

/// Returns the bytes per session: rows, TOAST, index.
fn bytes_per_session(server: &Server, table: &str) -> [u64; 3] {
    let size = |of: &str| {
        let bytes = server.sql(&format!("SELECT {of} FROM pg_class WHERE relname = '{table}'"));
        bytes.parse::<u64>().unwrap() / SESSIONS
    };
    [
        size("pg_relation_size(oid)"),
        size("coalesce(pg_total_relation_size(nullif(reltoastrelid, 0)), 0)"),
        size("pg_indexes_size(oid)"),
    ]
}

/// Returns the bytes per session when each was written once, and all of them after each was replaced once.
async fn measure(server: &Server, length: usize) -> ([u64; 3], u64) {
    let table = table();
    let store = builder(&table).connect(&at(server)).await.unwrap();
    let key = |number| StoreKey::from_bytes(noise(number + 1, 32).try_into().unwrap());
    let commit =
        |number: u64, round: u64| CommitId::from_bytes((number * 10 + round).to_be_bytes());
    let new = |number, round| {
        let bytes = noise(number * 10 + round + 1, length);
        NewEntry::new(commit(number, round), entry(1).deadline, bytes)
    };
    for number in 0..SESSIONS {
        store.create(&key(number), &new(number, 0)).await.unwrap();
    }
    server.sql(&format!("VACUUM {table}"));
    let fresh = bytes_per_session(server, &table);
    for number in 0..SESSIONS {
        let expected = Version::from(commit(number, 0));
        let replaced = store.replace(&key(number), &expected, &new(number, 1)).await.unwrap();
        assert!(matches!(replaced, Replaced::Done(_)));
    }
    server.sql(&format!("VACUUM {table}"));
    (fresh, bytes_per_session(server, &table).iter().sum())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn a_session_takes_as_much_room_as_the_guide_says() {
    // Of its own: the transactions of other tests would keep a vacuum from freeing what was replaced.
    let server = Server::start();
    let guide = include_str!("../../docs/postgres.md");
    println!(
        "| session | row | TOAST | index | together | after a replace of each |\n|---|---|---|---|---|---|"
    );
    let mut wrong = Vec::new();
    for length in [200, 500, 1_000, 2_048, 8_192] {
        let ([row, toast, index], later) = measure(&server, length).await;
        let all = row + toast + index;
        let line = format!("| {length} | {row} | {toast} | {index} | {all} | {later} |");
        println!("{line}");
        // Where the server begins a page changes the figures a little.
        let is_near = |said: u64, found: u64| said.abs_diff(found) * 5 < said;
        // The server's own vacuum may come between the replaces, and pages are freed while they go on.
        let is_about = |said: u64, found: u64| said.abs_diff(found) * 2 < said;
        let said = guide.lines().find_map(|line| figures(line, length));
        if !said.is_some_and(|(said, after)| is_near(said, all) && is_about(after, later)) {
            wrong.push(line);
        }
    }
    assert!(wrong.is_empty(), "the guide says something else: {wrong:#?}");
}

/// Returns the last two figures of the guide's line about sessions of this length.
fn figures(line: &str, length: usize) -> Option<(u64, u64)> {
    let rest = line.strip_prefix(&format!("| {length} | "))?.strip_suffix(" |")?;
    let figures: Vec<u64> = rest.split(" | ").map(|figure| figure.parse().unwrap()).collect();
    let [.., all, later] = figures[..] else { return None };
    Some((all, later))
}
