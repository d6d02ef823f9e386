//! The seeds that a test plays: a default, or what the environment asks for.

use std::fmt;
use std::ops::{AddAssign, Range};

use super::coverage::zeros;

pub(super) fn number_from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("the variable is a number"))
}

/// Plays seeds in two threads, and demands that together they meet everything that is counted.
pub(super) fn play_all<C>(default: u64, play: fn(Range<u64>) -> C)
where
    C: AddAssign + Default + fmt::Debug + Send + 'static,
{
    let first = number_from_environment("SIMULATION_FIRST", 0);
    let seeds = number_from_environment("SIMULATION_SEEDS", default);
    let halves = [first..first + seeds / 2, first + seeds / 2..first + seeds];
    let threads = halves.map(|half| std::thread::spawn(move || play(half)));
    let mut coverage = C::default();
    for thread in threads {
        coverage += thread.join().unwrap_or_else(|failure| std::panic::resume_unwind(failure));
    }
    println!("{seeds} seeds from {first}: {coverage:#?}");
    // A few seeds, with which somebody looks for one history, need not meet everything.
    if seeds >= 500 {
        assert_eq!(zeros(&coverage), [""; 0], "the simulation does not meet these any more");
    }
}
