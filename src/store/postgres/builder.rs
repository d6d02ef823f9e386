//! Options of the store, and connecting.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Pool;
use tokio::time::{Instant, timeout_at};

use super::connections::{Connections, Lanes, Lease};
use super::failure::Problem;
use super::opening::Opener;
use super::pooled::Pooled;
use super::server::PostgresServer;
use super::statements::{self, Statements};
use super::store::{Inner, PostgresStore};
use super::sweeper::{self, Sweeper};
use super::table;
use super::table_name::TableName;
use crate::clock::Clock;
use crate::error::{StoreError, StoreErrorKind};

/// The longest that opening a store may take.
const OPEN_TIMEOUT: Duration = Duration::from_secs(30);

/// A longer time-out is cut to this: no caller can tell the difference, and it can be added to any moment.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

/// Options of a [`PostgresStore`].
#[derive(Clone, Debug)]
#[must_use]
pub struct PostgresStoreBuilder {
    table: TableName,
    command_timeout: Duration,
    connections: usize,
    max_entry_bytes: usize,
    sweep_every: Option<Duration>,
    create_table: bool,
    clock: Clock,
}

impl Default for PostgresStoreBuilder {
    fn default() -> Self {
        Self {
            table: TableName::default(),
            command_timeout: Duration::from_millis(1_500),
            connections: 8,
            max_entry_bytes: 1 << 20,
            sweep_every: Some(Duration::from_secs(600)),
            create_table: false,
            clock: Clock::system(),
        }
    }
}

impl PostgresStore {
    /// Returns a builder with the default options.
    ///
    /// ```
    /// use cloakroom::store::PostgresStore;
    ///
    /// let builder = PostgresStore::builder().table("sessions").connections(4);
    /// assert!(format!("{builder:?}").contains("sessions"));
    /// ```
    pub fn builder() -> PostgresStoreBuilder {
        PostgresStoreBuilder::default()
    }
}

impl PostgresStoreBuilder {
    /// Sets the name of the table. It is quoted where it needs to be, so any name of 1 to 63 bytes will do;
    /// another one is refused by [`connect`](Self::connect).
    ///
    /// Default: `cloakroom`, so that it is plain to see whose table it is.
    ///
    /// ```
    /// use cloakroom::store::PostgresStore;
    ///
    /// let builder = PostgresStore::builder().table("Sessions");
    /// assert!(builder.migration().starts_with("CREATE TABLE \"Sessions\" ("));
    /// ```
    pub fn table(mut self, name: impl Into<String>) -> Self {
        self.table.table = name.into();
        self
    }

    /// Sets the schema of the table, by the same rules as the [table](Self::table)'s name. It has to exist.
    ///
    /// Default: none is named, so that the user's `search_path` decides, as for the app's own tables.
    ///
    /// ```
    /// use cloakroom::store::PostgresStore;
    ///
    /// let builder = PostgresStore::builder().schema("shop");
    /// assert!(builder.migration().starts_with("CREATE TABLE shop.cloakroom ("));
    /// ```
    #[doc(alias = "search_path")]
    pub fn schema(mut self, name: impl Into<String>) -> Self {
        self.table.schema = Some(name.into());
        self
    }

    /// Sets the longest time that one store command may take, waiting for a connection included. More than
    /// a day means a day. Zero is refused by [`connect`](Self::connect).
    ///
    /// On the store's own connections it is also the server's `statement_timeout` and `lock_timeout`.
    ///
    /// Default: 1.5 seconds. That is less than the layer's own two seconds, so that a command which has not
    /// been sent by then is withdrawn instead of being sent late.
    ///
    /// ```
    /// use cloakroom::store::{PostgresServer, PostgresStore, StoreErrorKind};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let server = PostgresServer::host("127.0.0.1", 5432);
    /// let builder = PostgresStore::builder().command_timeout(Duration::ZERO);
    /// let refused = builder.connect(&server).await.unwrap_err();
    /// assert_eq!(refused.kind(), StoreErrorKind::Misconfigured);
    /// # }
    /// ```
    #[doc(alias = "timeout")]
    pub fn command_timeout(mut self, timeout: Duration) -> Self {
        self.command_timeout = timeout.min(LONGEST_TIMEOUT);
        self
    }

