//! A store like those on servers: its time cannot be set, and it rounds deadlines up to seconds. The laws
//! must hold there too, and wait for two seconds at most.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cloakroom::store::conformance::Harness;
use cloakroom::store::{
    Created, Entry, MemoryStore, NewEntry, Replaced, SessionStore, StoreError, StoreKey, Touched,
    Version,
};
use cloakroom::{Clock, Timestamp};

cloakroom::store_conformance!(RealTime::default());

#[derive(Clone, Debug, Default)]
struct InSeconds(MemoryStore);

fn rounded(deadline: Timestamp) -> Timestamp {
    Timestamp::from_millis(deadline.as_millis().div_ceil(1_000) * 1_000)
}

fn rounded_entry(entry: &NewEntry) -> NewEntry {
    NewEntry::new(entry.commit, rounded(entry.deadline), entry.bytes.clone())
}

#[async_trait]
impl SessionStore for InSeconds {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        self.0.load(key).await
    }

    async fn create(&self, key: &StoreKey, entry: &NewEntry) -> Result<Created, StoreError> {
        self.0.create(key, &rounded_entry(entry)).await
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        entry: &NewEntry,
    ) -> Result<Replaced, StoreError> {
        self.0.replace(key, expected, &rounded_entry(entry)).await
    }

    async fn touch(
        &self,
        key: &StoreKey,
        expected: &Version,
        deadline: Timestamp,
    ) -> Result<Touched, StoreError> {
        self.0.touch(key, expected, rounded(deadline)).await
    }

    async fn delete(&self, key: &StoreKey) -> Result<(), StoreError> {
        self.0.delete(key).await
    }
}

#[derive(Default)]
struct RealTime(InSeconds);

#[async_trait]
impl Harness for RealTime {
    async fn open(&self) -> Arc<dyn SessionStore> {
        Arc::new(self.0.clone())
    }

    fn now(&self) -> Timestamp {
        Clock::system().now()
    }

    async fn advance(&self, by: Duration) {
        tokio::time::sleep(by).await;
    }

    fn max_entry_bytes(&self) -> Option<usize> {
        None
    }

    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }
}
