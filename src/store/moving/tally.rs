//! The number of sessions that were still found in the old store.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::Timestamp;

const MINUTE: u64 = 60_000;

/// Counts loads that the old store has answered. The last roll-out waits until there are none.
#[derive(Debug, Default)]
pub(super) struct Tally {
    found: AtomicU64,
    /// The counter when it was last logged, and the minute of that.
    logged: AtomicU64,
    minute: AtomicU64,
}

impl Tally {
    pub(super) fn found(&self) -> u64 {
        self.found.load(Ordering::Relaxed)
    }

    /// Counts one more, and tells the log at most once a minute.
    pub(super) fn count(&self, now: Timestamp) {
        let found = self.found.fetch_add(1, Ordering::Relaxed) + 1;
        let minute = now.as_millis() / MINUTE;
        if self.minute.swap(minute, Ordering::Relaxed) != minute {
            let sessions = found.saturating_sub(self.logged.swap(found, Ordering::Relaxed));
            tracing::info!(
                sessions,
                "sessions were found in the old store since the last such line"
            );
        }
    }
}
