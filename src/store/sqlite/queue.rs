//! The commands that wait for a thread.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard};

use crate::poison::IgnorePoison;

/// The most commands that wait. A thread commits up to 64 at a time, so the last of so many would wait
/// for 256 commits, which on most disks takes longer than its time-out.
const MOST_JOBS: usize = 16_384;
/// The most bytes of entries that wait. One entry may be larger.
const MOST_BYTES: usize = 64 << 20;

/// A queue from many tasks to a few threads. Pushing never blocks: what does not fit is refused.
///
/// A place in it belongs to a command and not to a future, so a future that is not polled holds up
/// nobody. (A semaphore would hand its permit to a future that may never be polled again.)
#[derive(Debug)]
pub(super) struct Queue<J> {
    state: Mutex<State<J>>,
    arrived: Condvar,
}

#[derive(Debug)]
struct State<J> {
    jobs: VecDeque<(usize, J)>,
    bytes: usize,
    closed: bool,
    /// Threads that sleep until a job arrives. Waking one is a system call, so it happens only where one sleeps,
    /// and once for each.
    asleep: usize,
}

/// The reason why a command was not queued.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refused {
    Full,
    Closed,
}

impl<J> Queue<J> {
    pub(super) fn new() -> Self {
        let state = State { jobs: VecDeque::new(), bytes: 0, closed: false, asleep: 0 };
        Self { state: Mutex::new(state), arrived: Condvar::new() }
    }

    pub(super) fn push(&self, job: J, bytes: usize) -> Result<(), Refused> {
        let mut state = self.lock();
        if state.closed {
            return Err(Refused::Closed);
        }
        let fits = state.jobs.len() < MOST_JOBS && state.bytes.saturating_add(bytes) <= MOST_BYTES;
        if !fits && !state.jobs.is_empty() {
            return Err(Refused::Full);
        }
        state.bytes += bytes;
        state.jobs.push_back((bytes, job));
        let wakes = state.asleep > 0;
        if wakes {
            state.asleep -= 1;
        }
        drop(state);
        if wakes {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// Blocks until a job waits. Returns `false` when the queue is closed.
    pub(super) fn wait(&self) -> bool {
        let mut state = self.lock();
        while state.jobs.is_empty() && !state.closed {
            state.asleep += 1;
            state = self.arrived.wait(state).ignore_poison();
        }
        !state.closed
    }

    /// Blocks until a job waits, and takes it. Returns `None` when the queue is closed.
    pub(super) fn next(&self) -> Option<J> {
        while self.wait() {
            if let Some(job) = self.pop_if(|_| true) {
                return Some(job);
            }
        }
        None
    }

    /// Takes the first job if it fulfils a condition.
    pub(super) fn pop_if(&self, condition: impl FnOnce(&J) -> bool) -> Option<J> {
        let mut state = self.lock();
        let fulfils = state.jobs.front().is_some_and(|(_, job)| condition(job));
        let (bytes, job) = if fulfils { state.jobs.pop_front()? } else { return None };
        state.bytes -= bytes;
        Some(job)
    }

    /// Looks at the first job.
    pub(super) fn first<T>(&self, look: impl FnOnce(&J) -> T) -> Option<T> {
        self.lock().jobs.front().map(|(_, job)| look(job))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().jobs.is_empty()
    }

    /// Closes the queue: its threads end, what waits is dropped, and nothing is accepted any more.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.bytes = 0;
        let jobs = std::mem::take(&mut state.jobs);
        // The jobs are dropped outside of the lock.
        drop(state);
        self.arrived.notify_all();
        drop(jobs);
    }

    fn lock(&self) -> MutexGuard<'_, State<J>> {
        self.state.lock().ignore_poison()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_bounded_by_number_and_by_bytes() {
        let queue = Queue::new();
        queue.push(0, MOST_BYTES + 1).unwrap();
        assert_eq!(queue.push(1, 0), Err(Refused::Full), "one large entry fits alone");
        assert_eq!(queue.next(), Some(0));
        for job in 0..MOST_JOBS {
            queue.push(job, 1).unwrap();
        }
        assert_eq!(queue.push(0, 1), Err(Refused::Full));
        assert_eq!((queue.first(|job| *job), queue.pop_if(|job| *job == 1)), (Some(0), None));
        assert_eq!(queue.next(), Some(0));
        queue.push(0, 1).unwrap();
    }

    #[test]
    fn each_job_wakes_a_thread_that_sleeps() {
        let queue = std::sync::Arc::new(Queue::new());
        let (taken, arrivals) = std::sync::mpsc::channel();
        for _ in 0..2 {
            let (queue, taken) = (queue.clone(), taken.clone());
            std::thread::spawn(move || {
                while let Some(job) = queue.next() {
                    taken.send(job).unwrap();
                }
            });
        }
        let patience = std::time::Duration::from_secs(60);
        for job in 0..2_000 {
            queue.push(2 * job, 0).unwrap();
            queue.push(2 * job + 1, 0).unwrap();
            let both = [(); 2].map(|()| arrivals.recv_timeout(patience).unwrap());
            assert_eq!(both.into_iter().sum::<u32>(), 4 * job + 1);
        }
        queue.close();
    }

    #[test]
    fn a_closed_queue_drops_its_jobs_and_takes_none() {
        let queue = Queue::new();
        let job = std::sync::Arc::new(());
        queue.push(job.clone(), 0).unwrap();
        queue.close();
        assert_eq!(std::sync::Arc::strong_count(&job), 1);
        assert_eq!(queue.push(job, 0), Err(Refused::Closed));
        assert!(queue.is_empty() && !queue.wait() && queue.next().is_none());
    }
}
