//! The same work by the peer's stores and by ours.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use cloakroom::Clock;
use cloakroom::store::{CommitId, Created, NewEntry, Replaced, SessionStore, StoreKey, Version};
use time::OffsetDateTime;
use tower_sessions_core::session::{Id, Record};

use crate::crew::Job;

const LIFETIME: Duration = Duration::from_secs(30 * 60);

/// Returns a new session with one value of 512 bytes.
fn record() -> Record {
    let data = [("cart".to_owned(), serde_json::Value::from("x".repeat(512)))].into();
    Record { id: Id::default(), data, expiry_date: OffsetDateTime::now_utc() + LIFETIME }
}

/// A job that loads or saves its own session by the peer's store.
pub struct Peer<S> {
    store: S,
    record: Record,
    saves: bool,
}

impl<S: tower_sessions_core::SessionStore> Peer<S> {
    pub async fn new(store: S, saves: bool) -> Self {
        let mut record = record();
        store.create(&mut record).await.expect("it is stored");
        Self { store, record, saves }
    }
}

impl<S: tower_sessions_core::SessionStore> Job for Peer<S> {
    async fn once(&mut self) {
        if self.saves {
            self.record.expiry_date = OffsetDateTime::now_utc() + LIFETIME;
            self.store.save(&self.record).await.expect("it is stored");
        } else {
            let loaded = self.store.load(&self.record.id).await.expect("it answers");
            black_box(loaded.expect("it is there"));
        }
    }
}

/// A job that loads or replaces its own session by one of our stores.
pub struct Ours<S> {
    store: S,
    key: StoreKey,
    version: Version,
    record: Record,
    saves: bool,
}

impl<S: SessionStore> Ours<S> {
    pub async fn new(store: S, saves: bool) -> Self {
        let record = record();
        let mut key = [0; 32];
        key[..16].copy_from_slice(&record.id.0.to_be_bytes());
        // Our stores take a hash, whose last bytes are as random as its first.
        key[16..].copy_from_slice(&record.id.0.to_be_bytes());
        let (key, entry) = (StoreKey::from_bytes(key), entry(&record));
        let Ok(Created::Done(version)) = store.create(&key, &entry).await else {
            panic!("a new entry is not created")
        };
        Self { store, key, version, record, saves }
    }
}

impl<S: SessionStore + 'static> Job for Ours<S> {
    async fn once(&mut self) {
        if !self.saves {
            let entry = self.store.load(&self.key).await.expect("it answers");
            let entry = entry.expect("it is there");
            black_box(rmp_serde::from_slice::<Record>(&entry.bytes).expect("a record"));
            return;
        }
        self.record.expiry_date = OffsetDateTime::now_utc() + LIFETIME;
        match self.store.replace(&self.key, &self.version, &entry(&self.record)).await {
            Ok(Replaced::Done(version)) => self.version = version,
            other => panic!("nobody else writes this one: {other:?}"),
        }
    }
}

fn entry(record: &Record) -> NewEntry {
    static COMMITS: AtomicU64 = AtomicU64::new(0);
    let commit = COMMITS.fetch_add(1, Ordering::Relaxed);
    let bytes = Bytes::from(rmp_serde::to_vec(record).expect("it can be encoded"));
    let deadline = Clock::system().now().saturating_add(LIFETIME);
    NewEntry::new(CommitId::from_bytes(commit.to_be_bytes()), deadline, bytes)
}
