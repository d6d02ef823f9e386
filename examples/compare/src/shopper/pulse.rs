//! Notices when every shopper is served again after a fault.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many requests of a shopper in a row have to be acknowledged.
const ENOUGH: u32 = 3;

#[derive(Clone, Copy, Debug, Default)]
struct Pulse {
    acknowledged_in_a_row: u32,
    /// When the first of them was sent.
    served_at: Option<Instant>,
}

#[derive(Debug)]
struct State {
    since: Instant,
    pulses: Vec<Pulse>,
    requests: u64,
}

#[derive(Debug)]
pub(crate) struct Pulses(Mutex<State>);

impl Pulses {
    pub(super) fn new(shoppers: usize) -> Self {
        let pulses = vec![Pulse::default(); shoppers];
        Self(Mutex::new(State { since: Instant::now(), pulses, requests: 0 }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the measurement. Only requests that begin later count.
    pub(crate) fn begin_anew(&self, at: Instant) {
        let mut state = self.state();
        state.since = at;
        state.pulses.fill(Pulse::default());
    }

    pub(super) fn beat(&self, shopper: usize, begun: Instant, ended: Instant, is_served: bool) {
        let mut state = self.state();
        state.requests += 1;
        let is_new = begun >= state.since;
        let Some(pulse) = state.pulses.get_mut(shopper) else { return };
        match (is_served, is_new) {
            (true, true) => {
                pulse.acknowledged_in_a_row += 1;
                pulse.served_at = pulse.served_at.or(Some(ended));
            }
            (true, false) => {}
            (false, _) => *pulse = Pulse::default(),
        }
    }

    pub(crate) fn requests(&self) -> u64 {
        self.state().requests
    }

    /// Returns how long it took until the last shopper was served again; `None` while some are not.
    pub(crate) fn recovery(&self) -> Option<Duration> {
        let state = self.state();
        let served = state
            .pulses
            .iter()
            .map(|pulse| pulse.served_at.filter(|_| pulse.acknowledged_in_a_row >= ENOUGH));
        let last = served.collect::<Option<Vec<_>>>()?.into_iter().max()?;
        Some(last.saturating_duration_since(state.since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(begin: Instant, seconds: u64) -> Instant {
        begin + Duration::from_secs(seconds)
    }

    #[test]
    fn all_have_to_be_served_three_times_and_the_first_counts() {
        let pulses = Pulses::new(2);
        let begin = Instant::now();
        pulses.begin_anew(begin);
        for second in 1..=3 {
            pulses.beat(0, at(begin, second), at(begin, second), true);
        }
        assert_eq!(pulses.recovery(), None, "the other has not been served");
        for (second, is_served) in [(1, true), (2, false), (5, true), (6, true)] {
            pulses.beat(1, at(begin, second), at(begin, second), is_served);
        }
        assert_eq!(pulses.recovery(), None, "twice is not enough");
        pulses.beat(1, at(begin, 7), at(begin, 7), true);
        assert_eq!(pulses.recovery(), Some(Duration::from_secs(5)));
        pulses.beat(1, at(begin, 8), at(begin, 9), false);
        assert_eq!(pulses.recovery(), None);
        assert_eq!(pulses.requests(), 9);
    }

    #[test]
    fn what_was_under_way_before_proves_nothing() {
        let pulses = Pulses::new(1);
        let begin = Instant::now();
        pulses.begin_anew(at(begin, 10));
        for _ in 0..5 {
            pulses.beat(0, at(begin, 9), at(begin, 11), true);
        }
        assert_eq!(pulses.recovery(), None);
    }
}
