//! Blocking file work on a bounded number of threads.

use std::sync::Arc;

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

use super::deadline::CommandDeadline;
use super::error::{CommandError, FileError};
use crate::abort_on_drop::AbortOnDrop;

/// Limits how many threads of tokio's blocking pool one store uses at once.
///
/// The threads are tokio's and not our own, so that the store shares one pool with the rest of the
/// app; the semaphore keeps a frozen mount from taking all of it.
#[derive(Clone, Debug)]
pub(super) struct WorkerPool(Arc<Semaphore>);

impl WorkerPool {
    pub(super) fn new(workers: usize) -> Self {
        Self(Arc::new(Semaphore::new(workers.min(Semaphore::MAX_PERMITS))))
    }

    /// Runs `job` on a free worker; gives up at the deadline if none becomes free.
    ///
    /// The job holds its permit until it has ended, even if the caller has gone. Releasing the
    /// permit with the caller would let a frozen mount collect one stuck thread per request.
    ///
    /// A wait for a permit is a task of its own. The semaphore hands a free permit to the first that
    /// waits, and in the caller's task, which may not be polled any more, the permit would lie unused.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        deadline: CommandDeadline,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, CommandError> {
        if let Ok(permit) = self.0.clone().try_acquire_owned() {
            return start(Ok(permit), job).await;
        }
        let permits = self.0.clone();
        let waiting = tokio::spawn(async move {
            let what = "a free worker: the file system hangs or `workers` is too low";
            let permit = deadline.wait_for(what, permits.acquire_owned()).await;
            start(permit.map_err(FileError::not_applied)?, job).await
        });
        let waited = AbortOnDrop::new(waiting).await;
        waited.map_err(|lost| FileError::Lost(lost).maybe_applied())?
    }
}

/// A permit, or the error that the semaphore is closed, which nobody does.
type Permit = Result<OwnedSemaphorePermit, AcquireError>;

/// Runs `job` on a thread of the blocking pool. The permit is free again when the job has ended.
async fn start<T: Send + 'static>(
    permit: Permit,
    job: impl FnOnce() -> T + Send + 'static,
) -> Result<T, CommandError> {
    let job = move || {
        let result = job();
        drop(permit);
        result
    };
    let running = AbortOnDrop::new(tokio::task::spawn_blocking(job));
    // Without a result nobody knows how far the job came.
    running.await.map_err(|lost| FileError::Lost(lost).maybe_applied())
}
