//! Decides when a server that could not be reached is tried again.

use std::time::Duration;

use tokio::time::Instant;

use crate::backoff::Backoff;
use crate::entropy;

/// The first delay is short, because most failures are: a server that restarts, a lost packet.
const DELAYS: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_millis(2_500));

/// The number of failures in a row. Each makes the delay before the next attempt longer.
#[derive(Debug, Default)]
pub(super) struct Health {
    failures: u32,
    retry_at: Option<Instant>,
}

impl Health {
    pub(super) fn is_good(&self) -> bool {
        self.failures == 0
    }

    pub(super) fn may_try(&self, now: Instant) -> bool {
        self.retry_at.is_none_or(|moment| moment <= now)
    }

    pub(super) fn record_success(&mut self) {
        *self = Self::default();
    }

    /// Records that an answer did not come. The server may be tried at once, but by one call alone.
    pub(super) fn suspect(&mut self) {
        self.failures = self.failures.max(1);
    }

    /// Records that the server could not be reached. Attempts that failed at the same time count
    /// once.
    pub(super) fn record_failure(&mut self, now: Instant) {
        if !self.may_try(now) {
            return;
        }
        self.failures = self.failures.saturating_add(1);
        let random = entropy::for_a_pause(entropy::operating_system);
        self.retry_at = Some(now + DELAYS.pause(self.failures, random));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns how long after the `failures`th failure in a row nobody may try.
    fn pause(failures: u32) -> Duration {
        let (mut health, mut now) = (Health::default(), Instant::now());
        for failure in 0..failures {
            now += Duration::from_secs(if failure == 0 { 0 } else { 3 });
            health.record_failure(now);
            health.record_failure(now);
        }
        let pauses = (0..3_000).map(Duration::from_millis);
        pauses.rev().find(|&pause| !health.may_try(now + pause)).unwrap_or_default()
    }

    #[test]
    fn pauses_double_up_to_two_and_a_half_seconds() {
        assert_eq!(pause(0), Duration::ZERO);
        for (failures, millis) in [(1, 50), (2, 100), (3, 200), (5, 800), (6, 1_250), (99, 1_250)] {
            let expected = Duration::from_millis(millis - 1)..=Duration::from_millis(millis * 2);
            assert!(expected.contains(&pause(failures)), "{failures}: {:?}", pause(failures));
        }
    }

    #[test]
    fn one_success_ends_the_delays() {
        let (mut health, now) = (Health::default(), Instant::now());
        health.record_failure(now);
        assert!(!health.is_good() && !health.may_try(now));
        health.record_success();
        assert!(health.is_good() && health.may_try(now));
        health.suspect();
        assert!(!health.is_good() && health.may_try(now));
    }
}
