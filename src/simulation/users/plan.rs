//! The plan of one run.

use super::setup::Principal;
use crate::simulation::setup::SERVERS;
use crate::{Roster, WhenFull};

/// Everything that happens in a run. All times are in milliseconds.
#[derive(Debug)]
pub(super) struct Plan {
    /// The share of store commands that meet a network fault.
    pub(super) fault_percent: u64,
    /// Whether a command that meets one is only refused: nothing is in doubt.
    pub(super) only_refuses: bool,
    /// What is wrong with the network of each server, besides those faults.
    pub(super) troubles: [Trouble; SERVERS],
    /// How far each server's clock is ahead of the store's.
    pub(super) skews: [i64; SERVERS],
    pub(super) limit: Option<Limit>,
    pub(super) looks: bool,
    pub(super) devices: usize,
    pub(super) visits: Vec<VisitPlan>,
    pub(super) crashes: Vec<Crash>,
    pub(super) evictions: Vec<Eviction>,
}

/// What is wrong with the network of one server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Trouble {
    None,
    /// Every second write is lost on its way to the store.
    Lossy,
    /// Commands take several times as long.
    Slow,
}

/// The most sessions of a principal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    pub(super) most: usize,
    /// Whether a login is refused where it is reached; otherwise the oldest sessions end.
    pub(super) refuses: bool,
}

/// The death of a server. It comes back with an empty memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Crash {
    pub(super) at: u64,
    pub(super) server: usize,
    pub(super) down_for: u64,
}

/// The loss of a roster.
#[derive(Clone, Copy, Debug)]
pub(super) struct Eviction {
    pub(super) at: u64,
    pub(super) principal: Principal,
}

/// One request.
#[derive(Clone, Debug)]
pub(super) struct VisitPlan {
    /// The time at which it is sent, counted from the start of the run.
    pub(super) at: u64,
    pub(super) server: usize,
    /// The browser that sends it, with its ticket. `None` for an admin's or a job's.
    pub(super) device: Option<usize>,
    pub(super) steps: Vec<Step>,
    pub(super) fails: bool,
    /// The time after which the client hangs up.
    pub(super) hangs_up_after: Option<u64>,
    /// The time that the answer travels.
    pub(super) answer_travels: u64,
}

/// A step of a handler.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Wait(u64),
    Load,
    /// Inserts a key that nobody else writes.
    Change,
    Renew,
    LogIn {
        principal: Principal,
        /// How long the password is being checked, after the login has begun.
        checks_for: u64,
    },
    LogOutKeepingData,
    Destroy,
    Save,
    Act(Action),
}

/// A call of `Users`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Action {
    EndAll(Principal),
    /// By the session of the visit.
    EndOthers,
    /// Ends one of the handles that somebody has seen. The number chooses.
    End(Principal, u64),
    List(Principal),
    Edit(Principal),
}

impl Plan {
    /// Whether commands may fail or take too long.
    pub(super) fn has_faults(&self) -> bool {
        self.fault_percent > 0 || self.troubles != [Trouble::None; SERVERS]
    }

    /// Returns the options of every server's roster.
    pub(super) fn roster(&self) -> Roster {
        let roster = Roster::default().look(self.looks);
        match self.limit {
            None => roster,
            Some(Limit { most, refuses: true }) => roster.limit(most).when_full(WhenFull::Refuse),
            Some(Limit { most, refuses: false }) => {
                roster.limit(most).when_full(WhenFull::EndOldest)
            }
        }
    }
}

impl VisitPlan {
    /// Returns a visit that meets nothing unusual.
    pub(super) fn plain(at: u64, server: usize, device: Option<usize>, steps: Vec<Step>) -> Self {
        let (fails, hangs_up_after, answer_travels) = (false, None, 0);
        Self { at, server, device, steps, fails, hangs_up_after, answer_travels }
    }
}
