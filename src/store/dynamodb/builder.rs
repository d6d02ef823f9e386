//! Options of the store, and the clients that follow from them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::{TimeoutConfig, TimeoutConfigBuilder};
use aws_sdk_dynamodb::{Client, config};

use super::capacity::CapacityCounters;
use super::item::AttributeNames;
use super::location::Location;
use super::requests::Requests;
use super::retries::RetryOnlyThrottling;
use super::store::{DynamoDbStore, Inner};
use crate::clock::Clock;
use crate::error::{StoreError, StoreErrorKind};

/// The most times that a request is sent.
const MAX_ATTEMPTS: u32 = 5;
/// The longest first pause between attempts, each of which may be twice as long as the one before.
/// DynamoDB throttles by the second, so a few short pauses are enough.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// Options of a [`DynamoDbStore`].
#[derive(Clone)]
#[must_use]
pub struct DynamoDbStoreBuilder {
    client: Client,
    table: String,
    names: AttributeNames,
    consistent: bool,
    command_timeout: Duration,
    counts: bool,
    clock: Clock,
}

impl DynamoDbStore {
    /// Returns a builder for a store on the app's own client: its credentials, its HTTP client and its
    /// interceptors. Its time-outs and repeats are replaced, see
    /// [`command_timeout`](DynamoDbStoreBuilder::command_timeout).
    ///
    /// ```
    /// # use aws_sdk_dynamodb::{Client, Config, config::BehaviorVersion};
    /// # let config = Config::builder().behavior_version(BehaviorVersion::latest()).build();
    /// # let client = Client::from_conf(config);
    /// use cloakroom::store::DynamoDbStore;
    ///
    /// let builder = DynamoDbStore::builder(client).table("shop-sessions");
    /// assert!(format!("{builder:?}").contains("shop-sessions"));
    /// ```
    pub fn builder(client: Client) -> DynamoDbStoreBuilder {
        DynamoDbStoreBuilder {
            client,
            table: "sessions".to_owned(),
            names: AttributeNames::default(),
            consistent: true,
            command_timeout: Duration::from_millis(1_500),
            counts: false,
            clock: Clock::system(),
        }
    }
}

impl DynamoDbStoreBuilder {
    /// Sets the name of the table, or its ARN. An empty name is refused by [`build`](Self::build).
    ///
    /// Default: `sessions`.
    ///
    /// ```
    /// # use aws_sdk_dynamodb::{Client, Config, config::BehaviorVersion};
    /// # let config = Config::builder().behavior_version(BehaviorVersion::latest()).build();
    /// # let client = Client::from_conf(config);
    /// use cloakroom::store::{DynamoDbStore, StoreErrorKind};
    ///
    /// let builder = DynamoDbStore::builder(client);
    /// assert!(builder.clone().table("shop-sessions").build().is_ok());
    /// let error = builder.table("").build().unwrap_err();
    /// assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    /// ```
    pub fn table(mut self, table: impl Into<String>) -> Self {
        self.table = table.into();
        self
    }

    /// Sets the name of the table's hash key, which must be of the type binary.
    ///
    /// Default: `id`. Here and below the defaults are short because every byte of a name counts
    /// towards the size of every item. `p` and `f` are reserved, for the principal and for the number of
    /// a later format.
    ///
    /// ```
    /// # use aws_sdk_dynamodb::{Client, Config, config::BehaviorVersion};
    /// # let config = Config::builder().behavior_version(BehaviorVersion::latest()).build();
    /// # let client = Client::from_conf(config);
    /// use cloakroom::store::{DynamoDbStore, StoreErrorKind};
    ///
    /// let builder = DynamoDbStore::builder(client);
    /// assert!(builder.clone().id_attribute("pk").build().is_ok());
    /// let error = builder.id_attribute("p").build().unwrap_err();
    /// assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    /// ```
    #[doc(alias("hash_key", "partition_key"))]
    pub fn id_attribute(mut self, name: impl Into<String>) -> Self {
        self.names.id = name.into();
        self
    }

    /// Sets the name of the attribute that holds the version.
    ///
    /// Default: `v`.
    ///
    /// ```
    /// # use aws_sdk_dynamodb::{Client, Config, config::BehaviorVersion};
    /// # let config = Config::builder().behavior_version(BehaviorVersion::latest()).build();
    /// # let client = Client::from_conf(config);
    /// use cloakroom::store::DynamoDbStore;
    ///
    /// let builder = DynamoDbStore::builder(client);
    /// assert!(builder.clone().version_attribute("version").build().is_ok());
    /// // Two attributes cannot share a name.
    /// assert!(builder.version_attribute("id").build().is_err());
    /// ```
    pub fn version_attribute(mut self, name: impl Into<String>) -> Self {
        self.names.version = name.into();
        self
    }

