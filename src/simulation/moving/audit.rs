//! The last look at every key, without any fault.

use std::sync::Arc;

use super::caller::Caller;
use super::server::Server;
use super::setup::SKEW;
use super::visitor::Visitor;
use super::world::World;
use crate::simulation::random::Random;

/// Looks at each key by every server, and writes to what is there. Nothing may fail.
pub(super) async fn audit(world: &Arc<World>, servers: &[Server]) {
    let keys = world.state().ledgers.len();
    for key in 0..keys {
        for (number, server) in servers.iter().enumerate() {
            let caller = Caller { world: Arc::clone(world), server: server.clone(), key };
            let found = caller.load().await;
            caller.ledger(|ledger, _| {
                ledger.demand(found.is_ok(), "a load fails without a fault", String::new);
            });
            let Ok(Some(held)) = found else { continue };
            if caller.ledger(|ledger, _| ledger.is_mark(held.content)) {
                continue;
            }
            let random = Random::new(key as u64, 8 + number as u64);
            let mut visitor = Visitor { caller, random, recreates: false };
            let written = visitor.write(held, false).await;
            visitor.caller.ledger(|ledger, now| {
                // By one clock it may be over before the write comes, and by another still live.
                let is_ending = held.deadline <= now.saturating_add(SKEW);
                let holds = written.is_some() || is_ending;
                ledger.demand(holds, "a write fails without a fault", || format!("{held:?}"));
            });
        }
    }
}
