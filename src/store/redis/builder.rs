use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use fred::clients::Client;
use tokio::sync::Semaphore;

use super::connection::Connection;
use super::server::RedisServer;
use super::{RedisStore, Shared, WaitFor};
use crate::clock::Clock;
use crate::error::{StoreError, StoreErrorKind};

/// Options of a [`RedisStore`].
#[derive(Clone, Debug)]
#[must_use]
pub struct RedisStoreBuilder {
    prefix: String,
    command_timeout: Duration,
    wait_for: Option<WaitFor>,
    clock: Clock,
}

impl Default for RedisStoreBuilder {
    fn default() -> Self {
        Self {
            prefix: "cloakroom:".to_owned(),
            command_timeout: Duration::from_millis(1_500),
            wait_for: None,
            clock: Clock::system(),
        }
    }
}

impl RedisStoreBuilder {
    /// What the name of every key begins with, so that apps can share a server and an ACL rule can
    /// name the keys.
    ///
    /// Default: `cloakroom:`. Braces are refused when the store is made: cluster servers would take
    /// what is between them for the whole key and put every session on one node.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// How long a command may take.
    ///
    /// Default: 1.5 seconds. That is less than the layer's two seconds for an operation of the
    /// store, so that as a rule a command which has not been sent by then is withdrawn instead of
    /// being sent late.
    pub fn command_timeout(mut self, timeout: Duration) -> Self {
        self.command_timeout = timeout;
        self
    }

    /// Waits, after a logout or a renewal, until `replicas` have it too, for at most `within`.
    ///
    /// Default: not at all; replication is asynchronous, and a failover may lose the last moments.
    /// With this a logout very likely survives one. It is **not certain**: a replica that has
    /// acknowledged nothing may be promoted, and when the time is over the logout still counts as
    /// done (a warning is traced). For certainty choose an engine with synchronous durability; see
    /// the [guide](crate::guide::elasticache).
    ///
    /// It is one more command (`WAIT`, repeated while replicas lag) on a connection of its own, after
    /// every delete and every write that leaves a session no more than a minute to live: what
    /// logouts and renewals leave behind does, and little else. Nothing else waits. Keep `within`
    /// well below the layer's two seconds for an operation of the store.
    pub fn wait_for_replicas(mut self, replicas: u32, within: Duration) -> Self {
        self.wait_for = Some(WaitFor { replicas, within });
        self
    }

    /// Reads the time from `clock`, for tests. The server removes keys by its own.
    ///
    /// Default: the system's clock.
    pub fn clock(mut self, clock: impl Into<Clock>) -> Self {
        self.clock = clock.into();
        self
    }

    /// Connects, and stays connected for as long as the store or a clone of it is there.
    ///
    /// A connection that breaks later is built up again by itself, without end, and requests are
    /// answered 503 meanwhile.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](StoreErrorKind::Misconfigured) for a bad prefix or an untrusted
    /// certificate, [`Denied`](StoreErrorKind::Denied) for a wrong password,
    /// [`Unavailable`](StoreErrorKind::Unavailable) where no server answers or it is full.
    pub async fn connect(self, server: &RedisServer) -> Result<RedisStore, StoreError> {
        self.check()?;
        let main = server.connect(self.command_timeout).await?;
        let waiting = match self.wait_for {
            Some(_) => Some(server.connect(self.command_timeout).await?),
            None => None,
        };
        Ok(self.build(main, waiting))
    }

    /// On the app's own client, which the app has configured and connected.
    ///
    /// Commands are sent once each and time out as set here, whatever the client's defaults are.
    /// Whether and how it reconnects is the client's own: give it a `ReconnectPolicy`, or it never
    /// does. A client of a cluster should have `max_redirections: 0`: redirections are followed here,
    /// and the client itself ends at an `ASK`. With [`wait_for_replicas`](Self::wait_for_replicas) its other commands wait too.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](StoreErrorKind::Misconfigured) for a bad prefix.
    pub fn build_with_client(self, client: &Client) -> Result<RedisStore, StoreError> {
        self.check()?;
        let main = Connection::new(client, self.command_timeout, None);
        let waiting = self.wait_for.map(|_| main.clone());
        Ok(self.build(main, waiting))
    }

    fn check(&self) -> Result<(), StoreError> {
        let problem = if self.prefix.contains(['{', '}']) {
            "a key prefix with braces would put every session on one node of a cluster"
        } else if self.command_timeout.is_zero() {
            "a command timeout of zero"
        } else {
            return Ok(());
        };
        Err(StoreError::new(StoreErrorKind::Misconfigured, problem))
    }

    fn build(self, main: Connection, waiting: Option<Connection>) -> RedisStore {
        let Self { prefix, wait_for, clock, .. } = self;
        let ending = waiting.unwrap_or_else(|| main.clone());
        let turn = Semaphore::new(1);
        RedisStore(Arc::new(Shared { main, ending, prefix, wait_for, turn, clock }))
    }
}

impl fmt::Debug for WaitFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} replicas within {:?}", self.replicas, self.within)
    }
}
