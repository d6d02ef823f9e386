//! One server: its idle connections, and its health.
//!
//! Each call runs in a task of its own, and its future only waits for the answer. The future of a call
//! may be left alone for as long as its owner likes (a `select!` loop whose other branch does not
//! yield). If it did the work itself, it would keep a connection, a place in the queue for one, or the
//! turn to try the server again from everybody else for all that time.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, Semaphore, SemaphorePermit, oneshot};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::Instrument;

use super::connect_options::ConnectOptions;
use super::connection::Connection;
use super::entry::RunId;
use super::failure::{before_sending, unavailable};
use super::health::Health;
use super::protocol::{Command, Reply};
use crate::poison::IgnorePoison;
use crate::store::failure::Failure;

/// The longest time for opening a connection: the socket, TLS, the login and the first questions.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

pub(super) struct Node {
    /// `host:port`, which also decides which keys the node owns.
    pub(super) name: String,
    /// The epoch in which it came into the list of nodes; 0 for one that was there from the start.
    pub(super) joined_epoch: u64,
    host: String,
    port: u16,
    options: ConnectOptions,
    idle: Mutex<Vec<Connection>>,
    permits: Semaphore,
    health: Mutex<Health>,
    /// Held by the one call that tries whether an unreachable server is back. The others wait for
    /// the outcome.
    probing: AsyncMutex<()>,
}

/// One command on one key, and what is to be known for sending it.
pub(super) struct Call {
    pub(super) key_name: Arc<str>,
    pub(super) command: Command,
    /// The run of the server's process that the command is meant for. In another run nothing is sent,
    /// and the answer is [`Reply::Changed`].
    pub(super) only_run: Option<RunId>,
    pub(super) deadline: Instant,
}

/// A connection in use. [`Node::carry_out`] puts it back only after a whole answer.
struct Lease<'a> {
    connection: Connection,
    _permit: SemaphorePermit<'a>,
}

/// A reply, and the run of the server that gave it.
pub(super) type Answer = (Reply, RunId);

type Outcome = Result<Answer, Failure>;

impl Node {
    pub(super) fn new(host: &str, port: u16, joined_epoch: u64, options: &ConnectOptions) -> Self {
        Self {
            name: format!("{host}:{port}"),
            joined_epoch,
            host: host.to_owned(),
            port,
            permits: Semaphore::new(options.max_connections),
            options: options.clone(),
            idle: Mutex::default(),
            health: Mutex::default(),
            probing: AsyncMutex::default(),
        }
    }

    /// Returns the text that names this server in errors.
    pub(super) fn described(&self) -> String {
        format!("the memcached server {}", self.name)
    }

    /// Opens a connection if none is open yet.
    pub(super) async fn ensure_connected(&self) -> Result<(), Failure> {
        let lease = self.lease(|| false).await.map_err(|failure| failure.at(self.described()))?;
        self.idle().push(lease.connection);
        Ok(())
    }

    /// Sends a command once and returns its answer; failures name this server.
    ///
    /// If the future is dropped, a command that waits for a connection is not sent any more. One that
    /// was sent goes on until it is answered, so that its connection can be used again.
    pub(super) async fn send(self: &Arc<Self>, call: Call) -> Outcome {
        let (asker, outcome) = oneshot::channel();
        tokio::spawn(self.clone().run(call, asker).in_current_span());
        let outcome = outcome.await.unwrap_or_else(|_| {
            Err(Failure::indeterminate("the call ended with its runtime, without an answer"))
        });
        outcome.map_err(|failure| failure.at(self.described()))
    }

    async fn run(self: Arc<Self>, call: Call, asker: oneshot::Sender<Outcome>) {
        let lease = timeout_at(call.deadline, self.lease(|| asker.is_closed())).await;
        let lease = lease.unwrap_or_else(|_| Err(unavailable("no connection was free in time")));
        let outcome = match lease {
            Ok(lease) if asker.is_closed() => return self.idle().push(lease.connection),
            Ok(lease) => self.carry_out(lease, &call).await,
            Err(failure) => Err(failure),
        };
        // Nobody may be waiting any more.
        drop(asker.send(outcome));
    }

    async fn carry_out(&self, mut lease: Lease<'_>, call: &Call) -> Outcome {
        let run_id = lease.connection.run_id;
        if call.only_run.is_some_and(|only| only != run_id) {
            self.idle().push(lease.connection);
            return Ok((Reply::Changed, run_id));
        }
        if let Err(too_large) = lease.connection.check_size(&call.command) {
            self.idle().push(lease.connection);
            return Err(too_large);
        }
        let sending = lease.connection.send(&call.key_name, &call.command);
        let answer = timeout_at(call.deadline, sending).await;
        let answer = answer
            .unwrap_or_else(|_| Err(Failure::indeterminate("the server did not answer in time")));
        match &answer {
            Ok(_) => self.idle().push(lease.connection),
            Err(Failure::NotApplied(..)) => {}
            Err(Failure::Indeterminate(_)) => self.suspect(),
        }
        answer.map(|reply| (reply, run_id))
    }

    /// Waits for a connection. A call that was given up meanwhile gets none, so that nothing is opened
    /// for it.
    async fn lease(&self, is_given_up: impl Fn() -> bool) -> Result<Lease<'_>, Failure> {
        let permit = self.permits.acquire().await.map_err(unavailable)?;
        if is_given_up() {
            return Err(unavailable("nobody waits for the answer any more"));
        }
        let connection = match self.take_idle() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        Ok(Lease { connection, _permit: permit })
    }

    /// Takes the connection that was used last, and drops those that the server has closed.
    fn take_idle(&self) -> Option<Connection> {
        let mut idle = self.idle();
        while let Some(mut connection) = idle.pop() {
            if connection.is_idle() {
                return Some(connection);
            }
        }
        None
    }

    async fn connect(&self) -> Result<Connection, Failure> {
        let is_good = self.health().is_good();
        let _probing = if is_good { None } else { Some(self.probing.lock().await) };
        if !self.health().may_try(Instant::now()) {
            return Err(unavailable("the server could not be reached a moment ago"));
        }
        let opening = Connection::open(&self.host, self.port, self.joined_epoch, &self.options);
        // Shorter than the call's own time, so that the attempt ends first and is counted.
        let limit = CONNECT_TIMEOUT.min(self.options.command_timeout * 2 / 3);
        let opened = timeout(limit, opening).await;
        match opened.unwrap_or_else(|_| Err(unavailable("the server did not answer in time"))) {
            Ok(connection) => {
                self.health().record_success();
                Ok(connection)
            }
            Err(failure) => {
                tracing::warn!(node = %self.name, ?failure, "a server of the session store cannot be reached");
                self.health().record_failure(Instant::now());
                Err(before_sending(failure))
            }
        }
    }

    /// Closes all idle connections after an answer that did not come: they are likely dead too.
    fn suspect(&self) {
        self.health().suspect();
        let abandoned = std::mem::take(&mut *self.idle());
        drop(abandoned);
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().ignore_poison()
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().ignore_poison()
    }
}
