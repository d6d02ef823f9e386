//! The servers, which may die and come back.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::plan::{Crash, Plan, Trouble};
use super::world::{Process, World};
use crate::clock::{ManualClock, Timestamp};
use crate::poison::IgnorePoison;
use crate::simulation::network::Network;
use crate::simulation::random::fill_random;
use crate::simulation::setup::{ABSOLUTE_LIFETIME, IDLE_TIMEOUT, SERVERS, START, key_ring};
use crate::{Roster, SessionLayer};

/// Every server of a run.
pub(super) struct Fleet {
    world: Arc<World>,
    clocks: [ManualClock; SERVERS],
    roster: Roster,
    troubles: [Trouble; SERVERS],
    servers: Mutex<Vec<Server>>,
}

/// A process, and the layer in its memory.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) process: Arc<Process>,
    pub(super) layer: SessionLayer,
}

impl Fleet {
    pub(super) fn new(world: Arc<World>, plan: &Plan) -> Self {
        let clocks = plan.skews.map(|skew| ManualClock::at(skewed(Duration::ZERO, skew)));
        let (roster, troubles) = (plan.roster(), plan.troubles);
        let fleet = Self { world, clocks, roster, troubles, servers: Mutex::default() };
        let servers = (0..SERVERS).map(|number| fleet.start(number)).collect();
        *fleet.servers.lock().ignore_poison() = servers;
        fleet
    }

    /// Returns what sets all clocks to a time since the start of the run.
    pub(super) fn clock_setter(&self, plan: &Plan) -> impl Fn(Duration) + Send + Sync + 'static {
        let (store, servers, skews) = (self.world.clock.clone(), self.clocks.clone(), plan.skews);
        move |elapsed| {
            store.set(START.saturating_add(elapsed));
            for (clock, skew) in servers.iter().zip(skews) {
                clock.set(skewed(elapsed, skew));
            }
        }
    }

    fn start(&self, number: usize) -> Server {
        let process = Arc::new(Process::new(Arc::clone(&self.world), self.troubles[number]));
        let layer = SessionLayer::new(Network(Arc::clone(&process)), key_ring())
            .clock(self.clocks[number].clone())
            .idle_timeout(IDLE_TIMEOUT)
            .anonymous_idle_timeout(IDLE_TIMEOUT / 3)
            .absolute_lifetime(ABSOLUTE_LIFETIME)
            .roster(self.roster)
            .entropy(fill_random);
        Server { process, layer }
    }

    pub(super) fn server(&self, number: usize) -> Server {
        self.servers.lock().ignore_poison()[number].clone()
    }

    pub(super) fn kill(&self, crash: Crash) {
        self.server(crash.server).process.kill();
    }

    pub(super) fn restart(&self, number: usize) {
        let server = self.start(number);
        self.servers.lock().ignore_poison()[number] = server;
    }
}

fn skewed(elapsed: Duration, skew: i64) -> Timestamp {
    let now = START.saturating_add(elapsed);
    Timestamp::from_millis(now.as_millis().saturating_add_signed(skew))
}
