//! Futures that were polled once and then left alone, or dropped, hold nothing that other calls need, and mix up
//! no answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cloakroom::store::{NewEntry, PostgresStore, Replaced, SessionStore, StoreErrorKind};
use cloakroom_testing::left_alone;
use cloakroom_testing::postgres::{Server, table};
use cloakroom_testing::processes::{free_port, wait_until};
use cloakroom_testing::proxy::{Fault, Proxy};
use tokio::task::JoinSet;

use super::conformance::pool;
use super::stores::{at_port, builder, created, entry, key, new_store};

/// More than a connection takes at once, and than a pool has.
const LEFT: u8 = 200;

async fn others_are_served(store: &PostgresStore) {
    let shared = key(255);
    created(store, &shared, &large(255)).await;
    let entries: Vec<_> = (0..LEFT).map(|number| (key(number), large(number))).collect();
    let loads = left_alone(entries.iter().map(|_| store.load(&shared)));
    let creates = left_alone(entries.iter().map(|(key, new)| store.create(key, new)));
    for _ in 0..50 {
        assert!(store.load(&shared).await.unwrap().is_some());
    }
    for number in 0..50 {
        let (key, new) = (key(number), large(number));
        // The one that was left alone may come first.
        store.create(&key, &new).await.unwrap();
    }
    drop((loads, creates));
}

