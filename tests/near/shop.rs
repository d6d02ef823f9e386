//! Two servers, each with a memory of its own, over one store.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use cloakroom::store::{
    CommitId, Created, Entry, LoadedNear, MemoryStore, Near, NewEntry, Replaced, SessionStore,
    StoreError, StoreErrorKind, StoreKey, Version,
};
use cloakroom::{Key, ManualClock, SessionLayer, Timestamp};
use cloakroom_testing::{Command, Counting, Faulty, HOUR, clock};

use crate::gate::Gated;

pub(crate) const KEY: StoreKey = StoreKey::from_bytes([7; 32]);
pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MILLISECOND: Duration = Duration::from_millis(1);

/// The servers are called west and east. West's commands are counted, fail on demand and wait at a gate.
pub(crate) struct Shop {
    pub(crate) clock: ManualClock,
    /// The store itself. A server without a memory would have this one.
    pub(crate) bare: MemoryStore,
    pub(crate) gated: Gated,
    pub(crate) faulty: Faulty,
    pub(crate) counting: Counting,
    pub(crate) west: Near,
    pub(crate) east: Near,
    staleness: Duration,
    key: Key,
}

impl Shop {
    pub(crate) fn new() -> Self {
        Self::with(SECOND)
    }

    pub(crate) fn with(staleness: Duration) -> Self {
        let clock = clock();
        let bare = MemoryStore::builder().clock(clock.clone()).build();
        let gated = Gated::new(bare.clone());
        let faulty = Faulty::new(gated.clone());
        let counting = Counting::new(faulty.clone());
        let near = |near: Near| near.staleness(staleness).clock(clock.clone());
        let (west, east) = (near(Near::new(counting.clone())), near(Near::new(bare.clone())));
        let key = Key::from_bytes(&[7; 32]).unwrap();
        Self { clock, bare, gated, faulty, counting, west, east, staleness, key }
    }

    pub(crate) fn layer(&self, server: &Near) -> SessionLayer {
        SessionLayer::new(server.clone(), self.key.clone()).clock(self.clock.clone())
    }

    /// Returns the commands that west's store has had since the last call.
    pub(crate) fn trips(&self) -> Vec<Command> {
        self.counting.take()
    }

    #[track_caller]
    pub(crate) fn no_trips(&self) {
        assert_eq!(self.trips(), Vec::new());
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }

    /// Lets the time pass after which nothing that is held now is answered.
    pub(crate) fn pass_staleness(&self) {
        self.pass(self.staleness);
    }

    /// Returns an entry that lives for an hour.
    pub(crate) fn entry(&self, bytes: impl Into<Bytes>) -> NewEntry {
        self.entry_for(HOUR, bytes)
    }

    pub(crate) fn entry_for(&self, lifetime: Duration, bytes: impl Into<Bytes>) -> NewEntry {
        static COMMITS: AtomicU64 = AtomicU64::new(1);
        let commit = COMMITS.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        NewEntry::new(CommitId::from_bytes(commit), self.in_a(lifetime), bytes)
    }

    pub(crate) fn in_a(&self, lifetime: Duration) -> Timestamp {
        self.clock.now().saturating_add(lifetime)
    }

    /// Creates an entry as a server without a memory does.
    pub(crate) async fn has(&self, bytes: &'static str) -> Version {
        created(self.bare.create(&KEY, &self.entry(bytes)).await)
    }

    /// Replaces the entry as a server without a memory does.
    pub(crate) async fn becomes(&self, bytes: &'static str) -> Version {
        let there = self.bare.load(&KEY).await.unwrap().unwrap();
        replaced(self.bare.replace(&KEY, &there.version, &self.entry(bytes)).await)
    }

    /// Looks on west, as a request does at first.
    pub(crate) async fn look(&self) -> Look {
        look(&self.west).await
    }
}

/// The answer to a first look: its bytes, and how long ago they were read if they come from memory.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Look {
    Fresh(Option<String>),
    Held(String, Timestamp),
}

impl Look {
    pub(crate) fn fresh(bytes: &str) -> Self {
        Self::Fresh(Some(bytes.into()))
    }

    pub(crate) fn held(bytes: &str, as_of: Timestamp) -> Self {
        Self::Held(bytes.into(), as_of)
    }
}

pub(crate) async fn look(server: &Near) -> Look {
    try_look(server).await.unwrap()
}

pub(crate) async fn try_look(server: &Near) -> Result<Look, StoreError> {
    let text = |entry: Entry| String::from_utf8(entry.bytes.to_vec()).unwrap();
    Ok(match server.load_near(&KEY).expect("a memory").await? {
        LoadedNear::Fresh(entry) => Look::Fresh(entry.map(text)),
        LoadedNear::Held { entry, as_of } => Look::Held(text(entry), as_of),
        LoadedNear::Lagging { .. } => unreachable!("a memory is not a copy that lags behind"),
    })
}

pub(crate) fn created(answer: Result<Created, StoreError>) -> Version {
    match answer.unwrap() {
        Created::Done(version) => version,
        Created::Exists => panic!("a live entry is there"),
    }
}

pub(crate) fn replaced(answer: Result<Replaced, StoreError>) -> Version {
    match answer.unwrap() {
        Replaced::Done(version) => version,
        other => panic!("not done: {other:?}"),
    }
}

pub(crate) fn kind<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> StoreErrorKind {
    answer.unwrap_err().kind()
}
