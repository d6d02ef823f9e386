//! The entries of a store that are rosters.

use std::sync::Arc;

use async_trait::async_trait;
use cloakroom::Timestamp;
use cloakroom::store::{
    Created, Entry, NearLoad, NewEntry, Replaced, SessionStore, StoreError, StoreKey, Touched,
    Version,
};
use sha2::{Digest, Sha256};

use crate::COOKIE;

/// Returns the key of a principal's roster.
pub(crate) fn roster_key(cookie: &str, principal: &str) -> StoreKey {
    let name = format!("cloakroom roster 1\0{cookie}\0{principal}");
    StoreKey::from_bytes(Sha256::digest(name.as_bytes()).into())
}

/// Sends the commands on the rosters of ada and bob, who log in in the promises, to a store of their own, so
/// that a test counts and breaks the others alone.
#[derive(Debug)]
pub(crate) struct RostersAside {
    sessions: Arc<dyn SessionStore>,
    rosters: Arc<dyn SessionStore>,
}

impl RostersAside {
    pub(crate) fn new(sessions: impl SessionStore, rosters: Arc<dyn SessionStore>) -> Self {
        Self { sessions: Arc::new(sessions), rosters }
    }

    fn store(&self, key: &StoreKey) -> &dyn SessionStore {
        let is_roster = ["ada", "bob"].iter().any(|name| roster_key(COOKIE, name) == *key);
        if is_roster { &*self.rosters } else { &*self.sessions }
    }
}

#[async_trait]
impl SessionStore for RostersAside {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        self.store(key).load(key).await
    }

    async fn create(&self, key: &StoreKey, entry: &NewEntry) -> Result<Created, StoreError> {
        self.store(key).create(key, entry).await
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        entry: &NewEntry,
    ) -> Result<Replaced, StoreError> {
        self.store(key).replace(key, expected, entry).await
    }

    async fn touch(
        &self,
        key: &StoreKey,
        expected: &Version,
        deadline: Timestamp,
    ) -> Result<Touched, StoreError> {
        self.store(key).touch(key, expected, deadline).await
    }

    async fn delete(&self, key: &StoreKey) -> Result<(), StoreError> {
        self.store(key).delete(key).await
    }

    fn load_near<'a>(&'a self, key: &'a StoreKey) -> Option<NearLoad<'a>> {
        self.store(key).load_near(key)
    }
}
