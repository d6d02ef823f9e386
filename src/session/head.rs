//! Whether the session was used, and whether the response's head is still open for a cookie.
//!
//! One atomic, so that a request which did not use its session is over with one look, and so that
//! a task which first uses it at that very moment finds the head either open or closed.

use std::sync::atomic::{AtomicU8, Ordering};

#[derive(Default)]
pub(super) struct Head(AtomicU8);

const USED: u8 = 1;
const CLOSED: u8 = 2;

impl Head {
    pub(super) fn mark_used(&self) {
        self.set(USED);
    }

    pub(super) fn close(&self) {
        self.set(CLOSED);
    }

    /// Bits are never taken back, so one look tells whether there is anything to do.
    fn set(&self, bit: u8) {
        if self.0.load(Ordering::Acquire) & bit == 0 {
            self.0.fetch_or(bit, Ordering::AcqRel);
        }
    }

    pub(super) fn close_if_unused(&self) -> bool {
        self.0.compare_exchange(0, CLOSED, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    pub(super) fn was_used(&self) -> bool {
        self.0.load(Ordering::Acquire) & USED != 0
    }

    pub(super) fn is_closed(&self) -> bool {
        self.0.load(Ordering::Acquire) & CLOSED != 0
    }
}
