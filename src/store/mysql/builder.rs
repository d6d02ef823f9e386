//! Options of the store, and connecting.

use std::sync::Arc;
use std::time::Duration;

use super::connections::Connections;
use super::greeting::Greeting;
use super::server::MysqlServer;
use super::statements::{Statements, create_table, is_table_name};
use super::store::{Inner, MysqlStore};
use super::sweeper;
use super::table::Table;
use crate::clock::Clock;
use crate::error::{StoreError, StoreErrorKind};

/// A longer time-out is cut to this: no caller can tell the difference, and it can be added to any moment.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);
/// The most bytes that the column takes.
const MEDIUMBLOB: usize = (1 << 24) - 1;

/// Options of a [`MysqlStore`].
#[derive(Clone, Debug)]
#[must_use]
pub struct MysqlStoreBuilder {
    table: String,
    create_table: bool,
    command_timeout: Duration,
    max_connections: usize,
    max_entry_bytes: usize,
    sweep_every: Option<Duration>,
    clock: Clock,
}

impl Default for MysqlStoreBuilder {
    fn default() -> Self {
        Self {
            table: "cloakroom".to_owned(),
            create_table: false,
            command_timeout: Duration::from_millis(1_500),
            max_connections: 16,
            max_entry_bytes: 1 << 20,
            sweep_every: Some(Duration::from_secs(600)),
            clock: Clock::system(),
        }
    }
}

impl MysqlStore {
    /// Returns a builder with the default options.
    ///
    /// ```
    /// use cloakroom::store::MysqlStore;
    ///
    /// let builder = MysqlStore::builder().table("shop_sessions").max_connections(32);
    /// assert!(format!("{builder:?}").contains("shop_sessions"));
    /// ```
    pub fn builder() -> MysqlStoreBuilder {
        MysqlStoreBuilder::default()
    }
}

impl MysqlStoreBuilder {
    /// Sets the name of the table: up to 64 ASCII letters, digits, `_` and `$`. Another name is refused
    /// by [`connect`](Self::connect).
    ///
    /// Default: `cloakroom`.
    ///
    /// ```
    /// use cloakroom::store::{MysqlServer, MysqlStore, StoreErrorKind};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let server = MysqlServer::tcp("127.0.0.1", 3306, "shop");
    /// let refused = MysqlStore::builder().table("other.table").connect(&server).await;
    /// assert_eq!(refused.unwrap_err().kind(), StoreErrorKind::Misconfigured);
    /// # }
    /// ```
    pub fn table(mut self, name: impl Into<String>) -> Self {
        self.table = name.into();
        self
    }

    /// Creates the table when connecting, if it is missing. **For development**: in production a
    /// migration does it, with [`migration`](Self::migration), and the app's user needs no right to
    /// create tables.
    ///
    /// Default: off.
    ///
    /// ```no_run
    /// use cloakroom::store::{MysqlServer, MysqlStore};
    ///
    /// # async fn open() -> Result<(), cloakroom::store::StoreError> {
    /// let server = MysqlServer::tcp("127.0.0.1", 3306, "test").credentials("root", "");
    /// let store = MysqlStore::builder().create_table().connect(&server).await?;
    /// assert_eq!(store.sweep().await?, 0);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias("migrate", "ensure_table"))]
    pub fn create_table(mut self) -> Self {
        self.create_table = true;
        self
    }

    /// Returns the statement that creates the table, for a migration.
    ///
    /// ```
    /// use cloakroom::store::MysqlStore;
    ///
    /// let sql = MysqlStore::builder().table("shop_sessions").migration();
    /// assert!(sql.starts_with("CREATE TABLE IF NOT EXISTS `shop_sessions` ("));
    /// ```
    pub fn migration(&self) -> String {
        create_table(&self.table)
    }

    /// Sets the longest time that one store command may take, waiting for a connection included. Zero
    /// is refused by [`connect`](Self::connect).
    ///
    /// Default: 1.5 seconds. That is less than the layer's own two seconds, so that a command which
    /// has not been sent by then is withdrawn instead of being sent late. A statement that waits for a
    /// locked row is given up by the server after as many whole seconds, at least one.
    ///
    /// ```
    /// use cloakroom::store::{MysqlServer, MysqlStore, StoreErrorKind};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let server = MysqlServer::tcp("127.0.0.1", 3306, "shop");
    /// let builder = MysqlStore::builder().command_timeout(Duration::ZERO);
    /// let refused = builder.connect(&server).await.unwrap_err();
    /// assert_eq!(refused.kind(), StoreErrorKind::Misconfigured);
    /// # }
    /// ```
    #[doc(alias = "timeout")]
    pub fn command_timeout(mut self, timeout: Duration) -> Self {
        self.command_timeout = timeout.min(LONGEST_TIMEOUT);
        self
    }

