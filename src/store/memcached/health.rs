//! When a server that could not be reached is tried again.

use std::time::Duration;

use tokio::time::Instant;

use crate::entropy;

const SHORTEST_DELAY: Duration = Duration::from_millis(50);
const LONGEST_DELAY: Duration = Duration::from_secs(2);

/// Doubles the delay with each failure in a row.
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
        let delay = SHORTEST_DELAY.saturating_mul(1 << self.failures.min(16)).min(LONGEST_DELAY);
        self.failures = self.failures.saturating_add(1);
        self.retry_at = Some(now + delay + jitter(delay));
    }
}

/// Up to a quarter more, so that the servers of an app do not all come at once.
fn jitter(delay: Duration) -> Duration {
    let mut byte = [0];
    // Without random bytes there is no session either; the delay then is what it is.
    let drawn = entropy::operating_system(&mut byte).map(|()| u32::from(byte[0]));
    delay * drawn.unwrap_or(0) / 1_024
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
    fn pauses_double_up_to_two_seconds_and_a_quarter_more() {
        assert_eq!(pause(0), Duration::ZERO);
        for (failures, millis) in [(1, 50), (2, 100), (3, 200), (6, 1_600), (7, 2_000), (99, 2_000)]
        {
            let expected =
                Duration::from_millis(millis - 1)..=Duration::from_millis(millis * 5 / 4);
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
