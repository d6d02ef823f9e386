//! The address of a server, and how to log in.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use fred::types::config::{
    ClusterDiscoveryPolicy, Config, CredentialProvider, Server, ServerConfig,
};

#[cfg(feature = "redis-iam")]
use super::iam::{Login, RedisIam};
use super::reauthentication::CredentialsForNewConnections;
use super::tls;
use crate::error::{StoreError, StoreErrorKind};
use crate::store::authorities::Authorities;

/// The address of a Redis or Valkey server, and how to log in to it.
///
/// It opens no connection; [`RedisStoreBuilder::connect`](crate::store::RedisStoreBuilder::connect)
/// does. `Debug` shows neither login nor hosts.
///
/// ```
/// use cloakroom::store::RedisServer;
///
/// let server = RedisServer::standalone("127.0.0.1", 6379).credentials("shop", "secret");
/// assert!(!format!("{server:?}").contains("secret"));
/// ```
#[derive(Clone)]
#[must_use]
#[doc(alias("RedisConfig", "ConnectionInfo", "RedisUrl"))]
pub struct RedisServer {
    topology: ServerConfig,
    username: Option<String>,
    password: Option<String>,
    database: Option<u8>,
    tls: Option<Authorities>,
    credential_provider: Option<Arc<dyn CredentialProvider>>,
}

impl RedisServer {
    /// Creates the address of one primary.
    ///
    /// The host must lead to the primary also after a failover, as ElastiCache's *primary endpoint*
    /// does. Never use a replica's: it may not know yet which sessions have ended.
    ///
    /// ```
    /// use cloakroom::store::RedisServer;
    ///
    /// let server = RedisServer::standalone("127.0.0.1", 6379);
    /// assert!(format!("{server:?}").contains("standalone"));
    /// ```
    #[doc(alias("centralized", "new", "host"))]
    pub fn standalone(host: impl Into<String>, port: u16) -> Self {
        Self::new(ServerConfig::Centralized { server: Server::new(host.into(), port) })
    }

    /// Creates the address of a cluster: ElastiCache Serverless, or node-based with *cluster mode
    /// enabled* (its *configuration endpoint*).
    ///
    /// One node is enough, because it names the others. Give several, so that the app can start while
    /// one of them is down.
    ///
    /// ```
    /// use cloakroom::store::RedisServer;
    ///
    /// let server = RedisServer::cluster([("10.0.0.1", 6379), ("10.0.0.2", 6379)]);
    /// assert!(format!("{server:?}").contains("cluster"));
    /// ```
    #[doc(alias("clustered", "serverless"))]
    pub fn cluster<H: Into<String>>(nodes: impl IntoIterator<Item = (H, u16)>) -> Self {
        // The other policy always asks the nodes that are named here, so that the cluster would be
        // lost together with them.
        let policy = ClusterDiscoveryPolicy::UseCache;
        Self::new(ServerConfig::Clustered { hosts: to_servers(nodes), policy })
    }

    /// Creates the address of a primary that Sentinels know by the name `service`.
    ///
    /// When the store connects, they are asked in turn until one answers. With [`tls`](Self::tls) the
    /// connections to the Sentinels are encrypted too, and the certificates must be for the hosts that
    /// are named here and for the addresses by which the Sentinels know the servers.
    ///
    /// After a failover the first Sentinel that accepts a connection is asked. Without TLS and without
    /// [a login](Self::sentinel_credentials), one that accepts and then does not answer (because its
    /// process is frozen) keeps the others from being asked until it goes on.
    ///
    /// ```
    /// use cloakroom::store::RedisServer;
    ///
    /// let sentinels = [("10.0.0.1", 26379), ("10.0.0.2", 26379)];
    /// let server = RedisServer::sentinel("sessions", sentinels);
    /// assert!(format!("{server:?}").contains("sentinel"));
    /// ```
    pub fn sentinel<H: Into<String>>(
        service: impl Into<String>,
        sentinels: impl IntoIterator<Item = (H, u16)>,
    ) -> Self {
        Self::new(ServerConfig::Sentinel {
            hosts: to_servers(sentinels),
            service_name: service.into(),
            username: None,
            password: None,
        })
    }

