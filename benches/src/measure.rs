//! Ratios of CPU time that survive a noisy machine.

use std::time::Duration;

use cpu_time::ThreadTime;

/// The amount of work in a measurement.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// The number of turns of each lane.
    pub rounds: usize,
    /// The requests in one turn.
    pub batch: usize,
}

impl Effort {
    /// Returns enough work for two digits, or, with `--quick`, just enough to see that the
    /// benchmark runs.
    pub fn from_args() -> Self {
        match is_quick() {
            true => Self { rounds: 3, batch: 16 },
            false => Self { rounds: 400, batch: 128 },
        }
    }
}

/// Returns whether `--quick` is on the command line.
pub fn is_quick() -> bool {
    std::env::args().any(|argument| argument == "--quick")
}

/// One candidate. It does a batch and returns the CPU time, without the preparation of the batch.
pub type Lane<'a> = Box<dyn FnMut(usize) -> Duration + 'a>;

/// Returns the CPU time of this thread in `work`.
pub(crate) fn cpu_time_of(work: impl FnOnce()) -> Duration {
    let start = ThreadTime::now();
    work();
    start.elapsed()
}

/// Returns the CPU time of each lane as a multiple of the first lane's.
pub fn compare(lanes: &mut [Lane<'_>], effort: Effort) -> Vec<f64> {
    let warm_up = effort.rounds.div_ceil(10);
    let mut multiples = vec![Vec::with_capacity(effort.rounds); lanes.len()];
    for round in 0..warm_up + effort.rounds {
        let mut times = vec![0.0; lanes.len()];
        for turn in 0..lanes.len() {
            let lane = (round + turn) % lanes.len();
            times[lane] = lanes[lane](effort.batch).as_secs_f64();
        }
        if round >= warm_up {
            for (multiples, time) in multiples.iter_mut().zip(&times) {
                multiples.push(time / times[0]);
            }
        }
    }
    multiples.into_iter().map(median).collect()
}

/// Returns the median.
///
/// # Panics
///
/// If there are no values.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_lane_is_the_measure_of_the_others() {
        let lane = |millis: u64| -> Lane<'static> {
            Box::new(move |batch| Duration::from_millis(millis) * u32::try_from(batch).unwrap())
        };
        let effort = Effort { rounds: 5, batch: 2 };
        assert_eq!(compare(&mut [lane(2), lane(3), lane(1)], effort), [1.0, 1.5, 0.5]);
    }

    #[test]
    fn one_disturbed_round_does_not_show() {
        let mut turns = 0;
        let disturbed: Lane<'_> = Box::new(|_| {
            turns += 1;
            Duration::from_secs(if turns == 4 { 1000 } else { 2 })
        });
        let control: Lane<'_> = Box::new(|_| Duration::from_secs(1));
        let effort = Effort { rounds: 5, batch: 1 };
        assert_eq!(compare(&mut [control, disturbed], effort), [1.0, 2.0]);
    }
}
