//! Calls that are dropped half-way, under load on few connections: no call reads the reply to another.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cloakroom::store::{
    MemcachedStore, NewEntry, Replaced, SessionStore, StoreErrorKind, StoreKey,
};
use tokio::task::JoinSet;

use cloakroom_testing::MINUTE;
use cloakroom_testing::memcached::Server;
use cloakroom_testing::processes::wait_until;

use super::servers::{Servers, builder, open};
use super::versions::{created, entry};

const TASKS: u8 = 16;
const CALLS: usize = 300;

#[derive(Default)]
struct Tally {
    answered: AtomicUsize,
    dropped: AtomicUsize,
}

impl Tally {
    /// Returns the answer, or `None` because the call was dropped after `steps` polls.
    async fn within<T>(&self, steps: usize, call: impl Future<Output = T>) -> Option<T> {
        let patience = async {
            for _ in 0..steps {
                tokio::task::yield_now().await;
            }
            tokio::time::sleep(Duration::from_micros(steps as u64 * 20)).await;
        };
        let answer = tokio::select! {
            biased;
            answer = call => Some(answer),
            () = patience, if steps < 24 => None,
        };
        let tally = if answer.is_some() { &self.answered } else { &self.dropped };
        tally.fetch_add(1, Ordering::Relaxed);
        answer
    }
}

fn own(number: u8, call: usize) -> NewEntry {
    let bytes = vec![number; 100 + call];
    NewEntry::new(entry(number).commit, entry(number).deadline, bytes)
}

/// Reads and writes the key of one task, and checks that each value read is one of its own.
async fn reads_and_writes(store: MemcachedStore, number: u8, tally: Arc<Tally>) {
    let key = StoreKey::from_bytes([number; 32]);
    let mut version = created(&store, &key, &own(number, 0)).await;
    for call in 0..CALLS {
        let steps = (call * 7 + usize::from(number)) % 32;
        if let Some(loaded) = tally.within(steps, store.load(&key)).await {
            let found = loaded.unwrap().expect("it is there");
            assert!(found.bytes.iter().all(|&byte| byte == number), "another's reply");
            version = found.version;
        }
        let new = own(number, call);
        match tally.within(steps, store.replace(&key, &version, &new)).await {
            Some(Ok(Replaced::Done(done))) => version = done,
            Some(Ok(Replaced::Conflict(found))) => {
                assert!(found.bytes.iter().all(|&byte| byte == number), "another's reply");
                version = found.version;
            }
            Some(answer) => panic!("{answer:?}"),
            None => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn the_reply_to_a_dropped_call_is_never_read() {
    let server = Server::start();
    let store = open(builder().max_connections(3), &server.servers()).await;
    let tally = Arc::new(Tally::default());
    let mut tasks = JoinSet::new();
    for number in 1..=TASKS {
        tasks.spawn(reads_and_writes(store.clone(), number, tally.clone()));
    }
    tasks.join_all().await;
    let [answered, dropped] =
        [&tally.answered, &tally.dropped].map(|count| count.load(Ordering::Relaxed));
    // The numbers depend on the machine.
    assert!(answered > 100 && dropped > 100, "{answered} answered, {dropped} dropped");
    println!("{answered} calls answered, {dropped} dropped");
    // The server notices a moment later that a connection was closed.
    wait_until("few connections", || server.stats()["curr_connections"] < 10);
}

/// When all connections are in use, a call waits for one until its time-out.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn a_call_without_a_connection_in_time_was_not_sent() {
    let server = Server::start();
    let builder = builder().max_connections(1).command_timeout(Duration::from_secs(5));
    let store = open(builder, &server.servers()).await;
    let key = StoreKey::from_bytes([1; 32]);
    created(&store, &key, &entry(1)).await;
    server.freeze();
    let begun = std::time::Instant::now();
    let calls = (0..24_u8).map(|number| {
        let (store, key) = (store.clone(), StoreKey::from_bytes([100 + number; 32]));
        async move { store.create(&key, &entry(number)).await.unwrap_err().kind() }
    });
    let kinds = calls.collect::<JoinSet<_>>().join_all().await;
    // One after the other they would wait for two minutes.
    assert!(begun.elapsed() < MINUTE, "{:?}", begun.elapsed());
    let count = |kind| kinds.iter().filter(|&&found| found == kind).count();
    // One was sent. The others were certainly not.
    assert_eq!((count(StoreErrorKind::Indeterminate), count(StoreErrorKind::Unavailable)), (1, 23));
    server.process.thaw();
}
