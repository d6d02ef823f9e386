//! The store that an app sees, and its options.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fred::clients::Client;

use super::commands::Commands;
use super::connection::Connection;
use super::opening;
use super::replicas::{WaitForReplicas, WaitingConnection};
use super::server::RedisServer;
use crate::clock::{Clock, Timestamp};
use crate::error::{StoreError, StoreErrorKind};
use crate::id::StoreKey;
use crate::store::contract::SessionStore;
use crate::store::entry::{Created, Entry, NewEntry, Replaced, Touched, Version};

/// Keeps sessions in ElastiCache, Redis (6.2 or later) or Valkey. Clones share the connection.
///
/// | | command | round trips |
/// |---|---|---|
/// | load | `GET` | 1 |
/// | create | `SET … NX PX` | 1 |
/// | replace, touch | one script (`EVALSHA`) | 1 |
/// | delete | a script, `EVALSHA` | 1 |
///
/// All requests share one connection (per primary of a cluster), on which commands follow each other
/// without waiting. A command is sent a second time only if the first is known not to have been
/// applied.
///
/// # What it cannot promise
///
/// Replication is asynchronous: when a primary dies, the replica that takes over may lack what was
/// acknowledged in the last moments, logouts included. And a server whose memory is full evicts
/// sessions unless its policy is `noeviction`. The [guide](crate::guide::elasticache) says what to
/// do about either.
///
/// ```no_run
/// use cloakroom::store::{Authorities, RedisServer, RedisStore};
/// use cloakroom::{Key, SessionLayer};
///
/// # async fn open() -> Result<(), Box<dyn std::error::Error>> {
/// let server = RedisServer::standalone("shop.abc123.use1.cache.amazonaws.com", 6379)
///     .credentials("shop", "…")
///     .tls(Authorities::system()?);
/// let store = RedisStore::builder().prefix("shop:").connect(&server).await?;
/// let layer = SessionLayer::new(store, Key::generate()?);
/// # let _ = layer;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[doc(alias("valkey", "elasticache"))]
pub struct RedisStore(Arc<Commands>);

impl RedisStore {
    /// Returns the options of a store that is about to be connected.
    ///
    /// ```
    /// use std::error::Error;
    ///
    /// use cloakroom::store::{RedisServer, RedisStore, StoreErrorKind};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let nobody_listens = RedisServer::standalone("127.0.0.1", 1);
    /// let error = RedisStore::builder().connect(&nobody_listens).await.unwrap_err();
    /// assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    /// assert_eq!(error.source().unwrap().to_string(), "Redis at 127.0.0.1:1");
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias("new", "connect"))]
    pub fn builder() -> RedisStoreBuilder {
        RedisStoreBuilder::default()
    }
}

#[async_trait]
impl SessionStore for RedisStore {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        self.0.load(key).await
    }

    async fn create(&self, key: &StoreKey, entry: &NewEntry) -> Result<Created, StoreError> {
        self.0.create(key, entry).await
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        entry: &NewEntry,
    ) -> Result<Replaced, StoreError> {
        self.0.replace(key, expected, entry).await
    }

    async fn touch(
        &self,
        key: &StoreKey,
        expected: &Version,
        deadline: Timestamp,
    ) -> Result<Touched, StoreError> {
        self.0.touch(key, expected, deadline).await
    }

    async fn delete(&self, key: &StoreKey) -> Result<(), StoreError> {
        self.0.delete(key).await
    }

    /// A server with a `maxmemory` evicts unless it is told not to, and this side cannot tell.
    fn may_evict(&self) -> bool {
        true
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wait = self.0.waiting.as_ref().map(WaitingConnection::wait_for);
        f.debug_struct("RedisStore")
            .field("prefix", &self.0.prefix)
            .field("wait_for_replicas", &wait)
            .finish_non_exhaustive()
    }
}

/// The options of a [`RedisStore`].
///
/// ```
/// use std::time::Duration;
///
/// use cloakroom::store::RedisStore;
///
/// let options = RedisStore::builder().prefix("shop:").command_timeout(Duration::from_secs(1));
/// assert!(format!("{options:?}").contains("shop:"));
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct RedisStoreBuilder {
    prefix: String,
    command_timeout: Duration,
    wait_for_replicas: Option<WaitForReplicas>,
    multi_key_commands: bool,
    clock: Clock,
}

