//! Entries of a newer format stay as they are, and say what they are (P12).

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use cloakroom::store::{SessionStore, StoreErrorKind, StoreKey};
use cloakroom::{Key, SessionLayer};

use cloakroom_testing::memcached::{Server, name};
use cloakroom_testing::{Visitor, patient, respond};

use super::servers::Servers;
use super::versions::{created, entry, errors, store};

fn open(server: &Server) -> BufReader<TcpStream> {
    BufReader::new(TcpStream::connect(("127.0.0.1", server.port)).unwrap())
}

fn get(server: &Server, name: &str) -> Vec<u8> {
    let (mut door, mut line) = (open(server), String::new());
    door.get_mut().write_all(format!("mg {name} v\r\n").as_bytes()).unwrap();
    door.read_line(&mut line).unwrap();
    let mut value = vec![0; line.strip_prefix("VA ").unwrap().trim().parse().unwrap()];
    door.read_exact(&mut value).unwrap();
    value
}

pub(crate) fn put(server: &Server, name: &str, value: &[u8]) {
    let (mut door, mut line) = (open(server), String::new());
    let head = format!("ms {name} {} T600\r\n", value.len());
    door.get_mut().write_all(&[head.as_bytes(), value, b"\r\n"].concat()).unwrap();
    door.read_line(&mut line).unwrap();
    assert_eq!(line.trim(), "HD");
}

/// Returns the name of the only key.
fn only_key(server: &Server) -> String {
    let (mut door, mut line) = (open(server), String::new());
    door.get_mut().write_all(b"lru_crawler metadump all\r\n").unwrap();
    door.read_line(&mut line).unwrap();
    let key = line.strip_prefix("key=").unwrap().split(' ').next().unwrap();
    key.replace("%3A", ":")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn no_command_replaces_or_deletes_an_entry_of_a_newer_format() {
    let server = Server::start();
    let store = store(&server.servers()).await;
    let key = StoreKey::from_bytes([0x5a; 32]);
    created(&store, &key, &entry(1)).await;
    let mut newer = get(&server, &name(&key));
    newer[1] = 3;
    for value in [&newer[..], &newer[..2], &[0xc1, 0xff]] {
        put(&server, &name(&key), value);
        let kinds = errors(&store, &key).await;
        assert_eq!(kinds, [Some(StoreErrorKind::NewerFormat); 5], "{value:x?}");
        assert_eq!(get(&server, &name(&key)), value);
    }
    let shown = format!("{:?}", store.load(&key).await.unwrap_err());
    assert!(shown.contains("newer format") && shown.contains("the memcached server"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn a_logout_leaves_an_entry_of_a_newer_format() {
    let server = Server::start();
    let layer =
        SessionLayer::new(store(&server.servers()).await, Key::from_bytes(&[7; 32]).unwrap());
    let guest = Visitor::new(patient(layer));
    guest.visit(async |session| session.insert("k", &1)).await.is_ok();
    let name = only_key(&server);
    let mut newer = get(&server, &name);
    newer[1] = 3;
    put(&server, &name, &newer);
    let answer = guest.ask(async |lazy| respond(lazy.destroy().await)).await;
    assert_eq!((answer.status.as_u16(), answer.set_cookies()), (503, vec![]));
    assert!(format!("{:?}", answer.error).contains("newer format"), "{answer:?}");
    assert_eq!(get(&server, &name), newer);
}
