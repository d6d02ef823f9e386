//! The servers, each with a memory of its own, which dies with its process.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::world::{Process, World};
use crate::SessionLayer;
use crate::poison::IgnorePoison;
use crate::simulation::network::Network;
use crate::simulation::random::fill_random;
use crate::simulation::setup::{ABSOLUTE_LIFETIME, IDLE_TIMEOUT, SERVERS, key_ring};
use crate::store::Near;

/// Every server of a run.
pub(super) struct Fleet {
    world: Arc<World>,
    staleness: Duration,
    servers: Mutex<Vec<Server>>,
}

/// A process, and the layer in its memory.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) process: Arc<Process>,
    pub(super) layer: SessionLayer,
}

impl Fleet {
    pub(super) fn new(world: &Arc<World>, staleness: Duration) -> Self {
        let fleet = Self { world: Arc::clone(world), staleness, servers: Mutex::default() };
        let servers = (0..SERVERS).map(|number| fleet.start(number)).collect();
        *fleet.servers.lock().ignore_poison() = servers;
        fleet
    }

    fn start(&self, number: usize) -> Server {
        let process = Arc::new(Process::new(Arc::clone(&self.world), number));
        let clock = self.world.clock.clone();
        let near = Near::new(Network(Arc::clone(&process)));
        let layer =
            SessionLayer::new(near.staleness(self.staleness).clock(clock.clone()), key_ring())
                .clock(clock)
                .idle_timeout(IDLE_TIMEOUT)
                .absolute_lifetime(ABSOLUTE_LIFETIME)
                .entropy(fill_random);
        Server { process, layer }
    }

    pub(super) fn server(&self, number: usize) -> Server {
        self.servers.lock().ignore_poison()[number].clone()
    }

    pub(super) fn kill(&self, number: usize) {
        self.server(number).process.kill();
    }

    pub(super) fn restart(&self, number: usize) {
        let server = self.start(number);
        self.servers.lock().ignore_poison()[number] = server;
    }
}