impl Default for RedisStoreBuilder {
    fn default() -> Self {
        Self {
            prefix: "cloakroom:".to_owned(),
            command_timeout: Duration::from_millis(1_500),
            wait_for_replicas: None,
            multi_key_commands: true,
            clock: Clock::system(),
        }
    }
}

impl RedisStoreBuilder {
    /// Sets the beginning of every key's name, so that apps can share a server and an ACL rule can
    /// name the keys.
    ///
    /// Braces are refused when the store connects: a cluster would take the text between them for the
    /// whole key, and put every session on one node.
    ///
    /// Default: `cloakroom:`.
    ///
    /// ```
    /// use cloakroom::store::{RedisServer, RedisStore, StoreErrorKind};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let server = RedisServer::standalone("127.0.0.1", 6379);
    /// let error = RedisStore::builder().prefix("{shop}:").connect(&server).await.unwrap_err();
    /// assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias("key_prefix", "namespace"))]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Sets the longest time that one store command may take. Zero is refused when the store connects.
    ///
    /// Default: 1.5 seconds. That is less than the layer's two seconds for a store command, so that
    /// as a rule a command that could not be sent by then is withdrawn instead of being sent late.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use cloakroom::store::{RedisServer, RedisStore, StoreErrorKind};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let server = RedisServer::standalone("127.0.0.1", 6379);
    /// let no_time = RedisStore::builder().command_timeout(Duration::ZERO);
    /// let error = no_time.connect(&server).await.unwrap_err();
    /// assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias("timeout", "timeout_ms"))]
    pub fn command_timeout(mut self, timeout: Duration) -> Self {
        self.command_timeout = timeout;
        self
    }

    /// Waits, after a logout or a renewal, until `replicas` have it too, for at most `within`.
    ///
    /// With this a logout very likely survives a failover. It is **not certain**: a replica that has
    /// acknowledged nothing may be promoted, and when the time is over the logout still counts as
    /// done (a warning is traced). For certainty choose an engine with synchronous durability; see
    /// the [guide](crate::guide::elasticache).
    ///
    /// It costs one more command (`WAIT`, repeated while replicas lag) on a connection of its own,
    /// after every delete and after every write that is the
    /// [last word](crate::store::NewEntry::last_word) on a session. No other write waits. Keep
    /// `within` well below the layer's two seconds for a store command.
    ///
    /// Default: it does not wait, because the replicas of a cache may be few, or far away.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use cloakroom::store::RedisStore;
    ///
    /// let options = RedisStore::builder().wait_for_replicas(1, Duration::from_millis(500));
    /// assert!(format!("{options:?}").contains("1 replicas within 500ms"));
    /// ```
    #[doc(alias("wait", "replication", "min_replicas"))]
    pub fn wait_for_replicas(mut self, replicas: u32, within: Duration) -> Self {
        self.wait_for_replicas = Some(WaitForReplicas { replicas, within });
        self
    }

    /// Whether commands of requests that come at the same time may be sent as one.
    ///
    /// Then up to 32 loads are one `MGET`, and up to 32 writes of no more than 64 KiB one script. Each has the
    /// outcome that it would have alone, and a command that comes alone is sent as always. Clusters are
    /// never asked about several keys. A server that refuses it is asked about one at a time from then on,
    /// after a warning.
    ///
    /// A **proxy that divides keys among servers**, such as Envoy, may send a whole script to the server of its
    /// first key, and say nothing. So the store first finds out whether one server has all keys: it sets
    /// sixteen, and looks for them in a script, which deletes them. Turn gathering off where
    /// such a proxy may come while the app runs.
    ///
    /// Default: on, because it doubles what a busy process gets done.
    ///
    /// ```
    /// use cloakroom::store::RedisStore;
    ///
    /// let behind_a_proxy = RedisStore::builder().multi_key_commands(false);
    /// assert!(format!("{behind_a_proxy:?}").contains("multi_key_commands: false"));
    /// ```
    #[doc(alias("pipeline", "batch", "mget", "proxy"))]
    pub fn multi_key_commands(mut self, allowed: bool) -> Self {
        self.multi_key_commands = allowed;
        self
    }

