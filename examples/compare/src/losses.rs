//! What each strategy lost, phase by phase, in a form that a script can read.
//!
//! All of it is in the measurements too; here it is in one place, with one shape for every phase.

use serde::Serialize;

use crate::results::{Audit, Fault, Measured, PhaseName};

#[derive(Clone, Debug, Serialize)]
pub struct Losses {
    /// The id of the strategy.
    pub strategy: String,
    /// Acknowledged changes that were missing, in all phases together.
    pub adds_missing: u64,
    /// Changes that were there and nobody had sent, in all phases together.
    pub adds_too_many: u64,
    /// Logouts that were acknowledged and watched.
    pub logouts: u64,
    /// How many of these sessions were live afterwards, with the cookie that the browser then held.
    pub logouts_came_back: u64,
    /// How many were live afterwards with a copy of the cookie from before the logout.
    pub logouts_came_back_by_copy: u64,
    pub phases: Vec<PhaseLosses>,
}

#[derive(Clone, Debug, Serialize)]
pub struct PhaseLosses {
    pub phase: PhaseName,
    /// What was broken; absent where nothing was.
    pub broken: Option<String>,
    /// The acknowledged changes that the carts should have held at the end of the phase, those of
    /// earlier phases included. Absent where carts were not looked at.
    pub adds_expected: Option<u64>,
    pub adds_missing: Option<u64>,
    pub adds_too_many: Option<u64>,
    pub carts_lost: Option<u64>,
    pub carts_shrunk: Option<u64>,
    /// Absent where nobody logged out.
    pub logouts: Option<u64>,
    pub logouts_came_back: Option<u64>,
    pub logouts_came_back_by_copy: Option<u64>,
}

impl Losses {
    pub fn of(measured: &Measured) -> Self {
        let phases = phases(measured);
        let sum = |figure: fn(&PhaseLosses) -> Option<u64>| phases.iter().filter_map(figure).sum();
        Self {
            strategy: measured.strategy.id.clone(),
            adds_missing: sum(|phase| phase.adds_missing),
            adds_too_many: sum(|phase| phase.adds_too_many),
            logouts: sum(|phase| phase.logouts),
            logouts_came_back: sum(|phase| phase.logouts_came_back),
            logouts_came_back_by_copy: sum(|phase| phase.logouts_came_back_by_copy),
            phases,
        }
    }
}

/// Returns the phases that were watched, in their order.
fn phases(measured: &Measured) -> Vec<PhaseLosses> {
    let raced = measured.logouts;
    let logouts = PhaseLosses {
        logouts: Some(raced.raced),
        logouts_came_back: Some(raced.revived),
        logouts_came_back_by_copy: Some(raced.revived_by_copy),
        ..PhaseLosses::nothing_seen(PhaseName::Logouts)
    };
    let quiet = |phase, audit: &Audit| PhaseLosses::of_carts(phase, audit);
    let warm_up = measured.warm_up.iter().map(|audit| quiet(PhaseName::WarmUp, audit));
    let steady = measured.steady_load.iter().map(|audit| quiet(PhaseName::Steady, audit));
    let outage = measured.store_outage.iter();
    warm_up
        .chain(steady)
        .chain([
            quiet(PhaseName::ParallelAdds, &measured.parallel_adds),
            logouts,
            PhaseLosses::of_fault(PhaseName::NodeKilled, &measured.node_killed),
            quiet(PhaseName::NodeAdded, &measured.node_added.audit),
        ])
        .chain(outage.map(|fault| PhaseLosses::of_fault(PhaseName::StoreOutage, fault)))
        .collect()
}

impl PhaseLosses {
    fn nothing_seen(phase: PhaseName) -> Self {
        Self {
            phase,
            broken: None,
            adds_expected: None,
            adds_missing: None,
            adds_too_many: None,
            carts_lost: None,
            carts_shrunk: None,
            logouts: None,
            logouts_came_back: None,
            logouts_came_back_by_copy: None,
        }
    }

    fn of_carts(phase: PhaseName, audit: &Audit) -> Self {
        Self {
            adds_expected: Some(audit.adds_acknowledged),
            adds_missing: Some(audit.adds_missing),
            adds_too_many: Some(audit.adds_too_many),
            carts_lost: Some(audit.carts_lost),
            carts_shrunk: Some(audit.carts_shrunk),
            ..Self::nothing_seen(phase)
        }
    }

    fn of_fault(phase: PhaseName, fault: &Fault) -> Self {
        Self {
            broken: Some(fault.what.clone()),
            logouts: fault.logouts.map(|logouts| logouts.acknowledged),
            logouts_came_back: fault.logouts.map(|logouts| logouts.revived),
            logouts_came_back_by_copy: fault.logouts.map(|logouts| logouts.revived_by_copy),
            ..Self::of_carts(phase, &fault.audit)
        }
    }
}
