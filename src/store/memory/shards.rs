//! The entries in their shards, and the counters that limit them.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use bytes::Bytes;

use crate::clock::{Clock, Timestamp};
use crate::error::{StoreError, StoreErrorKind};
use crate::id::{CommitId, StoreKey};
use crate::poison::IgnorePoison;
use crate::store::entry::{Entry, NewEntry, Version};

pub(super) const SHARDS: usize = 64;
/// The number of entries to be looked at for each changing command. When sessions come and go at an even
/// pace, at most one expired session is left for every four live ones.
pub(super) const SWEEP_STEP: usize = 4;
/// The number of entries that a large shard is looked through for at once. Neighbours lie side by side in
/// the tree, so that most of the work is to find the first.
const SWEEP_BATCH: usize = 32;
/// The number of entries that a full sweep looks at before it lets go of the lock.
pub(super) const PURGE_STEP: usize = 256;
/// The bytes that an entry takes beside its own: its place in the tree and the allocator's share.
pub(super) const ENTRY_OVERHEAD: usize = 192;

/// The limits of a store, and its clock.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) clock: Clock,
    pub(super) max_sessions: usize,
    pub(super) max_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { clock: Clock::system(), max_sessions: 1_000_000, max_bytes: 1 << 30 }
    }
}

/// What an entry is for, which decides how far over the limits it may go.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    /// A session, new or changed: within the limits.
    Session,
    /// The new record of a login: up to twice the sessions and three times the bytes. The old record
    /// becomes a mark, which stays for a while, so a store that is full when everybody logs in holds two
    /// entries for each; and if the sessions are small, the mark is as large as one and the new record,
    /// which has the principal in it, is larger. A smaller reserve would be used up by the first logins,
    /// and the others would be refused.
    Renewal,
    /// A mark: never refused. It takes the place of a session, and a logout must not depend on room.
    LastWord,
}

impl Purpose {
    pub(super) fn of(entry: &NewEntry) -> Self {
        match (entry.last_word, entry.renewal) {
            (true, _) => Self::LastWord,
            (false, true) => Self::Renewal,
            (false, false) => Self::Session,
        }
    }

    /// Returns the most sessions and bytes that a store with these options holds with the entry.
    fn limits(self, options: &Options) -> (usize, usize) {
        let (sessions, bytes) = (options.max_sessions, options.max_bytes);
        match self {
            Self::Session => (sessions, bytes),
            Self::Renewal => (sessions.saturating_mul(2), bytes.saturating_mul(3)),
            Self::LastWord => (usize::MAX, usize::MAX),
        }
    }
}

/// Room for an entry, as it is counted.
#[derive(Clone, Copy)]
pub(super) struct Room {
    pub(super) sessions: usize,
    pub(super) bytes: usize,
    pub(super) purpose: Purpose,
}

pub(super) struct Shards {
    pub(super) options: Options,
    pub(super) shards: [Mutex<Shard>; SHARDS],
    pub(super) sessions: AtomicUsize,
    pub(super) bytes: AtomicUsize,
    /// The time of the last sweep of all entries, in milliseconds since 1970.
    last_full_sweep: AtomicU64,
}

impl Default for Shards {
    fn default() -> Self {
        Self::new(Options::default())
    }
}

impl Shards {
    pub(super) fn new(options: Options) -> Self {
        Self {
            options,
            shards: std::array::from_fn(|_| Mutex::default()),
            sessions: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            last_full_sweep: AtomicU64::new(0),
        }
    }
}

#[derive(Default)]
pub(super) struct Shard {
    pub(super) entries: BTreeMap<Place, Slot>,
    /// The last key that the sweep has looked at; `None` is the beginning.
    pub(super) cursor: Option<Place>,
    /// The number of entries that the changes since the last look have left to be looked at.
    due: usize,
}

/// A key as two numbers in the same order: a search compares a dozen keys, and numbers take no call.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place(u128, u128);

impl From<&StoreKey> for Place {
    fn from(key: &StoreKey) -> Self {
        let (mut high, mut low) = ([0; 16], [0; 16]);
        high.copy_from_slice(&key.as_bytes()[..16]);
        low.copy_from_slice(&key.as_bytes()[16..]);
        Self(u128::from_be_bytes(high), u128::from_be_bytes(low))
    }
}

pub(super) struct Slot {
    pub(super) commit: CommitId,
    pub(super) deadline: Timestamp,
    bytes: Bytes,
}

impl Slot {
    pub(super) fn new(entry: &NewEntry) -> Self {
        Self { commit: entry.commit, deadline: entry.deadline, bytes: entry.bytes.clone() }
    }

