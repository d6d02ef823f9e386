//! A store command that is bounded in time: the only place with the time-out.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::error::{StoreError, StoreErrorKind};

/// The longest that one command may take by itself, and the moment by which the whole must be done.
#[derive(Clone, Copy)]
pub(super) struct TimeLimit {
    pub(super) command: Duration,
    /// `None` where one command is all there is.
    pub(super) deadline: Option<Instant>,
}

impl TimeLimit {
    /// Returns the limit of several commands that together take no longer than one may.
    pub(super) fn as_a_whole(mut self) -> Self {
        self.begin();
        self
    }

    /// Begins the time of several commands that together take no longer than one may.
    pub(super) fn begin(&mut self) {
        let end = || Instant::now() + self.command;
        self.deadline = Some(self.deadline.unwrap_or_else(end));
    }

    /// Whether the time of several commands is over.
    pub(super) fn is_over(&self) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= Instant::now())
    }

    /// Returns the time that is left for the next command.
    pub(super) fn left(&self) -> Duration {
        let left = |deadline: Instant| deadline.saturating_duration_since(Instant::now());
        self.deadline.map_or(self.command, left)
    }

    /// Runs the first of such commands. Their time begins when it has to wait: a store that answers at once
    /// takes none, and a look at the clock costs as much as its answer.
    pub(super) async fn run_first<T>(
        &mut self,
        late: StoreErrorKind,
        command: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let latest = || {
            self.begin();
            self.latest()
        };
        wait_until(latest, command).await.unwrap_or_else(|| Err(timed_out(late)))
    }

    /// Runs a store command. `late` is what running out of time means for it: a read was not
    /// applied, a write may have been.
    pub(super) async fn run<T>(
        &self,
        late: StoreErrorKind,
        command: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.wait(command).await.unwrap_or_else(|| Err(timed_out(late)))
    }

    /// Waits for any future; `None` when the time is over.
    pub(super) fn wait<T>(
        &self,
        future: impl Future<Output = T>,
    ) -> impl Future<Output = Option<T>> {
        wait_until(|| self.latest(), future)
    }

    fn latest(&self) -> Instant {
        let end = Instant::now() + self.command;
        self.deadline.map_or(end, |deadline| deadline.min(end))
    }
}

/// Waits for any future until `latest`; `None` when that is over.
async fn wait_until<T>(
    mut latest: impl FnMut() -> Instant,
    future: impl Future<Output = T>,
) -> Option<T> {
    let mut future = pin!(future);
    let mut timer = None;
    poll_fn(|cx| {
        if let Poll::Ready(done) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(done));
        }
        // The timer is made only now. Commands of a store in memory are done at the first poll,
        // and registering a timer for each would cost more than the command. It is boxed, or
        // every future around this one would be larger by a timer that few of them start.
        let timer = timer.get_or_insert_with(|| Box::pin(sleep_until(latest())));
        timer.as_mut().poll(cx).map(|()| None)
    })
    .await
}

pub(super) fn timed_out(kind: StoreErrorKind) -> StoreError {
    StoreError::new(kind, "no answer in time")
}
