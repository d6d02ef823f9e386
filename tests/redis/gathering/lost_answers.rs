//! A server or a network that fails while gathered commands are under way.

use std::time::Duration;

use bytes::Bytes;
use cloakroom::store::{RedisServer, RedisStore, SessionStore, StoreErrorKind};

use super::{entry, key, keys, later, store_on, version, warm_up};
use cloakroom_testing::all;
use cloakroom_testing::processes::free_port;
use cloakroom_testing::proxy::{Cut, Fault, Proxy};
use cloakroom_testing::redis::{Flavour, Standalone};

/// A store behind a proxy, with eight entries and a short limit for each command.
async fn proxied(server: &Standalone) -> (Proxy, RedisStore) {
    let proxy = Proxy::on(free_port(), server.port).await;
    let place = RedisServer::standalone("127.0.0.1", proxy.port);
    let builder = RedisStore::builder().command_timeout(Duration::from_millis(700));
    let store = builder.connect(&place).await.unwrap();
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
        (Fault::Delay(Duration::from_secs(3)), true),
    ] {
        let server = Standalone::start(Flavour::Redis7);
        let (proxy, store) = proxied(&server).await;
        proxy.set(fault);
        assert_eq!(
            replace_all(&store).await,
            [Some(StoreErrorKind::Indeterminate); 8],
            "{fault:?}"
        );
        let expected = Bytes::from_static(if applied { b"new" } else { b"old" });
        // On a busy machine a command may arrive after its caller has given up.
        while bytes_on(&server).await != vec![expected.clone(); 8] {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let loaded = load_all(&store).await;
        assert_eq!(loaded, vec![Err(StoreErrorKind::Unavailable); 8], "{fault:?}");
    }
}

/// An answer that breaks off anywhere says nothing about any part of it. A load is asked once more.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn an_answer_that_breaks_off_leaves_every_gathered_write_in_doubt() {
    let mut in_doubt = 0;
    for length in [0, 1, 4, 9, 17, 30] {
        let server = Standalone::start(Flavour::Redis7);
        let (proxy, store) = proxied(&server).await;
        proxy.set_once(Fault::CutReply(length, Cut::Reset));
        let replaced = replace_all(&store).await;
        let kinds = [None, Some(StoreErrorKind::Indeterminate)];
        assert!(replaced.iter().all(|kind| kinds.contains(kind)), "{length}: {replaced:?}");
        in_doubt += replaced.iter().filter(|kind| **kind == kinds[1]).count();
        let there = bytes_on(&server).await;
        let acknowledged = there.iter().zip(&replaced).filter(|(_, failed)| failed.is_none());
        assert!(
            acknowledged.into_iter().all(|(bytes, _)| bytes == "new"),
            "{length}: {replaced:?}"
        );
        while load_all(&store).await.iter().any(Result::is_err) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        proxy.set_once(Fault::CutReply(length, Cut::Reset));
        let loaded = load_all(&store).await;
        let served = loaded.iter().filter(|loaded| loaded.is_ok()).count();
        let refused = loaded.iter().filter(|loaded| **loaded == Err(StoreErrorKind::Unavailable));
        assert_eq!(served + refused.count(), 8, "{length}: {loaded:?}");
    }
    assert!(in_doubt > 6, "{in_doubt}");
}
