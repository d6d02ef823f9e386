//! A pause in moving while the new store does not answer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::error::StoreErrorKind;

/// The time without another attempt. A write that would have moved its entry is made in the old store.
const PAUSE: Duration = Duration::from_secs(5);

/// Remembers until when nothing is moved. It holds up moves only: loads ask the new store all the time,
/// because nobody else knows what it has.
#[derive(Debug, Default)]
pub(super) struct Breaker(AtomicU64);

impl Breaker {
    pub(super) fn lets_move(&self, now: Timestamp) -> bool {
        let until = Timestamp::from_millis(self.0.load(Ordering::Relaxed));
        // An end that is further away was set by a clock that has since been set back.
        until <= now || until.since(now) > PAUSE
    }

    /// Notes that the new store took too long.
    pub(super) fn open(&self, now: Timestamp) {
        self.0.store(now.saturating_add(PAUSE).as_millis(), Ordering::Relaxed);
    }

    /// Notes an error of the new store, unless it is about the entry alone.
    pub(super) fn note(&self, kind: StoreErrorKind, now: Timestamp) {
        use StoreErrorKind::{Corrupt, NewerFormat, TooLarge};
        if !matches!(kind, TooLarge | Corrupt | NewerFormat) {
            self.open(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn a_pause_ends_by_itself_and_when_the_clock_is_set_back() {
        let breaker = Breaker::default();
        assert!(breaker.lets_move(at(0)));
        breaker.open(at(100));
        for (seconds, lets_move) in [(100, false), (104, false), (105, true), (99, true)] {
            assert_eq!(breaker.lets_move(at(seconds)), lets_move, "{seconds}");
        }
    }

    #[test]
    fn an_error_about_one_entry_is_no_outage() {
        use StoreErrorKind::*;
        for kind in [TooLarge, Corrupt, NewerFormat] {
            let breaker = Breaker::default();
            breaker.note(kind, at(100));
            assert!(breaker.lets_move(at(100)), "{kind:?}");
        }
        for kind in [Unavailable, Indeterminate, Denied, Misconfigured] {
            let breaker = Breaker::default();
            breaker.note(kind, at(100));
            assert!(!breaker.lets_move(at(100)), "{kind:?}");
        }
    }
}
