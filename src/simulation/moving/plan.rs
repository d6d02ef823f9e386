//! The course of one run: how the operators roll the steps, and who comes when.

use super::setup::{MOST_SKEW, SERVERS};
use super::world::Side;
use crate::simulation::random::Random;

/// A part of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Servers are at either of two neighbouring steps, and change between them.
    Between(u8, u8),
    /// All servers are at one step.
    All(u8),
    /// Nobody goes to the new store first before late commands of the step without it have ended.
    WaitForLate,
    /// The old store is left once nothing was found in it for long enough.
    WaitUntilFoundNothing,
    /// The new store is left once all its sessions are over.
    WaitUntilOver,
}

use Stage::{All, Between, WaitForLate, WaitUntilFoundNothing, WaitUntilOver};

/// The ways of the operators. In each, steps 0 and 2 never run side by side, nor do 1 and 3.
const WAYS: [(u64, &[Stage]); 7] = [
    (30, &[All(1), Between(1, 2), All(2)]),
    (12, &[Between(1, 2)]),
    (18, &[All(2), Between(2, 1), All(1), Between(1, 2), All(2)]),
    (10, &[All(0), Between(0, 1), All(1), WaitForLate, Between(1, 2), All(2)]),
    (12, &[Between(1, 2), All(2), Between(2, 1), All(1), WaitUntilOver, Between(1, 0), All(0)]),
    (14, &[All(1), Between(1, 2), All(2), WaitUntilFoundNothing, Between(2, 3), All(3)]),
    (4, &[All(0), Between(0, 1), All(0), Between(0, 1), All(1)]),
];

#[derive(Debug)]
pub(super) struct Plan {
    pub(super) stages: &'static [Stage],
    pub(super) fault_percent: u64,
    /// The chance that a server dies with all that it is doing when it changes its step.
    pub(super) crash_percent: u64,
    pub(super) down_percent: u64,
    /// Whether the key is created again after its session is over, as that of a roster.
    pub(super) recreates: bool,
    /// The differences of the stores' and the servers' clocks.
    pub(super) store_skews: [i64; 2],
    pub(super) skews: [i64; SERVERS],
}

impl Plan {
    pub(super) fn draw(seed: u64) -> Self {
        let mut random = Random::new(seed, 5);
        let stages = random.weighted(&WAYS);
        let fault_percent = random.weighted(&[(15, 0), (20, 4), (30, 12), (25, 25), (10, 45)]);
        let mut skew = || {
            let limit = random.weighted(&[(40, 1), (30, 1_000), (30, MOST_SKEW + 1)]);
            random.below(2 * limit - 1).cast_signed() - (limit - 1).cast_signed()
        };
        let (store_skews, skews) = ([skew(), skew()], [skew(), skew(), skew()]);
        Self {
            stages,
            fault_percent,
            crash_percent: random.weighted(&[(40, 0), (60, 50)]),
            down_percent: random.weighted(&[(60, 0), (40, 30)]),
            // A fence that still lives leads even a server at step 1 to create in the new store. A key that is
            // created again and again there is never ready for step 0.
            recreates: random.chance(40) && !stages.contains(&WaitUntilOver),
            store_skews,
            skews,
        }
    }
}

/// Draws the pause between two groups of visits, in milliseconds. A key that is created again and again is
/// often visited when a fence is about to end, or has just ended.
pub(super) fn draw_gap(random: &mut Random, recreates: bool) -> u64 {
    let near_the_end_of_a_fence = if recreates { 45 } else { 15 };
    if random.chance(near_the_end_of_a_fence) {
        return random.weighted(&[(60, 3_300_000), (40, 3_600_000)]) + random.below(320_000);
    }
    match random.below(17) {
        0..9 => random.between(0, 3_000),
        9..13 => random.between(50_000, 150_000),
        _ => random.between(200_000, 1_700_000),
    }
}

/// Draws which store is down and for how many milliseconds.
pub(super) fn draw_outage(random: &mut Random) -> (Side, u64) {
    let side = random.weighted(&[(50, Side::From), (50, Side::To)]);
    let millis = match random.below(4) {
        0..2 => random.between(5, 80),
        2 => random.between(80, 5_000),
        _ => random.between(5_000, 200_000),
    };
    (side, millis)
}
