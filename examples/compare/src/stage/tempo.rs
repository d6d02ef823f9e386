//! How long and how much.

use std::time::Duration;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Tempo {
    pub(super) warm_up: Duration,
    pub(super) steady: Duration,
    /// Before something is broken.
    pub(super) lead: Duration,
    /// After all are served again.
    pub(super) tail: Duration,
    pub(super) outage: Duration,
    /// Sessions begun to see what they weigh, and for how long at most.
    pub(super) crowd: usize,
    pub(super) weighing: Duration,
    /// Requests at once in one session, and how often.
    pub(super) tabs: usize,
    pub(super) rounds: usize,
    /// Logouts raced by each shopper.
    pub(super) races: usize,
    /// How long the request waits that a logout overtakes.
    pub(super) hold: Duration,
    /// Requests of each kind whose store commands are counted.
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
            weighing: Duration::from_millis(600),
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
            weighing: Duration::from_secs(10),
            tabs: 8,
            rounds: 10,
            races: 5,
            hold: Duration::from_millis(300),
            probes: 50,
        }
    }
}
