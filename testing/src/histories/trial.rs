//! One run: a crowd at nodes, faults in between, a last look, the check.

use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::task::block_in_place;
use tokio::time::sleep;

use super::cart::Shop;
use super::crowd::until_all_serve;
use super::faults::{Fault, Plan};
use super::logins::Site;
use super::nodes::{Nodes, Way};
use super::report::{Report, Window, met, missing};
use super::scene::Scene;
use super::violation::Kind;
use crate::random::Random;

/// The most steps that a run waits for what makes it a test.
const MOST_STEPS: usize = 100;

/// A run over one store.
#[derive(Debug)]
pub struct Run<S> {
    name: String,
    nodes: Nodes,
    faults: Vec<Fault>,
    documented: BTreeSet<Kind>,
    scene: PhantomData<S>,
}

/// A run with carts.
pub type Trial = Run<Shop>;
/// A run with logins.
pub type RunOfLogins = Run<Site>;

impl<S: Scene> Run<S> {
    /// Starts nodes over a store that runs, and prepares a run with their faults, and with those of their ways
    /// to the store if there are proxies.
    pub async fn start(name: &str, way: Way, variables: &[(&str, &str)]) -> Self {
        let (example, needed) = S::EXAMPLE;
        let nodes = Nodes::start(example, way, &[needed, variables].concat()).await;
        let (name, faults) = (format!("{name}, {example}"), nodes.faults());
        Self { name, nodes, faults, documented: BTreeSet::new(), scene: PhantomData }
    }

    /// Adds a fault.
    pub fn with(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// Has losses of these kinds counted, because the store's guide tells of them.
    pub fn documented(mut self, kinds: impl IntoIterator<Item = Kind>) -> Self {
        self.documented.extend(kinds);
        self
    }

    /// Runs for `HISTORY_SECONDS`, and at least until each fault has been there. The faults and the calls
    /// follow from `HISTORY_SEED`. A seed repeats a run in kind and not in each answer: servers and schedulers
    /// have no seed.
    pub async fn run(self) -> Report<S::Call> {
        let seed = number("HISTORY_SEED").unwrap_or_else(seed_of_the_day);
        let seconds = Duration::from_secs(number("HISTORY_SECONDS").unwrap_or(5));
        println!("{}: HISTORY_SEED={seed}", self.name);
        let mut random = Random::new(seed);
        let scene = Arc::new(S::at(self.nodes.urls()));
        let crowd = scene.enter(&mut random);
        let mut plan = Plan::new(&self.faults, scene.nodes(), random.fork());
        let (begun, mut windows, wanted) = (Instant::now(), Vec::new(), S::wanted());
        until_all_serve(scene.recorder(), scene.nodes()).await;
        loop {
            windows.push(self.play(&scene, &mut plan).await);
            until_all_serve(scene.recorder(), scene.nodes()).await;
            if begun.elapsed() < seconds || !plan.is_played() {
                continue;
            }
            // A busy machine may have left no time for a logout.
            let history = scene.recorder().history();
            let Some(missing) = missing(&wanted, &history, &windows) else { break };
            assert!(windows.len() < MOST_STEPS || begun.elapsed() < seconds * 2, "no {missing:?}");
        }
        let tickets = crowd.leave().await;
        scene.look_again(&tickets, &mut random).await;
        let history = scene.recorder().history();
        Report {
            name: self.name,
            seed,
            violations: S::check(&history),
            numbers: S::describe(&history, &|call| met(&windows, call)),
            missing: missing(&wanted, &history, &windows),
            history,
            windows,
            documented: self.documented,
        }
    }

    /// Plays one step. It ends when all nodes serve again.
    async fn play(&self, scene: &S, plan: &mut Plan) -> Window {
        let step = plan.next();
        sleep(step.calm).await;
        let began = scene.recorder().now();
        for &fault in &step.faults {
            block_in_place(|| self.faults[fault].begin(step.node));
        }
        sleep(step.lasts).await;
        for fault in plan.ends(&step) {
            block_in_place(|| self.faults[fault].end(step.node));
        }
        until_all_serve(scene.recorder(), scene.nodes()).await;
        let name = |&fault: &usize| self.faults[fault].name.clone();
        Window {
            names: step.faults.iter().map(name).collect(),
            began,
            ended: scene.recorder().now(),
        }
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} must be a number")))
}

fn seed_of_the_day() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Random::new(u64::try_from(now.as_nanos()).unwrap_or_default()).below(1_000_000_000)
}
