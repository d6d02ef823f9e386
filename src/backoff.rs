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
    not(any(feature = "mysql", feature = "object", feature = "postgres", feature = "sqlite")),
    allow(dead_code, reason = "only these stores sweep at random moments")
)]
pub(crate) fn around(interval: Duration, random: u8) -> Duration {
    // Both steps saturate at a length that nobody waits for.
    (interval / 2).saturating_add((interval / 255).saturating_mul(u32::from(random)))
}

#[cfg(test)]
mod tests;
