//! Runs one strategy, from the start of its servers to its figures.
//!
//! Every phase leaves the shoppers with carts that have been audited, so that a loss is counted in
//! the phase in which it happened.

mod faults;
mod figures;
mod fleet;
mod late_looks;
mod leavers;
mod logouts;
mod parallel;
mod tempo;

use std::mem;
use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::Fallible;
use crate::balancer::{Balancer, Routing, Stickiness};
use crate::cli::Options;
use crate::results::{Audit, Measured, Phase, PhaseName, Sharing};
use crate::shopper::{Answer, Client, Load, Question, Shopper, Tally, merged};
use crate::store::{self, Opening, Store};
use crate::strategy::Strategy;
use fleet::Fleet;
use tempo::Tempo;

/// The steps of a strategy on the progress bar.
pub(crate) const STEPS: u64 = 10;

/// The longest that a phase waits for something to happen, on a machine that has other work.
const STEP_TIMEOUT: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(5);

#[derive(Debug)]
pub(crate) enum Staged {
    /// The measurements, with the store's name and version if it is a server.
    Measured(Box<Measured>, Option<(String, String)>),
    Needs(String),
}

struct Stage<'a> {
    strategy: &'a Strategy,
    options: &'a Options,
    progress: &'a ProgressBar,
    tempo: Tempo,
    // The fields are dropped in this order.
    balancer: Balancer,
    fleet: Fleet,
    store: Store,
    client: Client,
    shoppers: Vec<Shopper>,
    phases: Vec<Phase>,
    remarks: Vec<String>,
}

pub(crate) async fn run(
    strategy: &Strategy,
    options: &Options,
    folder: &Path,
    progress: &ProgressBar,
) -> Fallible<Staged> {
    progress.set_message(format!("{}: start", strategy.id));
    let store = match store::open(strategy, options, folder).await? {
        Opening::Open(store) => store,
        Opening::Needs(needs) => return Ok(Staged::Needs(needs)),
    };
    let version = store.version.clone();
    let mut stage = Stage::open(strategy, options, folder, progress, store).await?;
    let measured = stage.measure().await?;
    Ok(Staged::Measured(Box::new(measured), version))
}

impl<'a> Stage<'a> {
    async fn open(
        strategy: &'a Strategy,
        options: &'a Options,
        folder: &Path,
        progress: &'a ProgressBar,
        store: Store,
    ) -> Fallible<Self> {
        let routing = match strategy.is_sticky {
            true => Routing::Sticky(Stickiness::seconds(options.stickiness)),
            false => Routing::RoundRobin,
        };
        let balancer = Balancer::open(routing).await?;
        let client = Client::to(balancer.address);
        let shopper = |number| Shopper::new(number, options.seed, client.clone());
        let mut stage = Self {
            strategy,
            options,
            progress,
            tempo: if options.quick { Tempo::quick() } else { Tempo::full() },
            balancer,
            fleet: Fleet::new(strategy.place, &store.hosts, options, folder)?,
            remarks: store.remarks.clone(),
            store,
            shoppers: (0..options.shoppers()).map(shopper).collect(),
            client,
            phases: Vec::new(),
        };
        for _ in 0..options.nodes {
            stage.add_node().await?;
        }
        Ok(stage)
    }

    /// Adds a node and returns when the balancer sends it requests.
    async fn add_node(&mut self) -> Fallible<String> {
        let (name, address) = self.fleet.add(&self.store.url).await?;
        self.balancer.add(&name, address)?;
        let targets = &self.balancer.targets;
        until("a healthy node", || targets.is_healthy(&name).then_some(())).await?;
        Ok(name)
    }

    async fn measure(&mut self) -> Fallible<Measured> {
        self.step("warm-up");
        let warm_up = self.warm_up().await?;
        self.step("sessions in memory");
        let node_bytes_per_session = self.memory_per_session().await?;
        self.step("steady load");
        let (mut wire, steady_load) = self.steady().await?;
        self.step("parallel adds");
        let parallel_adds = self.parallel_adds().await?;
        self.step("late looks");
        let late_looks = self.late_looks().await?;
        self.step("logouts");
        let logouts = self.logouts().await?;
        self.step("a node is killed");
        let node_killed = self.kill_a_node().await?;
        self.step("a node is added");
        let node_added = self.grow().await?;
        self.step("counting on the wire");
        let store_commands = self.count_on_the_wire(&mut wire).await?;
        self.step("the store is away");
        let store_outage = self.outage().await?;
        Ok(Measured {
            strategy: self.strategy.name(),
            setting: self.setting(),
            phases: mem::take(&mut self.phases),
            warm_up: Some(warm_up),
            steady_load: Some(steady_load),
            parallel_adds,
            late_looks,
            logouts,
            node_killed,
            node_added,
            store_outage,
            node_bytes_per_session,
            wire,
            store_commands,
            remarks: mem::take(&mut self.remarks),
        })
    }

