//! When a server that could not be reached is tried again.

use std::time::Duration;

use tokio::time::Instant;

use crate::backoff::Backoff;
use crate::entropy;

/// The first delay is short, because most failures are: a server that restarts, a lost packet.
const DELAYS: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_millis(2_500));

/// Counts the failures in a row; each makes the delay longer.
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

    pub(super) fn reached(&mut self) {
        *self = Self::default();
    }

    /// To be tried at once, but by one alone.
    pub(super) fn doubted(&mut self) {
        self.failures = self.failures.max(1);
    }

    /// Attempts that failed together count once.
    pub(super) fn missed(&mut self, now: Instant) {
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

    /// How long after the `failures`th failure in a row nobody tries.
    fn pause(failures: u32) -> Duration {
        let (mut health, mut now) = (Health::default(), Instant::now());
        for failure in 0..failures {
            now += Duration::from_secs(if failure == 0 { 0 } else { 3 });
            health.missed(now);
            health.missed(now);
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
    fn one_success_makes_it_good() {
        let (mut health, now) = (Health::default(), Instant::now());
        health.missed(now);
        assert!(!health.is_good() && !health.may_try(now));
        health.reached();
        assert!(health.is_good() && health.may_try(now));
        health.doubted();
        assert!(!health.is_good() && health.may_try(now));
    }
}
