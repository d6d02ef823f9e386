//! A folder for each test, stores in it, and access to its files.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use cloakroom::store::{
    CommitId, Created, Entry, FileStore, FileStoreBuilder, NewEntry, SessionStore, StoreKey,
    Version,
};
use cloakroom::{ManualClock, Timestamp};

pub(crate) const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// A temporary folder, removed when it is dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("cloakroom-file-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Returns options without a sweeper: the tests call `sweep` themselves.
    pub(crate) fn options(&self) -> FileStoreBuilder {
        FileStore::builder(&self.0).sweep_every(None)
    }

    pub(crate) async fn open(&self, clock: &ManualClock) -> FileStore {
        self.options().clock(clock.clone()).open().await.unwrap()
    }

    pub(crate) fn session(&self, key: &StoreKey) -> PathBuf {
        session(&self.0, key)
    }

    pub(crate) fn shard(&self, key: &StoreKey) -> PathBuf {
        self.session(key).parent().unwrap().to_owned()
    }

    /// Takes a session's lock as another process does.
    pub(crate) fn lock(&self, key: &StoreKey) -> fs::File {
        let path = self.path().join(format!("locks/{:02x}", key.as_bytes()[1] % 64));
        let file = fs::File::options().write(true).create(true).truncate(false).open(path).unwrap();
        rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive).unwrap();
        file
    }

    /// Lists the names in a session's shard.
    pub(crate) fn beside(&self, key: &StoreKey) -> Vec<String> {
        names(&self.shard(key))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

pub(crate) fn session(root: &Path, key: &StoreKey) -> PathBuf {
    let hex = hex(key.as_bytes());
    root.join("sessions").join(&hex[..2]).join(hex)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
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
