//! The whole library, on a store with every fault that the contract allows, seed by seed.
//!
//! A run has a browser with several tabs, three servers and one store, in virtual time. Commands are
//! delayed, overtake each other, are refused, lose their answers, hang, and are executed long after
//! the library has given them up. The [ledger] records what visitors were told and compares it with
//! what they find. A seed that breaks a promise prints its whole history:
//!
//! ```text
//! SIMULATION_FIRST=4711 SIMULATION_SEEDS=1 cargo test --lib simulation::seeds_hold
//! ```

mod audit;
mod browser;
mod coverage;
mod handler;
mod ledger;
mod model;
mod moving;
#[cfg(feature = "near")]
mod near;
mod network;
mod open;
mod operations;
mod plan;
mod random;
mod run;
mod seeds;
mod setup;
mod store_fault;
mod trace;
mod trip;
mod users;
mod virtual_time;
mod world;

use coverage::Coverage;
use run::{Outcome, run};
use seeds::{number_from_environment, play_all};
use store_fault::StoreFault;

fn assert_no_violation(seed: u64, outcome: &Outcome) {
    if let Some(violation) = &outcome.violation {
        panic!("seed {seed} breaks {violation}\n{}", outcome.trace);
    }
}

fn play(seed: u64) -> Coverage {
    let outcome = run(seed, None);
    assert_no_violation(seed, &outcome);
    outcome.coverage
}

#[test]
fn seeds_hold() {
    play_all(2_000, u64::MAX, play);
}

#[test]
fn a_seed_always_plays_the_same_history() {
    for seed in 0..50 {
        let (once, again) = (run(seed, None), run(seed, None));
        assert_eq!(once.trace.hash(), again.trace.hash(), "seed {seed}");
        assert_eq!(once.coverage, again.coverage, "seed {seed}");
        assert_ne!(once.trace.hash(), run(seed + 1, None).trace.hash());
    }
}

#[test]
fn every_wrong_store_is_caught() {
    let seeds = number_from_environment("SIMULATION_SEEDS", 5_000).max(5_000);
    for fault in StoreFault::BREAKING {
        let caught = (0..seeds)
            .find_map(|seed| run(seed, Some(fault)).violation.map(|violation| (seed, violation)));
        let (seed, violation) = caught.unwrap_or_else(|| panic!("{fault:?} is not noticed"));
        println!("{fault:?}: seed {seed} breaks {violation}");
        // The same seed on a correct store shows that the fault is to blame, not the ledger.
        assert_no_violation(seed, &run(seed, None));
    }
}

#[test]
fn the_library_makes_up_for_the_faults_that_it_can() {
    for fault in StoreFault::TOLERATED {
        (0..500).for_each(|seed| assert_no_violation(seed, &run(seed, Some(fault))));
    }
}