    pub(super) fn size(&self) -> usize {
        self.bytes.len() + ENTRY_OVERHEAD
    }

    pub(super) fn to_entry(&self) -> Entry {
        Entry::new(Version::from(self.commit), self.deadline, self.bytes.clone())
    }
}

impl Shard {
    pub(super) fn live_mut(&mut self, key: &StoreKey, now: Timestamp) -> Option<&mut Slot> {
        self.entries.get_mut(&key.into()).filter(|slot| slot.deadline > now)
    }

    /// Returns how many entries to look at for one more change.
    fn step(&mut self) -> usize {
        self.due += SWEEP_STEP;
        match self.due >= SWEEP_BATCH.min(self.entries.len()) {
            true => std::mem::take(&mut self.due),
            false => 0,
        }
    }
}

impl Shards {
    pub(super) fn shard(&self, key: &StoreKey) -> MutexGuard<'_, Shard> {
        // No hasher: a key is a hash already.
        lock(&self.shards[usize::from(key.as_bytes()[0]) % SHARDS])
    }

    /// Locks the shard of a key that is about to change, sweeps it a little, and returns it with the
    /// current time.
    pub(super) fn lock_and_sweep(&self, key: &StoreKey) -> (MutexGuard<'_, Shard>, Timestamp) {
        let now = self.options.clock.now();
        let mut shard = self.shard(key);
        let step = shard.step();
        if step > 0 {
            let looked_at = self.sweep(&mut shard, now, step);
            // A small shard comes to its end in the middle of a step, and goes on with the rest of it.
            shard.due = (step - looked_at).min(shard.entries.len());
        }
        (shard, now)
    }

    pub(super) fn holds_live(&self, key: &StoreKey) -> bool {
        self.shard(key).live_mut(key, self.options.clock.now()).is_some()
    }

    /// Refuses an entry that would not fit even into an empty store.
    pub(super) fn check_size(&self, size: usize) -> Result<(), StoreError> {
        match size > self.options.max_bytes {
            true => Err(StoreError::too_large(size, self.options.max_bytes)),
            false => Ok(()),
        }
    }

    /// Frees the expired entries among the next `step` ones. Returns how many it has looked at; fewer than
    /// that are the last of this shard.
    pub(super) fn sweep(&self, shard: &mut Shard, now: Timestamp, step: usize) -> usize {
        let from = shard.cursor.take().map_or(Bound::Unbounded, Bound::Excluded);
        let mut expired = Vec::new();
        let mut looked_at = 0;
        for (place, slot) in shard.entries.range((from, Bound::Unbounded)).take(step) {
            looked_at += 1;
            shard.cursor = Some(*place);
            if slot.deadline <= now {
                expired.push(*place);
            }
        }
        for place in expired {
            self.remove(shard, &place);
        }
        if looked_at < step {
            shard.cursor = None;
        }
        looked_at
    }

    pub(super) fn remove(&self, shard: &mut Shard, place: &Place) {
        if let Some(slot) = shard.entries.remove(place) {
            self.sessions.fetch_sub(1, Ordering::Relaxed);
            self.bytes.fetch_sub(slot.size(), Ordering::Relaxed);
        }
    }

    /// Adds the room to the counters, unless that would exceed a limit.
    pub(super) fn reserve(&self, room: Room) -> Result<(), StoreError> {
        let Room { sessions, bytes, purpose } = room;
        // Adds before it compares. The other way round, two creates at once would both get the last place.
        let held = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let count = self.sessions.fetch_add(sessions, Ordering::Relaxed) + sessions;
        let options = &self.options;
        let (max_sessions, max_bytes) = purpose.limits(options);
        if held > max_bytes || (sessions > 0 && count > max_sessions) {
            self.release(sessions, bytes);
            // Dropping the session that was used longest ago instead would lose what was acknowledged.
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

    /// Adds the room to the counters, and frees expired entries first if that is needed. Only a full
    /// store looks at all entries, a step at a time, so that nobody waits long for a lock.
    pub(super) async fn make_room(&self, room: Room) -> Result<(), StoreError> {
        let Err(full) = self.reserve(room) else { return Ok(()) };
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
                let more = self.sweep(&mut lock(shard), now, PURGE_STEP) == PURGE_STEP;
                tokio::task::yield_now().await;
                more
            } {}
            if self.reserve(room).is_ok() {
                return Ok(());
            }
        }
        Err(full)
    }

    /// Takes back what [`reserve`](Self::reserve) has added.
    pub(super) fn release(&self, sessions: usize, bytes: usize) {
        self.sessions.fetch_sub(sessions, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

pub(super) fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    // Nothing panics under this lock; if it ever did, the tree would still be whole.
    shard.lock().ignore_poison()
}
