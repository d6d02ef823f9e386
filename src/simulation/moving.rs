//! A move from one store to another, command by command, on stores with every fault that their contract
//! allows, seed by seed.
//!
//! A run has two stores, three servers at neighbouring steps of the move, and visitors who create, change,
//! touch and end what is under one key at a time. Operators roll the steps forwards and back. Clocks differ,
//! servers die between two commands, stores are down, answers are lost, and commands arrive up to forty
//! minutes after their caller has given up. The [ledger] compares what all were told. A seed that breaks a
//! promise is played once more, to print its history:
//!
//! ```text
//! SIMULATION_FIRST=4711 SIMULATION_SEEDS=1 cargo test --lib simulation::moving::seeds_hold
//! ```

mod audit;
mod caller;
mod coverage;
mod ledger;
mod plan;
mod run;
mod server;
mod setup;
mod visitor;
mod world;

use super::seeds::play_all;
use coverage::Coverage;
use run::run;

/// The most seeds of a longer run, because hours pass in each.
const MOST: u64 = 10_000;

fn play(seed: u64) -> Coverage {
    let outcome = run(seed, false);
    if let Some(violation) = &outcome.violation {
        let trace = run(seed, true).trace.unwrap_or_default();
        panic!("seed {seed} breaks {violation}\n{trace}");
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
        let (once, again) = (run(seed, true), run(seed, true));
        assert!(once.trace == again.trace, "seed {seed}");
        assert_eq!(once.coverage, run(seed, false).coverage, "seed {seed}");
        assert_ne!(once.trace, run(seed + 1, true).trace);
    }
}
