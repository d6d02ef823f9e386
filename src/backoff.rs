//! Pauses between attempts that grow from one to the next and differ at random.
//!
//! Random, because those that met at the first attempt would otherwise meet again at each one.

use std::time::Duration;

/// Grows from `least`, and never exceeds `most`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    least: Duration,
    most: Duration,
}

impl Backoff {
    /// Creates a back-off. `most` should be at least twice `least`.
    pub(crate) const fn new(least: Duration, most: Duration) -> Self {
        Self { least, most }
    }

    /// Returns the pause after `failures` failed attempts in a row, of which the latest is counted.
    ///
    /// It lies between `least`, doubled for every failure but the first, and twice that. The place
    /// between the two follows `random`. Choosing from zero instead ("full jitter") would spread
    /// more evenly, but a part of the attempts would follow the last one at once.
    pub(crate) fn pause(self, failures: u32, random: u8) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let shortest = self.least.saturating_mul(1 << doublings).min(self.most / 2);
        shortest + shortest * u32::from(random) / 255
    }
}

/// Returns between half of `interval` and one and a half times it; the place between the two follows
/// `random`. Servers that were started together then do not do their regular work together.
#[cfg_attr(
    not(any(feature = "mysql", feature = "postgres", feature = "sqlite")),
    allow(dead_code, reason = "only these stores sweep at random moments")
)]
pub(crate) fn around(interval: Duration, random: u8) -> Duration {
    // Both steps saturate at a length that nobody waits for.
    (interval / 2).saturating_add((interval / 255).saturating_mul(u32::from(random)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));

    #[test]
    fn pauses_double_with_each_failure_up_to_the_longest() {
        for (failures, millis) in
            [(0, 50), (1, 50), (2, 100), (3, 200), (5, 800), (6, 1_000), (u32::MAX, 1_000)]
        {
            assert_eq!(BACKOFF.pause(failures, 0).as_millis(), millis, "{failures}");
            assert_eq!(BACKOFF.pause(failures, 255).as_millis(), 2 * millis, "{failures}");
        }
    }

    #[test]
    fn the_time_between_two_sweeps_is_about_the_interval() {
        let minute = Duration::from_secs(60);
        assert_eq!(around(minute, 0), Duration::from_secs(30));
        assert_eq!(around(minute, 255).as_secs_f64().round(), 90.0);
        assert!(around(Duration::MAX, 255) > Duration::from_secs(1));
    }

    #[test]
    fn a_larger_random_number_gives_a_longer_pause() {
        let pauses: Vec<_> = (0..=255).map(|random| BACKOFF.pause(3, random)).collect();
        assert!(pauses.is_sorted_by(|one, next| one < next));
    }
}
