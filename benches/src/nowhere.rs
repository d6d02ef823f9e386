//! A store that costs nothing, to measure everything but the store.

use async_trait::async_trait;
use cloakroom::Timestamp;
use cloakroom::store::{
    Created, Entry, NewEntry, Replaced, SessionStore, StoreError, StoreKey, Touched, Version,
};

/// A store that accepts every write and keeps nothing.
#[derive(Clone, Copy, Debug)]
pub struct Nowhere;

#[async_trait]
impl SessionStore for Nowhere {
    async fn load(&self, _: &StoreKey) -> Result<Option<Entry>, StoreError> {
        Ok(None)
    }

    async fn create(&self, _: &StoreKey, entry: &NewEntry) -> Result<Created, StoreError> {
        Ok(Created::Done(entry.commit.into()))
    }

    async fn replace(
        &self,
        _: &StoreKey,
        _: &Version,
        entry: &NewEntry,
    ) -> Result<Replaced, StoreError> {
        Ok(Replaced::Done(entry.commit.into()))
    }

    async fn touch(&self, _: &StoreKey, _: &Version, _: Timestamp) -> Result<Touched, StoreError> {
        Ok(Touched::Done)
    }

    async fn delete(&self, _: &StoreKey) -> Result<(), StoreError> {
        Ok(())
    }
}
