//! Sessions on servers that each have a memory of their own in front of one store, on a store with every fault
//! that the contract allows, seed by seed.
//!
//! A run has one visitor with several tabs, three servers with a [`Near`](crate::store::Near) each, and one store,
//! in virtual time. The session is read, read fresh, changed, renewed and ended while commands are late, lost and
//! reordered, and servers die with what they hold. Many visits come when what a server holds is about to be too old.
//! The [ledger] knows all that was acknowledged, and so what each read must show. A seed that breaks a promise prints
//! its whole history:
//!
//! ```text
//! SIMULATION_FIRST=4711 SIMULATION_SEEDS=1 cargo test --features near --lib simulation::near::seeds_hold
//! ```
//!
//! Two things beside the clock would change the history of a seed from one run to the next. Looks that wait for the
//! same load are woken in a random order, so one task polls all visits (`run`). And moka drops what it holds by the
//! machine's clock, a second after the staleness; so no staleness is shorter than a run takes on a slow machine
//! (`setup`).

mod audit;
mod coverage;
mod fleet;
mod handler;
mod ledger;
mod plan;
mod run;
mod setup;
mod visitor;
mod world;

use super::seeds::play_all;
use coverage::Coverage;
use run::run;

/// The most seeds of a longer run. Each has the same few situations, and many chances to meet them.
const MOST: u64 = 20_000;

fn play(seed: u64) -> Coverage {
    let outcome = run(seed);
    if let Some(violation) = &outcome.violation {
        panic!("seed {seed} breaks {violation}\n{}", outcome.trace);
    }
    outcome.coverage
}

#[test]
fn seeds_hold() {
    play_all(1_000, MOST, play);
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
