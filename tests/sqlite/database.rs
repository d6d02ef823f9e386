//! A database for each test, stores on it, and another program's connection to it.

use std::path::{Path, PathBuf};

use cloakroom::store::{
    CommitId, Created, Entry, NewEntry, SessionStore, SqliteStore, SqliteStoreBuilder, StoreKey,
    Version,
};
use cloakroom::{ManualClock, Timestamp};
use cloakroom_testing::processes::Folder;
use rusqlite::Connection;

pub(crate) const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// A temporary folder with a database, removed when it is dropped.
pub(crate) struct Database {
    folder: Folder,
    root: PathBuf,
}

impl Database {
    pub(crate) fn new() -> Self {
        let folder = Folder::new();
        Self { root: folder.join(""), folder }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.root
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.join("sessions.db")
    }

    /// Returns the path of another file in the folder.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) async fn open(&self, clock: &ManualClock) -> SqliteStore {
        options().clock(clock.clone()).open(self.path()).await.unwrap()
    }

    /// Opens the database as another program does.
    pub(crate) fn other(&self) -> Connection {
        other(&self.path())
    }
}

/// Returns options without a sweeper: the tests call `sweep` themselves. A disk that many tests share may take
/// seconds for a commit.
pub(crate) fn options() -> SqliteStoreBuilder {
    SqliteStore::builder().sweep_every(None).command_timeout(std::time::Duration::from_secs(30))
}

pub(crate) fn other(path: &Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection.busy_timeout(std::time::Duration::from_secs(60)).unwrap();
    connection
}

/// Returns the only value of a statement.
pub(crate) fn number(connection: &Connection, sql: &str) -> i64 {
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

pub(crate) fn key(number: u8) -> StoreKey {
    StoreKey::from_bytes([number; 32])
}

pub(crate) fn entry(commit: u64, lifetime_secs: u64, bytes: &[u8]) -> NewEntry {
    NewEntry::new(
        CommitId::from_bytes(commit.to_be_bytes()),
        START.saturating_add(std::time::Duration::from_secs(lifetime_secs)),
        bytes.to_vec(),
    )
}

pub(crate) async fn created(store: &dyn SessionStore, key: &StoreKey, entry: &NewEntry) -> Version {
    match store.create(key, entry).await.unwrap() {
        Created::Done(version) => version,
        Created::Exists => panic!("there is an entry already"),
    }
}

pub(crate) async fn live(store: &dyn SessionStore, key: &StoreKey) -> Entry {
    store.load(key).await.unwrap().expect("a live entry")
}
