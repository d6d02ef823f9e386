//! Pauses before a command is sent again.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::backoff::Backoff;
use crate::entropy::{self, Entropy};

/// Without a pause, a store that loses every answer at once would be asked in a busy loop. With pauses
/// that do not grow, five seconds would still be thousands of commands.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(250));

/// The failed attempts of one commit, logout or revocation.
pub(super) struct Retry {
    entropy: Entropy,
    deadline: Instant,
    failures: u32,
}

impl Retry {
    pub(super) fn new(entropy: Entropy, deadline: Instant) -> Self {
        Self { entropy, deadline, failures: 0 }
    }

    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.deadline
    }

    /// Pauses after a failed attempt, longer each time, but not past the deadline. Returns whether
    /// there is time for another one.
    pub(super) async fn pause(&mut self) -> bool {
        self.failures += 1;
        let pause = BACKOFF.pause(self.failures, entropy::for_a_pause(self.entropy));
        sleep_until(self.deadline.min(Instant::now() + pause)).await;
        !self.is_over()
    }
}
