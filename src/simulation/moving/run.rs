//! One run: the operators' way from its first step to its last, and the audit.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::audit::audit;
use super::caller::Caller;
use super::coverage::Coverage;
use super::ledger::Ledger;
use super::plan::{Plan, Stage, draw_gap, draw_outage};
use super::server::Server;
use super::setup::{LIFETIME, LONGEST_IDLE, MARGIN, SERVERS};
use super::visitor::Visitor;
use super::world::{World, skewed};
use crate::clock::{ManualClock, Timestamp};
use crate::simulation::random::{Random, seed_entropy};
use crate::simulation::setup::START;
use crate::simulation::virtual_time;

/// The most groups of visits while the operators wait.
const MOST_WAITS: usize = 14;

/// The result of one run.
pub(super) struct Outcome {
    pub(super) violation: Option<String>,
    pub(super) trace: Option<String>,
    pub(super) coverage: Coverage,
}

/// The operators, and all that they run.
struct Operators {
    world: Arc<World>,
    plan: Plan,
    random: Random,
    clocks: [ManualClock; SERVERS],
    servers: Vec<Server>,
    visits: Vec<(usize, JoinHandle<()>)>,
    number_of_visits: u64,
    seed: u64,
    last_at_step_2: Timestamp,
    last_at_step_1: Timestamp,
}

/// Plays a seed, with or without its history.
pub(super) fn run(seed: u64, traced: bool) -> Outcome {
    let plan = Plan::draw(seed);
    let described = if traced { format!("{plan:?}\n") } else { String::new() };
    seed_entropy(seed);
    let world = Arc::new(World::new(seed, plan.fault_percent, plan.store_skews, traced));
    let clocks = plan.skews.map(|skew| ManualClock::at(skewed(START, skew)));
    let set_clocks = clock_setter(&world, &clocks, plan.skews);
    let operators = Operators {
        world: Arc::clone(&world),
        plan,
        random: Random::new(seed, 7),
        clocks,
        servers: Vec::new(),
        visits: Vec::new(),
        number_of_visits: 0,
        seed,
        last_at_step_2: START,
        last_at_step_1: START,
    };
    virtual_time::play(set_clocks, operators.play());
    let mut state = world.state();
    Outcome {
        violation: state.ledgers.iter_mut().find_map(|ledger| ledger.violation.take()),
        trace: state.trace.take().map(|trace| described + &trace),
        coverage: state.coverage,
    }
}

fn clock_setter(
    world: &World,
    clocks: &[ManualClock; SERVERS],
    skews: [i64; SERVERS],
) -> impl Fn(Duration) + Send + Sync + 'static {
    let (true_time, clocks) = (world.clock.clone(), clocks.clone());
    move |elapsed| {
        let now = START.saturating_add(elapsed);
        true_time.set(now);
        for (clock, skew) in clocks.iter().zip(skews) {
            clock.set(skewed(now, skew));
        }
    }
}

impl Operators {
    async fn play(mut self) {
        for stage in self.plan.stages {
            let goes_on = match stage {
                Stage::All(step) => self.all(*step).await,
                Stage::Between(before, after) => self.between(*before, *after).await,
                Stage::WaitForLate => self.wait_for_late().await,
                Stage::WaitUntilFoundNothing => self.wait_until_found_nothing().await,
                Stage::WaitUntilOver => self.wait_until_over().await,
            };
            if !goes_on || self.has_failed() {
                break;
            }
        }
        self.end_visits(false).await;
        self.world.state().end_faults();
        while self.world.state().commands_under_way > 0 {
            sleep(Duration::from_secs(600)).await;
        }
        if !self.has_failed() {
            audit(&self.world, &self.servers).await;
        }
    }

    fn has_failed(&self) -> bool {
        self.world.state().ledgers.iter().any(|ledger| ledger.violation.is_some())
    }

    async fn all(&mut self, step: u8) -> bool {
        let crashes = self.random.chance(self.plan.crash_percent);
        self.end_visits(crashes).await;
        for number in 0..SERVERS {
            self.start(number, step);
        }
        for _ in 0..self.random.between(1, 2) {
            self.group().await;
        }
        true
    }

    async fn between(&mut self, before: u8, after: u8) -> bool {
        self.world.state().coverage.rolled_back += u64::from(after < before);
        let crashes = self.random.chance(self.plan.crash_percent);
        self.end_visits(crashes).await;
        for number in 0..SERVERS {
            let step = [before, after][number % 2];
            self.start(number, step);
        }
        for _ in 0..self.random.between(1, 3) {
            self.group().await;
            let number = self.random.below(SERVERS as u64) as usize;
            if self.random.chance(self.plan.crash_percent) {
                self.crash(number);
            }
            let step = if self.random.chance(50) { before } else { after };
            self.start(number, step);
        }
        true
    }

