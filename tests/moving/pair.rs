//! Two memory stores that count their commands and fail on demand, and a `Moving` of each step over them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use cloakroom::store::{
    CommitId, Created, Entry, MemoryStore, MemoryStoreBuilder, Moving, NewEntry, Replaced,
    SessionStore, StoreError, StoreErrorKind, StoreKey, Version,
};
use cloakroom::{ManualClock, Timestamp};
use cloakroom_testing::{Command, Counting, Faulty, HOUR, MINUTE, clock};

pub(crate) const KEY: StoreKey = StoreKey::from_bytes([7; 32]);

/// One of the two stores, at three heights.
#[derive(Clone)]
pub(crate) struct Side {
    /// Neither counts nor fails. A server of the step before or after has this one alone.
    pub(crate) bare: MemoryStore,
    pub(crate) faulty: Faulty,
    pub(crate) counting: Counting,
}

impl Side {
    fn new(memory: MemoryStoreBuilder) -> Self {
        let bare = memory.build();
        let faulty = Faulty::new(bare.clone());
        Self { counting: Counting::new(faulty.clone()), bare, faulty }
    }

    pub(crate) async fn has(&self) -> Option<Entry> {
        self.bare.load(&KEY).await.unwrap()
    }

    /// Whether the entry is one that moves write: a fence or a tentative entry.
    pub(crate) async fn has_a_note(&self) -> bool {
        self.has().await.is_some_and(|entry| entry.bytes.starts_with(b"\xC1\xFF"))
    }
}

pub(crate) type Server = Moving<Counting, Counting>;

pub(crate) struct Pair {
    pub(crate) clock: ManualClock,
    pub(crate) from: Side,
    pub(crate) to: Side,
}

impl Pair {
    pub(crate) fn new() -> Self {
        Self::with(|to| to)
    }

    pub(crate) fn with(to: impl FnOnce(MemoryStoreBuilder) -> MemoryStoreBuilder) -> Self {
        let clock = clock();
        let memory = || MemoryStore::builder().clock(clock.clone());
        Self { from: Side::new(memory()), to: Side::new(to(memory())), clock }
    }

    pub(crate) fn old_first(&self) -> Server {
        let (from, to) = (self.from.counting.clone(), self.to.counting.clone());
        Moving::old_first(from, to).clock(self.clock.clone())
    }

    pub(crate) fn new_first(&self) -> Server {
        let (from, to) = (self.from.counting.clone(), self.to.counting.clone());
        Moving::new_first(from, to).clock(self.clock.clone())
    }

    pub(crate) fn both(&self) -> [Server; 2] {
        [self.old_first(), self.new_first()]
    }

    /// Returns how many commands each store has had since the last call.
    pub(crate) fn trips(&self) -> (usize, usize) {
        let (from, to) = self.commands();
        (from.len(), to.len())
    }

    pub(crate) fn commands(&self) -> (Vec<Command>, Vec<Command>) {
        (self.from.counting.take(), self.to.counting.take())
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

    /// Returns the mark of a logout, which the library keeps for a minute.
    pub(crate) fn mark(&self) -> NewEntry {
        self.entry_for(MINUTE, "ended").last_word()
    }

    pub(crate) fn in_a(&self, lifetime: Duration) -> Timestamp {
        self.clock.now().saturating_add(lifetime)
    }

    /// Writes an entry as a server of the step before does, and returns its version.
    pub(crate) async fn in_old(&self, bytes: &'static str) -> Version {
        created(self.from.bare.create(&KEY, &self.entry(bytes)).await)
    }

    /// Writes an entry to the new store by a create of the second step.
    pub(crate) async fn in_new(&self, bytes: &'static str) -> Version {
        let version = created(self.new_first().create(&KEY, &self.entry(bytes)).await);
        self.trips();
        version
    }

    /// Starts the move of an entry that is in the old store, on a server that dies after the fence.
    pub(crate) async fn dies_after_the_fence(&self, expected: &Version, bytes: &'static str) {
        let down = cloakroom_testing::Fault::Fail(StoreErrorKind::Unavailable);
        self.to.faulty.next(Command::Replace, down);
        let answer = self.new_first().replace(&KEY, expected, &self.entry(bytes)).await;
        assert_eq!(kind(answer), StoreErrorKind::Indeterminate);
        assert!(self.from.has_a_note().await && self.to.has_a_note().await);
        self.trips();
    }

    /// Checks that a server of each step finds this entry.
    pub(crate) async fn all_find(&self, bytes: &str) -> Version {
        let mut found = Vec::new();
        for server in self.both() {
            let entry = server.load(&KEY).await.unwrap().expect("a live entry");
            assert_eq!(entry.bytes, bytes);
            found.push(entry.version);
        }
        assert_eq!(found[0], found[1]);
        found[0]
    }

    pub(crate) async fn nobody_finds_it(&self) {
        for server in self.both() {
            assert_eq!(server.load(&KEY).await.unwrap(), None);
        }
    }
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

pub(crate) fn conflict(answer: Result<Replaced, StoreError>) -> Entry {
    match answer.unwrap() {
        Replaced::Conflict(entry) => entry,
        other => panic!("no conflict: {other:?}"),
    }
}

pub(crate) fn kind<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> StoreErrorKind {
    answer.unwrap_err().kind()
}
