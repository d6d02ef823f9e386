//! Measures what a session of 2 KB takes in real servers, and compares it with what `month` assumes.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use bytes::Bytes;
use cloakroom::Clock;
use cloakroom::store::{
    CommitId, MemcachedServers, MemcachedStore, NewEntry, RedisServer, RedisStore, SessionStore,
    StoreKey,
};
use compare::month::{Place, Shop};

use cloakroom_testing::HOUR;
use cloakroom_testing::memcached::{self, Server};
use cloakroom_testing::redis::{Flavour, Standalone};

/// So many that a server's hash tables, whose size doubles, are well filled.
const SESSIONS: u16 = 4_000;
const BYTES: usize = 2_048;

async fn fill(store: &impl SessionStore) {
    let deadline = Clock::system().now().saturating_add(HOUR);
    let bytes = Bytes::from(vec![7; BYTES]);
    for number in 0..SESSIONS {
        let mut key = [0; 32];
        key[..2].copy_from_slice(&number.to_be_bytes());
        let entry = NewEntry::new(CommitId::from_bytes([1; 8]), deadline, bytes.clone());
        store.create(&StoreKey::from_bytes(key), &entry).await.unwrap();
    }
}

/// Returns what memcached says of its chunks.
fn slabs(port: u16) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(b"stats slabs\r\n").unwrap();
    let lines = BufReader::new(stream).lines().map(Result::unwrap);
    lines.take_while(|line| line != "END").collect::<Vec<_>>().join("\n")
}

#[test]
fn the_size_is_that_of_the_shop() {
    assert!((Shop::default().session_bytes - BYTES as f64).abs() < f64::EPSILON);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn redis_grows_as_the_bills_assume() {
    let server = Standalone::start(Flavour::Redis7);
    let used = || server.info("used_memory").unwrap().parse::<f64>().unwrap();
    let place = RedisServer::standalone("127.0.0.1", server.port);
    let store = RedisStore::builder().connect(&place).await.unwrap();
    let before = used();
    fill(&store).await;
    let growth = (used() - before) / f64::from(SESSIONS);
    let assumed = Place::Redis.bytes(BYTES as f64);
    println!("{growth} bytes a session, {assumed} assumed");
    // The hash tables are never as full as they could be.
    assert!((assumed * 7.0 / 8.0..=assumed * 33.0 / 32.0).contains(&growth), "{growth}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn memcached_takes_the_chunk_that_the_bills_assume() {
    let server = Server::with(memcached::Flavour::Debian12, &["-m", "64"]);
    let place = MemcachedServers::nodes([("127.0.0.1", server.port)]);
    let store = MemcachedStore::builder().connect(&place).await.unwrap();
    fill(&store).await;
    let slabs = slabs(server.port);
    println!("{slabs}");
    let class = slabs.lines().find_map(|line| {
        let (name, used) = line.strip_prefix("STAT ")?.split_once(' ')?;
        let class = name.strip_suffix(":used_chunks")?;
        (used.trim().parse::<u32>().ok()? >= u32::from(SESSIONS)).then(|| class.to_owned())
    });
    let size = format!("STAT {}:chunk_size ", class.unwrap());
    let chunk = slabs.lines().find_map(|line| line.strip_prefix(&size)).unwrap();
    let (chunk, assumed): (f64, _) =
        (chunk.trim().parse().unwrap(), Place::Memcached.bytes(BYTES as f64));
    assert!((chunk - assumed).abs() < f64::EPSILON, "{chunk}, {assumed} assumed");
}
