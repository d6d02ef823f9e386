//! One run: a seed's plan from the first visit to the audit.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::audit::Auditor;
use super::browser::Browser;
use super::coverage::Coverage;
use super::ledger::ChangeKind;
use super::network::Network;
use super::plan::Plan;
use super::random::{fill_random, seed_entropy};
use super::setup::{
    ABSOLUTE_LIFETIME, ANONYMOUS_SERVER, IDLE_TIMEOUT, SERVERS, START, TICKET_AGE, key_ring, sealed,
};
use super::store_fault::StoreFault;
use super::trace::Trace;
use super::virtual_time;
use super::world::World;
use crate::{OutagePolicy, SessionLayer};

/// Longer than anything that a request leaves behind takes.
const REST: Duration = Duration::from_secs(6);

/// The result of one run.
pub(super) struct Outcome {
    pub(super) violation: Option<String>,
    pub(super) trace: Trace,
    pub(super) coverage: Coverage,
}

/// Plays a seed, on a store with `store_fault` if there is one.
pub(super) fn run(seed: u64, store_fault: Option<StoreFault>) -> Outcome {
    let plan = Plan::draw(seed);
    let sealed_by = store_fault.is_none().then_some(seed);
    seed_entropy(seed);
    let world = Arc::new(World::new(seed, plan.fault_percent, store_fault));
    let clock = world.clock.clone();
    let set_clock = move |elapsed| clock.set(START.saturating_add(elapsed));
    virtual_time::play(set_clock, play(&world, plan, sealed_by));
    let mut state = world.state();
    Outcome {
        violation: state.ledger.violation.take(),
        trace: std::mem::take(&mut state.trace),
        coverage: state.coverage,
    }
}

async fn play(world: &Arc<World>, plan: Plan, seed: Option<u64>) {
    let servers = build_servers(world, seed, plan.renews_tickets);
    let browser = Browser::new(Arc::clone(world), servers);
    let epoch = Instant::now();
    let visits: Vec<_> = plan
        .visits
        .into_iter()
        .map(|visit| tokio::spawn(browser.clone().visit(visit, epoch)))
        .collect();
    for visit in visits {
        visit.await.expect("a visit does not panic");
    }
    world.state().fault_percent = 0;
    // First the handlers that were left behind end, then their commits, then their commands.
    sleep(REST).await;
    while world.state().commands_under_way > 0 {
        sleep(REST).await;
    }
    // The audit's own requests do not count.
    let coverage = world.state().coverage;
    Auditor::new(browser).audit().await;
    let mut state = world.state();
    state.coverage = Coverage {
        renewals: state.ledger.lineages.count_renewals(),
        logins: state.ledger.count_stored(|kind| matches!(kind, ChangeKind::LogIn { .. })),
        logouts_keeping_data: state.ledger.count_stored(|kind| kind == ChangeKind::LogOut),
        clears: state.ledger.count_stored(|kind| kind == ChangeKind::Clear),
        expiries: state.coverage.expiries,
        ..coverage
    };
}

/// `seed` is `None` on wrong stores, which change records that are in the clear.
fn build_servers(
    world: &Arc<World>,
    seed: Option<u64>,
    renews_tickets: bool,
) -> Arc<[SessionLayer]> {
    let layer = |number| {
        let layer = SessionLayer::new(Network(Arc::clone(world)), key_ring())
            .clock(world.clock.clone())
            .idle_timeout(IDLE_TIMEOUT)
            .absolute_lifetime(ABSOLUTE_LIFETIME)
            .entropy(fill_random);
        let layer = seed.map_or(layer.clone(), |seed| sealed(layer, seed, number));
        let layer = if renews_tickets { layer.renew_every(TICKET_AGE) } else { layer };
        match number {
            ANONYMOUS_SERVER => layer.on_outage(|_| OutagePolicy::Anonymous),
            _ => layer,
        }
    };
    (0..SERVERS).map(layer).collect()
}
