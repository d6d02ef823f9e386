//! A store that records the commands it receives.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use cloakroom::Timestamp;
use cloakroom::store::{
    Created, Entry, NearLoad, NewEntry, Replaced, SessionStore, StoreError, StoreKey, Touched,
    Version,
};
use cloakroom::testing::CommandKind as Command;

/// Wraps any store and records its commands. Clones share the log.
#[derive(Clone, Debug)]
pub struct Counting {
    inner: Arc<dyn SessionStore>,
    log: Arc<Mutex<Vec<(Command, StoreKey)>>>,
    last: Arc<Mutex<Option<StoreKey>>>,
}

impl Counting {
    pub fn new(inner: impl SessionStore) -> Self {
        Self { inner: Arc::new(inner), log: Arc::default(), last: Arc::default() }
    }

    /// Returns the commands since the last call.
    pub fn take(&self) -> Vec<Command> {
        self.log.lock().unwrap().drain(..).map(|(command, _)| command).collect()
    }

    /// Returns the key of the last command. [`Counting::take`] does not clear it.
    pub fn last_key(&self) -> StoreKey {
        self.last.lock().unwrap().expect("a command")
    }

    fn note(&self, command: Command, key: &StoreKey) {
        self.log.lock().unwrap().push((command, *key));
        *self.last.lock().unwrap() = Some(*key);
    }
}

#[async_trait]
impl SessionStore for Counting {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        self.note(Command::Load, key);
        self.inner.load(key).await
    }

    async fn create(&self, key: &StoreKey, entry: &NewEntry) -> Result<Created, StoreError> {
        self.note(Command::Create, key);
        self.inner.create(key, entry).await
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        entry: &NewEntry,
    ) -> Result<Replaced, StoreError> {
        self.note(Command::Replace, key);
        self.inner.replace(key, expected, entry).await
    }

    async fn touch(
        &self,
        key: &StoreKey,
        expected: &Version,
        deadline: Timestamp,
    ) -> Result<Touched, StoreError> {
        self.note(Command::Touch, key);
        self.inner.touch(key, expected, deadline).await
    }

    async fn delete(&self, key: &StoreKey) -> Result<(), StoreError> {
        self.note(Command::Delete, key);
        self.inner.delete(key).await
    }

    fn load_near<'a>(&'a self, key: &'a StoreKey) -> Option<NearLoad<'a>> {
        let near = self.inner.load_near(key)?;
        Some(Box::pin(async move {
            self.note(Command::Load, key);
            near.await
        }))
    }

    fn may_evict(&self) -> bool {
        self.inner.may_evict()
    }
}
