//! One run: a crowd at nodes, faults in between, a last look, the check.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::task::block_in_place;
use tokio::time::sleep;

use super::checker::{Kind, check};
use super::crowd::{Crowd, look_again, until_all_serve};
use super::faults::{Fault, Plan};
use super::nodes::Nodes;
use super::report::{Report, Window, missing};
use super::shop::Shop;
use crate::random::Random;

/// The most steps that a run waits for what makes it a test.
const MOST_STEPS: usize = 100;

/// A run over one store.
#[derive(Debug)]
pub struct Trial {
    name: String,
    nodes: Nodes,
    faults: Vec<Fault>,
    documented: BTreeSet<Kind>,
}

impl Trial {
    /// Prepares a run with the faults of nodes, and of their ways to the store if there are proxies.
    pub fn of(name: &str, nodes: Nodes) -> Self {
        let faults = nodes.faults();
        Self { name: name.to_owned(), nodes, faults, documented: BTreeSet::new() }
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
    pub async fn run(self) -> Report {
        let seed = number("HISTORY_SEED").unwrap_or_else(seed_of_the_day);
        let seconds = Duration::from_secs(number("HISTORY_SECONDS").unwrap_or(5));
        println!("{}: HISTORY_SEED={seed}", self.name);
        let mut random = Random::new(seed);
        let shop = Arc::new(Shop::at(self.nodes.urls()));
        let crowd = Crowd::enter(&shop, &mut random);
        let mut plan = Plan::new(&self.faults, shop.nodes(), random.fork());
        let (begun, mut windows) = (Instant::now(), Vec::new());
        until_all_serve(&shop).await;
        loop {
            windows.push(self.play(&shop, &mut plan).await);
            until_all_serve(&shop).await;
            if begun.elapsed() < seconds || !plan.is_played() {
                continue;
            }
            // A busy machine may have left no time for a logout.
            let Some(missing) = missing(&shop.recorder.history(), &windows) else { break };
            assert!(windows.len() < MOST_STEPS || begun.elapsed() < seconds * 2, "never {missing}");
        }
        let tickets = crowd.leave().await;
        look_again(&shop, &tickets, &mut random).await;
        let history = shop.recorder.history();
        let violations = check(&history);
        let Self { name, documented, .. } = self;
        Report { name, seed, history, windows, violations, documented }
    }

    /// Plays one step. It ends when all nodes serve again.
    async fn play(&self, shop: &Shop, plan: &mut Plan) -> Window {
        let step = plan.next();
        sleep(step.calm).await;
        let began = shop.recorder.now();
        for &fault in &step.faults {
            block_in_place(|| self.faults[fault].begin(step.node));
        }
        sleep(step.lasts).await;
        for fault in plan.ends(&step) {
            block_in_place(|| self.faults[fault].end(step.node));
        }
        until_all_serve(shop).await;
        let name = |&fault: &usize| self.faults[fault].name.clone();
        Window { names: step.faults.iter().map(name).collect(), began, ended: shop.recorder.now() }
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
