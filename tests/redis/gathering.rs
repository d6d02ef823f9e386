//! Commands that come at the same time are sent as one, and each of them has the outcome that it would have
//! had alone.

use std::collections::BTreeMap;

use bytes::Bytes;
use cloakroom::store::{
    CommitId, NewEntry, RedisStore, SessionStore, StoreError, StoreErrorKind, StoreKey, Version,
};
use cloakroom::{Clock, Key, ManualClock, SessionLayer, Timestamp, connect};
use fred::clients::Client;
use fred::interfaces::ClientLike;
use fred::types::config::{Config, ConnectionConfig, ServerConfig};

use super::conformance::Topology;
use cloakroom_testing::redis::{Flavour, Monitor, Reply, Standalone};
use cloakroom_testing::{MINUTE, Visitor, all, poll_once, settle};

fn key(number: usize) -> StoreKey {
    let mut bytes = [0; 32];
    bytes[24..].copy_from_slice(&number.to_be_bytes());
    StoreKey::from_bytes(bytes)
}

fn name(number: usize) -> String {
    format!("cloakroom:{number:064x}")
}

fn keys(count: usize) -> impl Iterator<Item = StoreKey> {
    (0..count).map(key)
}

fn commit(number: u8) -> CommitId {
    CommitId::from_bytes([number; 8])
}

fn version(number: u8) -> Version {
    commit(number).into()
}

fn entry(number: u8, bytes: impl Into<Bytes>) -> NewEntry {
    NewEntry::new(commit(number), Clock::system().now().saturating_add(MINUTE), bytes)
}

fn later() -> Timestamp {
    Clock::system().now().saturating_add(3 * MINUTE)
}

async fn store_on(server: &Standalone) -> RedisStore {
    RedisStore::builder().connect(&server.server()).await.unwrap()
}

/// A store whose server knows the scripts.
async fn warm_store_on(server: &Standalone) -> RedisStore {
    let store = store_on(server).await;
    let keys: Vec<_> = (1_000..1_003).map(key).collect();
    all(keys.iter().map(async |key| store.create(key, &entry(1, "")).await.unwrap())).await;
    store.touch(&keys[0], &version(1), later()).await.unwrap();
    store.replace(&keys[0], &version(1), &entry(2, "")).await.unwrap();
    store
}

#[track_caller]
fn sent<const N: usize>(monitor: &mut Monitor, commands: [(&str, usize); N]) {
    let commands = commands.map(|(name, count)| (name.to_owned(), count));
    assert_eq!(monitor.count(), BTreeMap::from(commands));
}

/// On one thread all calls are made before the first answer is read.
#[tokio::test]
#[ignore = "needs redis-server"]
async fn sixty_four_calls_at_once_are_three_commands() {
    for &flavour in Flavour::available() {
        let server = Standalone::start(flavour);
        let store = warm_store_on(&server).await;
        let mut monitor = server.monitor();
        all(keys(64).map(async |key| store.create(&key, &entry(1, "bytes")).await.unwrap())).await;
        sent(&mut monitor, [("SET", 1), ("EVALSHA", 2)]);
        all(keys(64).map(async |key| {
            assert_eq!(store.load(&key).await.unwrap().unwrap().bytes, "bytes");
        }))
        .await;
        sent(&mut monitor, [("GET", 1), ("MGET", 2)]);
        let later = later();
        all(keys(64).map(async |key| store.touch(&key, &version(1), later).await.unwrap())).await;
        sent(&mut monitor, [("EVALSHA", 3)]);
        all(keys(64).map(async |key| {
            store.replace(&key, &version(1), &entry(2, "new")).await.unwrap();
        }))
        .await;
        sent(&mut monitor, [("EVALSHA", 3)]);
    }
}

/// A command carries at most 64 KiB of values, and one of more than 16 KiB goes alone.
#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_command_does_not_grow_without_bound() {
    let server = Standalone::start(Flavour::Redis7);
    let store = warm_store_on(&server).await;
    let mut monitor = server.monitor();
    let ten_kb = || vec![b'x'; 10_000];
    all(keys(20).map(async |key| store.create(&key, &entry(1, ten_kb())).await.unwrap())).await;
    // The first alone, then six, six, six, and the last alone.
    sent(&mut monitor, [("SET", 2), ("EVALSHA", 3)]);
    let sizes = [1_000_000, 10, 1_000_000, 10, 10];
    let created = sizes.iter().enumerate().map(async |(number, size)| {
        store.create(&key(100 + number), &entry(1, vec![b'x'; *size])).await.unwrap();
    });
    all(created).await;
    sent(&mut monitor, [("SET", 2), ("EVALSHA", 1)]);
}

