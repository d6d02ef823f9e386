//! Options of the store, and connecting.

use std::sync::Arc;
use std::time::Duration;

use super::connect_options::ConnectOptions;
use super::nodes::Nodes;
use super::servers::{MemcachedServers, NodeSource};
use super::store::{Inner, MemcachedStore};
use super::target::KEY_DIGITS;
use crate::clock::Clock;
use crate::error::{StoreError, StoreErrorKind};
use crate::store::failure::Failure;
use crate::store::token_cache::TokenCache;

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

impl MemcachedStore {
    /// Returns a builder with the default options.
    ///
    /// ```
    /// use cloakroom::store::MemcachedStore;
    ///
    /// let builder = MemcachedStore::builder().prefix("shop:").max_connections(64);
    /// assert!(format!("{builder:?}").contains("shop:"));
    /// ```
    pub fn builder() -> MemcachedStoreBuilder {
        MemcachedStoreBuilder::default()
    }
}

impl MemcachedStoreBuilder {
    /// Sets the text that the name of every key begins with, so that apps can share servers.
    ///
    /// It has at most 186 visible ASCII characters, which leaves room for the rest of a key; another
    /// text is refused by [`connect`](Self::connect).
    ///
    /// Default: `cloakroom:`, so that it is plain to see whose keys these are.
    ///
    /// ```
    /// use cloakroom::store::{MemcachedServers, MemcachedStore, StoreErrorKind};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let servers = MemcachedServers::nodes([("127.0.0.1", 11211)]);
    /// let refused = MemcachedStore::builder().prefix("two words").connect(&servers).await;
    /// assert_eq!(refused.unwrap_err().kind(), StoreErrorKind::Misconfigured);
    /// # }
    /// ```
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Sets the longest time that one store command may take, waiting for a connection included. Zero
    /// is refused by [`connect`](Self::connect).
    ///
    /// Default: 1.5 seconds. That is less than the layer's own two seconds, so that a command which
    /// has not been sent by then is withdrawn instead of being sent late.
    ///
    /// ```
    /// use cloakroom::store::{MemcachedServers, MemcachedStore, StoreErrorKind};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let servers = MemcachedServers::nodes([("127.0.0.1", 11211)]);
    /// let builder = MemcachedStore::builder().command_timeout(Duration::ZERO);
    /// let refused = builder.connect(&servers).await.unwrap_err();
    /// assert_eq!(refused.kind(), StoreErrorKind::Misconfigured);
    /// # }
    /// ```
    #[doc(alias = "timeout")]
    pub fn command_timeout(mut self, timeout: Duration) -> Self {
        self.command_timeout = timeout;
        self
    }