    /// How long a server may show what was, at most.
    fn staleness(&self) -> Duration {
        Duration::from_secs(self.strategy.staleness.unwrap_or_default().into())
    }

    fn step(&self, name: &str) {
        self.progress.set_message(format!("{}: {name}", self.strategy.id));
        self.progress.inc(1);
    }

    fn setting(&self) -> String {
        let balancing = match self.strategy.is_sticky {
            true => "sticky sessions",
            false => "round robin",
        };
        let copying = match (self.strategy.sharing, self.options.synchronous) {
            (Sharing::Copies, true) => ", copied before a change is answered",
            (Sharing::Copies, false) => ", copied after a change is answered",
            _ => "",
        };
        let nodes = self.options.nodes;
        format!("{nodes} nodes behind {balancing}; {}{copying}", self.store.setting)
    }

    /// Every shopper logs in, puts something into the cart, and goes on for a while.
    async fn warm_up(&mut self) -> Fallible<Audit> {
        let mut tally = Tally::default();
        let begun = Instant::now();
        for shopper in &mut self.shoppers {
            enter(shopper, &mut tally).await?;
        }
        let load = Load::begin(mem::take(&mut self.shoppers));
        self.visits(&load, self.tempo.warm_up).await?;
        let (shoppers, more) = load.end().await?;
        self.shoppers = shoppers;
        tally.add(more);
        self.phases.push(tally.phase(PhaseName::WarmUp, begun.elapsed()));
        self.remark_on_losses("While warming up").await
    }

    /// Waits for `time`, and until there were enough requests for every shopper to have had some.
    async fn visits(&self, load: &Load, time: Duration) -> Fallible<()> {
        let enough = load.pulses.requests() + 12 * self.options.shoppers() as u64;
        sleep(time).await;
        until("requests", || (load.pulses.requests() >= enough).then_some(())).await
    }

    /// Ends the load and adds its phase to the figures.
    async fn end_load(&mut self, load: Load, name: PhaseName) -> Fallible<()> {
        let begun = load.begun;
        let (shoppers, tally) = load.end().await?;
        self.shoppers = shoppers;
        self.phases.push(tally.phase(name, begun.elapsed()));
        Ok(())
    }

    /// Compares the shoppers' lists with what the shop shows.
    async fn audit(&mut self) -> Fallible<Audit> {
        let mut visits = JoinSet::new();
        let staleness = self.staleness();
        for mut shopper in mem::take(&mut self.shoppers) {
            visits.spawn(async move {
                let audit = shopper.audit(staleness).await;
                (shopper, audit)
            });
        }
        let mut audits = Vec::new();
        while let Some(done) = visits.join_next().await {
            let (shopper, audit) = done?;
            audits.push(audit.ok_or_else(|| format!("{} never sees a session", shopper.name))?);
            self.shoppers.push(shopper);
        }
        Ok(merged(audits))
    }
}

/// Logs in, and then adds something. Both are sent one after the other: without a cookie, each
/// would begin a session of its own. The login is first, because one that is not acknowledged may
/// have ended the session before it.
async fn enter(shopper: &mut Shopper, tally: &mut Tally) -> Fallible<()> {
    let first = Question::Add(shopper.choice(), None);
    for question in [Question::Login(shopper.name.clone()), first] {
        insist(&question, async || {
            let begun = Instant::now();
            let answer = shopper.ask(&question).await;
            tally.note(&answer, begun.elapsed());
            answer
        })
        .await?;
    }
    Ok(())
}

/// Repeats a request until it is acknowledged.
async fn insist(question: &Question, mut ask: impl AsyncFnMut() -> Answer) -> Fallible<()> {
    let begun = Instant::now();
    loop {
        match ask().await {
            Answer::Acknowledged(_) => return Ok(()),
            Answer::Conflict | Answer::Unavailable | Answer::Broken
                if begun.elapsed() < STEP_TIMEOUT =>
            {
                sleep(10 * PAUSE).await;
            }
            answer => return Err(format!("{question:?}: {answer:?}").into()),
        }
    }
}

/// Repeats a question until it has an answer.
async fn until<T>(what: &str, mut question: impl FnMut() -> Option<T>) -> Fallible<T> {
    let begun = Instant::now();
    loop {
        if let Some(answer) = question() {
            return Ok(answer);
        }
        if begun.elapsed() > STEP_TIMEOUT {
            return Err(format!("{what}: not within {STEP_TIMEOUT:?}").into());
        }
        sleep(PAUSE).await;
    }
}
