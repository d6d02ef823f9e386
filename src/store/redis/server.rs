use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fred::clients::Client;
use fred::types::config::{
    ClusterDiscoveryPolicy, Config, ConnectionConfig, CredentialProvider, PerformanceConfig,
    ReconnectPolicy, Server, ServerConfig,
};

use super::connection::Connection;
use super::failure;
use super::recovery::{Recovery, Running};
use super::renewal::{self, OnConnecting};
use super::sockets;
use super::tls;
use crate::error::{StoreError, StoreErrorKind};
use crate::store::authorities::Authorities;

/// A connection that has not come about by then will not; also for the greeting that follows.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// A machine that has just started may not have its AWS credentials at once.
const FIRST_LOGIN_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two attempts to reconnect: doubled each time, and until the longest with up to a tenth of
/// a second at random, so that the servers of an app do not all come at once.
const RECONNECT_DELAYS: std::ops::RangeInclusive<u32> = 50..=2_000;

/// Where a Redis or Valkey server is, and how to talk to it. Connects to nothing by itself.
///
/// ```
/// use cloakroom::store::RedisServer;
///
/// let server = RedisServer::standalone("127.0.0.1", 6379).credentials("shop", "secret");
/// assert!(!format!("{server:?}").contains("secret"));
/// ```
#[derive(Clone)]
#[must_use]
pub struct RedisServer {
    place: ServerConfig,
    username: Option<String>,
    password: Option<String>,
    database: Option<u8>,
    tls: Option<Authorities>,
    pub(super) provider: Option<Arc<dyn CredentialProvider>>,
}

impl RedisServer {
    /// One primary, under a name that leads to it also after a failover (ElastiCache's *primary
    /// endpoint*).
    pub fn standalone(host: impl Into<String>, port: u16) -> Self {
        Self::at(ServerConfig::Centralized { server: Server::new(host.into(), port) })
    }

    /// A cluster: ElastiCache Serverless, or node-based with *cluster mode enabled* (its
    /// *configuration endpoint*). One node is enough, which tells of the others.
    pub fn cluster<H: Into<String>>(nodes: impl IntoIterator<Item = (H, u16)>) -> Self {
        // With the other policy a cluster is lost together with the nodes that are named here.
        let policy = ClusterDiscoveryPolicy::UseCache;
        Self::at(ServerConfig::Clustered { hosts: servers(nodes), policy })
    }

    /// A primary that Sentinels know by the name of `service`.
    ///
    /// The first Sentinel that accepts a connection is asked; one that accepts and then says nothing
    /// (its process is frozen) keeps the others from being asked.
    pub fn sentinel<H: Into<String>>(
        service: impl Into<String>,
        sentinels: impl IntoIterator<Item = (H, u16)>,
    ) -> Self {
        Self::at(ServerConfig::Sentinel {
            hosts: servers(sentinels),
            service_name: service.into(),
            username: None,
            password: None,
        })
    }

    /// A server on this machine, at the path of its Unix socket.
    pub fn unix_socket(path: impl Into<PathBuf>) -> Self {
        Self::at(ServerConfig::Unix { path: path.into() })
    }

    fn at(place: ServerConfig) -> Self {
        Self { place, username: None, password: None, database: None, tls: None, provider: None }
    }

    /// The ACL user to be. [The guide](crate::guide::elasticache) has the rule that such a user
    /// needs.
    ///
    /// Default: the server's `default` user, without a password.
    pub fn credentials(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.username = Some(user.into());
        self.password(password)
    }

    /// The password of the server's `default` user (`requirepass`, ElastiCache's `AUTH` token).
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// The user that the Sentinels themselves ask for. No effect elsewhere.
    ///
    /// Default: none.
    pub fn sentinel_credentials(mut self, user: Option<String>, secret: impl Into<String>) -> Self {
        if let ServerConfig::Sentinel { username, password, .. } = &mut self.place {
            (*username, *password) = (user, Some(secret.into()));
        }
        self
    }