    /// Sets how many connections carry writes. Reads have two more (one, if this is 1), and a sweep opens one for
    /// itself. Zero is refused by [`connect`](Self::connect); a [pool](Self::pool) has its own number.
    ///
    /// Default: 8. A connection carries any number of commands at once, but its commits wait for the disk one
    /// after the other, while the server writes the commits of several connections together. PostgreSQL allows 100
    /// connections of all clients unless told otherwise.
    ///
    /// ```
    /// use cloakroom::store::{PostgresServer, PostgresStore, StoreErrorKind};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let server = PostgresServer::host("127.0.0.1", 5432);
    /// let refused = PostgresStore::builder().connections(0).connect(&server).await;
    /// assert_eq!(refused.unwrap_err().kind(), StoreErrorKind::Misconfigured);
    /// # }
    /// ```
    #[doc(alias("max_connections", "pool_size"))]
    pub fn connections(mut self, writes: usize) -> Self {
        self.connections = writes;
        self
    }

    /// Sets the most bytes that one session may have.
    ///
    /// A larger session is refused with [`TooLarge`](StoreErrorKind::TooLarge) before anything is sent.
    ///
    /// Default: 1 MiB, which is far more than a session should have, because every request that uses the
    /// session reads all of it. PostgreSQL itself would take 1 GB.
    ///
    /// ```
    /// use cloakroom::store::PostgresStore;
    ///
    /// let builder = PostgresStore::builder().max_entry_bytes(64 << 10);
    /// assert!(format!("{builder:?}").contains("65536"));
    /// ```
    pub fn max_entry_bytes(mut self, bytes: usize) -> Self {
        self.max_entry_bytes = bytes;
        self
    }

    /// Sets about how often this process removes expired sessions. `None` turns that off, for an app that
    /// does it by another job. Zero is refused by [`connect`](Self::connect).
    ///
    /// Default: every 10 minutes. Expired sessions are absent in any case and only take space, and each sweep
    /// reads all rows of the table (not the bytes of the sessions).
    ///
    /// ```
    /// use cloakroom::store::PostgresStore;
    ///
    /// let builder = PostgresStore::builder().sweep_every(None);
    /// assert!(format!("{builder:?}").contains("sweep_every: None"));
    /// ```
    #[doc(alias("cleanup_interval", "reap"))]
    pub fn sweep_every(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.sweep_every = interval.into();
        self
    }

    /// Makes the table when the store connects, if it is missing.
    ///
    /// Default: no. In production a [migration](Self::migration) makes the table, and the app's user need not be
    /// allowed to.
    ///
    /// ```
    /// use cloakroom::store::PostgresStore;
    ///
    /// let builder = PostgresStore::builder().create_table();
    /// assert!(format!("{builder:?}").contains("create_table: true"));
    /// ```
    pub fn create_table(mut self) -> Self {
        self.create_table = true;
        self
    }

    /// Returns the SQL that makes the table, for a migration.
    ///
    /// ```
    /// use cloakroom::store::PostgresStore;
    ///
    /// let sql = PostgresStore::builder().migration();
    /// assert!(sql.contains("key bytea PRIMARY KEY"));
    /// ```
    #[doc(alias("schema_sql", "ddl"))]
    pub fn migration(&self) -> String {
        statements::migration(&self.table)
    }

    /// Reads the time from `clock`, for tests.
    ///
    /// Default: the system's clock. The server's clock is never asked.
    ///
    /// ```
    /// use cloakroom::store::PostgresStore;
    /// use cloakroom::{ManualClock, Timestamp};
    ///
    /// let clock = ManualClock::at(Timestamp::from_millis(1_700_000_000_000));
    /// let builder = PostgresStore::builder().clock(clock);
    /// assert!(format!("{builder:?}").contains("1700000000000"));
    /// ```
    pub fn clock(mut self, clock: impl Into<Clock>) -> Self {
        self.clock = clock.into();
        self
    }

