//! Waits until replicas have a write.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Semaphore;

use super::connection::Connection;
use super::wire::Reply;
use crate::abort_on_drop::AbortOnDrop;

/// The longest that one `WAIT` may hold up the commands that come after it on its connection.
const SLICE: Duration = Duration::from_millis(20);

/// The number of replicas that a write has to reach, and the time to wait for them.
#[derive(Clone, Copy)]
pub(super) struct WaitForReplicas {
    pub(super) replicas: u32,
    pub(super) within: Duration,
}

impl fmt::Debug for WaitForReplicas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} replicas within {:?}", self.replicas, self.within)
    }
}

/// The connection for writes that wait. They have one of their own, because `WAIT` holds up every
/// command that follows it on its connection: on the main one a logout would delay all requests.
pub(super) struct WaitingConnection {
    connection: Connection,
    wait: WaitForReplicas,
    /// Lets one `WAIT` at a time through. A write that is sent meanwhile is held up by that one and
    /// not by a whole queue of them.
    turn: Arc<Semaphore>,
}

impl WaitingConnection {
    pub(super) fn new(connection: Connection, wait: WaitForReplicas) -> Self {
        // `WAIT` is for what was sent before it, and a gathered write may still be on its way.
        let connection = connection.one_by_one();
        Self { connection, wait, turn: Arc::new(Semaphore::new(1)) }
    }

    /// Returns the connection on which the write has to be sent.
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(super) fn wait_for(&self) -> WaitForReplicas {
        self.wait
    }

    /// Waits until the replicas have what was written before on this connection, or until the time is
    /// over. The write counts as done in either case: it is on the primary, so an error would deny a
    /// logout that has happened.
    pub(super) async fn wait(&self, key: &Bytes) {
        let WaitForReplicas { replicas, within } = self.wait;
        let (connection, turn) = (self.connection.clone(), self.turn.clone());
        let slices = wait_in_slices(connection, turn, key.clone(), replicas);
        // In a task of its own: if nobody polled the future that has the turn, all others would wait
        // in vain. The task ends with the future, because nobody needs its answer then.
        let waiting = AbortOnDrop::new(tokio::spawn(slices));
        let reached = tokio::time::timeout(within, waiting).await;
        if !matches!(reached, Ok(Ok(true))) {
            tracing::warn!(replicas, "the end of a session may not have reached the replicas");
        }
    }
}

/// Returns whether the replicas were reached, or `false` when the server refuses `WAIT`.
async fn wait_in_slices(
    connection: Connection,
    turn: Arc<Semaphore>,
    key: Bytes,
    replicas: u32,
) -> bool {
    loop {
        let permit = turn.acquire().await;
        let reached = connection.wait(&key, replicas, SLICE).await;
        drop(permit);
        match reached {
            Ok(Reply::Number(reached)) if reached < i64::from(replicas) => {}
            other => return other.is_ok(),
        }
    }
}
