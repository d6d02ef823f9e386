//! Gets a connection of ours back when the client library by itself would not.
//!
//! It reconnects when a connection *breaks*. A frozen server, a cut network and a primary that was
//! demoted break nothing: commands time out or are refused, for as long as that lasts.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use fred::clients::Client;
use fred::error::Error;
use fred::interfaces::ClientLike;
use fred::types::ClientState;
use tokio::task::AbortHandle;

use super::failure::RedisFailure;
use super::renewal::Renewal;
use crate::abort_on_drop::AbortOnDrop;
use crate::poison::IgnorePoison;

/// Between two starts of a client that has ended.
const RESTART_DELAY: Duration = Duration::from_secs(1);
/// A client that has not begun to reconnect by then hears nothing: it is writing to a peer that
/// takes no more, and goes on until the kernel gives up, after a quarter of an hour.
const STUCK: Duration = Duration::from_secs(1);
/// Between two looks at whether a first connection has come about; the library's own way of waiting
/// for it can miss it.
const LOOK: Duration = Duration::from_millis(50);

/// Closes the connection when dropped.
#[derive(Debug)]
pub(super) struct Recovery {
    client: Client,
    answers: Arc<AtomicU64>,
    reconnecting: Arc<AtomicBool>,
    current: Current,
    _running: AbortOnDrop<()>,
    /// Kept for as long as the connection.
    _renewal: Option<Renewal>,
}

/// What ends the client that runs now; another is started then.
type Current = Arc<Mutex<AbortHandle>>;

impl Recovery {
    /// Looks after a client that is connected.
    pub(super) fn watch(client: Client, running: Running, renewal: Option<Renewal>) -> Self {
        let current = Arc::new(Mutex::new(running.0.abort_handle()));
        let kept = keep_running(client.clone(), running, current.clone());
        let running = AbortOnDrop::new(tokio::spawn(kept));
        let (answers, reconnecting) = (Arc::default(), Arc::default());
        Self { client, answers, reconnecting, current, _running: running, _renewal: renewal }
    }

    /// How many answers have come so far, for [`observe`](Self::observe).
    pub(super) fn heard(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }

    /// Takes note of how a command went that was sent when `heard` answers had come.
    pub(super) fn observe(&self, failure: Option<&RedisFailure>, heard: u64) {
        match failure {
            Some(failure) if failure.is_timeout() => {
                // One slow command among others that are answered is no reason to break them all
                // off. In a cluster the others may be another server's, and nothing is broken off.
                if self.client.is_clustered() || self.heard() == heard {
                    self.reconnect();
                }
            }
            Some(failure) if failure.is_demotion() => self.reconnect(),
            Some(RedisFailure::Lost(_)) => {}
            _ => {
                self.answers.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Looks for the primary anew; of a cluster, for its present shape.
    fn reconnect(&self) {
        if self.reconnecting.swap(true, Ordering::Relaxed) {
            return;
        }
        tracing::warn!(
            "the session store does not answer, or is no longer a primary: reconnecting"
        );
        let (client, current) = (self.client.clone(), self.current.clone());
        let reconnecting = self.reconnecting.clone();
        tokio::spawn(async move {
            let done = reconnected(&client, &current).await;
            reconnecting.store(false, Ordering::Relaxed);
            if let Err(error) = done {
                tracing::warn!(%error, "the session store could not be reconnected");
            }
        });
    }
}

async fn reconnected(client: &Client, current: &Current) -> Result<(), Error> {
    let mut reconnecting = std::pin::pin!(client.force_reconnection());
    if let Ok(done) = tokio::time::timeout(STUCK, &mut reconnecting).await {
        return done;
    }
    if client.state() == ClientState::Connected {
        lock(current).abort();
    }
    reconnecting.await
}

/// A client at work; it ends when this is dropped.
pub(super) struct Running(AbortOnDrop<Result<(), Error>>);

impl Running {
    fn begin(client: &Client) -> Self {
        Self(AbortOnDrop::new(client.connect()))
    }

    /// Starts a client and waits until it is connected, or has given up.
    pub(super) async fn start(client: &Client) -> Result<Self, Error> {
        let mut running = Self::begin(client);
        loop {
            if let Ok(ended) = tokio::time::timeout(LOOK, &mut running.0).await {
                return Err(ended
                    .map_err(Error::from)
                    .and_then(|ended| ended)
                    .err()
                    .unwrap_or_else(|| {
                        Error::new(fred::error::ErrorKind::Canceled, "the client has ended")
                    }));
            }
            if client.is_connected() {
                return Ok(running);
            }
        }
    }
}

/// Starts the client again when it ends: it takes some errors met while reconnecting for final.
async fn keep_running(client: Client, mut running: Running, current: Current) {
    loop {
        let ended = (&mut running.0).await;
        tracing::warn!(?ended, "the session store's client has ended: starting it again");
        tokio::time::sleep(RESTART_DELAY).await;
        running = Running::begin(&client);
        *lock(&current) = running.0.abort_handle();
    }
}

fn lock(current: &Mutex<AbortHandle>) -> MutexGuard<'_, AbortHandle> {
    current.lock().ignore_poison()
}