    /// Connects, and checks that the table can be used.
    ///
    /// All connections are opened now, and opened again by themselves when they break.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](StoreErrorKind::Misconfigured) for a bad option, a missing database or table, an
    /// untrusted certificate, or PostgreSQL before 14; [`Denied`](StoreErrorKind::Denied) for a wrong password
    /// or a missing privilege; [`Unavailable`](StoreErrorKind::Unavailable) where no server answers or none of
    /// them takes writes. The error's source names the server.
    ///
    /// ```
    /// use cloakroom::store::{PostgresServer, PostgresStore, StoreErrorKind};
    /// use std::error::Error;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// // Nobody listens on port 1.
    /// let server = PostgresServer::host("127.0.0.1", 1).user("shop");
    /// let error = PostgresStore::builder().connect(&server).await.unwrap_err();
    /// assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    /// assert!(error.source().unwrap().to_string().contains("127.0.0.1:1"));
    /// # }
    /// ```
    pub async fn connect(self, server: &PostgresServer) -> Result<PostgresStore, StoreError> {
        self.check(server.problem())?;
        let statements = Arc::new(Statements::on(&self.table));
        let opener = Opener::new(server.clone(), statements, self.command_timeout)?;
        let lanes = Lanes::new(Arc::new(opener), self.connections);
        self.open(Connections::Own(lanes)).await
    }

    /// Uses a pool that the app has already, and checks that the table can be used.
    ///
    /// Each command takes a connection of the pool for itself, so a command costs more than on the store's own
    /// connections. The pool's connections have to lead to the primary, and must not be inside of a transaction
    /// when they are given back to the pool: what the store writes would be a part of it. At the levels
    /// `repeatable read` and `serializable`, commands that meet are sent again until their time is up.
    ///
    /// # Errors
    ///
    /// Those of [`connect`](Self::connect).
    ///
    /// ```
    /// use cloakroom::store::{PostgresStore, StoreErrorKind};
    /// use deadpool_postgres::{Manager, Pool};
    /// use tokio_postgres::NoTls;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // Nobody listens on port 1.
    /// let manager = Manager::new("host=127.0.0.1 port=1 user=shop".parse()?, NoTls);
    /// let pool = Pool::builder(manager).build()?;
    /// let error = PostgresStore::builder().pool(pool).await.unwrap_err();
    /// assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias("deadpool"))]
    pub async fn pool(self, pool: Pool) -> Result<PostgresStore, StoreError> {
        self.check(None)?;
        let statements = Arc::new(Statements::on(&self.table));
        self.open(Connections::Given(Pooled::new(pool, statements))).await
    }

    fn check(&self, problem: Option<&'static str>) -> Result<(), StoreError> {
        match problem.or_else(|| self.problem()) {
            Some(problem) => Err(StoreError::new(StoreErrorKind::Misconfigured, problem)),
            None => Ok(()),
        }
    }

    fn problem(&self) -> Option<&'static str> {
        if let Some(problem) = self.table.problem() {
            Some(problem)
        } else if self.command_timeout.is_zero() {
            Some("the command timeout must be longer than zero")
        } else if !(1..=1_000).contains(&self.connections) {
            Some("the number of connections must be from 1 to 1000")
        } else if self.sweep_every.is_some_and(|every| every.is_zero()) {
            Some("the time between sweeps must be longer than zero")
        } else {
            None
        }
    }

    async fn open(self, connections: Connections) -> Result<PostgresStore, StoreError> {
        let connections = Arc::new(connections);
        let deadline = Instant::now() + OPEN_TIMEOUT;
        let opened = timeout_at(deadline, self.prepare(&connections, deadline)).await;
        let late = || Err(Problem::not_sent("the server did not answer in time"));
        opened.unwrap_or_else(|_| late()).map_err(|problem| problem.failure.for_read())?;
        let sweeper = Sweeper { connections: connections.clone(), clock: self.clock.clone() };
        let sweeper = Arc::new(sweeper);
        let sweeping = self.sweep_every.map(|every| sweeper::start(sweeper.clone(), every));
        Ok(PostgresStore(Arc::new(Inner {
            connections,
            table: self.table,
            command_timeout: self.command_timeout,
            max_entry_bytes: self.max_entry_bytes,
            clock: self.clock,
            sweeper,
            _sweeping: sweeping,
        })))
    }

    /// Makes the table if that is asked for, checks it, and opens the connections.
    async fn prepare(&self, connections: &Connections, deadline: Instant) -> Result<(), Problem> {
        let lease: Lease = connections.lease(OPEN_TIMEOUT).await?;
        if self.create_table {
            table::create(&lease, &self.table).await?;
        }
        table::check(&lease, connections.statements()).await?;
        drop(lease);
        connections.open(deadline).await
    }
}
