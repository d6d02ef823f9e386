//! The contract of a store, for each step, for both side by side, and with what earlier servers have left.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use cloakroom::store::conformance::{Harness, run_all};
use cloakroom::store::{MemoryStore, Moving, SessionStore};
use cloakroom::{ManualClock, Timestamp};

use crate::wrapped::Wrapped;

/// The servers whose handles the laws get, in turn.
type Servers = fn(MemoryStore, MemoryStore, &ManualClock) -> Vec<Arc<dyn SessionStore>>;

struct Two {
    clock: ManualClock,
    servers: Vec<Arc<dyn SessionStore>>,
    opened: AtomicUsize,
}

impl Two {
    fn new(servers: Servers) -> Self {
        let clock = cloakroom_testing::clock();
        let memory = || MemoryStore::builder().clock(clock.clone()).build();
        let servers = servers(memory(), memory(), &clock);
        Self { servers, clock, opened: AtomicUsize::new(0) }
    }
}

#[async_trait]
impl Harness for Two {
    async fn open(&self) -> Arc<dyn SessionStore> {
        let turn = self.opened.fetch_add(1, Ordering::Relaxed);
        self.servers[turn % self.servers.len()].clone()
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    fn max_entry_bytes(&self) -> Option<usize> {
        None
    }
}

fn old_first(from: &MemoryStore, to: &MemoryStore, clock: &ManualClock) -> Arc<dyn SessionStore> {
    Arc::new(Moving::old_first(from.clone(), to.clone()).clock(clock.clone()))
}

fn new_first(from: &MemoryStore, to: &MemoryStore, clock: &ManualClock) -> Arc<dyn SessionStore> {
    Arc::new(Moving::new_first(from.clone(), to.clone()).clock(clock.clone()))
}

mod the_first_step {
    use super::*;
    cloakroom::store_conformance!(Two::new(|from, to, clock| vec![old_first(&from, &to, clock)]));
}

mod the_second_step {
    use super::*;
    cloakroom::store_conformance!(Two::new(|from, to, clock| vec![new_first(&from, &to, clock)]));
}

mod over_stores_that_are_chosen_at_run_time {
    use super::*;
    cloakroom::store_conformance!(Two::new(|from, to, clock| {
        let (from, to): (Arc<dyn SessionStore>, Arc<dyn SessionStore>) =
            (Arc::new(from), Arc::new(to));
        vec![Arc::new(Moving::new_first(from, to).clock(clock.clone()))]
    }));
}

mod behind_a_fence_that_others_have_left {
    use super::*;
    cloakroom::store_conformance!(Two::new(|from, to, clock| {
        let fenced = |store| Wrapped::new(store).behind_fences_in(&from);
        vec![fenced(old_first(&from, &to, clock)), fenced(new_first(&from, &to, clock))]
    }));
}

mod the_first_step_beside_the_old_store_alone {
    use super::*;
    cloakroom::store_conformance!(Two::new(|from, to, clock| {
        vec![old_first(&from, &to, clock), Arc::new(from)]
    }));
}

/// The laws that want a touch to be `Done` and the version to stay. A touch that moves an entry changes its
/// version, and is `Skipped`.
pub(crate) const ABOUT_TOUCHES: [&str; 3] = [
    "touch_moves_the_deadline_and_nothing_else",
    "a_touched_entry_outlives_its_first_deadline",
    "a_cancelled_touch_changes_no_data",
];

async fn breaks_laws_about_touches_alone(servers: Servers) {
    let reports = run_all(&Two::new(servers)).await;
    let broken = reports.iter().filter_map(|(law, verdict)| Some((*law, verdict.clone().err()?)));
    let broken: Vec<_> = broken.filter(|(law, _)| !ABOUT_TOUCHES.contains(law)).collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_steps_side_by_side_break_no_other_law() {
    breaks_laws_about_touches_alone(|from, to, clock| {
        let stores = [old_first(&from, &to, clock), new_first(&from, &to, clock)];
        stores.map(|store| Wrapped::new(store).shared()).to_vec()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_whose_every_entry_begins_in_the_old_one_breaks_no_other_law() {
    breaks_laws_about_touches_alone(|from, to, clock| {
        let creates = old_first(&from, &to, clock);
        vec![Wrapped::new(new_first(&from, &to, clock)).that_creates_in(creates)]
    })
    .await;
}
