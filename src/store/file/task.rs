//! Tasks that end when nobody waits for them any more.

use tokio::task::JoinHandle;

use super::error::{CommandError, FileError};

/// A task or a job of the blocking pool that is aborted when this value is dropped.
///
/// A job that has begun to run on the blocking pool cannot be aborted and runs to its end.
#[derive(Debug)]
pub(super) struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> AbortOnDrop<T> {
    pub(super) fn new(handle: JoinHandle<T>) -> Self {
        Self(handle)
    }

    /// Waits for the result. Without one, nobody knows how far the work came.
    pub(super) async fn join(mut self) -> Result<T, CommandError> {
        (&mut self.0).await.map_err(|lost| FileError::Lost(lost).maybe_applied())
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Runs a future in a task of its own, so that it makes progress even if the caller does not poll.
/// Dropping the caller ends it.
pub(super) async fn run_in_task<T: Send + 'static>(
    future: impl Future<Output = T> + Send + 'static,
) -> Result<T, CommandError> {
    AbortOnDrop::new(tokio::spawn(future)).join().await
}
