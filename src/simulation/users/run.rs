//! One run: a seed's plan from the first visit to the audit.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::audit::audit;
use super::coverage::Coverage;
use super::fleet::Fleet;
use super::plan::{Crash, Plan};
use super::visitor::Visitors;
use super::world::World;
use crate::simulation::random::seed_entropy;
use crate::simulation::trace::Trace;
use crate::simulation::virtual_time;

/// Longer than anything that a request leaves behind takes.
const REST: Duration = Duration::from_secs(6);

/// The result of one run.
pub(super) struct Outcome {
    pub(super) violation: Option<String>,
    pub(super) trace: Trace,
    pub(super) coverage: Coverage,
}

/// Plays a seed.
pub(super) fn run(seed: u64) -> Outcome {
    let plan = Plan::draw(seed);
    seed_entropy(seed);
    let world = Arc::new(World::new(seed, &plan));
    let fleet = Arc::new(Fleet::new(Arc::clone(&world), &plan));
    let set_clocks = fleet.clock_setter(&plan);
    let visitors = Visitors::new(Arc::clone(&world), fleet);
    virtual_time::play(set_clocks, play(visitors, plan));
    let mut state = world.state();
    Outcome {
        violation: state.ledger.violation.take(),
        trace: std::mem::take(&mut state.trace),
        coverage: state.ledger.coverage,
    }
}

async fn play(visitors: Visitors, plan: Plan) {
    let epoch = Instant::now();
    let at = move |millis| sleep_until(epoch + Duration::from_millis(millis));
    let mut tasks = Vec::new();
    for visit in plan.visits.clone() {
        tasks.push(tokio::spawn(visitors.clone().visit(visit, epoch)));
    }
    for eviction in plan.evictions.clone() {
        let world = Arc::clone(&visitors.world);
        tasks.push(tokio::spawn(async move {
            at(eviction.at).await;
            world.evict(eviction.principal);
        }));
    }
    for crash in plan.crashes.clone() {
        let visitors = visitors.clone();
        tasks.push(tokio::spawn(async move {
            at(crash.at).await;
            kill_and_restart(&visitors, crash).await;
        }));
    }
    for task in tasks {
        task.await.expect("nothing panics");
    }
    let world = &visitors.world;
    {
        let mut state = world.state();
        (state.fault_percent, state.lossy_percent) = (0, 0);
    }
    // First the calls that were left behind end, then their commands.
    sleep(REST).await;
    while world.state().commands_under_way > 0 {
        sleep(REST).await;
    }
    // The audit's own requests do not count.
    let coverage = world.state().ledger.coverage;
    audit(&visitors, &plan).await;
    let ledger = &mut world.state().ledger;
    ledger.coverage = Coverage { ended_by_limit: ledger.coverage.ended_by_limit, ..coverage };
}

async fn kill_and_restart(visitors: &Visitors, crash: Crash) {
    visitors.fleet.kill(crash);
    visitors.world.note(usize::MAX, format!("server {} dies", crash.server));
    visitors.world.state().ledger.coverage.crashes += 1;
    sleep(Duration::from_millis(crash.down_for)).await;
    visitors.fleet.restart(crash.server);
}
