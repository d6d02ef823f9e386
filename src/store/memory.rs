//! Sessions in this process's memory: the default, what tests use, and right for one server.
//!
//! A fixed number of shards, each a B-tree under its own short lock. A hash map would be a little
//! quicker to search and stalls one unlucky request for hundreds of milliseconds when it grows; a
//! B-tree grows and shrinks one node at a time.
//!
//! There is no background task. Every command that changes something looks at a few entries of its
//! shard, going round and round, and frees the expired ones.

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
/// Entries that a command looks at in passing. Where sessions come and go at an even pace, at most
/// one expired session is left for every four live ones.
const SWEEP_STEP: usize = 4;
/// Entries that are looked at in one hold of a lock when there is nothing else to do.
const PURGE_STEP: usize = 256;
/// What an entry takes beside its bytes: its place in the tree and the allocator's share.
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
pub struct MemoryStore(Arc<Shared>);

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
    /// The clock that decides what has expired. Default: the system's.
    pub fn clock(mut self, clock: impl Into<Clock>) -> Self {
        self.clock = clock.into();
        self
    }

    /// The most sessions it keeps. Default 1,000,000.
    pub fn max_sessions(mut self, sessions: usize) -> Self {
        self.max_sessions = sessions;
        self
    }

    /// The most memory it takes, approximately: every entry counts its bytes and 192 more. Default
    /// 1 GiB.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// The store.
    pub fn build(self) -> MemoryStore {
        MemoryStore(Arc::new(Shared { options: self, ..Shared::default() }))
    }
}

impl MemoryStore {
    /// A store with the default limits.
    pub fn new() -> Self {
        Self::default()
    }

    /// A store with other limits or another clock.
    pub fn builder() -> MemoryStoreBuilder {
        MemoryStoreBuilder::default()
    }

    /// Entries that are held, expired ones that were not freed yet included.
    pub fn len(&self) -> usize {
        self.0.sessions.load(Ordering::Relaxed)
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Frees every expired session now, without waiting for traffic to do it in passing.
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

struct Shared {
    options: MemoryStoreBuilder,
    shards: [Mutex<Shard>; SHARDS],
    sessions: AtomicUsize,
    bytes: AtomicUsize,
    /// When all entries were last looked at.
    last_pass: AtomicU64,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            options: MemoryStoreBuilder::default(),
            shards: std::array::from_fn(|_| Mutex::default()),
            sessions: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            last_pass: AtomicU64::new(0),
        }
    }
}

#[derive(Default)]
struct Shard {
    entries: BTreeMap<StoreKey, Slot>,
    /// Where the sweep goes on; `None` is the beginning.
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
    fn live(&mut self, key: &StoreKey, now: Timestamp) -> Option<&mut Slot> {
        self.entries.get_mut(key).filter(|slot| slot.deadline > now)
    }
}

impl Shared {
    fn shard(&self, key: &StoreKey) -> MutexGuard<'_, Shard> {
        lock(&self.shards[usize::from(key.as_bytes()[0]) % SHARDS])
    }

    /// The shard of a key that is about to change, swept a little, and the current time.
    fn enter(&self, key: &StoreKey) -> (MutexGuard<'_, Shard>, Timestamp) {
        let now = self.options.clock.now();
        let mut shard = self.shard(key);
        self.sweep(&mut shard, now, SWEEP_STEP);
        (shard, now)
    }

    fn holds_live(&self, key: &StoreKey) -> bool {
        self.shard(key).live(key, self.options.clock.now()).is_some()
    }

    /// An entry that no amount of waiting or freeing makes fit.
    fn check_size(&self, size: usize) -> Result<(), StoreError> {
        match size > self.options.max_bytes {
            true => Err(StoreError::too_large(size, self.options.max_bytes)),
            false => Ok(()),
        }
    }

    /// Frees the expired among the next few entries; whether any are left before the end.
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

    /// Counts `bytes` (and `sessions`) in, unless they do not fit.
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
                    "the memory store is full: at most {} sessions and {} bytes",
                    options.max_sessions, options.max_bytes
                ),
            ));
        }
        Ok(())
    }

    /// Counts `bytes` (and `sessions`) in, after freeing what has expired if that is needed. Only a
    /// full store looks at all entries, a step at a time, so that nobody waits long for a lock.
    async fn make_room(&self, sessions: usize, bytes: usize) -> Result<(), StoreError> {
        let Err(full) = self.reserve(sessions, bytes) else { return Ok(()) };
        let now = self.options.clock.now();
        // Once a second is enough, or whoever opens sessions fastest would keep it busy.
        let last = self.last_pass.swap(now.as_millis(), Ordering::Relaxed);
        if now.as_millis().abs_diff(last) < 1000 {
            self.last_pass.store(last, Ordering::Relaxed);
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

    fn release(&self, sessions: usize, bytes: usize) {
        self.sessions.fetch_sub(sessions, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[async_trait]
impl SessionStore for MemoryStore {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        let now = self.0.options.clock.now();
        Ok(self.0.shard(key).live(key, now).map(|slot| slot.to_entry()))
    }

    async fn create(&self, key: &StoreKey, entry: &NewEntry) -> Result<Created, StoreError> {
        let slot = Slot::new(entry);
        let size = slot.size();
        self.0.check_size(size)?;
        if let Err(full) = self.0.make_room(1, size).await {
            return if self.0.holds_live(key) { Ok(Created::Exists) } else { Err(full) };
        }
        let (mut shard, now) = self.0.enter(key);
        if shard.live(key, now).is_some() {
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
        // At most two rounds: in the second the room is reserved, or the entry is another.
        let mut reserved = 0;
        loop {
            let missing = {
                let (mut shard, now) = self.0.enter(key);
                let Some(slot) = shard.live(key, now) else {
                    self.0.release(0, reserved);
                    return Ok(Replaced::Gone);
                };
                if Version::from(slot.commit) != *expected {
                    let there = slot.to_entry();
                    self.0.release(0, reserved);
                    return Ok(Replaced::Conflict(there));
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
        let (mut shard, now) = self.0.enter(key);
        let Some(slot) = shard.live(key, now) else { return Ok(Touched::Gone) };
        if Version::from(slot.commit) != *expected || deadline <= slot.deadline {
            return Ok(Touched::Skipped);
        }
        slot.deadline = deadline;
        Ok(Touched::Done)
    }

    async fn delete(&self, key: &StoreKey) -> Result<(), StoreError> {
        let (mut shard, _) = self.0.enter(key);
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