    /// Creates the address of a server on this machine, by the path of its Unix socket.
    ///
    /// ```
    /// use cloakroom::store::RedisServer;
    ///
    /// let server = RedisServer::unix_socket("/run/redis.sock");
    /// assert!(format!("{server:?}").contains("unix socket"));
    /// ```
    #[doc(alias("socket", "path"))]
    pub fn unix_socket(path: impl Into<PathBuf>) -> Self {
        Self::new(ServerConfig::Unix { path: path.into() })
    }

    fn new(topology: ServerConfig) -> Self {
        Self {
            topology,
            username: None,
            password: None,
            database: None,
            tls: None,
            credential_provider: None,
        }
    }

    /// Sets the ACL user to log in as. [The guide](crate::guide::elasticache) has the access rule
    /// that such a user needs.
    ///
    /// Default: the server's `default` user, without a password.
    ///
    /// ```
    /// use cloakroom::store::RedisServer;
    ///
    /// let server = RedisServer::standalone("127.0.0.1", 6379).credentials("shop", "secret");
    /// assert!(!format!("{server:?}").contains("shop"));
    /// ```
    #[doc(alias("username", "acl", "auth", "login"))]
    pub fn credentials(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.username = Some(user.into());
        self.password(password)
    }

    /// Sets the password of the server's `default` user (`requirepass`, ElastiCache's `AUTH` token).
    ///
    /// Default: none.
    ///
    /// ```
    /// use cloakroom::store::RedisServer;
    ///
    /// let server = RedisServer::standalone("127.0.0.1", 6379).password("secret");
    /// assert!(!format!("{server:?}").contains("secret"));
    /// ```
    #[doc(alias("requirepass", "auth_token"))]
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// Sets the user and the password that the Sentinels themselves ask for. Without Sentinels it has
    /// no effect.
    ///
    /// Default: none. The server's own credentials are never sent to a Sentinel.
    ///
    /// ```
    /// use cloakroom::store::RedisServer;
    ///
    /// let server = RedisServer::sentinel("sessions", [("10.0.0.1", 26379)])
    ///     .sentinel_credentials(None, "secret");
    /// assert!(!format!("{server:?}").contains("secret"));
    /// ```
    pub fn sentinel_credentials(mut self, user: Option<String>, secret: impl Into<String>) -> Self {
        if let ServerConfig::Sentinel { username, password, .. } = &mut self.topology {
            (*username, *password) = (user, Some(secret.into()));
        }
        self
    }

    /// Selects a numbered database. A cluster has only number 0, and ElastiCache Serverless refuses
    /// the command.
    ///
    /// Default: none is selected, which is number 0.
    ///
    /// ```
    /// use cloakroom::store::RedisServer;
    ///
    /// let server = RedisServer::standalone("127.0.0.1", 6379).database(3);
    /// assert!(format!("{server:?}").contains("Some(3)"));
    /// ```
    #[doc(alias("select", "db"))]
    pub fn database(mut self, number: u8) -> Self {
        self.database = Some(number);
        self
    }