/// Nobody can know the size of a value that another server has written.
#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_large_session_is_gathered_once_only() {
    let server = Standalone::start(Flavour::Redis7);
    let writer = store_on(&server).await;
    let sizes = [10, 1_000_000, 10, 10];
    for (number, size) in sizes.into_iter().enumerate() {
        writer.create(&key(number), &entry(1, vec![b'x'; size])).await.unwrap();
    }
    let store = warm_store_on(&server).await;
    let mut monitor = server.monitor();
    let load_all = async || {
        let loaded = all(keys(4).map(async |key| store.load(&key).await.unwrap().unwrap())).await;
        let lengths: Vec<_> = loaded.iter().map(|entry| entry.bytes.len()).collect();
        assert_eq!(lengths, sizes);
    };
    load_all().await;
    sent(&mut monitor, [("GET", 1), ("MGET", 1)]);
    load_all().await;
    sent(&mut monitor, [("GET", 2), ("MGET", 1)]);
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_call_that_is_dropped_while_it_queues_is_not_sent() {
    let server = Standalone::start(Flavour::Redis7);
    let store = warm_store_on(&server).await;
    let new = entry(1, "bytes");
    let keys: Vec<_> = keys(4).collect();
    let mut creates: Vec<_> = keys.iter().map(|key| Box::pin(store.create(key, &new))).collect();
    for create in &mut creates {
        assert!(poll_once(create).is_none());
    }
    drop(creates.remove(2));
    all(creates).await;
    assert_eq!(store.load(&keys[2]).await.unwrap(), None);
    assert!(store.load(&keys[3]).await.unwrap().is_some());
}

