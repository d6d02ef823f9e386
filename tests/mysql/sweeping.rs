//! Expired rows are removed, and no others.

use std::time::Duration;

use cloakroom::store::{CommitId, Created, MysqlStore, NewEntry, SessionStore, StoreKey, Touched};
use cloakroom::{Clock, Timestamp};
use cloakroom_testing::mariadb::{Server, TABLE};
use cloakroom_testing::processes::wait_until;
use cloakroom_testing::{HOUR, MINUTE};

use super::setup::{at, created, entry, key, patient, store, store_with_clock, version};

fn rows(server: &Server) -> u64 {
    server.sql(&format!("SELECT COUNT(*) FROM {TABLE}")).parse().unwrap()
}

/// Returns a key that differs from others in its first bytes, as the keys of sessions do.
fn spread(number: u32) -> StoreKey {
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&number.wrapping_mul(2_654_435_761).to_be_bytes());
    bytes[4..8].copy_from_slice(&number.to_be_bytes());
    StoreKey::from_bytes(bytes)
}

async fn fill(store: &MysqlStore, count: u32, deadline: impl Fn(u32) -> Timestamp) {
    for number in 0..count {
        let commit = CommitId::from_bytes(u64::from(number).to_be_bytes());
        created(store, &spread(number), &NewEntry::new(commit, deadline(number), "bytes")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn a_sweep_removes_what_has_been_expired_for_a_minute_and_nothing_else() {
    let server = Server::start();
    let (store, clock) = store_with_clock(&server).await;
    let now = clock.now();
    // More than two steps of the walk. A third each: long expired, just expired, live.
    let deadline = |number: u32| match number % 3 {
        0 => now.saturating_add(MINUTE),
        1 => now.saturating_add(HOUR),
        _ => now.saturating_add(HOUR * 2),
    };
    fill(&store, 600, deadline).await;
    clock.set(now.saturating_add(HOUR + Duration::from_secs(59)));
    assert_eq!(store.sweep().await.unwrap(), 200);
    for number in 0..600 {
        let is_live = store.load(&spread(number)).await.unwrap().is_some();
        assert_eq!(is_live, number % 3 == 2, "{number}");
    }
    assert_eq!(rows(&server), 400);
    clock.set(now.saturating_add(HOUR + MINUTE));
    assert_eq!(store.sweep().await.unwrap(), 200);
    assert_eq!(store.sweep().await.unwrap(), 0);
    assert_eq!(rows(&server), 200);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn the_sweeper_runs_by_itself_and_ends_with_the_store() {
    let server = Server::start();
    let store = patient().sweep_every(Duration::from_millis(50));
    let store = store.connect(&at(server.port)).await.unwrap();
    let past = Clock::system().now().saturating_sub(HOUR);
    fill(&store, 20, |_| past).await;
    wait_until("an empty table", || rows(&server) == 0);
    drop(store);
    let connections = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'sessions'";
    wait_until("no connection", || server.sql(connections) == "0");
}

/// Several servers sweep while others write new sessions over the expired rows and touch live ones. No new
/// session is lost, and no command fails.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn several_servers_sweep_at_once_among_writes() {
    let server = Server::start();
    let (first, clock) = store_with_clock(&server).await;
    fill(&first, 900, |_| clock.now().saturating_add(MINUTE)).await;
    let live = NewEntry::new(entry(9).commit, clock.now().saturating_add(HOUR * 9), "live");
    created(&first, &key(200), &live).await;
    clock.set(clock.now().saturating_add(HOUR));
    let later = clock.now().saturating_add(HOUR);
    let mut sweeps = tokio::task::JoinSet::new();
    for _ in 0..3 {
        let builder = super::setup::patient().clock(clock.clone());
        let store = builder.connect(&at(server.port)).await.unwrap();
        sweeps.spawn(async move { store.sweep().await.unwrap() });
    }
    for number in (0..900).step_by(2) {
        let new = NewEntry::new(CommitId::from_bytes([7; 8]), later, "new");
        let answer = first.create(&spread(number), &new).await.unwrap();
        assert_eq!(answer, Created::Done(version(7)), "{number}");
        let deadline = live.deadline.saturating_add(MINUTE * number);
        let touched = first.touch(&key(200), &version(9), deadline.saturating_add(MINUTE)).await;
        assert_eq!(touched.unwrap(), Touched::Done);
    }
    let removed: u64 = sweeps.join_all().await.into_iter().sum();
    let rest = first.sweep().await.unwrap();
    println!("{removed} removed among the writes, {rest} after them");
    for number in 0..900 {
        let is_live = first.load(&spread(number)).await.unwrap().is_some();
        assert_eq!(is_live, number % 2 == 0, "{number}");
    }
    assert_eq!(rows(&server), 451);
}

/// A walk reads keys and deadlines of a few hundred rows at a time, and deletes few rows in one statement.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn a_sweep_takes_short_statements() {
    let server = Server::start();
    let store = store(&server).await;
    let past = Clock::system().now().saturating_sub(HOUR);
    fill(&store, 300, |_| past).await;
    let count = || ["Com_stmt_execute", "Com_delete"].map(|name| server.status(name));
    let before = count();
    assert_eq!(store.sweep().await.unwrap(), 300);
    let [executed, deletes] = count();
    // At most three steps up to the end of the table and three from its beginning.
    assert!((10..=16).contains(&(deletes - before[1])), "{deletes}");
    assert!(executed - before[0] - (deletes - before[1]) <= 6, "{executed}");
}
