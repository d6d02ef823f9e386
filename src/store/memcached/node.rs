//! One server: its idle connections, and its health.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout, timeout_at};

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

/// A connection in use. [`Node::send`] puts it back only after a whole answer.
struct Lease<'a> {
    connection: Connection,
    _permit: SemaphorePermit<'a>,
}

/// A reply, and the run of the server that gave it.
pub(super) type Answer = (Reply, RunId);

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
        let lease = self.lease().await.map_err(|failure| failure.at(self.described()))?;
        self.idle().push(lease.connection);
        Ok(())
    }

    /// Sends a command once and returns its answer; failures name this server.
    ///
    /// With `only_run` the command is meant for one run of the server's process. In another run
    /// nothing is sent, and the answer is [`Reply::Changed`].
    pub(super) async fn send(
        &self,
        key: &str,
        command: &Command<'_>,
        only_run: Option<RunId>,
        deadline: Instant,
    ) -> Result<Answer, Failure> {
        let named = |failure: Failure| failure.at(self.described());
        let lease = timeout_at(deadline, self.lease()).await;
        let mut lease = lease
            .unwrap_or_else(|_| Err(unavailable("no connection was free in time")))
            .map_err(named)?;
        let run_id = lease.connection.run_id;
        if only_run.is_some_and(|only| only != run_id) {
            self.idle().push(lease.connection);
            return Ok((Reply::Changed, run_id));
        }
        if let Err(too_large) = lease.connection.check_size(command) {
            self.idle().push(lease.connection);
            return Err(too_large);
        }
        let answer = timeout_at(deadline, lease.connection.send(key, command)).await;
        let answer = answer
            .unwrap_or_else(|_| Err(Failure::indeterminate("the server did not answer in time")));
        match &answer {
            Ok(_) => self.idle().push(lease.connection),
            Err(Failure::NotApplied(..)) => {}
            Err(Failure::Indeterminate(_)) => self.suspect(),
        }
        answer.map(|reply| (reply, run_id)).map_err(named)
    }

    async fn lease(&self) -> Result<Lease<'_>, Failure> {
        let permit = self.permits.acquire().await.map_err(unavailable)?;
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
