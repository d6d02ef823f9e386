//! Sessions in the memory of this process: the default, the store of most tests, and the right one for
//! a single server.
//!
//! 64 shards, each a B-tree under a short lock of its own. A hash map would be a little faster to
//! search, but when a large one grows it stalls one unlucky request for hundreds of milliseconds; a
//! B-tree grows and shrinks one node at a time.
//!
//! There is no background task, because a store may be created outside a runtime. Every command that
//! changes something looks at a few entries of its shard, round and round, and frees the expired ones.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;

use crate::clock::{Clock, Timestamp};
use crate::error::{StoreError, StoreErrorKind};
use crate::id::{CommitId, StoreKey};
use crate::poison::IgnorePoison;
use crate::store::contract::{Created, Entry, NewEntry, Replaced, SessionStore, Touched, Version};

const SHARDS: usize = 64;
/// The number of entries that each changing command looks at. When sessions come and go at an even
/// pace, at most one expired session is left for every four live ones.
const SWEEP_STEP: usize = 4;
/// The number of entries that a full sweep looks at before it lets go of the lock.
const PURGE_STEP: usize = 256;
/// The bytes that an entry takes beside its own: its place in the tree and the allocator's share.
const ENTRY_OVERHEAD: usize = 192;

/// Keeps sessions in memory. Clones share their entries.
///
/// A server that restarts has lost them, and another server never sees them: use it for one server
/// or for development.
///
/// It is bounded: 1,000,000 sessions and 1 GiB unless [built](MemoryStore::builder) otherwise. When
/// it is full, a **new** session is refused with
/// [`Unavailable`](StoreErrorKind::Unavailable) (503), after every expired one was freed. To drop
/// the soonest-expiring session instead would break the promise that what was acknowledged is
/// kept, and would let whoever opens sessions fastest log everybody else out. A session that is
/// there can always be changed unless that would exceed the byte limit, and can always be ended.
///
/// ```
/// use cloakroom::store::MemoryStore;
///
/// let store = MemoryStore::builder().max_sessions(10_000).max_bytes(64 << 20).build();
/// assert!(store.is_empty());
/// ```
#[derive(Clone, Default)]
pub struct MemoryStore(Arc<Inner>);

/// Options of a [`MemoryStore`].
#[derive(Clone, Debug)]
#[must_use]
pub struct MemoryStoreBuilder {
    clock: Clock,
    max_sessions: usize,
    max_bytes: usize,
}

impl Default for MemoryStoreBuilder {
    fn default() -> Self {
        Self { clock: Clock::system(), max_sessions: 1_000_000, max_bytes: 1 << 30 }
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
        self.clock = clock.into();
        self
    }

    /// Sets the most sessions that the store keeps. A new session over the limit is refused.
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
        self.max_sessions = sessions;
        self
    }

    /// Sets the most memory that the store takes, approximately: every entry counts its bytes and 192
    /// more. One entry that alone is larger is refused as
    /// [`TooLarge`](StoreErrorKind::TooLarge).
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
        self.max_bytes = bytes;
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
        MemoryStore(Arc::new(Inner { options: self, ..Inner::default() }))
    }
}

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
            while self.0.sweep(&mut shard, now, PURGE_STEP) {}
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

struct Inner {
    options: MemoryStoreBuilder,
    shards: [Mutex<Shard>; SHARDS],
    sessions: AtomicUsize,
    bytes: AtomicUsize,
    /// The time of the last sweep of all entries, in milliseconds since 1970.
    last_full_sweep: AtomicU64,
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            options: MemoryStoreBuilder::default(),
            shards: std::array::from_fn(|_| Mutex::default()),
            sessions: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            last_full_sweep: AtomicU64::new(0),
        }
    }
}

#[derive(Default)]
struct Shard {
    entries: BTreeMap<StoreKey, Slot>,
    /// The last key that the sweep has looked at; `None` is the beginning.
    cursor: Option<StoreKey>,
}

struct Slot {
    commit: CommitId,
    deadline: Timestamp,
    bytes: Bytes,
}

impl Slot {
    fn new(entry: &NewEntry) -> Self {
        Self { commit: entry.commit, deadline: entry.deadline, bytes: entry.bytes.clone() }
    }

    fn size(&self) -> usize {
        self.bytes.len() + ENTRY_OVERHEAD
    }

    fn to_entry(&self) -> Entry {
        Entry::new(Version::from(self.commit), self.deadline, self.bytes.clone())
    }
}

impl Shard {
    fn live_mut(&mut self, key: &StoreKey, now: Timestamp) -> Option<&mut Slot> {
        self.entries.get_mut(key).filter(|slot| slot.deadline > now)
    }
}

