//! When the sessions of this process last looked whether their rosters list them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::Timestamp;
use crate::id::StoreKey;

/// A session looks once in such a time, on each server that it reaches; and whenever its deadline is moved.
const INTERVAL_MILLIS: u64 = 3 * 60 * 1000;

/// The last looks, in a table of fixed size: 8 KB, and nothing is kept for a single session.
///
/// Two sessions that share a slot look more often than they must, and nothing worse. The deadline of a
/// session cannot tell when it last looked: one that writes all the time never has its idle timeout moved
/// by a touch, and one whose idle timeout is as long as its lifetime cannot have it moved at all.
#[derive(Clone)]
pub(super) struct Looked(Arc<[AtomicU64; Self::SLOTS]>);

impl Looked {
    const SLOTS: usize = 1024;

    /// Whether the session has not looked in this interval.
    pub(super) fn is_due(&self, key: &StoreKey, now: Timestamp) -> bool {
        let (slot, mark) = self.slot(key, now);
        slot.load(Ordering::Relaxed) != mark
    }

    /// The session has looked. Only a look that was answered counts: one that a failing handler or an outage
    /// has spent would let the session go on unseen.
    pub(super) fn note(&self, key: &StoreKey, now: Timestamp) {
        let (slot, mark) = self.slot(key, now);
        slot.store(mark, Ordering::Relaxed);
    }

    fn slot(&self, key: &StoreKey, now: Timestamp) -> (&AtomicU64, u64) {
        let [slot, name] = [0, 8].map(|at| {
            let bytes = key.as_bytes().iter().skip(at).take(8);
            bytes.fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
        });
        // Cannot be cut: the remainder is below 1024.
        let slot = &self.0[(slot % Self::SLOTS as u64) as usize];
        (slot, name ^ (now.as_millis() / INTERVAL_MILLIS))
    }
}

impl Default for Looked {
    fn default() -> Self {
        Self(Arc::new(std::array::from_fn(|_| AtomicU64::default())))
    }
}

impl fmt::Debug for Looked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Looked(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_is_due_once_in_three_minutes() {
        let looked = Looked::default();
        let (one, other) = (StoreKey::from_bytes([1; 32]), StoreKey::from_bytes([2; 32]));
        let minute = |minutes: u64| Timestamp::from_millis(1_800_000_000_000 + minutes * 60_000);
        assert!(looked.is_due(&one, minute(0)) && looked.is_due(&one, minute(0)));
        looked.note(&one, minute(0));
        assert!(!looked.is_due(&one, minute(2)) && looked.is_due(&other, minute(2)));
        assert!(looked.is_due(&one, minute(3)));
        looked.note(&one, minute(3));
        assert!(!looked.is_due(&one, minute(3)) && looked.is_due(&one, minute(500)));
    }
}
