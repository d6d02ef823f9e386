//! Describes the test servers to the store, and makes entries.

use std::error::Error;
use std::time::Duration;

use cloakroom::store::{
    CommitId, Created, MysqlServer, MysqlStore, MysqlStoreBuilder, NewEntry, SessionStore,
    StoreError, StoreErrorKind, StoreKey, Version,
};
use cloakroom::{Clock, ManualClock, Timestamp};
use cloakroom_testing::MINUTE;
use cloakroom_testing::mariadb::{DATABASE, PASSWORD, Server, USER};

/// Describes the server behind a port of this machine.
pub(crate) fn at(port: u16) -> MysqlServer {
    MysqlServer::tcp("127.0.0.1", port, DATABASE).credentials(USER, PASSWORD)
}

/// A builder that sweeps only when it is told to.
pub(crate) fn builder() -> MysqlStoreBuilder {
    MysqlStore::builder().sweep_every(None)
}

/// A builder with a patience that is meant for a busy machine.
pub(crate) fn patient() -> MysqlStoreBuilder {
    builder().command_timeout(Duration::from_secs(20))
}

pub(crate) async fn store(server: &Server) -> MysqlStore {
    patient().connect(&at(server.port)).await.unwrap()
}

pub(crate) async fn store_with_clock(server: &Server) -> (MysqlStore, ManualClock) {
    let clock = ManualClock::at(Clock::system().now());
    let store = patient().clock(clock.clone()).connect(&at(server.port)).await;
    (store.unwrap(), clock)
}

pub(crate) fn key(number: u8) -> StoreKey {
    StoreKey::from_bytes([number; 32])
}

pub(crate) fn deadline() -> Timestamp {
    Clock::system().now().saturating_add(MINUTE)
}

pub(crate) fn version(commit: u8) -> Version {
    Version::from(CommitId::from_bytes([commit; 8]))
}

pub(crate) fn entry(commit: u8) -> NewEntry {
    NewEntry::new(CommitId::from_bytes([commit; 8]), deadline(), "bytes")
}

pub(crate) async fn created(store: &MysqlStore, key: &StoreKey, new: &NewEntry) -> Version {
    match store.create(key, new).await.unwrap() {
        Created::Done(version) => version,
        Created::Exists => panic!("there is one already"),
    }
}

/// Returns the errors of all five commands on one key.
pub(crate) async fn errors(store: &MysqlStore, key: &StoreKey) -> Vec<Option<StoreErrorKind>> {
    let (version, later) = (version(1), deadline().saturating_add(MINUTE));
    let kind = |error: StoreError| error.kind();
    vec![
        store.load(key).await.err().map(kind),
        store.create(key, &entry(2)).await.err().map(kind),
        store.replace(key, &version, &entry(2)).await.err().map(kind),
        store.touch(key, &version, later).await.err().map(kind),
        store.delete(key).await.err().map(kind),
    ]
}

/// Returns the texts of an error and of all its sources.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut texts = vec![error.to_string()];
    let mut source = error.source();
    while let Some(error) = source {
        texts.push(error.to_string());
        source = error.source();
    }
    texts.join(": ")
}

/// Writes a key as SQL does.
pub(crate) fn hex(key: &StoreKey) -> String {
    let hex: String = key.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("x'{hex}'")
}
