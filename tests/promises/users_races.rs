//! Races on the memory store, on several threads.

use std::sync::Arc;

use async_trait::async_trait;
use cloakroom::Timestamp;
use cloakroom::store::{
    Created, Entry, MemoryStore, NewEntry, Replaced, SessionStore, StoreError, StoreKey, Touched,
    Version,
};
use cloakroom_testing::users_races;
use tokio::task::yield_now;

/// A memory store that lets others go first before and after each command: by itself it is done at once, and
/// nothing would race.
#[derive(Debug)]
struct Polite(MemoryStore);

#[async_trait]
impl SessionStore for Polite {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        yield_now().await;
        let done = self.0.load(key).await;
        yield_now().await;
        done
    }

    async fn create(&self, key: &StoreKey, entry: &NewEntry) -> Result<Created, StoreError> {
        yield_now().await;
        let done = self.0.create(key, entry).await;
        yield_now().await;
        done
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        entry: &NewEntry,
    ) -> Result<Replaced, StoreError> {
        yield_now().await;
        let done = self.0.replace(key, expected, entry).await;
        yield_now().await;
        done
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
        yield_now().await;
        self.0.delete(key).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_login_and_no_renewal_survives_an_end_and_no_limit_is_exceeded() {
    let store: Arc<dyn SessionStore> = Arc::new(Polite(MemoryStore::new()));
    users_races::run([store.clone(), store], 2_000).await;
}
