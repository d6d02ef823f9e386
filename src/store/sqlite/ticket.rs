//! Decides between a command's caller and the thread that carries it out.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

const WAITING: u8 = 0;
const TAKEN: u8 = 1;
const WITHDRAWN: u8 = 2;

/// A longer time-out than this would be the same to every caller, and may not fit the clock.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The state of one command: it waits, then a thread takes it or its caller withdraws it. Exactly one
/// of the two happens, so a caller that gives up knows whether the command can still be carried out.
#[derive(Debug)]
pub(super) struct Ticket {
    state: AtomicU8,
    timeout: Duration,
    deadline: Instant,
}

impl Ticket {
    pub(super) fn new(timeout: Duration) -> Self {
        let deadline = Instant::now() + timeout.min(LONGEST);
        Self { state: AtomicU8::new(WAITING), timeout, deadline }
    }

    /// Takes the command to carry it out. `false` means that its caller has withdrawn it.
    pub(super) fn take(&self) -> bool {
        self.leave_waiting(TAKEN)
    }

    /// Withdraws the command. `false` means that a thread has taken it.
    pub(super) fn withdraw(&self) -> bool {
        self.leave_waiting(WITHDRAWN)
    }

    pub(super) fn is_withdrawn(&self) -> bool {
        self.state.load(Ordering::SeqCst) == WITHDRAWN
    }

    fn leave_waiting(&self, to: u8) -> bool {
        let left = self.state.compare_exchange(WAITING, to, Ordering::SeqCst, Ordering::SeqCst);
        left.is_ok()
    }

    pub(super) fn is_late(&self) -> bool {
        Instant::now() >= self.deadline
    }

    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_taken_or_withdrawn_and_never_both() {
        let taken = Ticket::new(Duration::MAX);
        assert!(taken.take() && !taken.withdraw() && !taken.take() && !taken.is_late());
        assert!(!taken.is_withdrawn());
        let withdrawn = Ticket::new(Duration::ZERO);
        assert!(withdrawn.withdraw() && !withdrawn.take() && withdrawn.is_late());
        assert!(withdrawn.is_withdrawn());
    }
}
