//! Opens stores on the test servers.

use std::time::Duration;

use cloakroom::store::{
    CommitId, Created, NewEntry, PostgresServer, PostgresStore, PostgresStoreBuilder, SessionStore,
    StoreError, StoreErrorKind, StoreKey, Version,
};
use cloakroom::{Clock, ManualClock};
use cloakroom_testing::MINUTE;
use cloakroom_testing::postgres::{DATABASE, PASSWORD, Server, USER, table};

pub(crate) fn at_port(port: u16) -> PostgresServer {
    let server = PostgresServer::host("127.0.0.1", port).connect_timeout(MINUTE);
    server.credentials(USER, PASSWORD).database(DATABASE)
}

pub(crate) fn at(server: &Server) -> PostgresServer {
    at_port(server.port)
}

/// Returns a builder of a store that makes the table, and does not sweep.
pub(crate) fn builder(table: &str) -> PostgresStoreBuilder {
    // A login alone may take a second where many tests run beside each other.
    let builder = PostgresStore::builder().command_timeout(Duration::from_secs(30));
    builder.table(table).create_table().sweep_every(None)
}

/// Opens a store on a new table of the server that the tests share.
pub(crate) async fn new_store() -> (PostgresStore, String) {
    let table = table();
    (store(Server::shared(), &table).await, table)
}

pub(crate) async fn store(server: &Server, table: &str) -> PostgresStore {
    builder(table).connect(&at(server)).await.unwrap()
}

/// Opens a store whose clock stands still.
pub(crate) async fn store_with_clock(table: &str) -> (PostgresStore, ManualClock) {
    let clock = ManualClock::at(Clock::system().now());
    let store = builder(table).clock(clock.clone()).connect(&at(Server::shared())).await;
    (store.unwrap(), clock)
}

pub(crate) fn key(number: u8) -> StoreKey {
    StoreKey::from_bytes([number; 32])
}

/// Returns the key as it stands in a statement.
pub(crate) fn literal(key: &StoreKey) -> String {
    let digits: String = key.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("'\\x{digits}'")
}

pub(crate) fn entry(commit: u8) -> NewEntry {
    let deadline = Clock::system().now().saturating_add(10 * MINUTE);
    NewEntry::new(CommitId::from_bytes([commit; 8]), deadline, format!("bytes of {commit}"))
}

pub(crate) async fn created(store: &PostgresStore, key: &StoreKey, new: &NewEntry) -> Version {
    match store.create(key, new).await.unwrap() {
        Created::Done(version) => version,
        Created::Exists => panic!("there is one already"),
    }
}

/// Returns the errors of all five commands on one key.
pub(crate) async fn errors(store: &PostgresStore, key: &StoreKey) -> Vec<Option<StoreErrorKind>> {
    let version = Version::from(CommitId::from_bytes([1; 8]));
    let later = entry(1).deadline.saturating_add(MINUTE);
    let kind = |error: StoreError| error.kind();
    vec![
        store.load(key).await.err().map(kind),
        store.create(key, &entry(2)).await.err().map(kind),
        store.replace(key, &version, &entry(2)).await.err().map(kind),
        store.touch(key, &version, later).await.err().map(kind),
        store.delete(key).await.err().map(kind),
    ]
}
