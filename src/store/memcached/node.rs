//! One server: the connections to it that are not in use, and what is known of its health.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{Mutex as Turn, Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout, timeout_at};

use super::access::Access;
use super::connection::Connection;
use super::entry::Process;
use super::failure::Failure;
use super::health::Health;
use super::protocol::{Command, Reply};
use crate::poison::IgnorePoison;

/// A connection that has not come about by then will not; that includes TLS and the greeting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

pub(super) struct Node {
    pub(super) name: String,
    /// The era in which it came into the list of nodes; 0 for one that was there from the start.
    pub(super) joined: u64,
    host: String,
    port: u16,
    access: Access,
    idle: Mutex<Vec<Connection>>,
    permits: Semaphore,
    health: Mutex<Health>,
    /// Who tries whether a server that was unreachable is back; the others wait for the outcome.
    turn: Turn<()>,
}

/// A connection in use. It goes back with [`Node::send`] only after a whole answer.
struct Lease<'a> {
    connection: Connection,
    _permit: SemaphorePermit<'a>,
}

/// A reply and the life of the server that it is from.
pub(super) type Answer = (Reply, Process);

impl Node {
    pub(super) fn new(host: &str, port: u16, joined: u64, access: &Access) -> Self {
        Self {
            name: format!("{host}:{port}"),
            joined,
            host: host.to_owned(),
            port,
            permits: Semaphore::new(access.max_connections),
            access: access.clone(),
            idle: Mutex::default(),
            health: Mutex::default(),
            turn: Turn::default(),
        }
    }

    /// Connects, if nothing is connected yet.
    pub(super) async fn greet(&self) -> Result<(), Failure> {
        let lease = self.lease().await?;
        self.idle().push(lease.connection);
        Ok(())
    }

    /// A command and its answer, once. `only` names the life of the server that the command is
    /// meant for; in another, nothing is sent and the answer is [`Reply::Changed`].
    pub(super) async fn send(
        &self,
        key: &str,
        command: &Command<'_>,
        only: Option<Process>,
        deadline: Instant,
    ) -> Result<Answer, Failure> {
        let lease = timeout_at(deadline, self.lease()).await;
        let mut lease =
            lease.unwrap_or_else(|_| Err(Failure::unavailable("no connection in time")))?;
        let process = lease.connection.process;
        if only.is_some_and(|only| only != process) {
            self.idle().push(lease.connection);
            return Ok((Reply::Changed, process));
        }
        let answer = timeout_at(deadline, lease.connection.send(key, command)).await;
        let answer = answer.unwrap_or(Err(Failure::Silent));
        match &answer {
            Ok(_) => self.idle().push(lease.connection),
            Err(Failure::Refused(..)) => {}
            Err(_) => self.suspect(),
        }
        answer.map(|reply| (reply, process))
    }

    async fn lease(&self) -> Result<Lease<'_>, Failure> {
        let permit = self.permits.acquire().await.map_err(Failure::unavailable)?;
        let connection = match self.take_idle() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        Ok(Lease { connection, _permit: permit })
    }

    /// The last one used. Those that the server has closed meanwhile are dropped.
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
        let _turn = if is_good { None } else { Some(self.turn.lock().await) };
        if !self.health().may_try(Instant::now()) {
            return Err(Failure::unavailable("the server could not be reached a moment ago"));
        }
        let opening = Connection::open(&self.host, self.port, self.joined, &self.access);
        // Less than a call has, so that it is the attempt that ends first, and is counted.
        let limit = CONNECT_TIMEOUT.min(self.access.command_timeout * 2 / 3);
        let opened = timeout(limit, opening).await;
        match opened.unwrap_or_else(|_| Err(Failure::unavailable("no connection in time"))) {
            Ok(connection) => {
                self.health().reached();
                Ok(connection)
            }
            Err(failure) => {
                tracing::warn!(node = %self.name, ?failure, "a server of the session store cannot be reached");
                self.health().missed(Instant::now());
                Err(failure.of_connecting())
            }
        }
    }

    /// An answer did not come: the other connections are likely no better.
    fn suspect(&self) {
        self.health().doubted();
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
