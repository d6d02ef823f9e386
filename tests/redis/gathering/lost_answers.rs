//! A server or a network that fails while gathered commands are under way.

use std::time::{Duration, Instant};

use bytes::Bytes;
use cloakroom::store::{RedisServer, RedisStore, SessionStore, StoreErrorKind};

use super::super::setup::open;
use super::{entry, key, keys, later, store_on, version, warm_up};
use cloakroom_testing::processes::free_port;
use cloakroom_testing::proxy::{Cut, Fault, Proxy};
use cloakroom_testing::redis::{Flavour, Standalone};
use cloakroom_testing::{MINUTE, all, comes_true};

/// The limit for commands whose answers are lost: longer than a busy machine takes to prepare the entries.
const LIMIT: Duration = Duration::from_secs(5);

/// A store behind a proxy, with eight entries and this limit for each command.
async fn proxied(server: &Standalone, limit: Duration) -> (Proxy, RedisStore) {
    let proxy = Proxy::on(free_port(), server.port).await;
    let place = RedisServer::standalone("127.0.0.1", proxy.port);
    let store = open(RedisStore::builder().command_timeout(limit), &place).await;
    warm_up(server, &store).await;
    all(keys(8).map(async |key| store.create(&key, &entry(1, "old")).await.unwrap())).await;
    store.touch(&key(0), &version(1), later()).await.unwrap();
    store.replace(&key(7), &version(1), &entry(1, "old")).await.unwrap();
    (proxy, store)
}

async fn replace_all(store: &RedisStore) -> Vec<Option<StoreErrorKind>> {
    all(keys(8).map(async |key| {
        let replaced = store.replace(&key, &version(1), &entry(2, "new")).await;
        replaced.err().map(|error| error.kind())
    }))
    .await
}

async fn load_all(store: &RedisStore) -> Vec<Result<Bytes, StoreErrorKind>> {
    all(keys(8).map(async |key| {
        let loaded = store.load(&key).await.map_err(|error| error.kind())?;
        Ok(loaded.unwrap().bytes)
    }))
    .await
}

/// What the server has, asked over a connection of its own.
async fn bytes_on(server: &Standalone) -> Vec<Bytes> {
    let loaded = load_all(&store_on(server).await).await;
    loaded.into_iter().collect::<Result<_, _>>().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn an_answer_that_is_lost_leaves_every_gathered_write_in_doubt() {
    for (fault, applied) in [
        (Fault::SwallowReplies, true),
        (Fault::SwallowRequests, false),
        (Fault::Delay(Duration::from_secs(12)), true),
    ] {
        let mut rounds = 0;
        while !loses_every_answer(fault, applied).await {
            rounds += 1;
            assert!(rounds < 5, "{fault:?}: the server has never what it should");
        }
    }
}

/// Returns whether the server has carried the writes out, or not, as it should. On a busy machine the first of them
/// may take so long that its caller gives up before the others are sent.
async fn loses_every_answer(fault: Fault, applied: bool) -> bool {
    let server = Standalone::start(Flavour::Redis7);
    let (proxy, store) = proxied(&server, LIMIT).await;
    proxy.set(fault);
    let replaced = replace_all(&store).await;
    assert_eq!(replaced, [Some(StoreErrorKind::Indeterminate); 8], "{fault:?}");
    let expected = vec![Bytes::from_static(if applied { b"new" } else { b"old" }); 8];
    // On a busy machine a command may arrive after its caller has given up.
    let begun = Instant::now();
    while bytes_on(&server).await != expected {
        if begun.elapsed() > Duration::from_secs(20) {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let loaded = load_all(&store).await;
    assert_eq!(loaded, vec![Err(StoreErrorKind::Unavailable); 8], "{fault:?}");
    true
}

/// An answer that breaks off anywhere says nothing about any part of it. A load is asked once more.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn an_answer_that_breaks_off_leaves_every_gathered_write_in_doubt() {
    let mut in_doubt = 0;
    for length in [0, 1, 4, 9, 17, 30] {
        let server = Standalone::start(Flavour::Redis7);
        let (proxy, store) = proxied(&server, MINUTE).await;
        proxy.set_once(Fault::CutReply(length, Cut::Reset));
        let replaced = replace_all(&store).await;
        let [done, doubt, unsent] =
            [None, Some(StoreErrorKind::Indeterminate), Some(StoreErrorKind::Unavailable)];
        let kinds = [done, doubt, unsent];
        assert!(replaced.iter().all(|kind| kinds.contains(kind)), "{length}: {replaced:?}");
        in_doubt += replaced.iter().filter(|kind| **kind == doubt).count();
        // A busy machine may take too long to connect again for those that were not sent yet.
        for (bytes, kind) in bytes_on(&server).await.iter().zip(&replaced) {
            assert!(*kind != done || bytes == "new", "{length}: {replaced:?}");
            assert!(*kind != unsent || bytes == "old", "{length}: {replaced:?}");
        }
        let recovers = async || load_all(&store).await.iter().all(Result::is_ok);
        assert!(comes_true(recovers).await, "{length}: it does not recover");
        for (bytes, kind) in bytes_on(&server).await.iter().zip(&replaced) {
            assert!(*kind != unsent || bytes == "old", "{length}: it was sent later, {replaced:?}");
        }
        proxy.set_once(Fault::CutReply(length, Cut::Reset));
        let loaded = load_all(&store).await;
        let served = loaded.iter().filter(|loaded| loaded.is_ok()).count();
        let refused = loaded.iter().filter(|loaded| **loaded == Err(StoreErrorKind::Unavailable));
        assert_eq!(served + refused.count(), 8, "{length}: {loaded:?}");
    }
    assert!(in_doubt > 6, "{in_doubt}");
}