/// As in a `select!` loop that never comes back to them.
#[tokio::test]
#[ignore = "needs redis-server"]
async fn calls_that_nobody_polls_any_more_hold_up_no_others() {
    let server = Standalone::start(Flavour::Redis7);
    let store = warm_store_on(&server).await;
    let new = entry(1, "bytes");
    let keys: Vec<_> = keys(40).collect();
    let mut left: Vec<_> = keys[..20].iter().map(|key| Box::pin(store.create(key, &new))).collect();
    for create in &mut left {
        assert!(poll_once(create).is_none());
    }
    all(keys[20..].iter().map(async |key| store.create(key, &new).await.unwrap())).await;
    settle().await;
    all(keys.iter().map(async |key| assert!(store.load(key).await.unwrap().is_some()))).await;
    drop(left);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn ten_thousand_calls_at_once_are_all_answered() {
    const CALLS: usize = 10_000;
    let server = Standalone::start(Flavour::Redis7);
    // A busy machine may take its time for so many.
    let builder = RedisStore::builder().command_timeout(MINUTE);
    let store = builder.connect(&server.server()).await.unwrap();
    let mut calls = tokio::task::JoinSet::new();
    for key in keys(CALLS) {
        let store = store.clone();
        calls.spawn(async move {
            store.create(&key, &entry(1, "bytes")).await.unwrap();
            store.replace(&key, &version(1), &entry(2, "new")).await.unwrap();
            store.load(&key).await.unwrap().unwrap().bytes
        });
    }
    let loaded = calls.join_all().await;
    assert!(loaded.len() == CALLS && loaded.iter().all(|bytes| bytes == "new"));
}

/// A server that is a cluster behind one address.
#[tokio::test]
#[ignore = "needs redis-server"]
async fn where_keys_may_not_be_together_each_goes_alone_from_then_on() {
    let server = Standalone::with(Flavour::Redis7, &["--cluster-enabled", "yes"]);
    server.ask(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]).ok();
    cloakroom_testing::processes::wait_until("the slots are served", || {
        server.ask(&["CLUSTER", "INFO"]).text().contains("cluster_state:ok")
    });
    let store = store_on(&server).await;
    let mut monitor = server.monitor();
    for _ in 0..2 {
        all(keys(4).map(async |key| store.load(&key).await.unwrap())).await;
        let new = entry(1, "bytes");
        all(keys(4).map(async |key| store.create(&key, &new).await.unwrap())).await;
    }
    // The server refuses the gathered ones before its monitor shows them.
    let commands = monitor.count();
    assert_eq!((commands.get("GET"), commands.get("MGET")), (Some(&8), None), "{commands:?}");
    all(keys(4).map(async |key| assert!(store.load(&key).await.unwrap().is_some()))).await;
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn behind_a_proxy_each_goes_alone() {
    let server = Standalone::start(Flavour::Redis7);
    let off = RedisStore::builder().multi_key_commands(false);
    let by_builder = off.connect(&server.server()).await.unwrap();
    let by_url = format!("{}?multi_key_commands=false", server.url());
    let by_url = SessionLayer::new(connect(&by_url).await.unwrap(), Key::generate().unwrap());
    let guests: Vec<_> = (0..8).map(|_| Visitor::new(by_url.clone())).collect();
    let mut monitor = server.monitor();
    all(keys(8).map(async |key| by_builder.load(&key).await.unwrap())).await;
    sent(&mut monitor, [("GET", 8)]);
    all(guests.iter().map(|guest| guest.visit(async |session| session.insert("k", &1)))).await;
    sent(&mut monitor, [("SET", 8)]);
}

/// What a server has under a key.
#[derive(Clone, Copy, Debug)]
enum Place {
    Nothing,
    Live,
    OfAnotherVersion,
    PastItsDeadline,
    Text(&'static str),
    List,
    OfANewerFormat,
}

const PLACES: [Place; 8] = [
    Place::Nothing,
    Place::Live,
    Place::OfAnotherVersion,
    Place::PastItsDeadline,
    Place::Text(""),
    Place::Text("the value of another program"),
    Place::List,
    Place::OfANewerFormat,
];

#[derive(Clone, Copy, Debug)]
enum Call {
    Load,
    Create,
    Replace,
    Touch,
    TouchToAnEarlierTime,
}

const CALLS: [Call; 5] =
    [Call::Load, Call::Create, Call::Replace, Call::Touch, Call::TouchToAnEarlierTime];

/// A store with a clock of its own, and everything that it is tried on.
struct Trial<'a> {
    server: &'a Standalone,
    clock: ManualClock,
    store: RedisStore,
}

impl<'a> Trial<'a> {
    /// Over a client that stays connected to a server that is no primary any more.
    async fn on(server: &'a Standalone) -> Self {
        let (clock, config) = (
            ManualClock::at(Clock::system().now()),
            Config {
                server: ServerConfig::new_centralized("127.0.0.1", server.port),
                ..Config::default()
            },
        );
        let connection = ConnectionConfig { reconnect_errors: Vec::new(), ..Default::default() };
        let client = Client::new(config, None, Some(connection), None);
        client.init().await.unwrap();
        let store = RedisStore::builder().clock(clock.clone()).build_with_client(&client).unwrap();
        Self { server, clock, store }
    }

    fn entry(&self, number: u8) -> NewEntry {
        NewEntry::new(commit(number), self.clock.now().saturating_add(30 * MINUTE), "bytes")
    }

    /// Puts something under a key, as it is when `prepared` minutes have passed.
    async fn put(&self, number: usize, place: Place) {
        let (store, key, name) = (&self.store, key(number), name(number));
        let create = async |entry: NewEntry| {
            store.create(&key, &entry).await.unwrap();
        };
        match place {
            Place::Nothing => {}
            Place::Live => create(self.entry(1)).await,
            Place::OfAnotherVersion => create(self.entry(2)).await,
            Place::PastItsDeadline => {
                let deadline = self.clock.now().saturating_add(MINUTE);
                create(NewEntry::new(commit(1), deadline, "bytes")).await;
                self.server.ask(&["PERSIST", &name]);
            }
            Place::Text(text) => self.server.ask(&["SET", &name, text]).ok(),
            Place::List => drop(self.server.ask(&["LPUSH", &name, "item"])),
            Place::OfANewerFormat => {
                let words: [&[u8]; 3] = [b"SET", name.as_bytes(), b"\xc1\x02of a newer release"];
                self.server.door().open().unwrap().ask(&words).unwrap().ok();
            }
        }
    }

    async fn call(&self, number: usize, call: Call) -> Result<String, (StoreErrorKind, String)> {
        let (store, key) = (&self.store, key(number));
        let deadline = |minutes| self.clock.now().saturating_add(minutes * MINUTE);
        let told = |error: StoreError| (error.kind(), error.to_string());
        match call {
            Call::Load => store.load(&key).await.map(|found| format!("{found:?}")),
            Call::Create => {
                store.create(&key, &self.entry(3)).await.map(|done| format!("{done:?}"))
            }
            Call::Replace => {
                let replaced = store.replace(&key, &version(1), &self.entry(3)).await;
                replaced.map(|done| format!("{done:?}"))
            }
            Call::Touch => {
                let touched = store.touch(&key, &version(1), deadline(60)).await;
                touched.map(|done| format!("{done:?}"))
            }
            Call::TouchToAnEarlierTime => {
                let touched = store.touch(&key, &version(1), deadline(10)).await;
                touched.map(|done| format!("{done:?}"))
            }
        }
        .map_err(told)
    }

    /// What is under a key, and whether it has a time to live.
    fn find(&self, number: usize) -> (String, bool) {
        let value = match self.server.ask(&["TYPE", &name(number)]).text().as_str() {
            "string" => match self.server.ask(&["GET", &name(number)]) {
                Reply::Bytes(value) => format!("{value:x?}"),
                other => format!("{other:?}"),
            },
            other => other.to_owned(),
        };
        (value, self.server.ask(&["PTTL", &name(number)]).integer() > 0)
    }
}

/// Every call on every place, alone and gathered, with a server that `changes` in between.
async fn has_one_outcome(server: &Standalone, calls: &[Call], changes: impl Fn(&Standalone)) {
    let trial = Trial::on(server).await;
    let cases: Vec<_> =
        PLACES.iter().flat_map(|place| calls.iter().map(|call| (*place, *call))).collect();
    let gathered_at = 100;
    for (number, (place, _)) in cases.iter().enumerate() {
        trial.put(number, *place).await;
        trial.put(gathered_at + number, *place).await;
    }
    trial.clock.advance(2 * MINUTE);
    changes(server);
    let mut alone = Vec::new();
    for (number, (_, call)) in cases.iter().enumerate() {
        alone.push(trial.call(number, *call).await);
    }
    // The first of each kind goes alone.
    let first = [Call::Load, Call::Create].map(|call| trial.call(99, call));
    let rest = cases.iter().enumerate();
    let rest = rest.map(|(number, (_, call))| trial.call(gathered_at + number, *call));
    let mut monitor = server.monitor();
    let outcomes = all(first.into_iter().map(Box::pin).chain(rest.map(Box::pin))).await;
    let commands = monitor.count();
    let gathered = &outcomes[2..];
    for (number, case) in cases.iter().enumerate() {
        assert_eq!(gathered[number], alone[number], "{case:?}");
        assert_eq!(trial.find(gathered_at + number), trial.find(number), "{case:?}");
    }
    let scripts = commands.iter().filter(|(name, _)| name.starts_with("EVAL"));
    let scripts: usize = scripts.map(|(_, count)| count).sum();
    let loads = calls.iter().filter(|call| matches!(call, Call::Load)).count();
    assert!(scripts <= 5, "{commands:?}");
    assert_eq!(commands.get("MGET"), (loads > 0).then_some(&1), "{commands:?}");
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_gathered_call_has_the_outcome_that_it_would_have_alone() {
    for &flavour in Flavour::available() {
        has_one_outcome(&Standalone::start(flavour), &CALLS, |_| {}).await;
    }
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_full_server_refuses_gathered_calls_as_it_does_each_alone() {
    for &flavour in Flavour::available() {
        // A touch is allowed on a full server, and after its first write a script may go on with others.
        for calls in [&CALLS[..3], &CALLS[3..]] {
            has_one_outcome(&Standalone::start(flavour), calls, |server| {
                server.ask(&["CONFIG", "SET", "maxmemory", "1"]).ok();
            })
            .await;
        }
    }
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_demoted_server_refuses_gathered_calls_as_it_does_each_alone() {
    for &flavour in Flavour::available() {
        let server = Standalone::start(flavour);
        has_one_outcome(&server, &CALLS, |server| {
            server.ask(&["REPLICAOF", "127.0.0.1", "1"]).ok();
        })
        .await;
    }
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_user_without_a_right_is_refused_gathered_calls_as_each_alone() {
    for &flavour in Flavour::available() {
        let server = Standalone::start(flavour);
        has_one_outcome(&server, &CALLS, |server| {
            server.ask(&["ACL", "SETUSER", "default", "-setrange"]).ok();
        })
        .await;
    }
}

/// One refusal among the gathered ones is enough to look for the new primary.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_refusal_in_a_gathered_command_is_a_demotion_too() {
    let server = Standalone::start(Flavour::Redis7);
    let store = warm_store_on(&server).await;
    all(keys(8).map(async |key| store.create(&key, &entry(1, "bytes")).await.unwrap())).await;
    let before = server.clients();
    server.ask(&["REPLICAOF", "127.0.0.1", "1"]).ok();
    all(keys(8).map(async |key| {
        let error = store.replace(&key, &version(1), &entry(2, "new")).await.unwrap_err();
        assert_ne!(error.kind(), StoreErrorKind::Misconfigured, "{error}");
    }))
    .await;
    cloakroom_testing::processes::wait_until("another connection", || server.clients() != before);
}
