//! Tasks that use one connection at the same time.

use std::time::{Duration, Instant};

use cpu_time::ProcessTime;
use tokio::runtime::Runtime;

use crate::measure::Lane;

/// What one task does again and again.
pub trait Job: Send + 'static {
    /// Does it once.
    fn once(&mut self) -> impl Future<Output = ()> + Send;

    /// Clears away what the task has left on the server. Not measured.
    fn tidy(&mut self) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// What is measured of a batch.
#[derive(Clone, Copy, Debug)]
pub enum Meter {
    /// The time it takes: the reciprocal of the throughput.
    Clock,
    /// The CPU time of all threads of this process, of which the server is none.
    Cpu,
}

impl Meter {
    fn start(self) -> Box<dyn FnOnce() -> Duration> {
        match self {
            Self::Clock => Box::new({
                let start = Instant::now();
                move || start.elapsed()
            }),
            Self::Cpu => Box::new({
                let start = ProcessTime::now();
                move || start.elapsed()
            }),
        }
    }
}

/// The lane of a job that as many tasks do at once as there are jobs; each does its share of the
/// batch.
///
/// # Panics
///
/// When a job does.
pub fn crew_lane<'a, J: Job>(runtime: &'a Runtime, meter: Meter, mut jobs: Vec<J>) -> Lane<'a> {
    Box::new(move |batch| {
        runtime.block_on(async {
            let each = batch / jobs.len();
            let stop = meter.start();
            let running: Vec<_> =
                jobs.drain(..).map(|job| tokio::spawn(repeat(job, each))).collect();
            for task in running {
                jobs.push(task.await.expect("a job that can be done"));
            }
            let taken = stop();
            for job in &mut jobs {
                job.tidy().await;
            }
            taken
        })
    })
}

async fn repeat<J: Job>(mut job: J, times: usize) -> J {
    for _ in 0..times {
        job.once().await;
    }
    job
}