    async fn wait_for_late(&mut self) -> bool {
        self.end_visits(false).await;
        sleep(MARGIN).await;
        true
    }

    /// Waits until nothing has been found in the old store for so long that nothing can be there.
    async fn wait_until_found_nothing(&mut self) -> bool {
        self.end_visits(false).await;
        for number in 0..SERVERS {
            self.start(number, 2);
        }
        for _ in 0..MOST_WAITS {
            let since = self.world.state().found_in_from.max(self.last_at_step_1);
            let ready = since.saturating_add(LONGEST_IDLE).saturating_add(MARGIN);
            if self.world.now() > ready {
                self.world.state().coverage.waited_for_step_3 += 1;
                return true;
            }
            self.visit();
            let millis = self.random.between(600_000, 1_500_000);
            sleep(Duration::from_millis(millis)).await;
            self.end_visits(false).await;
        }
        false
    }

    /// Waits until the sessions that the new store may have are over.
    async fn wait_until_over(&mut self) -> bool {
        self.end_visits(false).await;
        let ready = self.last_at_step_2.saturating_add(LIFETIME).saturating_add(MARGIN);
        while self.world.now() <= ready {
            self.visit();
            let millis = self.random.between(600_000, 3_000_000);
            sleep(Duration::from_millis(millis)).await;
            self.end_visits(false).await;
        }
        self.world.state().coverage.waited_for_step_0 += 1;
        true
    }

    fn start(&mut self, number: usize, step: u8) {
        let clock = self.clocks[number].clone();
        let server = Server::start(&self.world, number, step, clock);
        self.world.note(|| format!("server {number} starts at step {step}"));
        match self.servers.get_mut(number) {
            Some(place) => *place = server,
            None => self.servers.push(server),
        }
    }

    /// Plays some visits at about the same time.
    async fn group(&mut self) {
        if self.random.chance(self.plan.down_percent) {
            let (side, millis) = draw_outage(&mut self.random);
            let until = self.world.now().saturating_add(Duration::from_millis(millis));
            self.world.note(|| format!("{side:?} is down for {millis} ms"));
            self.world.state().take_down(side, until);
        }
        // A key that is created again and again is worth following.
        let leaves = if self.plan.recreates { 15 } else { 60 };
        if self.servers.iter().any(|server| server.step == 1) && self.random.chance(leaves) {
            self.leave_in_old().await;
        }
        let visits = if self.random.chance(20) { 6 } else { self.random.between(1, 3) };
        for _ in 0..visits {
            self.visit();
            if self.random.chance(50) {
                sleep(Duration::from_millis(self.random.below(40))).await;
            }
        }
        if self.random.chance(self.plan.crash_percent / 2) {
            sleep(Duration::from_millis(self.random.below(200))).await;
            let number = self.random.below(SERVERS as u64) as usize;
            self.crash(number);
            self.start(number, self.servers[number].step);
        }
        let gap = draw_gap(&mut self.random, self.plan.recreates);
        sleep(Duration::from_millis(gap)).await;
    }

    /// Lets a server at step 1 create a session under a new key, for the others to move.
    async fn leave_in_old(&mut self) {
        self.world.state().ledgers.push(Ledger::default());
        let number = self.servers.iter().position(|server| server.step == 1).unwrap_or_default();
        let mut visitor = self.visitor(number);
        visitor.create().await;
    }

    fn visit(&mut self) {
        let number = self.random.below(SERVERS as u64) as usize;
        let visitor = self.visitor(number);
        self.visits.push((number, tokio::spawn(visitor.visit())));
    }

    fn visitor(&mut self, number: usize) -> Visitor {
        self.number_of_visits += 1;
        let caller = Caller {
            world: Arc::clone(&self.world),
            server: self.servers[number].clone(),
            key: self.world.state().current_key(),
        };
        let random = Random::new(self.seed, 100 + self.number_of_visits);
        Visitor { caller, random, recreates: self.plan.recreates }
    }

    /// Ends what a server is doing, between any two commands.
    fn crash(&mut self, number: usize) {
        self.world.note(|| format!("server {number} dies"));
        self.world.state().coverage.crashes += 1;
        self.visits.retain(|(of, visit)| {
            if *of == number {
                visit.abort();
            }
            *of != number
        });
    }

    /// Lets all visits end, or kills all servers.
    async fn end_visits(&mut self, crashes: bool) {
        if crashes {
            (0..SERVERS).for_each(|number| self.crash(number));
        }
        for (_, visit) in std::mem::take(&mut self.visits) {
            visit.await.expect("a visit does not panic");
        }
        let now = self.world.now();
        if self.servers.iter().any(|server| server.step == 2) {
            self.last_at_step_2 = now;
        }
        if self.servers.iter().any(|server| server.step == 1) {
            self.last_at_step_1 = now;
        }
    }
}