    /// Sets the name of the attribute that holds the record.
    ///
    /// Default: `d`.
    ///
    /// ```
    /// # use aws_sdk_dynamodb::{Client, Config, config::BehaviorVersion};
    /// # let config = Config::builder().behavior_version(BehaviorVersion::latest()).build();
    /// # let client = Client::from_conf(config);
    /// use cloakroom::store::DynamoDbStore;
    ///
    /// let builder = DynamoDbStore::builder(client);
    /// let usual = builder.clone().build().unwrap();
    /// let longer = builder.data_attribute("payload").build().unwrap();
    /// // A longer name leaves less room for the record.
    /// assert_eq!(usual.max_entry_bytes() - longer.max_entry_bytes(), 6);
    /// ```
    pub fn data_attribute(mut self, name: impl Into<String>) -> Self {
        self.names.data = name.into();
        self
    }

    /// Sets the name of the attribute that holds the deadline in milliseconds since 1970.
    ///
    /// Default: `e`.
    ///
    /// ```
    /// # use aws_sdk_dynamodb::{Client, Config, config::BehaviorVersion};
    /// # let config = Config::builder().behavior_version(BehaviorVersion::latest()).build();
    /// # let client = Client::from_conf(config);
    /// use cloakroom::store::DynamoDbStore;
    ///
    /// let builder = DynamoDbStore::builder(client);
    /// assert!(builder.clone().deadline_attribute("expires_ms").build().is_ok());
    /// assert!(builder.deadline_attribute("").build().is_err());
    /// ```
    pub fn deadline_attribute(mut self, name: impl Into<String>) -> Self {
        self.names.deadline = name.into();
        self
    }

    /// Sets the name of the attribute that holds the deadline in seconds since 1970, rounded up, by
    /// which DynamoDB removes expired items. The table's *time to live* must name the same one.
    ///
    /// Default: `ttl`.
    ///
    /// ```
    /// # use aws_sdk_dynamodb::{Client, Config, config::BehaviorVersion};
    /// # let config = Config::builder().behavior_version(BehaviorVersion::latest()).build();
    /// # let client = Client::from_conf(config);
    /// use cloakroom::store::DynamoDbStore;
    ///
    /// let builder = DynamoDbStore::builder(client);
    /// assert!(builder.clone().ttl_attribute("expires_at").build().is_ok());
    /// // It cannot be the attribute of the exact deadline, which is in milliseconds.
    /// assert!(builder.ttl_attribute("e").build().is_err());
    /// ```
    pub fn ttl_attribute(mut self, name: impl Into<String>) -> Self {
        self.names.ttl = name.into();
        self
    }

    /// Begins each request with a read of eventual consistency, at half the price.
    ///
    /// With this **a request may see a session that was logged out, or values that were changed, about a
    /// second ago**. Writes stay guarded by their condition, so nothing is lost and no session comes
    /// back. A read that finds nothing live is repeated strongly consistent: such a read costs one and
    /// a half times as much. Only a request's first look is such a read
    /// ([`load_near`](crate::store::SessionStore::load_near)); every other read is strongly consistent, and so
    /// is [`LazySession::load_fresh`](crate::LazySession::load_fresh). Behind `Near` or
    /// [`Moving`](crate::store::Moving) all are.
    ///
    /// Default: off, every read is strongly consistent, because a logout has to be final at once.
    ///
    /// ```
    /// # use aws_sdk_dynamodb::{Client, Config, config::BehaviorVersion};
    /// # let config = Config::builder().behavior_version(BehaviorVersion::latest()).build();
    /// # let client = Client::from_conf(config);
    /// use cloakroom::store::DynamoDbStore;
    ///
    /// let store = DynamoDbStore::builder(client).eventually_consistent_reads().build().unwrap();
    /// assert!(format!("{store:?}").contains("consistent: false"));
    /// ```
    #[doc(alias = "consistent_read")]
    pub fn eventually_consistent_reads(mut self) -> Self {
        self.consistent = false;
        self
    }

    /// Sets the longest time that one request may take, its repeats included (the load of an
    /// eventually consistent miss is two requests). Half of it is the limit for opening a connection,
    /// a third for one attempt of a read. Zero is refused by [`build`](Self::build).
    ///
    /// Default: 1.5 seconds, less than the layer's own two, so that the store still gets to tell what
    /// became of the command. This and the store's own way of repeating requests replace those that
    /// the client was configured with.
    ///
    /// ```
    /// # use aws_sdk_dynamodb::{Client, Config, config::BehaviorVersion};
    /// # let config = Config::builder().behavior_version(BehaviorVersion::latest()).build();
    /// # let client = Client::from_conf(config);
    /// use cloakroom::store::{DynamoDbStore, StoreErrorKind};
    /// use std::time::Duration;
    ///
    /// let builder = DynamoDbStore::builder(client);
    /// assert!(builder.clone().command_timeout(Duration::from_secs(1)).build().is_ok());
    /// let error = builder.command_timeout(Duration::ZERO).build().unwrap_err();
    /// assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    /// ```
    #[doc(alias = "timeout")]
    pub fn command_timeout(mut self, timeout: Duration) -> Self {
        self.command_timeout = timeout;
        self
    }