    /// Encrypts, and accepts only a certificate that one of these authorities has signed.
    ///
    /// Default: plain text, as servers are set up by default. ElastiCache Serverless accepts TLS only.
    ///
    /// ```
    /// use cloakroom::store::{Authorities, RedisServer};
    ///
    /// # fn main() -> Result<(), cloakroom::store::StoreError> {
    /// let server = RedisServer::standalone("127.0.0.1", 6379);
    /// assert!(format!("{server:?}").contains("tls: false"));
    /// # if Authorities::system().is_err() { return Ok(()) }
    /// let server = server.tls(Authorities::system()?);
    /// assert!(format!("{server:?}").contains("tls: true"));
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias("ssl", "rediss"))]
    pub fn tls(mut self, tls: Authorities) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Refuses what cannot work, before anything is sent.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let problem = match (&self.credential_provider, &self.topology) {
            (Some(_), _) if self.tls.is_none() => "ElastiCache accepts IAM over TLS only",
            (Some(_), ServerConfig::Sentinel { .. }) => {
                "IAM does not work with Sentinels: they do not know it, and would get the token"
            }
            _ => return Ok(()),
        };
        Err(StoreError::new(StoreErrorKind::Misconfigured, problem))
    }

    /// Returns the source of credentials that are made anew for each login, if there is one.
    pub(super) fn credential_provider(&self) -> Option<&Arc<dyn CredentialProvider>> {
        self.credential_provider.as_ref()
    }

    pub(super) fn client_config(&self) -> Config {
        let provider = self.credential_provider.clone();
        Config {
            server: self.topology.clone(),
            username: self.username.clone(),
            password: self.password.clone(),
            database: self.database,
            tls: self.tls.as_ref().map(|trusted| tls::tls_config(trusted, self.cluster_nodes())),
            credential_provider: provider
                .map(|made| Arc::new(CredentialsForNewConnections(made)) as _),
            ..Config::default()
        }
    }

    /// Returns the configuration of the client; for Sentinels one for each of them, which asks that one
    /// first and then those after it.
    pub(super) fn client_configs(&self) -> Vec<Config> {
        let config = self.client_config();
        let ServerConfig::Sentinel { hosts, .. } = &config.server else { return vec![config] };
        let beginning_with = |first| {
            let mut config = config.clone();
            if let ServerConfig::Sentinel { hosts, .. } = &mut config.server {
                hosts.rotate_left(first);
            }
            config
        };
        (0..hosts.len()).map(beginning_with).collect()
    }

    /// Returns the Sentinels and the authorities that must have signed their certificates, where there
    /// are both.
    pub(super) fn sentinels_over_tls(&self) -> Option<(&[Server], &Authorities)> {
        match (&self.topology, &self.tls) {
            (ServerConfig::Sentinel { hosts, .. }, Some(trusted)) => Some((hosts, trusted)),
            _ => None,
        }
    }

    /// Returns the nodes that a cluster was given by.
    fn cluster_nodes(&self) -> &[Server] {
        match &self.topology {
            ServerConfig::Clustered { hosts, .. } => hosts,
            _ => &[],
        }
    }
}

#[cfg(feature = "redis-iam")]
impl RedisServer {
    /// Logs in to ElastiCache as this user, by [IAM](RedisIam) instead of a password. Replaces
    /// [`credentials`](Self::credentials).
    ///
    /// ```
    /// use aws_credential_types::Credentials;
    /// use cloakroom::store::{RedisIam, RedisServer, RedisStore, StoreErrorKind};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "example");
    /// let server = RedisServer::standalone("cache.example", 6379)
    ///     .iam("shop", RedisIam::new("shop-cache", "eu-west-1", credentials));
    /// let without_tls = RedisStore::builder().connect(&server).await.unwrap_err();
    /// assert_eq!(without_tls.kind(), StoreErrorKind::Misconfigured);
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// None here. [`connect`](crate::store::RedisStoreBuilder::connect) answers
    /// [`Misconfigured`](StoreErrorKind::Misconfigured) without [`tls`](Self::tls), which ElastiCache
    /// demands for IAM; with Sentinels, which ElastiCache does not have; where the cache or the region
    /// is not a name; and where this machine has no AWS credentials. It answers
    /// [`Unavailable`](StoreErrorKind::Unavailable) where AWS does not hand them out at present.
    pub fn iam(mut self, user: impl Into<String>, iam: RedisIam) -> Self {
        self.credential_provider = Some(Arc::new(Login::new(user.into(), iam)));
        self
    }
}

fn to_servers<H: Into<String>>(nodes: impl IntoIterator<Item = (H, u16)>) -> Vec<Server> {
    nodes.into_iter().map(|(host, port)| Server::new(host.into(), port)).collect()
}

/// Shows neither the user nor the password, nor the hosts: a host's name may contain an account's.
impl fmt::Debug for RedisServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let topology = match self.topology {
            ServerConfig::Centralized { .. } => "standalone",
            ServerConfig::Clustered { .. } => "cluster",
            ServerConfig::Sentinel { .. } => "sentinel",
            ServerConfig::Unix { .. } => "unix socket",
        };
        f.debug_struct("RedisServer")
            .field("topology", &topology)
            .field("database", &self.database)
            .field("tls", &self.tls.is_some())
            .finish_non_exhaustive()
    }
}
