//! Lanes that do the same work in different ways and take turns in short rounds.

use std::fmt;
use std::time::{Duration, Instant};

use cpu_time::ProcessTime;
use tokio::runtime::Runtime;

use crate::crew::{Job, share_out};
use crate::redis_writes::WriteCounter;

/// The measurement of one turn.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    clock: Duration,
    cpu: Duration,
    /// `None` if the system does not count them.
    writes: Option<u64>,
}

/// One candidate and its turns.
pub struct Lane<'a> {
    /// The name in the table.
    pub name: &'static str,
    run: Box<dyn FnMut(usize) -> Turn + 'a>,
    turns: Vec<Turn>,
}

impl fmt::Debug for Lane<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<'a> Lane<'a> {
    /// Creates a lane with one task for each job.
    pub fn new<J: Job>(
        name: &'static str,
        runtime: &'a Runtime,
        counter: &'a WriteCounter,
        mut jobs: Vec<J>,
    ) -> Self {
        let run = move |batch| runtime.block_on(turn(&mut jobs, counter, batch));
        Self { name, run: Box::new(run), turns: Vec::new() }
    }
}

async fn turn<J: Job>(jobs: &mut Vec<J>, counter: &WriteCounter, batch: usize) -> Turn {
    let counting = counter.start().await;
    let (clock, cpu) = (Instant::now(), ProcessTime::now());
    share_out(jobs, batch).await;
    let (clock, cpu) = (clock.elapsed(), cpu.elapsed());
    let writes = match counting {
        Some(counting) => counter.finish(counting).await,
        None => None,
    };
    for job in jobs {
        job.tidy().await;
    }
    Turn { clock, cpu, writes }
}

/// The lanes of one case. The first is the measure of the others.
#[derive(Debug)]
pub struct Contest<'a> {
    /// The name in the table.
    pub name: &'static str,
    /// The number of tasks that each lane has.
    pub tasks: usize,
    /// The commands that one request needs.
    pub commands: usize,
    /// The candidates.
    pub lanes: Vec<Lane<'a>>,
    /// The requests in one turn.
    pub batch: usize,
}

impl Contest<'_> {
    /// Gives each lane one turn. Another lane begins in each round.
    pub fn play(&mut self, round: usize) {
        let count = self.lanes.len();
        for turn in 0..count {
            let lane = &mut self.lanes[(round + turn) % count];
            let taken = (lane.run)(self.batch);
            lane.turns.push(taken);
        }
    }

    /// Forgets the rounds so far, which only warmed up.
    pub fn forget(&mut self) {
        self.lanes.iter_mut().for_each(|lane| lane.turns.clear());
    }

    /// Returns the lane's share of the throughput of `measure`, by wall clock, over all rounds.
    pub fn share_by_clock(&self, lane: usize, measure: usize) -> Spread {
        self.share(lane, measure, |turn| turn.clock)
    }

    /// Returns the same share by the CPU time of this process.
    pub fn share_by_cpu(&self, lane: usize, measure: usize) -> Spread {
        self.share(lane, measure, |turn| turn.cpu)
    }

    /// Returns the CPU time of this process for one request of the lane, in microseconds.
    pub fn cpu_micros(&self, lane: usize) -> f64 {
        let turns = &self.lanes[lane].turns;
        let micros = |turn: &Turn| turn.cpu.as_secs_f64() * 1e6 / self.batch as f64;
        Spread::of(turns.iter().map(micros).collect()).median
    }

    /// Returns the write calls for one command of the lane, if the system counts them.
    pub fn writes(&self, lane: usize) -> Option<f64> {
        let turns = &self.lanes[lane].turns;
        let writes: Option<Vec<_>> = turns.iter().map(|turn| turn.writes).collect();
        let commands = (self.batch * self.commands) as f64;
        Some(Spread::of(writes?.into_iter().map(|calls| calls as f64 / commands).collect()).median)
    }

    fn share(&self, lane: usize, measure: usize, part: impl Fn(&Turn) -> Duration) -> Spread {
        let (lane, measure) = (&self.lanes[lane].turns, &self.lanes[measure].turns);
        let rounds = lane.iter().zip(measure);
        let shares = rounds.map(|(lane, measure)| part(measure).div_duration_f64(part(lane)));
        Spread::of(shares.collect())
    }
}

/// The median of some values, and how far they are apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The median.
    pub median: f64,
    /// The first and the third quartile.
    pub quartiles: [f64; 2],
    /// The lowest and the highest value.
    pub range: [f64; 2],
}

impl Spread {
    /// Returns the spread of the values.
    ///
    /// # Panics
    ///
    /// If there are no values.
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let last = values.len() - 1;
        let [low, lower, median, upper, high] =
            [0, 1, 2, 3, 4].map(|quarter| values[(last * quarter + 2) / 4]);
        Self { median, quartiles: [lower, upper], range: [low, high] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(millis: [u64; 3]) -> Lane<'static> {
        let mut times = millis.into_iter().cycle();
        let run = move |_| {
            let time = Duration::from_millis(times.next().unwrap());
            Turn { clock: time, cpu: time * 2, writes: Some(6) }
        };
        Lane { name: "a lane", run: Box::new(run), turns: Vec::new() }
    }

    #[test]
    fn a_share_is_that_of_the_throughput_in_the_same_round() {
        let lanes = vec![lane([2, 4, 600]), lane([4, 8, 300])];
        let mut contest = Contest { name: "", tasks: 1, commands: 2, lanes, batch: 3 };
        (0..3).for_each(|round| contest.play(round));
        let share = contest.share_by_clock(1, 0);
        assert_eq!((share.median, share.range), (0.5, [0.5, 2.0]));
        assert_eq!(contest.share_by_cpu(1, 0), share);
        assert_eq!(contest.writes(0), Some(1.0));
        assert_eq!(contest.cpu_micros(0).round(), 2667.0);
    }

    #[test]
    fn a_spread_has_quartiles_and_extremes() {
        let spread = Spread::of(vec![5.0, 1.0, 4.0, 2.0, 3.0]);
        let expected = Spread { median: 3.0, quartiles: [2.0, 4.0], range: [1.0, 5.0] };
        assert_eq!(spread, expected);
        assert_eq!(Spread::of(vec![7.0]).range, [7.0, 7.0]);
    }
}