    /// Asks DynamoDB what each request consumed, and adds it up for
    /// [`consumed_capacity`](DynamoDbStore::consumed_capacity).
    ///
    /// A write whose condition does not hold consumes as much as one that does, but DynamoDB does not
    /// report it: such writes are missing in the sum.
    ///
    /// Default: off, because every answer becomes a little longer.
    ///
    /// ```
    /// # use aws_sdk_dynamodb::{Client, Config, config::BehaviorVersion};
    /// # let config = Config::builder().behavior_version(BehaviorVersion::latest()).build();
    /// # let client = Client::from_conf(config);
    /// use cloakroom::store::DynamoDbStore;
    ///
    /// let store = DynamoDbStore::builder(client).count_capacity().build().unwrap();
    /// assert_eq!(store.consumed_capacity().unwrap().read_units, 0.0);
    /// ```
    pub fn count_capacity(mut self) -> Self {
        self.counts = true;
        self
    }

    /// Reads the time from `clock`, for tests. DynamoDB removes items by its own clock, and the SDK
    /// signs by the system's.
    ///
    /// Default: the system's clock.
    ///
    /// ```
    /// # use aws_sdk_dynamodb::{Client, Config, config::BehaviorVersion};
    /// # let config = Config::builder().behavior_version(BehaviorVersion::latest()).build();
    /// # let client = Client::from_conf(config);
    /// use cloakroom::store::DynamoDbStore;
    /// use cloakroom::{ManualClock, Timestamp};
    ///
    /// let clock = ManualClock::at(Timestamp::from_millis(1_700_000_000_000));
    /// assert!(DynamoDbStore::builder(client).clock(clock).build().is_ok());
    /// ```
    pub fn clock(mut self, clock: impl Into<Clock>) -> Self {
        self.clock = clock.into();
        self
    }

    /// Builds the store. Nothing is sent yet; [`check`](DynamoDbStore::check) sends one request.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](StoreErrorKind::Misconfigured) when the table has no name, two attributes
    /// have the same name or one has a reserved name, or the time-out is zero.
    ///
    /// ```
    /// # use aws_sdk_dynamodb::{Client, Config, config::BehaviorVersion};
    /// # let config = Config::builder().behavior_version(BehaviorVersion::latest()).build();
    /// # let client = Client::from_conf(config);
    /// use cloakroom::store::{DynamoDbStore, StoreErrorKind};
    ///
    /// let error = DynamoDbStore::builder(client).data_attribute("id").build().unwrap_err();
    /// assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    /// ```
    pub fn build(self) -> Result<DynamoDbStore, StoreError> {
        if let Some(problem) = self.problem() {
            return Err(StoreError::new(StoreErrorKind::Misconfigured, problem));
        }
        let location = Location::new(self.table.clone(), &self.client);
        let (reads, writes) = (self.reads(&location), self.writes(&location));
        let client = Client::from_conf(location.observe(&self.client).build());
        let Self { names, consistent, counts, clock, .. } = self;
        let counters = counts.then(CapacityCounters::default);
        let requests = Requests { location, id: names.id.clone(), reads, writes, counters };
        Ok(DynamoDbStore(Arc::new(Inner { requests, names, consistent, clock, client })))
    }

    fn problem(&self) -> Option<String> {
        if self.table.is_empty() {
            Some("the name of the table is empty".to_owned())
        } else if self.command_timeout.is_zero() {
            Some("the command timeout must be longer than zero".to_owned())
        } else {
            self.names.problem()
        }
    }

    fn reads(&self, location: &Location) -> Client {
        let attempt = self.command_timeout / 3;
        let timeouts = self.timeouts().operation_attempt_timeout(attempt).build();
        Client::from_conf(self.configure(location, timeouts).build())
    }

    /// Returns the client for writes. It has no time-out for one attempt, because an attempt that is
    /// given up may still be applied, and is never repeated anyway.
    fn writes(&self, location: &Location) -> Client {
        let config = self.configure(location, self.timeouts().build());
        Client::from_conf(config.retry_classifier(RetryOnlyThrottling).build())
    }

    fn timeouts(&self) -> TimeoutConfigBuilder {
        let timeouts = TimeoutConfig::builder().operation_timeout(self.command_timeout);
        timeouts.connect_timeout(self.command_timeout / 2)
    }

    /// Replaces the time-outs and the repeats of the app's client and keeps the rest, its HTTP client
    /// included.
    fn configure(&self, location: &Location, timeouts: TimeoutConfig) -> config::Builder {
        // Not `adaptive`: it slows down every request of the client after one was throttled, and a table
        // throttles by partition, so one busy partition would delay all sessions.
        let retries = RetryConfig::standard()
            .with_max_attempts(MAX_ATTEMPTS)
            .with_initial_backoff(FIRST_PAUSE)
            .with_max_backoff(self.command_timeout / 2);
        location.observe(&self.client).timeout_config(timeouts).retry_config(retries)
    }
}

impl fmt::Debug for DynamoDbStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamoDbStoreBuilder")
            .field("table", &self.table)
            .field("names", &self.names)
            .field("consistent", &self.consistent)
            .field("command_timeout", &self.command_timeout)
            .finish_non_exhaustive()
    }
}
