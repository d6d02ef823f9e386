//! The seeds that a test plays: a default, or what the environment asks for.

use std::ops::{AddAssign, Range};
use std::panic::{catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::{fmt, thread};

use super::coverage::zeros;

pub(super) fn number_from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("the variable is a number"))
}

/// Plays seeds in two threads, at most `most` of them, and demands that together they meet everything that is
/// counted. `play` panics at a seed that breaks a promise, and then neither thread begins another.
pub(super) fn play_all<C>(default: u64, most: u64, play: fn(u64) -> C)
where
    C: AddAssign + Default + fmt::Debug + Send,
{
    let first = number_from_environment("SIMULATION_FIRST", 0);
    let seeds = number_from_environment("SIMULATION_SEEDS", default).min(most);
    let halves = [first..first + seeds / 2, first + seeds / 2..first + seeds];
    let broken = AtomicBool::new(false);
    let mut coverage = C::default();
    thread::scope(|threads| {
        let halves = halves.map(|half| threads.spawn(|| play_until(&broken, half, play)));
        for half in halves {
            coverage += half.join().unwrap_or_else(|failure| resume_unwind(failure));
        }
    });
    println!("{seeds} seeds from {first}: {coverage:#?}");
    // A few seeds, with which somebody looks for one history, need not meet everything.
    if seeds >= 500 {
        assert_eq!(zeros(&coverage), [""; 0], "the simulation does not meet these any more");
    }
}

fn play_until<C: AddAssign + Default>(
    broken: &AtomicBool,
    seeds: Range<u64>,
    play: fn(u64) -> C,
) -> C {
    let mut coverage = C::default();
    for seed in seeds {
        if broken.load(Ordering::Relaxed) {
            break;
        }
        coverage += catch_unwind(|| play(seed)).unwrap_or_else(|failure| {
            broken.store(true, Ordering::Relaxed);
            resume_unwind(failure)
        });
    }
    coverage
}
