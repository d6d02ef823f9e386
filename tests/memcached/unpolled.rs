//! Futures that were polled once and then left alone hold nothing that other calls need.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use cloakroom::store::{MemcachedServers, MemcachedStore, SessionStore, StoreKey};
use cloakroom::{Key, SessionLayer};

use cloakroom_testing::memcached::Server;
use cloakroom_testing::processes::{free_port, wait_until};
use cloakroom_testing::proxy::{Fault, Proxy};
use cloakroom_testing::{MINUTE, Visitor, left_alone, patient};

use super::servers::{Servers, builder, open};
use super::versions::{created, entry, store};

/// Twice as many as a store has connections by default.
const LEFT: u8 = 64;

/// A store with a patience that is meant for a busy machine.
async fn patient_store(server: &Server) -> MemcachedStore {
    open(MemcachedStore::builder().command_timeout(Duration::from_secs(5)), &server.servers()).await
}

fn key(number: u8) -> StoreKey {
    StoreKey::from_bytes([number; 32])
}

/// Everybody else is served while `LEFT` reads and as many writes are left alone.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn calls_that_nobody_polls_keep_no_connection_from_others() {
    let server = Server::start();
    let store = patient_store(&server).await;
    created(&store, &key(255), &entry(1)).await;
    let entries: Vec<_> = (0..LEFT).map(|number| (key(number), entry(number))).collect();
    let loads = left_alone(entries.iter().map(|(key, _)| store.load(key)));
    let creates = left_alone(entries.iter().map(|(key, new)| store.create(key, new)));
    for _ in 0..100 {
        assert!(store.load(&key(255)).await.unwrap().is_some());
    }
    drop((loads, creates));
}

/// A store with one connection, through a proxy.
async fn with_one_connection(proxy: &Proxy) -> MemcachedStore {
    let servers = MemcachedServers::nodes([("127.0.0.1", proxy.port)]);
    open(builder().max_connections(1), &servers).await
}

/// The connection is not closed, as it would be if the write ended with its future: the next call
/// gets it.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn a_write_that_was_sent_ends_by_itself_and_keeps_its_connection() {
    let server = Server::start();
    let proxy = Proxy::on(free_port(), server.port).await;
    let store = with_one_connection(&proxy).await;
    proxy.set(Fault::Delay(Duration::from_millis(500)));
    let (key, new) = (key(1), entry(1));
    let create = left_alone([store.create(&key, &new)]);
    wait_until("the entry", || server.stats()["curr_items"] == 1);
    drop(create);
    assert!(store.load(&key).await.unwrap().is_some());
    assert_eq!(proxy.traffic().len(), 1, "connections");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn a_write_that_was_dropped_while_it_waited_for_a_connection_is_never_sent() {
    let server = Server::start();
    let proxy = Proxy::on(free_port(), server.port).await;
    let store = with_one_connection(&proxy).await;
    proxy.set(Fault::Stall);
    let entries: Vec<_> = (0..LEFT).map(|number| (key(number), entry(number))).collect();
    let creates = left_alone(entries.iter().map(|(key, new)| store.create(key, new)));
    // Time for one of them to take the connection.
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(creates);
    proxy.set(Fault::None);
    assert_eq!(store.load(&key(255)).await.unwrap(), None);
    assert!(server.commands()[1] <= 1, "{:?}", server.commands());
}

/// One call alone tries whether a server is back. If nobody polls that call, the others go on.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn a_call_that_tries_a_server_again_may_be_left_alone() {
    let server = Server::start();
    let store = patient_store(&server).await;
    created(&store, &key(1), &entry(1)).await;
    server.freeze();
    store.load(&key(1)).await.unwrap_err();
    server.process.thaw();
    // The last failed attempt begins a pause in which nobody may try.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let numbers = [key(1); 8];
    let trying = left_alone(numbers.iter().map(|key| store.load(key)));
    // On a busy machine the server may not be back yet, and one more attempt fails.
    let begun = Instant::now();
    let loaded = loop {
        match store.load(&key(1)).await {
            Err(_) if begun.elapsed() < MINUTE => {}
            loaded => break loaded.unwrap(),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(loaded.is_some());
    drop(trying);
}

/// The usual loop of a websocket: `select!` between a pending `save` and a socket whose client has
/// stopped reading.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn visitors_are_served_while_saves_of_others_are_left_alone() {
    let server = Server::start();
    let store = store(&server.servers()).await;
    let layer = patient(SessionLayer::new(store, Key::from_bytes(&[7; 32]).unwrap()));
    let handles = Mutex::new(Vec::new());
    for number in 0..LEFT {
        let guest = Visitor::new(layer.clone());
        let connect = guest.visit(async |session| {
            handles.lock().unwrap().push(session.clone());
            session.insert("k", &number)
        });
        connect.await.is_ok();
    }
    let handles = handles.into_inner().unwrap();
    let saves = left_alone(handles.iter().map(|session| async {
        session.insert("k", &"more").unwrap();
        session.save().await
    }));
    for _ in 0..20 {
        let newcomer = Visitor::new(layer.clone());
        newcomer.visit(async |session| session.insert("k", &1)).await.is_ok();
        assert_eq!(newcomer.visit(async |session| session.get::<u32>("k")).await.body, "Some(1)");
    }
    for save in saves {
        save.await.unwrap();
    }
}
