//! Reconnects where the client library by itself would not.
//!
//! The library reconnects when a connection *breaks*. A frozen server, a cut network and a primary
//! that was demoted break nothing: commands time out or are refused for as long as that lasts.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fred::clients::Client;
use fred::error::{Error, ErrorKind};
use fred::interfaces::ClientLike;
use fred::types::ClientState;
use tokio::task::AbortHandle;

use super::endpoint::Endpoint;
use super::failure::RedisFailure;
use super::reauthentication::Reauthentication;
use crate::abort_on_drop::AbortOnDrop;
use crate::poison::IgnorePoison;

/// The pause before a client that has ended is started again.
const RESTART_DELAY: Duration = Duration::from_secs(1);
/// The longest that a client may take to begin a reconnection. One that takes longer does not notice the
/// request: it is writing to a peer that accepts nothing, until the kernel gives up after a quarter
/// of an hour.
const STUCK: Duration = Duration::from_secs(1);
/// The pause between two checks whether the first connection is open. The library's own way of
/// waiting for it can miss it.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// Watches a client that is connected. Closes the connection when dropped.
#[derive(Debug)]
pub(super) struct Recovery {
    client: Client,
    endpoint: Endpoint,
    answers: Arc<AtomicU64>,
    reconnecting: Arc<AtomicBool>,
    current: CurrentRun,
    _task: AbortOnDrop<()>,
    /// Kept for as long as the connection.
    _reauthentication: Option<Reauthentication>,
}

/// Ends the present run of the client. Another run is started then.
type CurrentRun = Arc<Mutex<AbortHandle>>;

impl Recovery {
    pub(super) fn watch(
        client: Client,
        endpoint: Endpoint,
        run: Run,
        reauthentication: Option<Reauthentication>,
    ) -> Self {
        let current = Arc::new(Mutex::new(run.0.abort_handle()));
        let task = tokio::spawn(keep_running(client.clone(), run, current.clone()));
        Self {
            client,
            endpoint,
            answers: Arc::default(),
            reconnecting: Arc::default(),
            current,
            _task: AbortOnDrop::new(task),
            _reauthentication: reauthentication,
        }
    }

    /// Returns the number of answers so far, for [`note_outcome`](Self::note_outcome).
    pub(super) fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }

    /// Notes how a command ended, and reconnects if need be. `answers_before` is the number of
    /// answers at the time when the command was sent.
    pub(super) fn note_outcome(&self, failure: Option<&RedisFailure>, answers_before: u64) {
        match failure {
            Some(failure) if failure.is_timeout() => {
                // One slow command among others that are answered does not justify breaking them
                // all off. In a cluster the answers may come from another node, and a reconnection
                // breaks off nothing.
                if self.client.is_clustered() || self.answers() == answers_before {
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

    /// Looks up the primary again; in a cluster, its present shape.
    fn reconnect(&self) {
        if self.reconnecting.swap(true, Ordering::Relaxed) {
            return;
        }
        let endpoint = self.endpoint.clone();
        tracing::warn!(
            %endpoint,
            "the session store does not answer, or is no longer a primary: reconnecting"
        );
        let (client, current) = (self.client.clone(), self.current.clone());
        let reconnecting = self.reconnecting.clone();
        tokio::spawn(async move {
            let done = force_reconnection(&client, &current).await;
            reconnecting.store(false, Ordering::Relaxed);
            if let Err(error) = done {
                tracing::warn!(%endpoint, %error, "the session store could not be reconnected");
            }
        });
    }
}

async fn force_reconnection(client: &Client, current: &CurrentRun) -> Result<(), Error> {
    let mut reconnection = std::pin::pin!(client.force_reconnection());
    if let Ok(done) = tokio::time::timeout(STUCK, &mut reconnection).await {
        return done;
    }
    if client.state() == ClientState::Connected {
        current.lock().ignore_poison().abort();
    }
    reconnection.await
}

/// One run of a client's task. The run ends when this is dropped.
pub(super) struct Run(AbortOnDrop<Result<(), Error>>);

impl Run {
    fn begin(client: &Client) -> Self {
        Self(AbortOnDrop::new(client.connect()))
    }

    /// Starts the client, and waits until it is connected or has given up.
    pub(super) async fn start(client: &Client) -> Result<Self, Error> {
        let mut run = Self::begin(client);
        loop {
            if let Ok(ended) = tokio::time::timeout(CHECK_INTERVAL, &mut run.0).await {
                let error = ended.map_err(Error::from).and_then(|ended| ended).err();
                return Err(error.unwrap_or_else(|| {
                    Error::new(ErrorKind::Canceled, "the client ended before it was connected")
                }));
            }
            if client.is_connected() {
                return Ok(run);
            }
        }
    }
}

/// Starts the client again when it ends: it takes some errors during a reconnection for final.
async fn keep_running(client: Client, mut run: Run, current: CurrentRun) {
    loop {
        let ended = (&mut run.0).await;
        tracing::warn!(?ended, "the session store's client has ended: starting it again");
        tokio::time::sleep(RESTART_DELAY).await;
        run = Run::begin(&client);
        *current.lock().ignore_poison() = run.0.abort_handle();
    }
}