/// Large enough that an answer is more than one piece.
fn large(number: u8) -> NewEntry {
    NewEntry::new(entry(number).commit, entry(number).deadline, vec![number; 60_000])
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn calls_that_nobody_polls_hold_up_no_others() {
    let builder = builder(&table()).command_timeout(Duration::from_secs(30));
    let store = builder.connections(1).connect(&at_port(Server::shared().port)).await.unwrap();
    others_are_served(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn calls_that_nobody_polls_keep_no_connection_of_a_pool() {
    let builder = builder(&table()).command_timeout(Duration::from_secs(30));
    let store = builder.pool(pool(Server::shared().port, "")).await.unwrap();
    others_are_served(&store).await;
}

const TASKS: u8 = 32;
const CALLS: usize = 150;

/// Reads and writes the key of one task, drops half of the calls, and checks that each answer is to its own.
async fn reads_and_writes(store: PostgresStore, number: u8, counts: Arc<[AtomicUsize; 2]>) {
    let key = key(number);
    let own = |call: usize| {
        NewEntry::new(entry(number).commit, entry(number).deadline, vec![number; 100 + call])
    };
    let mut version = created(&store, &key, &own(0)).await;
    for call in 0..CALLS {
        let steps = (call * 7 + usize::from(number)) % 32;
        if let Some(found) = within(steps, store.load(&key), &counts).await {
            let found = found.unwrap().expect("it is there");
            assert!(found.bytes.iter().all(|&byte| byte == number), "another's answer");
            version = found.version;
        }
        match within(steps, store.replace(&key, &version, &own(call)), &counts).await {
            Some(Ok(Replaced::Done(done))) => version = done,
            Some(Ok(Replaced::Conflict(found))) => {
                assert!(found.bytes.iter().all(|&byte| byte == number), "another's answer");
                version = found.version;
            }
            Some(answer) => panic!("{answer:?}"),
            None => {}
        }
    }
}

/// Returns the answer, or `None` because the call was dropped after a while.
async fn within<T>(
    steps: usize,
    call: impl Future<Output = T>,
    counts: &[AtomicUsize; 2],
) -> Option<T> {
    let patience = async {
        for _ in 0..steps {
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(Duration::from_micros(steps as u64 * 20)).await;
    };
    let answer = tokio::select! {
        biased;
        answer = call => Some(answer),
        () = patience, if steps < 20 => None,
    };
    counts[usize::from(answer.is_some())].fetch_add(1, Ordering::Relaxed);
    answer
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn the_answer_to_a_dropped_call_goes_to_nobody_else() {
    let builder = builder(&table()).command_timeout(Duration::from_secs(30)).connections(2);
    let store = builder.connect(&at_port(Server::shared().port)).await.unwrap();
    let counts = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let tasks: JoinSet<_> =
        (1..=TASKS).map(|number| reads_and_writes(store.clone(), number, counts.clone())).collect();
    tasks.join_all().await;
    let [dropped, answered] = [&counts[0], &counts[1]].map(|count| count.load(Ordering::Relaxed));
    println!("{answered} answered, {dropped} dropped");
    // The numbers depend on the machine.
    assert!(answered > 100 && dropped > 100, "{answered} answered, {dropped} dropped");
}

/// A write is carried out although nobody waits for it any more, and its connection stays.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn a_write_that_was_sent_ends_by_itself_and_keeps_its_connection() {
    let (server, table) = (Server::shared(), table());
    let proxy = Proxy::on(free_port(), server.port).await;
    let builder = builder(&table).connections(1).command_timeout(Duration::from_secs(20));
    let store = builder.connect(&at_port(proxy.port)).await.unwrap();
    // One for writes and one for reads. The one of the checks is closed, and that may take a while.
    wait_until("the checks' connection is closed", || proxy.open_connections() == 2);
    proxy.set(Fault::Delay(Duration::from_millis(500)));
    let (key, new) = (key(1), entry(1));
    let create = left_alone([store.create(&key, &new)]);
    tokio::task::spawn_blocking(move || {
        let count = format!("SELECT count(*) FROM {table}");
        wait_until("the row", || server.sql(&count) == "1");
    })
    .await
    .unwrap();
    drop(create);
    assert!(store.load(&key).await.unwrap().is_some());
    assert_eq!(proxy.open_connections(), 2);
}

/// While the server hangs, only so many commands are handed to a connection; the others are never sent.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn what_waits_for_a_hanging_server_is_bounded_and_the_rest_was_not_sent() {
    let (server, table) = (Server::shared(), table());
    let proxy = Proxy::on(free_port(), server.port).await;
    let builder = builder(&table).connections(1).command_timeout(Duration::from_secs(2));
    let store = builder.connect(&at_port(proxy.port)).await.unwrap();
    proxy.set(Fault::Stall);
    let calls: JoinSet<_> = (0..LEFT)
        .map(|number| {
            let store = store.clone();
            async move { store.create(&key(number), &entry(number)).await.unwrap_err().kind() }
        })
        .collect();
    let kinds = calls.join_all().await;
    let count = |kind| kinds.iter().filter(|&&found| found == kind).count();
    assert_eq!(count(StoreErrorKind::Indeterminate), 128);
    assert_eq!(count(StoreErrorKind::Unavailable), usize::from(LEFT) - 128);
    proxy.set(Fault::None);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn writes_that_were_dropped_while_they_waited_for_a_place_are_never_sent() {
    let (server, table) = (Server::shared(), table());
    let proxy = Proxy::on(free_port(), server.port).await;
    let builder = builder(&table).connections(1).command_timeout(Duration::from_secs(30));
    let store = builder.connect(&at_port(proxy.port)).await.unwrap();
    proxy.set(Fault::Stall);
    let entries: Vec<_> = (0..LEFT).map(|number| (key(number), entry(number))).collect();
    let creates = left_alone(entries.iter().map(|(key, new)| store.create(key, new)));
    // Time for some of them to be handed over.
    tokio::time::sleep(Duration::from_millis(200)).await;
    drop(creates);
    proxy.set(Fault::None);
    // It follows all others on the only connection for writes.
    created(&store, &key(255), &entry(255)).await;
    let rows: usize = server.sql(&format!("SELECT count(*) FROM {table}")).parse().unwrap();
    assert!(rows <= 129, "{rows}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn a_write_that_was_dropped_before_it_was_sent_is_never_sent() {
    let (store, table) = new_store().await;
    let key = key(1);
    let new = entry(1);
    // Never polled, so not even begun.
    drop(store.create(&key, &new));
    assert_eq!(store.load(&key).await.unwrap(), None);
    assert_eq!(Server::shared().sql(&format!("SELECT count(*) FROM {table}")), "0");
}
