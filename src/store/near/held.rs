//! The entries that are held, bounded in bytes.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use crate::clock::Timestamp;
use crate::id::StoreKey;
use crate::store::entry::{Entry, LoadedNear};

/// The moment at which a command began, by the clock and among the commands of this process.
#[derive(Clone, Copy)]
pub(super) struct Began {
    pub(super) at: Timestamp,
    /// Later commands have higher numbers. The clock may stand still or be set back.
    pub(super) number: u64,
}

/// An entry as the answer to a command has shown it.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) entry: Entry,
    pub(super) began: Began,
}

impl Held {
    /// Whether the entry is live, and was read less than `staleness` ago. After the clock was set back the age of an
    /// entry is not known, and it counts as too old.
    pub(super) fn is_good(&self, now: Timestamp, staleness: Duration) -> bool {
        self.began.is_within(now, staleness) && self.entry.deadline > now
    }

    pub(super) fn into_answer(self) -> LoadedNear {
        LoadedNear::Held { entry: self.entry, as_of: self.began.at }
    }
}

impl Began {
    /// Whether less than `longest` has passed since then. After the clock was set back, nobody knows.
    pub(super) fn is_within(&self, now: Timestamp, longest: Duration) -> bool {
        self.at <= now && now.since(self.at) < longest
    }
}

/// The bytes that an entry takes beside its own: the key, the entry's other parts, and the cache's share.
const OVERHEAD: usize = 384;

/// The held entries by key.
///
/// The cache's own age limit only frees memory, by the machine's clock. Whether an entry may be answered is decided by
/// [`Held::is_good`].
pub(super) struct HeldEntries(Cache<StoreKey, Held>);

impl HeldEntries {
    pub(super) fn new(max_bytes: usize, staleness: Duration) -> Self {
        let weight = |_: &StoreKey, held: &Held| {
            u32::try_from(held.entry.bytes.len().saturating_add(OVERHEAD)).unwrap_or(u32::MAX)
        };
        let cache = Cache::builder()
            .max_capacity(u64::try_from(max_bytes).unwrap_or(u64::MAX))
            .weigher(weight)
            // Not by how often a key was asked for: an entry is too old a moment later, however popular it was.
            .eviction_policy(EvictionPolicy::lru())
            .time_to_live(staleness + Duration::from_secs(1));
        Self(cache.build())
    }

    pub(super) fn get(&self, key: &StoreKey) -> Option<Held> {
        self.0.get(key)
    }

    /// Holds a copy of the bytes: those of a client library may be a small piece of a large buffer.
    pub(super) fn hold(&self, key: StoreKey, entry: &Entry, began: Began) {
        let bytes = Bytes::copy_from_slice(&entry.bytes);
        let entry = Entry::new(entry.version, entry.deadline, bytes);
        self.0.insert(key, Held { entry, began });
    }

    pub(super) fn remove(&self, key: &StoreKey) {
        self.0.invalidate(key);
    }
}

impl fmt::Debug for HeldEntries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HeldEntries(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::CommitId;

    const MINUTE: Duration = Duration::from_secs(60);
    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn key(number: u32) -> StoreKey {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        StoreKey::from_bytes(bytes)
    }

    fn entry(bytes: usize) -> Entry {
        let version = CommitId::from_bytes([7; 8]).into();
        Entry::new(version, NOW.saturating_add(10 * MINUTE), vec![7; bytes])
    }

    #[test]
    fn the_bytes_are_bounded_and_the_latest_entries_stay() {
        let max_bytes = 100 * (1_000 + OVERHEAD);
        let entries = HeldEntries::new(max_bytes, MINUTE);
        for number in 0..1_000 {
            let began = Began { at: NOW, number: number.into() };
            entries.hold(key(number), &entry(1_000), began);
            entries.0.run_pending_tasks();
            assert!(entries.0.weighted_size() <= max_bytes as u64);
        }
        let held = |range: std::ops::Range<u32>| {
            range.filter(|number| entries.get(&key(*number)).is_some()).count()
        };
        assert_eq!((held(0..900), held(900..1_000)), (0, 100));
    }

    #[test]
    fn an_entry_that_is_larger_than_all_may_be_is_not_held() {
        let entries = HeldEntries::new(1_000, MINUTE);
        entries.hold(key(1), &entry(1_000), Began { at: NOW, number: 1 });
        entries.0.run_pending_tasks();
        assert!(entries.get(&key(1)).is_none());
    }

    #[test]
    fn an_entry_is_good_until_it_is_too_old_or_over_or_the_clock_is_set_back() {
        let held = Held { entry: entry(1), began: Began { at: NOW, number: 1 } };
        let after = |millis| NOW.saturating_add(Duration::from_millis(millis));
        assert!(held.is_good(NOW, MINUTE) && held.is_good(after(59_999), MINUTE));
        assert!(!held.is_good(after(60_000), MINUTE));
        assert!(!held.is_good(NOW.saturating_sub(Duration::from_millis(1)), MINUTE));
        assert!(!held.is_good(NOW, Duration::ZERO));
        assert!(!held.is_good(after(600_000), 60 * MINUTE), "its deadline has come");
    }

    #[test]
    fn the_bytes_are_a_copy_of_their_own() {
        let buffer = Bytes::from(vec![7; 100_000]);
        let piece = Entry { bytes: buffer.slice(..10), ..entry(0) };
        let entries = HeldEntries::new(1 << 20, MINUTE);
        entries.hold(key(1), &piece, Began { at: NOW, number: 1 });
        let held = entries.get(&key(1)).unwrap().entry;
        assert_eq!(held, piece);
        assert_ne!(held.bytes.as_ptr(), piece.bytes.as_ptr());
    }
}
