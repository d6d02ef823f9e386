//! Sweeps: what they remove and leave, two at once, and on which plan.

use std::time::Duration;

use cloakroom::store::{NewEntry, PostgresStore, SessionStore, StoreKey};
use cloakroom::{Clock, ManualClock, Timestamp};
use cloakroom_testing::MINUTE;
use cloakroom_testing::postgres::{Server, table};
use cloakroom_testing::processes::wait_until;

use super::conformance::pool;
use super::stores::{at, builder, created, entry, key, store_with_clock};

fn until(deadline: Timestamp, number: u8) -> NewEntry {
    NewEntry::new(entry(number).commit, deadline, "bytes")
}

fn count(table: &str) -> usize {
    Server::shared().sql(&format!("SELECT count(*) FROM {table}")).parse().unwrap()
}

/// Fills the table with rows, of which every second has expired.
fn fill(table: &str, rows: u32, now: Timestamp) {
    let (past, future) = (now.saturating_sub(10 * MINUTE), now.saturating_add(10 * MINUTE));
    Server::shared().sql(&format!(
        "INSERT INTO {table} SELECT decode(lpad(to_hex(n), 64, '0'), 'hex'), \
         decode(lpad(to_hex(n), 16, '0'), 'hex'), \
         CASE WHEN n % 2 = 0 THEN {} ELSE {} END, 'x' FROM generate_series(1, {rows}) n",
        past.as_millis(),
        future.as_millis(),
    ));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn a_sweep_removes_what_has_expired_more_than_a_minute_ago() {
    let table = table();
    let (store, clock) = store_with_clock(&table).await;
    let now = clock.now();
    for (number, deadline) in [
        (1, now.saturating_add(Duration::from_millis(1))),
        (2, now.saturating_add(MINUTE)),
        (3, now.saturating_add(2 * MINUTE)),
    ] {
        created(&store, &key(number), &until(deadline, number)).await;
    }
    assert_eq!(store.sweep().await.unwrap(), 0);
    clock.set(now.saturating_add(MINUTE + Duration::from_millis(1)));
    assert_eq!(store.sweep().await.unwrap(), 1);
    clock.set(now.saturating_add(2 * MINUTE));
    assert_eq!((store.sweep().await.unwrap(), count(&table)), (1, 1));
    clock.set(now.saturating_add(4 * MINUTE));
    assert_eq!((store.sweep().await.unwrap(), count(&table)), (1, 0));
}

async fn another(table: &str, clock: &ManualClock) -> PostgresStore {
    let builder = builder(table).clock(clock.clone()).connections(1);
    builder.connect(&at(Server::shared())).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn two_servers_sweep_at_once() {
    let table = table();
    let (one, clock) = store_with_clock(&table).await;
    let other = another(&table, &clock).await;
    fill(&table, 20_000, clock.now());
    let (first, second) = tokio::join!(one.sweep(), other.sweep());
    // A row that one of them is removing is skipped by the other.
    assert_eq!(first.unwrap() + second.unwrap(), 10_000);
    assert_eq!(count(&table), 10_000);
}

/// A session that somebody is writing is not waited for.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn a_sweep_skips_a_row_that_is_locked() {
    let table = table();
    let (store, clock) = store_with_clock(&table).await;
    fill(&table, 4, clock.now());
    let pool = pool(Server::shared().port, "");
    let holder = pool.get().await.unwrap();
    holder.batch_execute("BEGIN").await.unwrap();
    let lock = format!(
        "SELECT 1 FROM {table} WHERE deadline < {} LIMIT 1 FOR UPDATE",
        clock.now().as_millis()
    );
    assert_eq!(holder.query(&lock, &[]).await.unwrap().len(), 1);
    assert_eq!(store.sweep().await.unwrap(), 1);
    holder.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(store.sweep().await.unwrap(), 1);
}

/// An expired row that is created anew while a sweep looks at it stays.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn sweeps_beside_creates_remove_nothing_live() {
    let table = table();
    let (store, clock) = store_with_clock(&table).await;
    fill(&table, 400, clock.now());
    let writes = async {
        for number in (2..=400_u16).step_by(2) {
            let mut bytes = [0; 32];
            bytes[30..].copy_from_slice(&number.to_be_bytes());
            let new = until(clock.now().saturating_add(MINUTE), number as u8);
            created(&store, &StoreKey::from_bytes(bytes), &new).await;
        }
    };
    let sweeps = async {
        for _ in 0..5 {
            store.sweep().await.unwrap();
        }
    };
    tokio::join!(writes, sweeps);
    assert_eq!(count(&table), 400);
}

/// A damaged row may be the mark of a logout. Only a delete removes it.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn a_damaged_row_stays() {
    let table = table();
    let (store, _) = store_with_clock(&table).await;
    Server::shared().sql(&format!(
        "INSERT INTO {table} VALUES ('a', '12345678', -1, ''), ('b', '123', 1, ''), ('c', '12345678', 1, '')"
    ));
    assert_eq!(store.sweep().await.unwrap(), 1);
    assert_eq!(count(&table), 2);
}

/// The range of pages is found by its place. A plan that reads the whole table for each range would be
/// quadratic.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn a_range_is_read_without_the_rest_of_the_table() {
    let table = table();
    let (store, clock) = store_with_clock(&table).await;
    fill(&table, 20_000, clock.now());
    store.sweep().await.unwrap();
    let server = Server::shared();
    let from =
        format!("FROM pg_stat_statements WHERE query LIKE 'DELETE FROM {table} %SKIP LOCKED%'");
    let pages: u32 =
        server.sql(&format!("SELECT pg_relation_size('{table}') / 8192")).parse().unwrap();
    let calls: u32 = server.sql(&format!("SELECT calls {from}")).parse().unwrap();
    // How many pages a statement gets depends on how fast the server is.
    assert!((pages.div_ceil(32)..=pages).contains(&calls), "{calls} of {pages} pages");
    let text = server.sql(&format!("SELECT query {from}"));
    let plan = server.sql(&format!(
        "SET plan_cache_mode = force_generic_plan; \
         PREPARE s (text, text, bigint) AS {text}; EXPLAIN EXECUTE s ('(0,0)', '(32,0)', 1, 0, 8, 0, 8)"
    ));
    let inner = plan.matches("Tid Range Scan").count();
    assert!(inner == 1 && plan.contains("Tid Scan") && !plan.contains("Seq Scan"), "{plan}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn a_store_sweeps_by_itself() {
    let table = table();
    let clock = ManualClock::at(Clock::system().now());
    let builder = builder(&table).clock(clock.clone()).sweep_every(Duration::from_millis(50));
    let store = builder.connect(&at(Server::shared())).await.unwrap();
    fill(&table, 10, clock.now());
    tokio::task::spawn_blocking(move || wait_until("a sweep", || count(&table) == 5))
        .await
        .unwrap();
    drop(store);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn a_pool_lends_a_connection_for_a_sweep() {
    let table = table();
    let clock = ManualClock::at(Clock::system().now());
    let builder = builder(&table).clock(clock.clone());
    let store = builder.pool(pool(Server::shared().port, "")).await.unwrap();
    fill(&table, 10, clock.now());
    assert_eq!(store.sweep().await.unwrap(), 5);
    assert!(store.load(&key(1)).await.unwrap().is_none());
}
