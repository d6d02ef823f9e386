//! The commands that wait for a connection, and how many tasks serve them.
//!
//! A place in the queue belongs to a command and not to a future, so a future that is not polled holds up
//! nobody.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::poison::IgnorePoison;

/// The commands that wait. Each is served by one of a few tasks, which end when nothing waits.
#[derive(Debug)]
pub(super) struct Queue<J> {
    most: usize,
    state: Mutex<State<J>>,
}

#[derive(Debug)]
struct State<J> {
    jobs: VecDeque<J>,
    turns: usize,
}

/// A task's right to serve the queue.
#[derive(Debug)]
pub(super) struct Turn<J> {
    /// `None` after its end.
    queue: Option<Arc<Queue<J>>>,
}

impl<J> Queue<J> {
    /// Makes a queue that at most so many tasks serve.
    pub(super) fn new(most: usize) -> Self {
        Self { most, state: Mutex::new(State { jobs: VecDeque::new(), turns: 0 }) }
    }

    /// Adds a job. If it returns a turn, the caller starts one more task with it.
    #[must_use]
    pub(super) fn push(self: &Arc<Self>, job: J) -> Option<Turn<J>> {
        let mut state = self.lock();
        state.jobs.push_back(job);
        if state.turns == self.most {
            return None;
        }
        state.turns += 1;
        Some(Turn { queue: Some(self.clone()) })
    }

    fn lock(&self) -> MutexGuard<'_, State<J>> {
        self.state.lock().ignore_poison()
    }
}

impl<J> Turn<J> {
    /// Takes the next job. Without one this ends the turn, and a job that comes later is given a new one.
    pub(super) fn next(&mut self) -> Option<J> {
        let queue = self.queue.as_ref()?;
        let mut state = queue.lock();
        let job = state.jobs.pop_front();
        if job.is_none() {
            // Under the same lock, or a job that comes now would be left alone.
            state.turns -= 1;
            drop(state);
            self.queue = None;
        }
        job
    }

    /// Gives a job back, for whichever task is the next to have a connection.
    pub(super) fn put_back(&self, job: J) {
        // It was there before all others.
        if let Some(queue) = &self.queue {
            queue.lock().jobs.push_front(job);
        }
    }
}

impl<J> Drop for Turn<J> {
    /// A task that ends before its turn does has ended with its runtime. If no other task is left, nobody would
    /// serve what waits, so it is dropped here.
    fn drop(&mut self) {
        let Some(queue) = &self.queue else { return };
        let mut state = queue.lock();
        state.turns -= 1;
        let unserved =
            if state.turns == 0 { std::mem::take(&mut state.jobs) } else { VecDeque::new() };
        // The jobs are dropped outside of the lock.
        drop(state);
        drop(unserved);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_has_a_task_of_its_own_until_there_are_enough() {
        let queue = Arc::new(Queue::new(2));
        let turns: Vec<_> = (0..4).filter_map(|job| queue.push(job)).collect();
        let [mut first, mut second] = <[_; 2]>::try_from(turns).unwrap();
        assert_eq!([first.next(), second.next(), first.next()], [Some(0), Some(1), Some(2)]);
        second.put_back(1);
        assert_eq!([first.next(), second.next(), first.next()], [Some(1), Some(3), None]);
        let third = queue.push(4);
        assert!(third.is_some() && queue.push(5).is_none(), "the first turn has ended");
        assert_eq!(first.next(), None, "a turn that has ended takes no job");
    }

    #[test]
    fn what_waits_is_dropped_with_the_last_task() {
        let queue = Arc::new(Queue::new(2));
        let job = Arc::new(());
        let (first, second) = (queue.push(job.clone()), queue.push(job.clone()));
        drop(first);
        assert_eq!(Arc::strong_count(&job), 3, "another task is left");
        drop(second);
        assert_eq!(Arc::strong_count(&job), 1);
        assert!(queue.push(job).is_some());
    }
}
