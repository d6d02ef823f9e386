//! The servers, each with both stores at one step of the move.

use std::sync::Arc;

use super::world::{Line, Side, World};
use crate::clock::ManualClock;
use crate::simulation::network::Network;
use crate::simulation::random::fill_random;
use crate::store::{Moving, SessionStore};

pub(super) type Move = Moving<Network<Line>, Network<Line>>;

/// A process of a server, from its start on at one step.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) number: usize,
    pub(super) step: u8,
    pub(super) clock: ManualClock,
    pub(super) store: Arc<dyn SessionStore>,
    /// The same store at steps 1 and 2.
    pub(super) moving: Option<Arc<Move>>,
}

impl Server {
    pub(super) fn start(world: &Arc<World>, number: usize, step: u8, clock: ManualClock) -> Self {
        let line = |side| Network(Arc::new(Line { world: Arc::clone(world), side }));
        let (from, to) = (line(Side::From), line(Side::To));
        let (store, moving): (Arc<dyn SessionStore>, _) = match step {
            0 => (Arc::new(from), None),
            1 => share(Moving::old_first(from, to), &clock),
            2 => share(Moving::new_first(from, to), &clock),
            _ => (Arc::new(to), None),
        };
        Self { number, step, clock, store, moving }
    }
}

fn share(moving: Move, clock: &ManualClock) -> (Arc<dyn SessionStore>, Option<Arc<Move>>) {
    let moving = Arc::new(moving.clock(clock.clone()).entropy(fill_random));
    (Arc::clone(&moving) as _, Some(moving))
}
