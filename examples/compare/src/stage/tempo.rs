//! The lengths of the phases and the numbers of requests.

use std::time::Duration;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Tempo {
    pub(super) warm_up: Duration,
    pub(super) steady: Duration,
    /// The load before something is broken.
    pub(super) lead: Duration,
    /// The load after all are served again.
    pub(super) tail: Duration,
    pub(super) outage: Duration,
    /// How many sessions begin to measure memory, and for how long at most.
    pub(super) crowd: usize,
    pub(super) crowd_time: Duration,
    /// How many requests of one session are sent at once, and how often.
    pub(super) tabs: usize,
    pub(super) rounds: usize,
    /// How many logouts of each shopper are raced by a request.
    pub(super) races: usize,
    /// How long the request waits that the logout overtakes.
    pub(super) hold: Duration,
    /// How many requests of each kind are counted.
    pub(super) probes: u32,
}

impl Tempo {
    pub(crate) fn quick() -> Self {
        Self {
            warm_up: Duration::from_millis(200),
            steady: Duration::from_millis(1_000),
            lead: Duration::from_millis(200),
            tail: Duration::from_millis(200),
            outage: Duration::from_millis(1_800),
            crowd: 1_000,
            crowd_time: Duration::from_millis(600),
            tabs: 6,
            rounds: 2,
            races: 1,
            hold: Duration::from_millis(240),
            probes: 10,
        }
    }

    pub(crate) fn full() -> Self {
        Self {
            warm_up: Duration::from_secs(2),
            steady: Duration::from_secs(15),
            lead: Duration::from_secs(2),
            tail: Duration::from_secs(2),
            outage: Duration::from_secs(5),
            crowd: 8_000,
            crowd_time: Duration::from_secs(10),
            tabs: 8,
            rounds: 10,
            races: 5,
            hold: Duration::from_millis(300),
            probes: 50,
        }
    }
}
