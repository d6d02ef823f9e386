//! One run: a seed's plan from the first visit to the audit.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::audit::audit;
use super::coverage::Coverage;
use super::fleet::Fleet;
use super::plan::{Crash, Plan};
use super::visitor::Visitor;
use super::world::World;
use crate::simulation::random::seed_entropy;
use crate::simulation::setup::START;
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
    let clock = world.clock.clone();
    let set_clock = move |elapsed| clock.set(START.saturating_add(elapsed));
    let fleet = Arc::new(Fleet::new(&world, plan.staleness));
    virtual_time::play(set_clock, play(Visitor::new(Arc::clone(&world), fleet), plan));
    let mut state = world.state();
    Outcome {
        violation: state.ledger.violation.take(),
        trace: std::mem::take(&mut state.trace),
        coverage: state.ledger.coverage,
    }
}

async fn play(visitor: Visitor, plan: Plan) {
    let epoch = Instant::now();
    let Plan { fault_percent, crashes, visits, .. } = plan;
    let mut visits = visits.into_iter();
    if let Some(first) = visits.next() {
        visitor.visit(first, epoch).await;
    }
    visitor.world.state().fault_percent = fault_percent;
    let crashes = crashes.into_iter().map(|crash| boxed(kill_and_restart(&visitor, crash, epoch)));
    all(visits.map(|visit| boxed(visitor.visit(visit, epoch))).chain(crashes).collect()).await;
    let world = &visitor.world;
    world.state().fault_percent = 0;
    // First the calls that were left behind end, then their commands.
    sleep(REST).await;
    while world.state().commands_under_way > 0 {
        sleep(REST).await;
    }
    // The audit's own requests do not count.
    let coverage = world.state().ledger.coverage;
    world.state().ledger.end_faults();
    audit(&visitor).await;
    world.state().ledger.coverage = coverage;
}

async fn kill_and_restart(visitor: &Visitor, crash: Crash, epoch: Instant) {
    sleep_until(epoch + Duration::from_millis(crash.at)).await;
    visitor.fleet.kill(crash.server);
    sleep(Duration::from_millis(crash.down_for)).await;
    visitor.fleet.restart(crash.server);
}

type Boxed<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

fn boxed<'a>(task: impl Future<Output = ()> + 'a) -> Boxed<'a> {
    Box::pin(task)
}

/// Polls all of them, in their order, whenever one can go on. As tasks of their own, those that wait for the same load
/// would go on in another order in each run: the load's end wakes them by tokio's `watch`, which picks at random.
async fn all(mut tasks: Vec<Boxed<'_>>) {
    poll_fn(|context| {
        tasks.retain_mut(|task| task.as_mut().poll(context).is_pending());
        if tasks.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
