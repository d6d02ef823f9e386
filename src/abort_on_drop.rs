//! Tasks that end when nobody waits for them any more.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::task::{JoinError, JoinHandle};

/// A task that is aborted when this is dropped; polling it waits for the task's result.
///
/// `tokio_util::task::AbortOnDropHandle` does the same. It is not used, because the features `file`
/// and `memcached` do without that crate, and these lines are fewer than a dependency is.
#[derive(Debug)]
pub(crate) struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> AbortOnDrop<T> {
    pub(crate) fn new(task: JoinHandle<T>) -> Self {
        Self(task)
    }
}

#[cfg(any(feature = "postgres", feature = "redis"))]
impl<T> AbortOnDrop<T> {
    /// Returns a handle that aborts the task too.
    pub(crate) fn abort_handle(&self) -> tokio::task::AbortHandle {
        self.0.abort_handle()
    }
}

impl<T> Future for AbortOnDrop<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context)
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        // Takes back blocking work that has not begun, and ends a task at its next await.
        self.0.abort();
    }
}
