//! File work on threads that may block, a bounded number at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::error::FileError;
use crate::abort_on_drop::AbortOnDrop;

#[derive(Clone, Debug)]
pub(super) struct Workers(Arc<Semaphore>);

/// How long a command may wait before it begins.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    limit: Duration,
    until: Instant,
}

impl Patience {
    pub(super) fn begins(limit: Duration) -> Self {
        Self { limit, until: Instant::now() + limit }
    }

    pub(super) async fn wait<T>(
        &self,
        what: &'static str,
        waiting: impl Future<Output = T>,
    ) -> Result<T, FileError> {
        let waited = timeout_at(self.until, waiting).await;
        waited.map_err(|_| FileError::Busy { what, waited: self.limit })
    }
}

impl Workers {
    pub(super) fn new(workers: usize) -> Self {
        Self(Arc::new(Semaphore::new(workers.min(Semaphore::MAX_PERMITS))))
    }

    /// Runs the job. It keeps its place until it has ended, even if nobody waits for it any more:
    /// on a frozen mount that is what keeps the other threads free.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        patience: Patience,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refused> {
        let place = patience.wait("free worker", self.0.clone().acquire_owned());
        let place = place.await.map_err(Refused::NotBegun)?;
        let job = move || {
            let done = job();
            drop(place);
            done
        };
        AbortOnDrop::new(tokio::task::spawn_blocking(job))
            .await
            .map_err(|lost| Refused::Lost(FileError::Lost(lost)))
    }
}

/// Why there is no result.
pub(super) enum Refused {
    NotBegun(FileError),
    /// The job panicked, or the runtime is shutting down.
    Lost(FileError),
}

/// Runs a future whether or not its caller goes on polling, for as long as the caller is there.
pub(super) async fn detached<T: Send + 'static>(
    future: impl Future<Output = T> + Send + 'static,
) -> Result<T, Refused> {
    AbortOnDrop::new(tokio::spawn(future))
        .await
        .map_err(|lost| Refused::Lost(FileError::Lost(lost)))
}
