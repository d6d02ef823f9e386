//! The sessions of two users, on a store with every fault that the contract allows, seed by seed.
//!
//! A run has a few browsers and an admin, two principals that log in and out in them, three servers with
//! clocks of their own, and one store. Sessions are listed, ended, limited and edited while others are
//! begun and renewed. Requests are dropped, servers die, commands are lost or executed late, and in
//! some runs the store loses a roster. The [ledger] compares what everybody was told with what works. A
//! seed that breaks a promise prints its whole history:
//!
//! ```text
//! SIMULATION_FIRST=4711 SIMULATION_SEEDS=1 cargo test --lib simulation::users::seeds_hold
//! ```

mod actions;
mod audit;
mod coverage;
mod draw;
mod fleet;
mod handler;
mod ledger;
mod plan;
mod run;
mod scenes;
mod setup;
mod stored;
mod visitor;
mod world;

use super::seeds::play_all;
use coverage::Coverage;
use run::run;

fn play(seed: u64) -> Coverage {
    let outcome = run(seed);
    if let Some(violation) = &outcome.violation {
        panic!("seed {seed} breaks {violation}\n{}", outcome.trace);
    }
    outcome.coverage
}

#[test]
fn seeds_hold() {
    play_all(2_000, u64::MAX, play);
}

#[test]
fn a_seed_always_plays_the_same_history() {
    for seed in 0..50 {
        let (once, again) = (run(seed), run(seed));
        assert_eq!(once.trace.hash(), again.trace.hash(), "seed {seed}");
        assert_eq!(once.coverage, again.coverage, "seed {seed}");
        assert_ne!(once.trace.hash(), run(seed + 1).trace.hash());
    }
}