    /// Reads the time from `clock`, for tests. The server removes keys by its own clock.
    ///
    /// Default: the system's clock.
    ///
    /// ```
    /// use cloakroom::store::RedisStore;
    /// use cloakroom::{ManualClock, Timestamp};
    ///
    /// let clock = ManualClock::at(Timestamp::from_millis(1_800_000_000_000));
    /// let options = RedisStore::builder().clock(clock);
    /// assert!(format!("{options:?}").contains("ManualClock"));
    /// ```
    pub fn clock(mut self, clock: impl Into<Clock>) -> Self {
        self.clock = clock.into();
        self
    }

    /// Connects, and stays connected for as long as the store or a clone of it is there.
    ///
    /// There is one attempt, so that an app whose server is missing fails at its start. A connection
    /// that breaks later is opened again, without an end to the attempts; meanwhile requests that need
    /// the session are answered 503.
    ///
    /// ```
    /// use cloakroom::store::{RedisServer, RedisStore, StoreErrorKind};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let nobody = RedisServer::standalone("127.0.0.1", 1); // no server listens there
    /// let error = RedisStore::builder().connect(&nobody).await.unwrap_err();
    /// assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](StoreErrorKind::Misconfigured) for a bad prefix or an untrusted certificate,
    /// [`Denied`](StoreErrorKind::Denied) for a wrong password, and
    /// [`Unavailable`](StoreErrorKind::Unavailable) where no server answers or it is full. The error's
    /// source names the host and the port.
    #[doc(alias("open", "build"))]
    pub async fn connect(self, server: &RedisServer) -> Result<RedisStore, StoreError> {
        self.check()?;
        let main = opening::open(server, self.command_timeout).await?;
        let waiting = match self.wait_for_replicas {
            Some(_) => Some(opening::open(server, self.command_timeout).await?),
            None => None,
        };
        Ok(self.build(main, waiting))
    }

    /// Creates a store on the app's own client, which the app has configured and connected.
    ///
    /// The store sends each command once and with its own time-out, whatever the client's defaults
    /// are. Whether the client reconnects is the app's choice: give it a `ReconnectPolicy`, or it
    /// never does. A client of a cluster should have `max_redirections: 0`, because the store follows
    /// redirections itself, and the client ends at an `ASK`. With
    /// [`wait_for_replicas`](Self::wait_for_replicas) the client's other commands wait too.
    ///
    /// ```
    /// use cloakroom::store::RedisStore;
    /// use fred::clients::Client;
    ///
    /// let client = Client::default(); // an app calls `init` on its client before it serves
    /// let store = RedisStore::builder().prefix("shop:").build_with_client(&client)?;
    /// assert!(format!("{store:?}").contains("shop:"));
    /// # Ok::<(), cloakroom::store::StoreError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](StoreErrorKind::Misconfigured) for a bad prefix or a time-out of zero.
    #[doc(alias("client", "fred", "pool"))]
    pub fn build_with_client(self, client: &Client) -> Result<RedisStore, StoreError> {
        self.check()?;
        let main = Connection::new(client, self.command_timeout, None);
        let waiting = self.wait_for_replicas.map(|_| main.clone());
        Ok(self.build(main, waiting))
    }

    fn check(&self) -> Result<(), StoreError> {
        let problem = if self.prefix.contains(['{', '}']) {
            "the key prefix must not contain braces, which would put every session on one node"
        } else if self.command_timeout.is_zero() {
            "the command timeout must not be zero"
        } else {
            return Ok(());
        };
        Err(StoreError::new(StoreErrorKind::Misconfigured, problem))
    }

    fn build(self, main: Connection, waiting: Option<Connection>) -> RedisStore {
        let Self { prefix, wait_for_replicas, multi_key_commands, clock, .. } = self;
        let waiting = waiting.zip(wait_for_replicas);
        let waiting = waiting.map(|(connection, wait)| WaitingConnection::new(connection, wait));
        let main = if multi_key_commands { main } else { main.one_by_one() };
        RedisStore(Arc::new(Commands { main, waiting, prefix, clock }))
    }
}
