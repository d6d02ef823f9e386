//! The flags of a handle, which are read and set without its lock.

use std::sync::atomic::{AtomicU8, Ordering};

/// Notes that the session was used, and that the response's head is still open for a cookie.
///
/// One atomic. A request that did not use its session is over with one look at it, and a task that
/// first uses the session at that very moment finds the head either open or closed. Two atomics, or
/// one and the state's lock, would leave a moment between the two looks.
#[derive(Default)]
pub(super) struct Flags(AtomicU8);

pub(super) const USED: u8 = 1;
pub(super) const HEAD_CLOSED: u8 = 2;
pub(super) const LOAD_REPORTED: u8 = 4;
pub(super) const DETACHED: u8 = 8;
pub(super) const TURN_DUE: u8 = 16;

impl Flags {
    /// Bits are never taken back, so a bit that is seen set needs no write.
    pub(super) fn set(&self, bit: u8) {
        if !self.has(bit) {
            self.0.fetch_or(bit, Ordering::AcqRel);
        }
    }

    pub(super) fn has(&self, bit: u8) -> bool {
        self.0.load(Ordering::Acquire) & bit != 0
    }

    /// Sets a bit, and returns whether it was not set before.
    pub(super) fn is_first(&self, bit: u8) -> bool {
        self.0.fetch_or(bit, Ordering::AcqRel) & bit == 0
    }

    pub(super) fn head_is_closed(&self) -> bool {
        self.has(HEAD_CLOSED)
    }

    pub(super) fn close_head_if_unused(&self) -> bool {
        self.0.compare_exchange(0, HEAD_CLOSED, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bit_that_was_set_stays_and_says_nothing_of_the_others() {
        let flags = Flags::default();
        flags.set(LOAD_REPORTED);
        flags.set(LOAD_REPORTED);
        assert!(flags.has(LOAD_REPORTED));
        assert!(![USED, HEAD_CLOSED, DETACHED, TURN_DUE].into_iter().any(|bit| flags.has(bit)));
        assert!(flags.is_first(DETACHED) && !flags.is_first(DETACHED));
        assert!(flags.has(DETACHED) && flags.has(LOAD_REPORTED));
    }

    #[test]
    fn the_head_of_a_session_that_was_used_is_not_closed_unseen() {
        let (unused, used) = (Flags::default(), Flags::default());
        used.set(USED);
        assert!(unused.close_head_if_unused() && unused.head_is_closed());
        assert!(!used.close_head_if_unused() && !used.head_is_closed());
    }
}
