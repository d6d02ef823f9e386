//! What goes together, and what goes alone.

use std::collections::BTreeMap;

use cloakroom::store::{RedisServer, Replaced, SessionStore, StoreErrorKind};
use cloakroom::{Key, SessionLayer};

use super::super::conformance::Topology;
use super::super::setup::{builder, open, store};
use super::{entry, key, keys, later, name, store_on, version, warm_store_on};
use cloakroom_testing::processes::{free_port, wait_until};
use cloakroom_testing::redis::{Divided, Flavour, Monitor, Standalone};
use cloakroom_testing::{Visitor, all, patient, patiently_by_url, poll_once, settle};

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
    let store = store_on(&server).await;
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
    let server = Standalone::with(
        Flavour::Redis7,
        &["--cluster-enabled", "yes", "--cluster-port", &free_port().to_string()],
    );
    server.ask(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]).ok();
    wait_until("the slots are served", || {
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

/// The server of a script's first key would take the others for gone, and keep new ones where nobody looks.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn behind_a_proxy_that_divides_the_keys_each_write_goes_alone() {
    let divided = Divided::start(Flavour::Redis7);
    let store = store(&RedisServer::standalone("127.0.0.1", divided.port)).await;
    for round in 0..20_usize {
        let keys: Vec<_> = (0..16).map(|at| key(16 * round + at)).collect();
        all(keys.iter().map(async |key| store.create(key, &entry(1, "")).await.unwrap())).await;
        all(keys.iter().map(async |key| {
            let replaced = store.replace(key, &version(1), &entry(2, "new")).await.unwrap();
            assert!(matches!(replaced, Replaced::Done(_)), "{replaced:?}");
        }))
        .await;
        let loaded = all(keys.iter().map(async |key| store.load(key).await.unwrap())).await;
        assert!(
            loaded.iter().all(|entry| entry.as_ref().is_some_and(|entry| entry.bytes == "new"))
        );
    }
    for server in &divided.servers {
        assert!(server.ask(&["DBSIZE"]).integer() > 50 && server.has_run("evalsha"));
    }
}

/// A list of three to five that begins with such a word must not be taken for a published message.
#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_text_of_another_program_does_not_move_answers_to_other_callers() {
    let server = Standalone::start(Flavour::Redis7);
    let store = warm_store_on(&server).await;
    for word in ["message", "pmessage", "subscribe", "unsubscribe", "pubsub", "smessage"] {
        for count in 2..8 {
            server.ask(&["FLUSHDB"]).ok();
            server.ask(&["SET", &name(1), word]).ok();
            for number in (0..count).filter(|number| *number != 1) {
                let new = entry(1, number.to_string());
                store.create(&key(number), &new).await.unwrap();
            }
            for _ in 0..2 {
                let loaded = all(keys(count).map(async |key| store.load(&key).await)).await;
                let new = entry(2, "new");
                let touched =
                    all(keys(count)
                        .map(async |key| store.touch(&key, &version(1), new.deadline).await))
                    .await;
                for (number, (loaded, touched)) in loaded.into_iter().zip(touched).enumerate() {
                    match loaded {
                        Ok(entry) => assert_eq!(entry.unwrap().bytes, number.to_string()),
                        Err(error) => {
                            assert_eq!(error.kind(), StoreErrorKind::Corrupt);
                            assert_eq!(number, 1);
                        }
                    }
                    assert_eq!(touched.is_err(), number == 1, "{word} {number}: {touched:?}");
                }
            }
        }
    }
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn where_it_is_turned_off_each_goes_alone() {
    let server = Standalone::start(Flavour::Redis7);
    let off = builder().multi_key_commands(false);
    let by_builder = open(off, &server.server()).await;
    let by_url = format!("{}?multi_key_commands=false&timeout_ms=60000", server.url());
    let by_url = SessionLayer::new(patiently_by_url(&by_url).await, Key::generate().unwrap());
    let by_url = patient(by_url);
    let guests: Vec<_> = (0..8).map(|_| Visitor::new(by_url.clone())).collect();
    let mut monitor = server.monitor();
    all(keys(8).map(async |key| by_builder.load(&key).await.unwrap())).await;
    sent(&mut monitor, [("GET", 8)]);
    all(guests.iter().map(|guest| guest.visit(async |session| session.insert("k", &1)))).await;
    sent(&mut monitor, [("SET", 8)]);
}

/// glibc's allocator serves up to 1032 bytes from a cache of the thread, and a store in an `Arc` boxes each call's
/// future.
#[tokio::test]
#[ignore = "needs redis-server"]
async fn the_futures_of_calls_fit_the_allocators_fast_path() {
    let server = Standalone::start(Flavour::Redis7);
    let store = store_on(&server).await;
    let (key, version, entry) = (key(1), version(1), entry(1, ""));
    let bytes = [
        size_of_val(&*store.load(&key)),
        size_of_val(&*store.create(&key, &entry)),
        size_of_val(&*store.replace(&key, &version, &entry)),
        size_of_val(&*store.touch(&key, &version, later())),
    ];
    assert!(bytes.iter().all(|&bytes| bytes <= 1032), "{bytes:?}");
}
