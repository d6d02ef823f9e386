//! Memory stores at a distance: each command takes a moment to arrive and is then carried out at once.

use std::time::Duration;

use cloakroom::store::{
    Created, Entry, NewEntry, Replaced, SessionStore, StoreError, StoreKey, Touched, Version,
    async_trait,
};
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::Result as StoreResult;

/// The tests stop the clock, so it is exact and costs no time.
pub const DISTANCE: Duration = Duration::from_millis(20);

#[derive(Clone, Debug, Default)]
pub struct SlowBefore(tower_sessions::MemoryStore);

#[async_trait]
impl tower_sessions::SessionStore for SlowBefore {
    async fn create(&self, record: &mut Record) -> StoreResult<()> {
        tokio::time::sleep(DISTANCE).await;
        self.0.create(record).await
    }

    async fn save(&self, record: &Record) -> StoreResult<()> {
        tokio::time::sleep(DISTANCE).await;
        self.0.save(record).await
    }

    async fn load(&self, id: &Id) -> StoreResult<Option<Record>> {
        tokio::time::sleep(DISTANCE).await;
        self.0.load(id).await
    }

    async fn delete(&self, id: &Id) -> StoreResult<()> {
        tokio::time::sleep(DISTANCE).await;
        self.0.delete(id).await
    }
}

#[derive(Debug, Default)]
pub struct SlowAfter(cloakroom::store::MemoryStore);

#[async_trait]
impl SessionStore for SlowAfter {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        tokio::time::sleep(DISTANCE).await;
        self.0.load(key).await
    }

    async fn create(&self, key: &StoreKey, entry: &NewEntry) -> Result<Created, StoreError> {
        tokio::time::sleep(DISTANCE).await;
        self.0.create(key, entry).await
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        entry: &NewEntry,
    ) -> Result<Replaced, StoreError> {
        tokio::time::sleep(DISTANCE).await;
        self.0.replace(key, expected, entry).await
    }

    async fn touch(
        &self,
        key: &StoreKey,
        expected: &Version,
        deadline: cloakroom::Timestamp,
    ) -> Result<Touched, StoreError> {
        tokio::time::sleep(DISTANCE).await;
        self.0.touch(key, expected, deadline).await
    }

    async fn delete(&self, key: &StoreKey) -> Result<(), StoreError> {
        tokio::time::sleep(DISTANCE).await;
        self.0.delete(key).await
    }
}
