//! An independent client reads what the store wrote, and the other way round. The layout of
//! `src/store/memcached/entry.rs` is put together here a second time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use async_memcached::{Client, MetaProtocol};
use cloakroom::store::{
    CommitId, Created, MemcachedServers, MemcachedStore, NewEntry, Replaced, SessionStore,
    StoreKey, Touched,
};
use cloakroom::{Clock, Timestamp};
use cloakroom_testing::memcached::{Server, name};

const KEY: StoreKey = StoreKey::from_bytes([0x5a; 32]);
const LIFETIME: Duration = Duration::from_secs(30 * 60);

fn entry(commit: u8, bytes: &'static str) -> NewEntry {
    let deadline = Clock::system().now().saturating_add(LIFETIME);
    NewEntry::new(CommitId::from_bytes([commit; 8]), deadline, bytes)
}

/// Describes the server to the store.
fn servers(server: &Server) -> MemcachedServers {
    MemcachedServers::nodes([("127.0.0.1", server.port)])
}

/// Returns the bytes before an entry's own: `under` is its commit, or its version if it was touched.
fn head(mark: u8, under: &[u8], deadline: Timestamp) -> Vec<u8> {
    let era = 0_u64.to_be_bytes();
    [&[0xc1, mark], under, &deadline.as_millis().to_be_bytes(), &era].concat()
}

/// Returns the value, its token and the seconds that it has left.
async fn read(peer: &mut Client) -> (Vec<u8>, u64, i64) {
    let found = peer.meta_get(name(&KEY), false, None, Some(&["v", "c", "t"])).await;
    let found = found.unwrap().expect("it is there");
    (found.data.unwrap(), found.cas.unwrap(), found.ttl_remaining.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn another_client_reads_what_the_store_wrote() {
    let server = Server::start();
    let store = MemcachedStore::builder().connect(&servers(&server)).await.unwrap();
    let mut peer = Client::new(format!("tcp://127.0.0.1:{}", server.port)).await.unwrap();

    let first = entry(1, "first\r\n");
    let Created::Done(version) = store.create(&KEY, &first).await.unwrap() else { panic!() };
    let (value, token, left) = read(&mut peer).await;
    assert_eq!(value, [head(1, &[1; 8], first.deadline), b"first\r\n".to_vec()].concat());
    assert_eq!(version.as_bytes()[14..22], token.to_be_bytes());
    assert!((1_795..=1_801).contains(&left), "{left}");

    let second = entry(2, "second");
    let Replaced::Done(version) = store.replace(&KEY, &version, &second).await.unwrap() else {
        panic!()
    };
    let (value, token, _) = read(&mut peer).await;
    assert_eq!(value, [head(1, &[2; 8], second.deadline), b"second".to_vec()].concat());
    assert_eq!(version.as_bytes()[14..22], token.to_be_bytes());

    let later = second.deadline.saturating_add(LIFETIME);
    assert_eq!(store.touch(&KEY, &version, later).await.unwrap(), Touched::Done);
    let (value, _, left) = read(&mut peer).await;
    assert_eq!(value, [head(2, version.as_bytes(), later), b"second".to_vec()].concat());
    assert!((3_595..=3_601).contains(&left), "{left}");

    store.delete(&KEY).await.unwrap();
    assert_eq!(peer.meta_get(name(&KEY), false, None, Some(&["v"])).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn the_store_reads_what_another_client_wrote() {
    let server = Server::start();
    let store = MemcachedStore::builder().connect(&servers(&server)).await.unwrap();
    let mut peer = Client::new(format!("tcp://127.0.0.1:{}", server.port)).await.unwrap();
    let theirs = entry(3, "theirs");
    let value = [head(1, &[3; 8], theirs.deadline), theirs.bytes.to_vec()].concat();
    peer.meta_set(name(&KEY), &value[..], false, None, Some(&["T1800"])).await.unwrap();
    let found = store.load(&KEY).await.unwrap().expect("it is there");
    assert_eq!((found.bytes, found.deadline), (theirs.bytes, theirs.deadline));
    let replaced = store.replace(&KEY, &found.version, &entry(4, "ours")).await.unwrap();
    assert!(matches!(replaced, Replaced::Done(_)), "{replaced:?}");

    // The other client has written in between, so the store's token is outdated.
    let stale = store.load(&KEY).await.unwrap().unwrap().version;
    let value = [head(1, &[5; 8], theirs.deadline), b"theirs again".to_vec()].concat();
    peer.meta_set(name(&KEY), &value[..], false, None, Some(&["T1800"])).await.unwrap();
    let Replaced::Conflict(found) = store.replace(&KEY, &stale, &entry(6, "lost")).await.unwrap()
    else {
        panic!("somebody else's change was written over")
    };
    assert_eq!(found.bytes, "theirs again");
}
