use std::sync::Arc;
use std::time::Duration;

use super::access::Access;
use super::nodes::Nodes;
use super::recent::Recent;
use super::servers::{MemcachedServers, Place};
use super::{KEY_DIGITS, MemcachedStore, Shared};
use crate::clock::Clock;
use crate::error::{StoreError, StoreErrorKind};

/// The longest name of a key that a server takes.
const MAX_KEY_LEN: usize = 250;

/// Options of a [`MemcachedStore`].
#[derive(Clone, Debug)]
#[must_use]
pub struct MemcachedStoreBuilder {
    prefix: String,
    command_timeout: Duration,
    max_connections: usize,
    clock: Clock,
}

impl Default for MemcachedStoreBuilder {
    fn default() -> Self {
        Self {
            prefix: "cloakroom:".to_owned(),
            command_timeout: Duration::from_millis(1_500),
            max_connections: 32,
            clock: Clock::system(),
        }
    }
}

impl MemcachedStoreBuilder {
    /// What the name of every key begins with, so that apps can share servers.
    ///
    /// Default: `cloakroom:`. At most 186 visible ASCII characters, which leaves room for the rest of
    /// a key.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// How long a call may take, waiting for a connection included.
    ///
    /// Default: 1.5 seconds. That is less than the layer's two seconds for an operation of the
    /// store, so that a command which has not been sent by then is withdrawn instead of being sent
    /// late.
    pub fn command_timeout(mut self, timeout: Duration) -> Self {
        self.command_timeout = timeout;
        self
    }

    /// How many connections to each node there may be; further calls wait for one.
    ///
    /// Default: 32. A connection has one command at a time, so 32 carry some 30,000 commands a
    /// second where an answer takes a millisecond. They are made as they are needed, and a server
    /// takes 1024 of all clients unless told otherwise (ElastiCache: 65,000).
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.max_connections = connections;
        self
    }

    /// Reads the time from `clock`, for tests. The servers remove values by their own.
    ///
    /// Default: the system's clock.
    pub fn clock(mut self, clock: impl Into<Clock>) -> Self {
        self.clock = clock.into();
        self
    }

    /// Learns the nodes and connects to each of them.
    ///
    /// Nodes that cannot be reached are no error as long as one can: their sessions are answered 503
    /// until they can. Connections that break are made again as they are needed.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](StoreErrorKind::Misconfigured) for a bad prefix, no nodes or an untrusted
    /// certificate, [`Denied`](StoreErrorKind::Denied) for a wrong password,
    /// [`Unavailable`](StoreErrorKind::Unavailable) where no server answers.
    pub async fn connect(self, servers: &MemcachedServers) -> Result<MemcachedStore, StoreError> {
        self.check(servers)?;
        let access = Access {
            credentials: servers.credentials.clone(),
            tls: servers.tls.clone(),
            max_connections: self.max_connections,
            command_timeout: self.command_timeout,
        };
        let (places, discovered) = match &servers.place {
            Place::Nodes(places) => (places.clone(), None),
            Place::Discovered(endpoint) => {
                let cluster = endpoint.ask(&access).await?;
                (cluster.nodes, Some((endpoint.clone(), cluster.version)))
            }
        };
        let era = discovered.as_ref().map_or(0, |(_, version)| *version);
        let nodes = Arc::new(Nodes::new(&places, era, &access));
        greet(&nodes).await?;
        let polling =
            discovered.map(|(endpoint, version)| endpoint.poll(access.clone(), &nodes, version));
        let Self { prefix, clock, command_timeout, .. } = self;
        let recent = Recent::default();
        let shared = Shared { nodes, recent, prefix, command_timeout, clock, _polling: polling };
        Ok(MemcachedStore(Arc::new(shared)))
    }

    fn check(&self, servers: &MemcachedServers) -> Result<(), StoreError> {
        let is_visible = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        let has_space = |text: &String| text.contains([' ', '\r', '\n']);
        let problem = if self.prefix.len() + KEY_DIGITS > MAX_KEY_LEN || !is_visible(&self.prefix) {
            "a key prefix has at most 186 visible ASCII characters"
        } else if self.command_timeout.is_zero() || self.max_connections == 0 {
            "a command timeout of zero, or no connections"
        } else if self.max_connections > tokio::sync::Semaphore::MAX_PERMITS {
            "more connections than can be counted"
        } else if matches!(&servers.place, Place::Nodes(nodes) if nodes.is_empty()) {
            "no nodes are named"
        } else if servers.credentials.iter().any(|(user, word)| has_space(user) || has_space(word))
        {
            "a user or a password with a space, which the protocol cannot carry"
        } else {
            return Ok(());
        };
        Err(StoreError::new(StoreErrorKind::Misconfigured, problem))
    }
}

/// Connects to all nodes at once. What only a person can mend is an error on any of them.
async fn greet(nodes: &Nodes) -> Result<(), StoreError> {
    let greetings: tokio::task::JoinSet<_> = nodes
        .all()
        .into_iter()
        .map(|node| async move { node.greet().await.map_err(super::failure::Failure::of_a_read) })
        .collect();
    let (mut reached, mut unreachable) = (0, None);
    for greeting in greetings.join_all().await {
        match greeting {
            Ok(()) => reached += 1,
            Err(error) if error.kind() == StoreErrorKind::Unavailable => unreachable = Some(error),
            Err(error) => return Err(error),
        }
    }
    match unreachable {
        Some(error) if reached == 0 => Err(error),
        _ => Ok(()),
    }
}
