//! The promises at the second step, and at both. A server of each step takes every other command where both are running; the
//! sessions are then created in one store and the other, and move.

use std::sync::Arc;

use cloakroom::ManualClock;
use cloakroom::store::{MemoryStore, Moving, SessionStore};
use cloakroom_testing::House;

use crate::wrapped::InTurn;

fn memories(clock: &ManualClock) -> (MemoryStore, MemoryStore) {
    let memory = || MemoryStore::builder().clock(clock.clone()).build();
    (memory(), memory())
}

fn second_step() -> House {
    let clock = cloakroom_testing::clock();
    let (from, to) = memories(&clock);
    House::over(Arc::new(Moving::new_first(from, to).clock(clock.clone())), clock)
}

fn both_in_turn() -> House {
    let clock = cloakroom_testing::clock();
    let (from, to) = memories(&clock);
    let servers: Vec<Arc<dyn SessionStore>> = vec![
        Arc::new(Moving::old_first(from.clone(), to.clone()).clock(clock.clone())),
        Arc::new(Moving::new_first(from, to).clock(clock.clone())),
    ];
    House::over(Arc::new(InTurn::new(servers)), clock)
}

mod at_the_second_step {
    cloakroom_testing::promises!(super::second_step);
}

mod at_both_in_turn {
    cloakroom_testing::promises!(super::both_in_turn);
}
