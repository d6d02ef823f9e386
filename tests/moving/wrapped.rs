//! Stores around another one, for tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use cloakroom::Timestamp;
use cloakroom::store::{
    CommitId, Created, Entry, MemoryStore, NewEntry, Replaced, SessionStore, StoreError,
    StoreErrorKind, StoreKey, Touched, Version,
};

/// Asks again where an answer is in doubt, as the library does. The memory loses no answer: the only doubt
/// is that another server went on from an entry that was moved, so the move was done.
#[derive(Debug)]
pub(crate) struct Wrapped {
    store: Arc<dyn SessionStore>,
    creates: Arc<dyn SessionStore>,
    /// Gets an open fence before every create, as from a server that dies in the middle of one.
    fences: Option<MemoryStore>,
}

impl Wrapped {
    pub(crate) fn new(store: Arc<dyn SessionStore>) -> Self {
        Self { creates: store.clone(), store, fences: None }
    }

    pub(crate) fn shared(self) -> Arc<dyn SessionStore> {
        Arc::new(self)
    }

    pub(crate) fn behind_fences_in(self, from: &MemoryStore) -> Arc<dyn SessionStore> {
        Self { fences: Some(from.clone()), ..self }.shared()
    }

    pub(crate) fn that_creates_in(self, creates: Arc<dyn SessionStore>) -> Arc<dyn SessionStore> {
        Self { creates, ..self }.shared()
    }
}

#[async_trait]
impl SessionStore for Wrapped {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        self.store.load(key).await
    }

    async fn create(&self, key: &StoreKey, entry: &NewEntry) -> Result<Created, StoreError> {
        if let Some(from) = &self.fences {
            let mut commit = *entry.commit.as_bytes();
            commit[0] ^= 0xFF;
            let commit = CommitId::from_bytes(commit);
            let fence = NewEntry::new(commit, Timestamp::MAX, &b"\xC1\xFF\x01\x01"[..]);
            from.create(key, &fence).await?;
        }
        self.creates.create(key, entry).await
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        entry: &NewEntry,
    ) -> Result<Replaced, StoreError> {
        match self.store.replace(key, expected, entry).await {
            Err(error) if error.kind() == StoreErrorKind::Indeterminate => {
                Ok(Replaced::Done(Version::from(entry.commit)))
            }
            answer => answer,
        }
    }

    async fn touch(
        &self,
        key: &StoreKey,
        expected: &Version,
        deadline: Timestamp,
    ) -> Result<Touched, StoreError> {
        match self.store.touch(key, expected, deadline).await {
            Err(error) if error.kind() == StoreErrorKind::Indeterminate => Ok(Touched::Skipped),
            answer => answer,
        }
    }

    async fn delete(&self, key: &StoreKey) -> Result<(), StoreError> {
        self.store.delete(key).await
    }
}

/// Sends each command to the next of several servers, and touches to the first of them: at the second step a
/// touch moves the entry and is `Skipped`, which the tests of promises do not expect.
#[derive(Debug)]
pub(crate) struct InTurn {
    servers: Vec<Arc<dyn SessionStore>>,
    turn: AtomicUsize,
}

impl InTurn {
    pub(crate) fn new(servers: Vec<Arc<dyn SessionStore>>) -> Self {
        Self { servers, turn: AtomicUsize::new(0) }
    }

    fn next(&self) -> &dyn SessionStore {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        &*self.servers[turn % self.servers.len()]
    }
}

#[async_trait]
impl SessionStore for InTurn {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        self.next().load(key).await
    }

    async fn create(&self, key: &StoreKey, entry: &NewEntry) -> Result<Created, StoreError> {
        self.next().create(key, entry).await
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        entry: &NewEntry,
    ) -> Result<Replaced, StoreError> {
        self.next().replace(key, expected, entry).await
    }

    async fn touch(
        &self,
        key: &StoreKey,
        expected: &Version,
        deadline: Timestamp,
    ) -> Result<Touched, StoreError> {
        self.servers[0].touch(key, expected, deadline).await
    }

    async fn delete(&self, key: &StoreKey) -> Result<(), StoreError> {
        self.next().delete(key).await
    }
}

/// A memory store that says of itself whether it may evict.
#[derive(Debug)]
pub(crate) struct Evicting(MemoryStore, bool);

impl Evicting {
    pub(crate) fn new(may_evict: bool) -> Self {
        Self(MemoryStore::new(), may_evict)
    }
}

#[async_trait]
impl SessionStore for Evicting {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        self.0.load(key).await
    }

    async fn create(&self, key: &StoreKey, entry: &NewEntry) -> Result<Created, StoreError> {
        self.0.create(key, entry).await
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        entry: &NewEntry,
    ) -> Result<Replaced, StoreError> {
        self.0.replace(key, expected, entry).await
    }

    async fn touch(
        &self,
        key: &StoreKey,
        expected: &Version,
        deadline: Timestamp,
    ) -> Result<Touched, StoreError> {
        self.0.touch(key, expected, deadline).await
    }

    async fn delete(&self, key: &StoreKey) -> Result<(), StoreError> {
        self.0.delete(key).await
    }

    fn may_evict(&self) -> bool {
        self.1
    }
}
