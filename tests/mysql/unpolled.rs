//! Futures that were polled once and then left alone, or dropped, hold nothing that other calls need.

use std::sync::Mutex;
use std::time::Duration;

use cloakroom::store::{Created, MysqlStore, SessionStore, StoreErrorKind};
use cloakroom::{Key, SessionLayer};
use cloakroom_testing::mariadb::{Server, TABLE};
use cloakroom_testing::processes::{free_port, wait_until};
use cloakroom_testing::proxy::{Fault, Proxy};
use cloakroom_testing::{Visitor, left_alone, settle};
use tokio::runtime::{Builder, Runtime};

use super::setup::{at, builder, created, entry, key, patient, store, version};

/// Four times as many as a store has connections by default.
const LEFT: u8 = 64;

fn rows(server: &Server) -> String {
    server.sql(&format!("SELECT COUNT(*) FROM {TABLE}"))
}

/// Everybody else is served while `LEFT` reads and as many writes are left alone.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn calls_that_nobody_polls_keep_no_connection_from_others() {
    let server = Server::start();
    let store = store(&server).await;
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
async fn with_one_connection(proxy: &Proxy) -> MysqlStore {
    patient().max_connections(1).connect(&at(proxy.port)).await.unwrap()
}

/// The connection is not closed, as it would be if the write ended with its future: the next call
/// gets it.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn a_write_that_was_sent_ends_by_itself_and_keeps_its_connection() {
    let server = Server::start();
    let proxy = Proxy::on(free_port(), server.port).await;
    let store = with_one_connection(&proxy).await;
    let before = proxy.traffic().len();
    proxy.set(Fault::Delay(Duration::from_millis(500)));
    let (key, new) = (key(1), entry(1));
    let create = left_alone([store.create(&key, &new)]);
    wait_until("the entry", || rows(&server) == "1");
    drop(create);
    assert!(store.load(&key).await.unwrap().is_some());
    assert_eq!(proxy.traffic().len(), before, "connections");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn a_write_that_was_dropped_while_it_waited_for_a_connection_is_never_sent() {
    let server = Server::start();
    let proxy = Proxy::on(free_port(), server.port).await;
    let store = with_one_connection(&proxy).await;
    created(&store, &key(100), &entry(1)).await;
    proxy.set(Fault::Stall);
    let entries: Vec<_> = (0..LEFT).map(|number| (key(number), entry(number))).collect();
    let creates = left_alone(entries.iter().map(|(key, new)| store.create(key, new)));
    // Time for one of them to take the connection.
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(creates);
    proxy.set(Fault::None);
    assert_eq!(store.load(&key(255)).await.unwrap(), None);
    let rows: u64 = rows(&server).parse().unwrap();
    assert!(rows <= 2, "{rows}");
}

/// The first write is sent and gets no answer; the second still waits for the connection at its deadline.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn a_write_that_waits_until_its_deadline_was_not_sent() {
    let server = Server::start();
    let proxy = Proxy::on(free_port(), server.port).await;
    let builder = builder().max_connections(1).command_timeout(Duration::from_secs(5));
    let store = builder.connect(&at(proxy.port)).await.unwrap();
    created(&store, &key(100), &entry(1)).await;
    proxy.set(Fault::Stall);
    let (keys, new) = ([key(1), key(2)], entry(1));
    let (first, second) = tokio::join!(store.create(&keys[0], &new), store.create(&keys[1], &new));
    let kinds = [first, second].map(|answer| answer.unwrap_err().kind());
    assert_eq!(kinds, [StoreErrorKind::Indeterminate, StoreErrorKind::Unavailable]);
    proxy.set(Fault::None);
    assert_eq!(store.load(&keys[1]).await.unwrap(), None);
}

/// A task that carries out commands may run in another runtime than some of the callers, and end with it.
#[test]
#[ignore = "needs mariadb-server"]
fn a_write_that_waits_outlives_the_runtime_of_the_connection() {
    let server = Server::start();
    let runtime = Runtime::new().unwrap();
    let proxy = runtime.block_on(Proxy::on(free_port(), server.port));
    let store = runtime.block_on(with_one_connection(&proxy));
    let (keys, new) = ([key(1), key(2)], entry(1));
    proxy.set(Fault::Stall);
    let ending = Builder::new_current_thread().enable_all().build().unwrap();
    let load = ending.block_on(async {
        let load = left_alone([store.load(&keys[0])]);
        settle().await;
        load
    });
    let mut create = runtime.block_on(async { left_alone([store.create(&keys[1], &new)]) });
    assert_eq!((load.len(), create.len()), (1, 1));
    drop((load, ending));
    proxy.set(Fault::None);
    let answer = runtime.block_on(create.remove(0)).unwrap();
    assert_eq!(answer, Created::Done(version(1)));
}

/// Answers never reach the wrong caller, however many calls are dropped at whatever moment.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn dropped_calls_mix_up_no_answers() {
    let server = Server::start();
    let store = store(&server).await;
    for number in 0..16 {
        created(&store, &key(number), &entry(number)).await;
    }
    let tasks: tokio::task::JoinSet<_> = (0..32_u64)
        .map(|task| {
            let store = store.clone();
            async move {
                for round in 0..60_u64 {
                    let number = u8::try_from((task + round) % 16).unwrap();
                    let key = key(number);
                    let patience = Duration::from_micros((task * 37 + round * 101) % 1500);
                    if let Ok(found) = tokio::time::timeout(patience, store.load(&key)).await {
                        let found = found.unwrap().unwrap();
                        assert_eq!(found.version, version(number));
                    }
                }
            }
        })
        .collect();
    tasks.join_all().await;
}

/// The usual loop of a websocket: `select!` between a pending `save` and a socket whose client has
/// stopped reading.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn visitors_are_served_while_saves_of_others_are_left_alone() {
    let server = Server::start();
    let store = store(&server).await;
    let layer = SessionLayer::new(store, Key::from_bytes(&[7; 32]).unwrap());
    let layer = cloakroom_testing::patient(layer);
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
