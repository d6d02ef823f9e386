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
