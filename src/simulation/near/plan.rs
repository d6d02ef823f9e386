//! The plan of one run, drawn from its seed before it begins.

use std::time::Duration;

use super::setup::{AROUND, STALENESSES};
use crate::simulation::random::Random;
use crate::simulation::setup::SERVERS;

/// All that happens in a run. All times are in milliseconds, counted from the start of the run.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) staleness: Duration,
    /// The share of store commands that meet a network fault.
    pub(super) fault_percent: u64,
    pub(super) visits: Vec<VisitPlan>,
    pub(super) crashes: Vec<Crash>,
}

/// One request.
#[derive(Clone, Debug)]
pub(super) struct VisitPlan {
    pub(super) at: u64,
    pub(super) server: usize,
    /// The number chooses an old ticket, as a thief or an old tab may present. Without one it is that of the
    /// cookie jar.
    pub(super) old_ticket: Option<u64>,
    pub(super) steps: Vec<Step>,
    /// The time after which the browser hangs up.
    pub(super) hangs_up_after: Option<u64>,
    /// The time that the answer travels to the browser.
    pub(super) answer_travels: u64,
}

/// The death of a server, with its memory and all that it is doing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Crash {
    pub(super) at: u64,
    pub(super) server: usize,
    pub(super) down_for: u64,
}

/// A step of a handler. Each loads the session if the handler has not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    Wait(u64),
    Read,
    ReadFresh,
    Reload,
    /// Changes a key by `update`, which merges.
    Add,
    /// Changes a key by `get` and `insert`, which conflicts with changes of others.
    GetAndInsert,
    Save,
    Renew,
    Destroy,
}

impl Plan {
    pub(super) fn draw(seed: u64) -> Self {
        let mut random = Random::new(seed, 15);
        let random = &mut random;
        let staleness = random.weighted(&STALENESSES.map(|staleness| (1, staleness)));
        let fault_percent = random.weighted(&[(3, 0), (5, 12), (4, 30), (2, 50)]);
        let allowed = Allowed { ends: random.chance(60), renewals: random.chance(40) };
        let mut visits = vec![VisitPlan::first()];
        for _ in 0..random.between(3, 12) {
            let at = draw_time(random, staleness, &visits);
            visits.push(VisitPlan::draw(random, at, allowed));
        }
        let mut crashes = Vec::new();
        if random.chance(20) {
            let at = draw_time(random, staleness, &visits);
            let server = random.below(SERVERS as u64) as usize;
            crashes.push(Crash { at, server, down_for: random.below(3_000) });
        }
        Self { staleness, fault_percent, visits, crashes }
    }

    /// Whether anything may go wrong beside what visitors do to each other.
    pub(super) fn has_faults(&self) -> bool {
        self.fault_percent > 0 || !self.crashes.is_empty()
    }
}

/// Draws a time soon after an earlier visit, or when what that visit has read is about to be too old.
fn draw_time(random: &mut Random, staleness: Duration, earlier: &[VisitPlan]) -> u64 {
    let staleness = u64::try_from(staleness.as_millis()).unwrap_or(u64::MAX);
    let before = earlier[random.below(earlier.len() as u64) as usize].at;
    before
        + match random.below(10) {
            0..4 => random.below(60),
            4..6 => random.below(AROUND),
            6..9 => staleness - AROUND / 10 + random.below(AROUND),
            _ => random.below(2 * staleness),
        }
}

/// The ends of ids that a run has. They hide faults: a session that is over shows no old value.
#[derive(Clone, Copy)]
struct Allowed {
    ends: bool,
    renewals: bool,
}

impl VisitPlan {
    /// Returns the visit that begins the session, in which all others meet.
    fn first() -> Self {
        Self::by(0, vec![Step::Add])
    }

    /// Returns a visit without any trouble.
    pub(super) fn by(server: usize, steps: Vec<Step>) -> Self {
        Self { at: 0, server, old_ticket: None, steps, hangs_up_after: None, answer_travels: 0 }
    }

    fn draw(random: &mut Random, at: u64, allowed: Allowed) -> Self {
        let mut steps: Vec<_> =
            (0..random.between(1, 3)).map(|_| Step::draw(random, allowed)).collect();
        // Nothing comes after the end of an id, so that the ledger knows which changes came before.
        if let Some(end) = steps.iter().position(|step| step.ends_id()) {
            steps.truncate(end + 1);
        }
        Self {
            at,
            server: random.below(SERVERS as u64) as usize,
            old_ticket: random.chance(15).then(|| random.next()),
            steps,
            hangs_up_after: random.chance(6).then(|| random.below(400)),
            answer_travels: random.below(40),
        }
    }
}

impl Step {
    fn draw(random: &mut Random, allowed: Allowed) -> Self {
        let wait = match random.below(10) {
            0 => random.between(60, 3_000),
            _ => random.between(1, 60),
        };
        let (ends, renewals) = (u64::from(allowed.ends), u64::from(allowed.renewals));
        random.weighted(&[
            (30, Self::Read),
            (10, Self::ReadFresh),
            (6, Self::Reload),
            (26, Self::Add),
            (10, Self::GetAndInsert),
            (10, Self::Wait(wait)),
            (8, Self::Save),
            (5 * renewals, Self::Renew),
            (6 * ends, Self::Destroy),
        ])
    }

    fn ends_id(self) -> bool {
        matches!(self, Self::Renew | Self::Destroy)
    }
}
