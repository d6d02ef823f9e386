use std::fmt;
use std::time::Duration;

use super::discovery::Endpoint;
use crate::store::authorities::Authorities;

/// Where memcached servers are, and how to talk to them. Connects to nothing by itself.
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
    pub(super) place: Place,
    pub(super) credentials: Option<(String, String)>,
    pub(super) tls: Option<Authorities>,
}

#[derive(Clone)]
pub(super) enum Place {
    Nodes(Vec<(String, u16)>),
    Discovered(Endpoint),
}

impl MemcachedServers {
    /// These nodes, one or more. Every server of the app must name the same ones, in the same words:
    /// the name decides which sessions a node has. Their order does not matter.
    pub fn nodes<H: Into<String>>(nodes: impl IntoIterator<Item = (H, u16)>) -> Self {
        let nodes = nodes.into_iter().map(|(host, port)| (host.into(), port));
        Self::at(Place::Nodes(nodes.collect()))
    }

    /// The nodes of an ElastiCache cluster, which its *configuration endpoint* knows
    /// (`….cfg.….cache.amazonaws.com`). It is asked again every minute.
    ///
    /// See the [guide](crate::guide::memcached) for what happens to sessions when nodes come and go.
    pub fn discover(host: impl Into<String>, port: u16) -> Self {
        let every = Duration::from_secs(60);
        Self::at(Place::Discovered(Endpoint { host: host.into(), port, every }))
    }

    fn at(place: Place) -> Self {
        Self { place, credentials: None, tls: None }
    }

    /// How often the configuration endpoint is asked. No effect on [`nodes`](Self::nodes).
    ///
    /// Default: every minute, as Amazon's own clients do. In between, servers of the app may differ
    /// in which node they take for a session's.
    pub fn discover_every(mut self, period: Duration) -> Self {
        if let Place::Discovered(endpoint) = &mut self.place {
            endpoint.every = period;
        }
        self
    }

    /// User and password, for servers that ask for them (`memcached -Y`). Sent to no other: one that
    /// does not ask would keep the password as a value. Neither may contain a space.
    ///
    /// Default: none. ElastiCache's nodes have no passwords.
    pub fn credentials(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.credentials = Some((user.into(), password.into()));
        self
    }

    /// Encrypts, and demands a certificate that one of these has signed.
    ///
    /// Default: plain text.
    pub fn tls(mut self, tls: Authorities) -> Self {
        self.tls = Some(tls);
        self
    }
}

/// Neither the user nor the password, and no host: a host may be somebody's account.
impl fmt::Debug for MemcachedServers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (place, count) = match &self.place {
            Place::Nodes(nodes) => ("nodes", nodes.len()),
            Place::Discovered(_) => ("discovered", 1),
        };
        f.debug_struct("MemcachedServers")
            .field(place, &count)
            .field("tls", &self.tls.is_some())
            .finish_non_exhaustive()
    }
}
