//! Entries of a newer format stay as they are, and say what they are (P12).

use cloakroom::store::{
    CommitId, NewEntry, RedisServer, RedisStore, SessionStore, StoreErrorKind, StoreKey,
};
use cloakroom::{Clock, Key, SessionLayer};

use cloakroom_testing::redis::{Flavour, Reply, Standalone};
use cloakroom_testing::{MINUTE, Visitor, patient, respond};

use super::refusals::errors;
use super::setup;

async fn store(server: &Standalone) -> RedisStore {
    setup::store(&RedisServer::standalone("127.0.0.1", server.port)).await
}

fn get(server: &Standalone, name: &str) -> Vec<u8> {
    match server.ask(&["GET", name]) {
        Reply::Bytes(bytes) => bytes,
        other => panic!("{other:?}"),
    }
}

/// Writes over a value and keeps its time to live.
fn put(server: &Standalone, name: &str, value: &[u8]) {
    let words: [&[u8]; 4] = [b"SET", name.as_bytes(), value, b"KEEPTTL"];
    server.door().open().unwrap().ask(&words).unwrap().ok();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn no_command_replaces_or_deletes_an_entry_of_a_newer_format() {
    for &flavour in Flavour::available() {
        let server = Standalone::start(flavour);
        let store = store(&server).await;
        let key = StoreKey::from_bytes([0x5a; 32]);
        let name = format!("cloakroom:{}", "5a".repeat(32));
        let deadline = Clock::system().now().saturating_add(MINUTE);
        let entry = NewEntry::new(CommitId::from_bytes([1; 8]), deadline, "bytes");
        store.create(&key, &entry).await.unwrap();
        let mut newer = get(&server, &name);
        newer[1] = 2;
        for value in
            [&newer[..], &newer[..2], &[0xc1, 0xff], b"\xc1\x02longer than any head of ours"]
        {
            put(&server, &name, value);
            let kinds = errors(&store, &key).await;
            assert_eq!(kinds, [Some(StoreErrorKind::NewerFormat); 5], "{flavour:?} {value:x?}");
            assert_eq!(get(&server, &name), value);
        }
        let shown = format!("{:?}", store.load(&key).await.unwrap_err());
        assert!(shown.contains("newer format") && shown.contains("Redis at"), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_logout_leaves_an_entry_of_a_newer_format() {
    let server = Standalone::start(Flavour::Redis7);
    let layer = SessionLayer::new(store(&server).await, Key::from_bytes(&[7; 32]).unwrap());
    let guest = Visitor::new(patient(layer));
    guest.visit(async |session| session.insert("k", &1)).await.is_ok();
    let name = server.ask(&["KEYS", "*"]).list()[0].text();
    let mut newer = get(&server, &name);
    newer[1] = 2;
    put(&server, &name, &newer);
    let answer = guest.ask(async |lazy| respond(lazy.destroy().await)).await;
    assert_eq!((answer.status.as_u16(), answer.set_cookies()), (503, vec![]));
    assert!(format!("{:?}", answer.error).contains("newer format"), "{answer:?}");
    assert_eq!(get(&server, &name), newer);
}
