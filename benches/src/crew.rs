//! Tasks that use one connection at the same time.

use std::time::{Duration, Instant};

use cpu_time::ProcessTime;
use tokio::runtime::Runtime;

use crate::measure::Lane;

/// The repeated work of one task.
pub trait Job: Send + 'static {
    /// Does the work once.
    fn once(&mut self) -> impl Future<Output = ()> + Send;

    /// Deletes what the task has left on the server. This is not measured.
    fn tidy(&mut self) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// The measurement of a batch.
#[derive(Clone, Copy, Debug)]
pub enum Meter {
    /// Measures the time, which is the reciprocal of the throughput.
    Clock,
    /// Measures the CPU time of all threads of this process. The server is another process.
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

/// Returns as many jobs as there are tasks, made one after the other.
///
/// # Panics
///
/// If a job cannot be made.
pub fn crew<J: Job>(runtime: &Runtime, tasks: usize, job: impl AsyncFn() -> J) -> Vec<J> {
    runtime.block_on(async {
        let mut jobs = Vec::with_capacity(tasks);
        for _ in 0..tasks {
            jobs.push(job().await);
        }
        jobs
    })
}

/// Returns a lane with one task for each job. All tasks run at the same time, and each does an
/// equal share of the batch.
///
/// # Panics
///
/// If a job panics.
pub fn crew_lane<'a, J: Job>(runtime: &'a Runtime, meter: Meter, mut jobs: Vec<J>) -> Lane<'a> {
    Box::new(move |batch| {
        runtime.block_on(async {
            let stop = meter.start();
            share_out(&mut jobs, batch).await;
            let taken = stop();
            for job in &mut jobs {
                job.tidy().await;
            }
            taken
        })
    })
}

/// Does the batch in one task for each job. All tasks run at the same time, and each does an equal
/// share.
///
/// # Panics
///
/// If a job panics.
pub(crate) async fn share_out<J: Job>(jobs: &mut Vec<J>, batch: usize) {
    let each = batch / jobs.len();
    let running: Vec<_> = jobs.drain(..).map(|job| tokio::spawn(repeat(job, each))).collect();
    for task in running {
        jobs.push(task.await.expect("a job that can be done"));
    }
}

async fn repeat<J: Job>(mut job: J, times: usize) -> J {
    for _ in 0..times {
        job.once().await;
    }
    job
}