    /// Sets how many connections there may be; further commands wait for one. Zero is refused by
    /// [`connect`](Self::connect).
    ///
    /// Default: 16. A connection has one statement at a time, so 16 carry some 16,000 statements a
    /// second where an answer takes a millisecond. They are opened as they are needed. A server takes
    /// 151 of all clients unless told otherwise.
    ///
    /// ```
    /// use cloakroom::store::{MysqlServer, MysqlStore, StoreErrorKind};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let server = MysqlServer::tcp("127.0.0.1", 3306, "shop");
    /// let refused = MysqlStore::builder().max_connections(0).connect(&server).await;
    /// assert_eq!(refused.unwrap_err().kind(), StoreErrorKind::Misconfigured);
    /// # }
    /// ```
    #[doc(alias("pool_size", "connections"))]
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.max_connections = connections;
        self
    }

    /// Sets the most bytes of an entry. A larger one is refused as too large and is not sent. More than
    /// a `mediumblob` takes (16 MiB less one byte) is refused by [`connect`](Self::connect), and so is
    /// more than the server's `max_allowed_packet` leaves room for.
    ///
    /// Default: 1 MiB. Every server takes a statement of that size: the least default of
    /// `max_allowed_packet` among the versions in use is 4 MiB.
    ///
    /// ```
    /// use cloakroom::store::{MysqlServer, MysqlStore, StoreErrorKind};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let server = MysqlServer::tcp("127.0.0.1", 3306, "shop");
    /// let refused = MysqlStore::builder().max_entry_bytes(1 << 24).connect(&server).await;
    /// assert_eq!(refused.unwrap_err().kind(), StoreErrorKind::Misconfigured);
    /// # }
    /// ```
    pub fn max_entry_bytes(mut self, bytes: usize) -> Self {
        self.max_entry_bytes = bytes;
        self
    }

    /// Sets how often expired rows are [removed](MysqlStore::sweep), or `None` for never. Each pause is
    /// between half of it and one and a half.
    ///
    /// Default: ten minutes. Every server of the app goes through the whole table each time; with many of
    /// them and a large table, let one or two do it.
    ///
    /// ```
    /// use cloakroom::store::MysqlStore;
    ///
    /// let builder = MysqlStore::builder().sweep_every(None);
    /// assert!(format!("{builder:?}").contains("sweep_every: None"));
    /// ```
    pub fn sweep_every(mut self, period: impl Into<Option<Duration>>) -> Self {
        self.sweep_every = period.into();
        self
    }

    /// Reads the time from `clock`, for tests.
    ///
    /// Default: the system's clock.
    ///
    /// ```no_run
    /// use cloakroom::store::{MysqlServer, MysqlStore, SessionStore, StoreKey};
    /// use cloakroom::{ManualClock, Timestamp};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloakroom::store::StoreError> {
    /// let clock = ManualClock::at(Timestamp::from_millis(1_700_000_000_000));
    /// let server = MysqlServer::tcp("127.0.0.1", 3306, "shop");
    /// let store = MysqlStore::builder().clock(clock).connect(&server).await?;
    /// assert!(store.load(&StoreKey::from_bytes([7; 32])).await?.is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub fn clock(mut self, clock: impl Into<Clock>) -> Self {
        self.clock = clock.into();
        self
    }

    /// Connects to the server, checks the table, and tries a create on it: a row under a random key is
    /// written twice and removed.
    ///
    /// Connections that break are opened again as they are needed.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](StoreErrorKind::Misconfigured) for a bad option, a missing database, a table that
    /// is missing or another one, an untrusted certificate, and a server whose `max_allowed_packet` is too
    /// small; [`Denied`](StoreErrorKind::Denied) for a wrong password and a missing privilege;
    /// [`Unavailable`](StoreErrorKind::Unavailable) where no server answers, or where it is read only. The
    /// error's source names the server.
    ///
    /// ```
    /// use cloakroom::store::{MysqlServer, MysqlStore, StoreErrorKind};
    /// use std::error::Error;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// // Nobody listens on port 1.
    /// let server = MysqlServer::tcp("127.0.0.1", 1, "shop");
    /// let error = MysqlStore::builder().connect(&server).await.unwrap_err();
    /// assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    /// assert!(error.source().unwrap().to_string().contains("127.0.0.1:1"));
    /// # }
    /// ```
    pub async fn connect(self, server: &MysqlServer) -> Result<MysqlStore, StoreError> {
        if let Some(problem) = self.problem() {
            return Err(StoreError::new(StoreErrorKind::Misconfigured, problem));
        }
        let Self { max_entry_bytes, command_timeout, max_connections, .. } = self;
        let greeting = Greeting { max_entry_bytes, command_timeout };
        let opts = server.opts(max_connections, greeting)?;
        let connections =
            Connections::new(server.described(), opts, max_connections, command_timeout);
        let table = Arc::new(Table {
            connections: Arc::new(connections),
            statements: Statements::new(&self.table),
            name: self.table,
            clock: self.clock,
        });
        if self.create_table {
            table.create_if_missing().await?;
        }
        table.check().await?;
        table.probe().await?;
        let sweeping = self.sweep_every.map(|period| sweeper::begin(table.clone(), period));
        Ok(MysqlStore(Arc::new(Inner { table, max_entry_bytes, _sweeping: sweeping })))
    }

    fn problem(&self) -> Option<&'static str> {
        if !is_table_name(&self.table) {
            Some("the table's name must have 1 to 64 ASCII letters, digits, `_` and `$`")
        } else if self.command_timeout.is_zero() {
            Some("the command timeout must be longer than zero")
        } else if self.max_connections == 0 {
            Some("the number of connections must be at least 1")
        } else if self.max_connections > tokio::sync::Semaphore::MAX_PERMITS {
            Some("the number of connections is larger than can be counted")
        } else if self.max_entry_bytes > MEDIUMBLOB {
            Some("an entry can have at most 16777215 bytes, which a `mediumblob` takes")
        } else if self.sweep_every.is_some_and(|period| period.is_zero()) {
            Some("the time between two sweeps must be longer than zero")
        } else {
            None
        }
    }
}