impl Inner {
    fn shard(&self, key: &StoreKey) -> MutexGuard<'_, Shard> {
        lock(&self.shards[usize::from(key.as_bytes()[0]) % SHARDS])
    }

    /// Locks the shard of a key that is about to change, sweeps it a little, and returns it with the
    /// current time.
    fn lock_and_sweep(&self, key: &StoreKey) -> (MutexGuard<'_, Shard>, Timestamp) {
        let now = self.options.clock.now();
        let mut shard = self.shard(key);
        self.sweep(&mut shard, now, SWEEP_STEP);
        (shard, now)
    }

    fn holds_live(&self, key: &StoreKey) -> bool {
        self.shard(key).live_mut(key, self.options.clock.now()).is_some()
    }

    /// Refuses an entry that would not fit even into an empty store.
    fn check_size(&self, size: usize) -> Result<(), StoreError> {
        match size > self.options.max_bytes {
            true => Err(StoreError::too_large(size, self.options.max_bytes)),
            false => Ok(()),
        }
    }

    /// Frees the expired entries among the next `step` ones. Returns whether more follow in this shard.
    fn sweep(&self, shard: &mut Shard, now: Timestamp, step: usize) -> bool {
        let from = shard.cursor.take().map_or(Bound::Unbounded, Bound::Excluded);
        let mut expired = Vec::new();
        let mut looked_at = 0;
        for (key, slot) in shard.entries.range((from, Bound::Unbounded)).take(step) {
            looked_at += 1;
            shard.cursor = Some(*key);
            if slot.deadline <= now {
                expired.push(*key);
            }
        }
        for key in expired {
            self.remove(shard, &key);
        }
        if looked_at < step {
            shard.cursor = None;
        }
        shard.cursor.is_some()
    }

    fn remove(&self, shard: &mut Shard, key: &StoreKey) {
        if let Some(slot) = shard.entries.remove(key) {
            self.sessions.fetch_sub(1, Ordering::Relaxed);
            self.bytes.fetch_sub(slot.size(), Ordering::Relaxed);
        }
    }

    /// Adds `sessions` and `bytes` to the counters, unless that would exceed a limit.
    fn reserve(&self, sessions: usize, bytes: usize) -> Result<(), StoreError> {
        let held = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let count = self.sessions.fetch_add(sessions, Ordering::Relaxed) + sessions;
        let options = &self.options;
        if held > options.max_bytes || (sessions > 0 && count > options.max_sessions) {
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.sessions.fetch_sub(sessions, Ordering::Relaxed);
            return Err(StoreError::new(
                StoreErrorKind::Unavailable,
                format!(
                    "the memory store is full: it takes at most {} sessions and {} bytes",
                    options.max_sessions, options.max_bytes
                ),
            ));
        }
        Ok(())
    }

    /// Adds `sessions` and `bytes` to the counters, and frees expired entries first if that is needed.
    /// Only a full store looks at all entries, a step at a time, so that nobody waits long for a lock.
    async fn make_room(&self, sessions: usize, bytes: usize) -> Result<(), StoreError> {
        let Err(full) = self.reserve(sessions, bytes) else { return Ok(()) };
        let now = self.options.clock.now();
        // At most once a second: otherwise whoever opens sessions fastest would keep the store busy.
        let last = self.last_full_sweep.swap(now.as_millis(), Ordering::Relaxed);
        if now.as_millis().abs_diff(last) < 1000 {
            self.last_full_sweep.store(last, Ordering::Relaxed);
            return Err(full);
        }
        for shard in &self.shards {
            lock(shard).cursor = None;
            while {
                let more = self.sweep(&mut lock(shard), now, PURGE_STEP);
                tokio::task::yield_now().await;
                more
            } {}
            if self.reserve(sessions, bytes).is_ok() {
                return Ok(());
            }
        }
        Err(full)
    }

    /// Takes back what [`reserve`](Self::reserve) has added.
    fn release(&self, sessions: usize, bytes: usize) {
        self.sessions.fetch_sub(sessions, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
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
        if let Err(full) = self.0.make_room(1, size).await {
            return if self.0.holds_live(key) { Ok(Created::Exists) } else { Err(full) };
        }
        let (mut shard, now) = self.0.lock_and_sweep(key);
        if shard.live_mut(key, now).is_some() {
            self.0.release(1, size);
            return Ok(Created::Exists);
        }
        self.0.remove(&mut shard, key);
        shard.entries.insert(*key, slot);
        Ok(Created::Done(entry.commit.into()))
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        entry: &NewEntry,
    ) -> Result<Replaced, StoreError> {
        let size = Slot::new(entry).size();
        self.0.check_size(size)?;
        // At most two rounds: in the second one either the room is reserved, or the entry has changed.
        let mut reserved = 0;
        loop {
            let missing = {
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
                if missing == 0 || self.0.reserve(0, missing).is_ok() {
                    let held = slot.size() + reserved + missing;
                    *slot = Slot::new(entry);
                    self.0.release(0, held - size);
                    return Ok(Replaced::Done(entry.commit.into()));
                }
                missing
            };
            self.0.make_room(0, missing).await?;
            reserved += missing;
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
        self.0.remove(&mut shard, key);
        Ok(())
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    // Nothing panics under this lock; if it ever did, the tree would still be whole.
    shard.lock().ignore_poison()
}

#[cfg(test)]
mod tests;
