//! Blocking file work on a bounded number of threads.

use std::sync::Arc;

use tokio::sync::Semaphore;

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
    pub(super) async fn run<T: Send + 'static>(
        &self,
        deadline: CommandDeadline,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, CommandError> {
        let what = "a free worker: the file system hangs or `workers` is too low";
        let permit = deadline.wait_for(what, self.0.clone().acquire_owned()).await;
        let permit = permit.map_err(FileError::not_applied)?;
        let job = move || {
            let result = job();
            drop(permit);
            result
        };
        let running = AbortOnDrop::new(tokio::task::spawn_blocking(job));
        // Without a result nobody knows how far the job came.
        running.await.map_err(|lost| FileError::Lost(lost).maybe_applied())
    }
}