    /// Sets how many connections to each node there may be; further commands wait for one. Zero is
    /// refused by [`connect`](Self::connect).
    ///
    /// Default: 32. A connection has one command at a time, so 32 carry some 30,000 commands a
    /// second where an answer takes a millisecond. They are opened as they are needed, and a server
    /// takes 1024 of all clients unless told otherwise (ElastiCache: 65,000).
    ///
    /// ```
    /// use cloakroom::store::{MemcachedServers, MemcachedStore, StoreErrorKind};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let servers = MemcachedServers::nodes([("127.0.0.1", 11211)]);
    /// let refused = MemcachedStore::builder().max_connections(0).connect(&servers).await;
    /// assert_eq!(refused.unwrap_err().kind(), StoreErrorKind::Misconfigured);
    /// # }
    /// ```
    #[doc(alias("pool_size", "connections"))]
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.max_connections = connections;
        self
    }

    /// Reads the time from `clock`, for tests. The servers still remove values by their own clocks.
    ///
    /// Default: the system's clock.
    ///
    /// ```no_run
    /// use cloakroom::store::{MemcachedServers, MemcachedStore, SessionStore, StoreKey};
    /// use cloakroom::{ManualClock, Timestamp};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloakroom::store::StoreError> {
    /// let clock = ManualClock::at(Timestamp::from_millis(1_700_000_000_000));
    /// let servers = MemcachedServers::nodes([("127.0.0.1", 11211)]);
    /// let store = MemcachedStore::builder().clock(clock).connect(&servers).await?;
    /// assert!(store.load(&StoreKey::from_bytes([7; 32])).await?.is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub fn clock(mut self, clock: impl Into<Clock>) -> Self {
        self.clock = clock.into();
        self
    }

    /// Learns the nodes and connects to each of them.
    ///
    /// A node that cannot be reached is not an error as long as another one can: its sessions are
    /// answered 503 until it can be reached. Connections that break are opened again as they are
    /// needed.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](StoreErrorKind::Misconfigured) for a bad option, an empty list of nodes or an
    /// untrusted certificate, [`Denied`](StoreErrorKind::Denied) for a wrong password,
    /// [`Unavailable`](StoreErrorKind::Unavailable) where no server answers. The error's source names
    /// the server.
    ///
    /// ```
    /// use cloakroom::store::{MemcachedServers, MemcachedStore, StoreErrorKind};
    /// use std::error::Error;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// // Nobody listens on port 1.
    /// let servers = MemcachedServers::nodes([("127.0.0.1", 1)]);
    /// let error = MemcachedStore::builder().connect(&servers).await.unwrap_err();
    /// assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    /// assert!(error.source().unwrap().to_string().contains("127.0.0.1:1"));
    /// # }
    /// ```
    pub async fn connect(self, servers: &MemcachedServers) -> Result<MemcachedStore, StoreError> {
        self.check(servers)?;
        let options = ConnectOptions {
            credentials: servers.credentials.clone(),
            tls: servers.tls.clone(),
            max_connections: self.max_connections,
            command_timeout: self.command_timeout,
        };
        let (list, discovered) = match &servers.source {
            NodeSource::Fixed(list) => (list.clone(), None),
            NodeSource::Discovered(endpoint) => {
                let cluster = endpoint.fetch(&options).await?;
                (cluster.nodes, Some((endpoint.clone(), cluster.version)))
            }
        };
        let epoch = discovered.as_ref().map_or(0, |(_, version)| *version);
        let nodes = Arc::new(Nodes::new(&list, epoch, &options));
        connect_all(&nodes).await?;
        let polling =
            discovered.map(|(endpoint, version)| endpoint.poll(options.clone(), &nodes, version));
        let Self { prefix, clock, command_timeout, .. } = self;
        let tokens = TokenCache::default();
        let inner = Inner { nodes, tokens, prefix, command_timeout, clock, _polling: polling };
        Ok(MemcachedStore(Arc::new(inner)))
    }

    fn check(&self, servers: &MemcachedServers) -> Result<(), StoreError> {
        match self.problem().or_else(|| servers_problem(servers)) {
            Some(problem) => Err(StoreError::new(StoreErrorKind::Misconfigured, problem)),
            None => Ok(()),
        }
    }

    fn problem(&self) -> Option<&'static str> {
        let is_visible = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if self.prefix.len() + KEY_DIGITS > MAX_KEY_LEN || !is_visible(&self.prefix) {
            Some("the key prefix must have at most 186 visible ASCII characters")
        } else if self.command_timeout.is_zero() {
            Some("the command timeout must be longer than zero")
        } else if self.max_connections == 0 {
            Some("the number of connections must be at least 1")
        } else if self.max_connections > tokio::sync::Semaphore::MAX_PERMITS {
            Some("the number of connections is larger than can be counted")
        } else {
            None
        }
    }
}

fn servers_problem(servers: &MemcachedServers) -> Option<&'static str> {
    let has_space = |text: &String| text.contains([' ', '\r', '\n']);
    match &servers.source {
        NodeSource::Fixed(nodes) if nodes.is_empty() => return Some("the list of nodes is empty"),
        NodeSource::Discovered(endpoint) if endpoint.period.is_zero() => {
            return Some("the period of discovery must be longer than zero");
        }
        _ => {}
    }
    let (user, password) = servers.credentials.as_ref()?;
    (has_space(user) || has_space(password)).then_some(
        "the user or the password has a space or a line end, which the protocol cannot carry",
    )
}

/// Connects to all nodes at once.
///
/// Only unreachable nodes are tolerated. A refusal that a person has to mend (a wrong password, an
/// untrusted certificate) is an error even on one node of many: it would not go away by itself.
async fn connect_all(nodes: &Nodes) -> Result<(), StoreError> {
    let attempts: tokio::task::JoinSet<_> = nodes
        .all()
        .into_iter()
        .map(|node| async move { node.ensure_connected().await.map_err(Failure::for_read) })
        .collect();
    let (mut connected, mut unreachable) = (0, None);
    for attempt in attempts.join_all().await {
        match attempt {
            Ok(()) => connected += 1,
            Err(error) if error.kind() == StoreErrorKind::Unavailable => unreachable = Some(error),
            Err(error) => return Err(error),
        }
    }
    match unreachable {
        Some(error) if connected == 0 => Err(error),
        _ => Ok(()),
    }
}
