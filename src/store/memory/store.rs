//! The store: the five commands of the contract.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;

use super::shards::{PURGE_STEP, Purpose, Room, Shards, Slot, lock};
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::id::StoreKey;
use crate::store::contract::SessionStore;
use crate::store::entry::{Created, Entry, NewEntry, Replaced, Touched, Version};

/// Keeps sessions in memory. Clones share their entries.
///
/// A server that restarts has lost them, and another server never sees them: use it for one server
/// or for development.
///
/// It is bounded: 1,000,000 sessions and 1 GiB unless [built](MemoryStore::builder) otherwise. When
/// it is full, a **new** session is refused with
/// [`Unavailable`](crate::store::StoreErrorKind::Unavailable) (503), after every expired one was freed. To drop
/// the soonest-expiring session instead would break the promise that what was acknowledged is
/// kept, and would let whoever opens sessions fastest log everybody else out. A session that is
/// there can always be changed unless that would exceed the byte limit, and can always be ended.
/// Whoever is there can also log in: the new record of a login may go over the limits, up to twice the
/// sessions and three times the bytes, because the record before it stays as a mark of some 250 bytes for up
/// to an hour.
///
/// ```
/// use cloakroom::store::MemoryStore;
///
/// let store = MemoryStore::builder().max_sessions(10_000).max_bytes(64 << 20).build();
/// assert!(store.is_empty());
/// ```
#[derive(Clone, Default)]
pub struct MemoryStore(pub(super) Arc<Shards>);

impl MemoryStore {
    /// Creates a store with the default limits.
    ///
    /// ```
    /// use cloakroom::{Key, SessionLayer, store::MemoryStore};
    ///
    /// let store = MemoryStore::new();
    /// assert!(store.is_empty());
    /// let layer = SessionLayer::new(store, Key::generate().unwrap());
    /// # let _ = layer;
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the number of entries that are held, including expired ones that were not freed yet.
    ///
    /// ```
    /// use cloakroom::Timestamp;
    /// use cloakroom::store::{CommitId, MemoryStore, NewEntry, SessionStore, StoreKey};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloakroom::store::StoreError> {
    /// let store = MemoryStore::new();
    /// let entry = NewEntry::new(CommitId::from_bytes([1; 8]), Timestamp::MAX, "a coat");
    /// store.create(&StoreKey::from_bytes([1; 32]), &entry).await?;
    /// assert_eq!(store.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn len(&self) -> usize {
        self.0.sessions.load(Ordering::Relaxed)
    }

    /// Returns whether no entry is held, expired ones included.
    ///
    /// ```
    /// use cloakroom::store::MemoryStore;
    ///
    /// assert!(MemoryStore::new().is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Frees every expired session now, instead of waiting for later commands to do it.
    ///
    /// ```
    /// use cloakroom::store::{CommitId, MemoryStore, NewEntry, SessionStore, StoreKey};
    /// use cloakroom::{ManualClock, Timestamp};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloakroom::store::StoreError> {
    /// let clock = ManualClock::at(Timestamp::from_millis(1_000));
    /// let store = MemoryStore::builder().clock(clock.clone()).build();
    /// let entry = NewEntry::new(CommitId::from_bytes([1; 8]), Timestamp::from_millis(2_000), "a coat");
    /// store.create(&StoreKey::from_bytes([1; 32]), &entry).await?;
    /// clock.advance(Duration::from_secs(1));
    /// store.purge_expired();
    /// assert!(store.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias("delete_expired", "cleanup"))]
    pub fn purge_expired(&self) {
        let now = self.0.options.clock.now();
        for shard in &self.0.shards {
            let mut shard = lock(shard);
            shard.cursor = None;
            while self.0.sweep(&mut shard, now, PURGE_STEP) == PURGE_STEP {}
        }
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("sessions", &self.len())
            .field("options", &self.0.options)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl SessionStore for MemoryStore {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        let now = self.0.options.clock.now();
        Ok(self.0.shard(key).live_mut(key, now).map(|slot| slot.to_entry()))
    }

    async fn create(&self, key: &StoreKey, entry: &NewEntry) -> Result<Created, StoreError> {
        let slot = Slot::new(entry);
        let size = slot.size();
        self.0.check_size(size)?;
        let room = Room { sessions: 1, bytes: size, purpose: Purpose::of(entry) };
        if let Err(full) = self.0.make_room(room).await {
            return if self.0.holds_live(key) { Ok(Created::Exists) } else { Err(full) };
        }
        let (mut shard, now) = self.0.lock_and_sweep(key);
        if shard.live_mut(key, now).is_some() {
            self.0.release(1, size);
            return Ok(Created::Exists);
        }
        // What is there has expired.
        if let Some(expired) = shard.entries.insert(key.into(), slot) {
            self.0.release(1, expired.size());
        }
        Ok(Created::Done(entry.commit.into()))
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        entry: &NewEntry,
    ) -> Result<Replaced, StoreError> {
        let (size, purpose) = (Slot::new(entry).size(), Purpose::of(entry));
        if !entry.last_word {
            self.0.check_size(size)?;
        }
        // At most two rounds: in the second one either the room is reserved, or the entry has changed.
        let mut reserved = 0;
        loop {
            let room = {
                let (mut shard, now) = self.0.lock_and_sweep(key);
                let Some(slot) = shard.live_mut(key, now) else {
                    self.0.release(0, reserved);
                    return Ok(Replaced::Gone);
                };
                if Version::from(slot.commit) != *expected {
                    let current = slot.to_entry();
                    self.0.release(0, reserved);
                    return Ok(Replaced::Conflict(current));
                }
                let missing = size.saturating_sub(slot.size() + reserved);
                let room = Room { sessions: 0, bytes: missing, purpose };
                if missing == 0 || self.0.reserve(room).is_ok() {
                    let held = slot.size() + reserved + missing;
                    *slot = Slot::new(entry);
                    self.0.release(0, held - size);
                    return Ok(Replaced::Done(entry.commit.into()));
                }
                room
            };
            self.0.make_room(room).await?;
            reserved += room.bytes;
        }
    }

    async fn touch(
        &self,
        key: &StoreKey,
        expected: &Version,
        deadline: Timestamp,
    ) -> Result<Touched, StoreError> {
        let (mut shard, now) = self.0.lock_and_sweep(key);
        let Some(slot) = shard.live_mut(key, now) else { return Ok(Touched::Gone) };
        if Version::from(slot.commit) != *expected || deadline <= slot.deadline {
            return Ok(Touched::Skipped);
        }
        slot.deadline = deadline;
        Ok(Touched::Done)
    }

    async fn delete(&self, key: &StoreKey) -> Result<(), StoreError> {
        let (mut shard, _) = self.0.lock_and_sweep(key);
        self.0.remove(&mut shard, &key.into());
        Ok(())
    }
}
