//! Futures that were polled once and then left alone hold nothing that other calls need.

use std::time::{Duration, Instant};

use cloakroom::Clock;
use cloakroom::store::{CommitId, NewEntry, RedisServer, SessionStore, StoreKey};

use super::conformance::Topology;
use super::setup::{builder, open, store};
use cloakroom_testing::processes::wait_until;
use cloakroom_testing::redis::{Flavour, Sentinel, Standalone};
use cloakroom_testing::{MINUTE, lag, left_alone};

const LEFT: u8 = 64;

fn key(number: u8) -> StoreKey {
    StoreKey::from_bytes([number; 32])
}

fn entry(number: u8) -> NewEntry {
    let deadline = Clock::system().now().saturating_add(MINUTE);
    NewEntry::new(CommitId::from_bytes([number; 8]), deadline, "bytes")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn calls_that_nobody_polls_keep_nothing_from_others() {
    let server = Standalone::start(Flavour::Redis7);
    let place = RedisServer::standalone("127.0.0.1", server.port);
    let store = store(&place).await;
    store.create(&key(255), &entry(255)).await.unwrap();
    let entries: Vec<_> = (0..LEFT).map(|number| (key(number), entry(number))).collect();
    let loads = left_alone(entries.iter().map(|(key, _)| store.load(key)));
    let creates = left_alone(entries.iter().map(|(key, new)| store.create(key, new)));
    for _ in 0..100 {
        assert!(store.load(&key(255)).await.unwrap().is_some());
    }
    wait_until("all entries", || server.ask(&["DBSIZE"]).integer() == i64::from(LEFT) + 1);
    drop((loads, creates));
}

/// Only one `WAIT` at a time is sent. A logout whose future is left alone in the middle of its own
/// passes the turn on.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_logout_that_nobody_polls_keeps_no_other_from_waiting_for_replicas() {
    lag::watch();
    let servers = Sentinel::start(Flavour::Redis7);
    let within = Duration::from_secs(20);
    let store = open(builder().wait_for_replicas(1, within), &servers.server()).await;
    for number in 0..8 {
        store.create(&key(number), &entry(number)).await.unwrap();
    }
    let replica = servers.replica();
    replica.freeze();
    let keys: Vec<_> = (0..4).map(key).collect();
    let mut deletes = left_alone(keys.iter().map(|key| store.delete(key)));
    // The first poll sends `DEL`. The next ones get its answer, and begin to wait.
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        for delete in &mut deletes {
            assert!(delete.as_mut().poll(&mut cx).is_pending());
        }
    }
    replica.thaw();
    let begun = Instant::now();
    for number in 4..8 {
        store.delete(&key(number)).await.unwrap();
    }
    assert!(lag::elapsed_since(begun) < within / 2, "{:?}", begun.elapsed());
    drop(deletes);
}
