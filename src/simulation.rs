//! The whole library against a store on which everything goes wrong that can, seed by seed.
//!
//! A run has a browser with several tabs, three servers and one store, in virtual time. Commands are
//! delayed, overtake each other, are refused, lose their answers, hang, and are carried out long
//! after the library was told that nobody knows. The [ledger](ledger) keeps what visitors were told
//! and holds it against what they find. A seed that breaks a promise prints its whole history:
//!
//! ```text
//! SIMULATION_FIRST=4711 SIMULATION_SEEDS=1 cargo test --lib simulation::seeds_hold
//! ```

mod browser;
mod changes;
mod handler;
mod ledger;
mod lineage;
mod model;
mod network;
mod plan;
mod planted;
mod random;
mod run;
mod world;

use planted::Fault;
use run::{Outcome, run};
use world::Tally;

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

fn hold(seed: u64, outcome: &Outcome) {
    if let Some(violation) = &outcome.violation {
        panic!("seed {seed} breaks {violation}\n{}", outcome.trace);
    }
}

fn run_all(seeds: impl Iterator<Item = u64>, fault: Option<Fault>) -> Tally {
    let mut tally = Tally::default();
    for seed in seeds {
        let outcome = run(seed, fault);
        hold(seed, &outcome);
        tally += outcome.tally;
    }
    tally
}

#[test]
fn seeds_hold() {
    let first = from_environment("SIMULATION_FIRST", 0);
    let seeds = from_environment("SIMULATION_SEEDS", 2_000);
    let halves = [first..first + seeds / 2, first + seeds / 2..first + seeds];
    let threads = halves.map(|half| std::thread::spawn(move || run_all(half, None)));
    let mut tally = Tally::default();
    for thread in threads {
        tally += thread.join().unwrap_or_else(|failure| std::panic::resume_unwind(failure));
    }
    println!("{seeds} seeds from {first}: {tally:#?}");
    // Fewer seeds are a search for one.
    if seeds >= 500 {
        assert_eq!(tally.never(), [""; 0], "the simulation does not meet these any more");
    }
}

#[test]
fn a_seed_is_a_history() {
    for seed in 0..50 {
        let (once, again) = (run(seed, None), run(seed, None));
        assert_eq!(once.trace.hash(), again.trace.hash(), "seed {seed}");
        assert_eq!(once.tally, again.tally, "seed {seed}");
        assert_ne!(once.trace.hash(), run(seed + 1, None).trace.hash());
    }
}

#[test]
fn planted_faults_are_caught() {
    let seeds = from_environment("SIMULATION_SEEDS", 5_000).max(5_000);
    for fault in Fault::SEEN {
        let caught = (0..seeds)
            .find_map(|seed| run(seed, Some(fault)).violation.map(|violation| (seed, violation)));
        let (seed, violation) = caught.unwrap_or_else(|| panic!("{fault:?} is not noticed"));
        println!("{fault:?}: seed {seed} breaks {violation}");
        hold(seed, &run(seed, None));
    }
}

#[test]
fn the_library_makes_up_for_what_it_can() {
    for fault in Fault::WEATHERED {
        run_all(0..500, Some(fault));
    }
}