    /// A numbered database. Clusters have one only, and ElastiCache Serverless refuses the command.
    ///
    /// Default: none is chosen, which is database 0.
    pub fn database(mut self, number: u8) -> Self {
        self.database = Some(number);
        self
    }

    /// Encrypts, and demands a certificate that one of these has signed.
    ///
    /// Default: plain text. ElastiCache Serverless takes TLS only.
    pub fn tls(mut self, tls: Authorities) -> Self {
        self.tls = Some(tls);
        self
    }

    pub(super) async fn connect(
        &self,
        command_timeout: Duration,
    ) -> Result<Connection, StoreError> {
        self.first_login().await?;
        let delays = RECONNECT_DELAYS;
        let policy = ReconnectPolicy::new_exponential(0, *delays.start(), *delays.end(), 2);
        let performance = PerformanceConfig::default();
        let client =
            Client::new(self.config(), Some(performance), Some(connection_config()), Some(policy));
        let running = Running::start(&client).await.map_err(failure::connection_error)?;
        let renewal = self.provider.as_ref().and_then(|made| renewal::start(&client, made));
        let recovery = Recovery::watch(client.clone(), running, renewal);
        Ok(Connection::new(&client, command_timeout, Some(Arc::new(recovery))))
    }

    /// Has the credentials made once where they are made for each connection, which takes longer
    /// the first time.
    async fn first_login(&self) -> Result<(), StoreError> {
        let Some(provider) = &self.provider else { return Ok(()) };
        let misconfigured = |problem| Err(StoreError::new(StoreErrorKind::Misconfigured, problem));
        if self.tls.is_none() {
            return misconfigured("ElastiCache takes IAM over TLS only");
        }
        if matches!(self.place, ServerConfig::Sentinel { .. }) {
            return misconfigured("Sentinels do not know IAM, and would be given the token");
        }
        match tokio::time::timeout(FIRST_LOGIN_TIMEOUT, provider.fetch(None)).await {
            Ok(login) => login.map(drop).map_err(failure::connection_error),
            Err(late) => Err(StoreError::new(StoreErrorKind::Unavailable, late)),
        }
    }

    /// The nodes that a cluster was given by.
    fn nodes(&self) -> &[Server] {
        match &self.place {
            ServerConfig::Clustered { hosts, .. } => hosts,
            _ => &[],
        }
    }

    fn config(&self) -> Config {
        Config {
            server: self.place.clone(),
            username: self.username.clone(),
            password: self.password.clone(),
            database: self.database,
            tls: self.tls.as_ref().map(|authorities| tls::config(authorities, self.nodes())),
            credential_provider: self
                .provider
                .clone()
                .map(|made| Arc::new(OnConnecting(made)) as _),
            ..Config::default()
        }
    }
}

fn servers<H: Into<String>>(nodes: impl IntoIterator<Item = (H, u16)>) -> Vec<Server> {
    nodes.into_iter().map(|(host, port)| Server::new(host.into(), port)).collect()
}

fn connection_config() -> ConnectionConfig {
    ConnectionConfig {
        connection_timeout: CONNECT_TIMEOUT,
        internal_command_timeout: CONNECT_TIMEOUT,
        // `connection` follows them itself: one `ASK` would end the whole client.
        max_redirections: 0,
        // What a server refuses is told to who asked. The library's default hands a `READONLY` to
        // every command under way, also to those that were carried out.
        reconnect_errors: Vec::new(),
        tcp: sockets::config(),
        ..ConnectionConfig::default()
    }
}

/// Neither the user nor the password, and no host: a host may be somebody's account.
impl fmt::Debug for RedisServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = match self.place {
            ServerConfig::Centralized { .. } => "standalone",
            ServerConfig::Clustered { .. } => "cluster",
            ServerConfig::Sentinel { .. } => "sentinel",
            ServerConfig::Unix { .. } => "unix socket",
        };
        f.debug_struct("RedisServer")
            .field("place", &place)
            .field("tls", &self.tls.is_some())
            .finish_non_exhaustive()
    }
}
