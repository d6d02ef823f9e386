//! The deadline by which a command must have begun its work on the files.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::error::FileError;

/// Bounds every wait of one command: for a free worker, in the lock queue, for the lock.
///
/// The work itself is not bounded. A thread that is stuck in a system call on a frozen mount cannot
/// be interrupted; the layer's own timeout answers the request meanwhile.
#[derive(Clone, Copy, Debug)]
pub(super) struct CommandDeadline {
    timeout: Duration,
    /// `None` when the timeout is so long that the clock cannot express its end.
    at: Option<Instant>,
}

impl CommandDeadline {
    pub(super) fn after(timeout: Duration) -> Self {
        Self { timeout, at: Instant::now().checked_add(timeout) }
    }

    /// Waits for `future` until the deadline. `what` completes the sentence "waited in vain for …".
    pub(super) async fn wait_for<T>(
        &self,
        what: &'static str,
        future: impl Future<Output = T>,
    ) -> Result<T, FileError> {
        let Some(at) = self.at else { return Ok(future.await) };
        let waited = timeout_at(at, future).await;
        waited.map_err(|_| FileError::TimedOut { what, waited: self.timeout })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_at_the_deadline_and_not_before() {
        let deadline = CommandDeadline::after(Duration::from_millis(50));
        let short = tokio::time::sleep(Duration::from_millis(40));
        deadline.wait_for("a nap", short).await.unwrap();
        let late = deadline.wait_for("a nap", std::future::pending::<()>()).await.unwrap_err();
        assert_eq!(late.to_string(), "waited 50ms in vain for a nap");
    }

    #[tokio::test]
    async fn the_longest_timeout_means_no_deadline() {
        let deadline = CommandDeadline::after(Duration::MAX);
        assert_eq!(deadline.wait_for("nothing", async { 7 }).await.unwrap(), 7);
    }
}
