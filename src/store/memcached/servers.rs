//! The public description of where the servers are.

use std::fmt;
use std::time::Duration;

use super::discovery::Endpoint;
use crate::store::authorities::Authorities;

/// The addresses of memcached servers, and how to talk to them. It connects to nothing by itself:
/// [`MemcachedStoreBuilder::connect`](super::MemcachedStoreBuilder::connect) does.
///
/// ```
/// use cloakroom::store::MemcachedServers;
///
/// let servers = MemcachedServers::nodes([("10.0.0.1", 11211), ("10.0.0.2", 11211)])
///     .credentials("shop", "secret");
/// assert!(!format!("{servers:?}").contains("secret"));
/// ```
#[derive(Clone)]
#[must_use]
pub struct MemcachedServers {
    pub(super) source: NodeSource,
    pub(super) credentials: Option<(String, String)>,
    pub(super) tls: Option<Authorities>,
}

/// Where the list of nodes comes from.
#[derive(Clone)]
pub(super) enum NodeSource {
    Fixed(Vec<(String, u16)>),
    Discovered(Endpoint),
}

impl MemcachedServers {
    /// Names the nodes, one or more, by host and port.
    ///
    /// Every server of the app must name the same nodes in the same words (`localhost` and
    /// `127.0.0.1` are two nodes), because the name decides which sessions a node has. Their order
    /// does not matter. An empty list is refused when the store connects.
    ///
    /// ```
    /// use cloakroom::store::MemcachedServers;
    ///
    /// let servers = MemcachedServers::nodes([("10.0.0.1", 11211), ("10.0.0.2", 11211)]);
    /// assert!(format!("{servers:?}").contains("nodes: 2"));
    /// ```
    pub fn nodes<H: Into<String>>(nodes: impl IntoIterator<Item = (H, u16)>) -> Self {
        let nodes = nodes.into_iter().map(|(host, port)| (host.into(), port));
        Self::from_source(NodeSource::Fixed(nodes.collect()))
    }

    /// Names the *configuration endpoint* of an ElastiCache cluster (`….cfg.….cache.amazonaws.com`),
    /// which knows the nodes. It is asked again every minute.
    ///
    /// See the [guide](crate::guide::memcached) for what happens to sessions when nodes come and go.
    ///
    /// ```
    /// use cloakroom::store::MemcachedServers;
    ///
    /// let servers = MemcachedServers::discover("shop.abc123.cfg.use1.cache.amazonaws.com", 11211);
    /// assert!(format!("{servers:?}").contains("discovered"));
    /// ```
    pub fn discover(host: impl Into<String>, port: u16) -> Self {
        let period = Duration::from_secs(60);
        Self::from_source(NodeSource::Discovered(Endpoint { host: host.into(), port, period }))
    }

    fn from_source(source: NodeSource) -> Self {
        Self { source, credentials: None, tls: None }
    }

    /// Sets how often the configuration endpoint is asked. It has no effect on
    /// [`nodes`](Self::nodes). A period of zero is refused when the store connects.
    ///
    /// Default: every minute, as Amazon's own clients do. Between two questions, servers of the app
    /// may disagree about which node has a session that moved.
    ///
    /// ```
    /// use cloakroom::store::{MemcachedServers, MemcachedStore, StoreErrorKind};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let servers = MemcachedServers::discover("127.0.0.1", 11211).discover_every(Duration::ZERO);
    /// let error = MemcachedStore::builder().connect(&servers).await.unwrap_err();
    /// assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    /// # }
    /// ```
    pub fn discover_every(mut self, period: Duration) -> Self {
        if let NodeSource::Discovered(endpoint) = &mut self.source {
            endpoint.period = period;
        }
        self
    }

    /// Sets the user and the password for servers that ask for them (`memcached -Y`).
    ///
    /// They are never sent to a server that does not ask: it would store the password as a value.
    /// Neither may contain a space; that is refused when the store connects.
    ///
    /// Default: no login. ElastiCache's nodes have no passwords.
    ///
    /// ```
    /// use cloakroom::store::{MemcachedServers, MemcachedStore, StoreErrorKind};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let servers = MemcachedServers::nodes([("10.0.0.1", 11211)]).credentials("shop", "two words");
    /// assert!(!format!("{servers:?}").contains("two words"));
    /// let error = MemcachedStore::builder().connect(&servers).await.unwrap_err();
    /// assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    /// # }
    /// ```
    #[doc(alias("password", "login", "auth"))]
    pub fn credentials(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.credentials = Some((user.into(), password.into()));
        self
    }

    /// Encrypts the connections. A server must show a certificate for the host that was named, signed
    /// by one of these authorities.
    ///
    /// Default: plain text, as memcached and a new ElastiCache cluster have it.
    ///
    /// ```no_run
    /// use cloakroom::store::{Authorities, MemcachedServers};
    ///
    /// # fn main() -> Result<(), cloakroom::store::StoreError> {
    /// let servers = MemcachedServers::nodes([("cache.internal", 11211)]).tls(Authorities::system()?);
    /// assert!(format!("{servers:?}").contains("tls: true"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn tls(mut self, tls: Authorities) -> Self {
        self.tls = Some(tls);
        self
    }
}

/// Shows neither the user nor the password, and no host: a host may name somebody's account.
impl fmt::Debug for MemcachedServers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (source, count) = match &self.source {
            NodeSource::Fixed(nodes) => ("nodes", nodes.len()),
            NodeSource::Discovered(_) => ("discovered", 1),
        };
        f.debug_struct("MemcachedServers")
            .field(source, &count)
            .field("tls", &self.tls.is_some())
            .finish_non_exhaustive()
    }
}
