//! Options of the store.

use std::sync::Arc;

use super::shards::{Options, Shards};
use super::store::MemoryStore;
use crate::clock::Clock;

/// Options of a [`MemoryStore`].
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct MemoryStoreBuilder {
    options: Options,
}

impl MemoryStore {
    /// Returns a builder, for other limits or another clock.
    ///
    /// ```
    /// use cloakroom::store::MemoryStore;
    ///
    /// let store = MemoryStore::builder().max_bytes(64 << 20).build();
    /// assert!(store.is_empty());
    /// ```
    pub fn builder() -> MemoryStoreBuilder {
        MemoryStoreBuilder::default()
    }
}

impl MemoryStoreBuilder {
    /// Reads the time from `clock`, which decides when a session has expired.
    ///
    /// Default: the system's clock.
    ///
    /// ```
    /// use cloakroom::store::{CommitId, MemoryStore, NewEntry, SessionStore, StoreKey};
    /// use cloakroom::{ManualClock, Timestamp};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloakroom::store::StoreError> {
    /// let clock = ManualClock::at(Timestamp::from_millis(1_000));
    /// let (store, key) =
    ///     (MemoryStore::builder().clock(clock.clone()).build(), StoreKey::from_bytes([7; 32]));
    /// let entry = NewEntry::new(CommitId::from_bytes([1; 8]), Timestamp::from_millis(2_000), "a coat");
    /// store.create(&key, &entry).await?;
    /// assert!(store.load(&key).await?.is_some());
    /// clock.advance(Duration::from_secs(1));
    /// assert!(store.load(&key).await?.is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub fn clock(mut self, clock: impl Into<Clock>) -> Self {
        self.options.clock = clock.into();
        self
    }

    /// Sets the most sessions that the store keeps. A new session over the limit is refused. The login
    /// of a session that is there is not; it is refused over twice the limit.
    ///
    /// Default: 1,000,000, so that a flood of new visitors cannot take the whole memory.
    ///
    /// ```
    /// use cloakroom::Timestamp;
    /// use cloakroom::store::{CommitId, MemoryStore, NewEntry, SessionStore, StoreErrorKind, StoreKey};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloakroom::store::StoreError> {
    /// let store = MemoryStore::builder().max_sessions(1).build();
    /// let entry = NewEntry::new(CommitId::from_bytes([1; 8]), Timestamp::MAX, "a coat");
    /// store.create(&StoreKey::from_bytes([1; 32]), &entry).await?;
    /// let error = store.create(&StoreKey::from_bytes([2; 32]), &entry).await.unwrap_err();
    /// assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias("capacity", "max_capacity"))]
    pub fn max_sessions(mut self, sessions: usize) -> Self {
        self.options.max_sessions = sessions;
        self
    }

    /// Sets the most memory that the store takes, approximately: every entry counts its bytes and 192
    /// more. One entry that alone is larger is refused as
    /// [`TooLarge`](crate::store::StoreErrorKind::TooLarge). The logins of sessions that are there go
    /// beyond it, by some 250 bytes each for up to an hour, and at most to three times as much.
    ///
    /// Default: 1 GiB.
    ///
    /// ```
    /// use cloakroom::Timestamp;
    /// use cloakroom::store::{CommitId, MemoryStore, NewEntry, SessionStore, StoreErrorKind, StoreKey};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let store = MemoryStore::builder().max_bytes(1_000).build();
    /// let entry = NewEntry::new(CommitId::from_bytes([1; 8]), Timestamp::MAX, vec![0; 1_000]);
    /// let error = store.create(&StoreKey::from_bytes([1; 32]), &entry).await.unwrap_err();
    /// assert_eq!(error.kind(), StoreErrorKind::TooLarge);
    /// # }
    /// ```
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.options.max_bytes = bytes;
        self
    }

    /// Builds the store. No memory is taken in advance.
    ///
    /// ```
    /// use cloakroom::store::MemoryStore;
    ///
    /// let store = MemoryStore::builder().max_sessions(10_000).build();
    /// assert_eq!(store.len(), 0);
    /// ```
    pub fn build(self) -> MemoryStore {
        MemoryStore(Arc::new(Shards::new(self.options)))
    }
}
