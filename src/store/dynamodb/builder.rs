use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::{TimeoutConfig, TimeoutConfigBuilder};
use aws_sdk_dynamodb::{Client, config};

use super::capacity::Counters;
use super::item::Names;
use super::requests::Requests;
use super::throttling::OnlyAfterThrottling;
use super::{DynamoDbStore, Shared};
use crate::clock::Clock;
use crate::error::{StoreError, StoreErrorKind};

/// How often a request is sent at most.
const ATTEMPTS: u32 = 5;
/// The longest first pause between attempts, each of which may be twice as long as the one before.
/// What DynamoDB throttles is a partition's share of one second.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// Options of a [`DynamoDbStore`].
#[derive(Clone)]
#[must_use]
pub struct DynamoDbStoreBuilder {
    client: Client,
    table: String,
    names: Names,
    consistent: bool,
    timeout: Duration,
    counts: bool,
    clock: Clock,
}

impl DynamoDbStoreBuilder {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            table: "sessions".to_owned(),
            names: Names::default(),
            consistent: true,
            timeout: Duration::from_millis(1_500),
            counts: false,
            clock: Clock::system(),
        }
    }

    /// The table's name, or its ARN.
    ///
    /// Default: `sessions`.
    pub fn table(mut self, table: impl Into<String>) -> Self {
        self.table = table.into();
        self
    }

    /// The name of the table's hash key, which is of the type binary.
    ///
    /// Default: `id`. Here and below the defaults are short because every byte of a name counts
    /// towards the size of every item. `p` is reserved for the principal.
    pub fn id_attribute(mut self, name: impl Into<String>) -> Self {
        self.names.id = name.into();
        self
    }

    /// The name of the attribute that keeps the version. Default: `v`.
    pub fn version_attribute(mut self, name: impl Into<String>) -> Self {
        self.names.version = name.into();
        self
    }

    /// The name of the attribute that keeps the record. Default: `d`.
    pub fn data_attribute(mut self, name: impl Into<String>) -> Self {
        self.names.data = name.into();
        self
    }

    /// The name of the attribute that keeps the deadline in milliseconds since 1970. Default: `e`.
    pub fn deadline_attribute(mut self, name: impl Into<String>) -> Self {
        self.names.deadline = name.into();
        self
    }

    /// The name of the attribute that keeps the deadline in seconds since 1970, rounded up, by which
    /// DynamoDB removes expired items. Default: `ttl`.
    pub fn ttl_attribute(mut self, name: impl Into<String>) -> Self {
        self.names.ttl = name.into();
        self
    }

    /// Reads with eventual consistency, at half the price.
    ///
    /// Default: off, every read is strongly consistent. With this **a read may see a session that
    /// was logged out, or values that were changed, about a second ago**. Writes stay guarded by
    /// their condition, so nothing is lost and no session comes back. A read that finds nothing live
    /// is repeated strongly consistent: such a one costs one and a half times as much.
    pub fn eventually_consistent_reads(mut self) -> Self {
        self.consistent = false;
        self
    }

    /// How long a request may take, its repeats included (the load of an eventually consistent miss
    /// is two requests). A connection is waited for half as long,
    /// one attempt of a read a third.
    ///
    /// Default: 1.5 seconds, less than the layer's two for an operation of the store, so that what
    /// became of a command is said by who sent it. This and the store's way of repeating requests
    /// take the place of what the client was configured with.
    pub fn command_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Asks DynamoDB what each request consumed, and adds it up for
    /// [`consumed_capacity`](DynamoDbStore::consumed_capacity).
    ///
    /// Default: off. A write whose condition does not hold consumes as much as one that does, and
    /// DynamoDB does not say so: such writes are missing in the sum.
    pub fn count_capacity(mut self) -> Self {
        self.counts = true;
        self
    }

    /// Reads the time from `clock`, for tests. DynamoDB removes items by its own, and the SDK signs
    /// by the system's.
    ///
    /// Default: the system's clock.
    pub fn clock(mut self, clock: impl Into<Clock>) -> Self {
        self.clock = clock.into();
        self
    }

    /// The store. Nothing is sent yet; see [`check`](DynamoDbStore::check).
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](StoreErrorKind::Misconfigured) when the table has no name, two attributes
    /// have the same one or a name that is reserved, or the timeout is zero.
    pub fn build(self) -> Result<DynamoDbStore, StoreError> {
        self.check()?;
        let (reads, writes) = (self.reads(), self.writes());
        let Self { client, table, names, consistent, counts, clock, .. } = self;
        let counters = counts.then(Counters::default);
        let requests = Requests { table, id: names.id.clone(), reads, writes, counters };
        Ok(DynamoDbStore(Arc::new(Shared { requests, names, consistent, clock, client })))
    }

    fn check(&self) -> Result<(), StoreError> {
        let problem = if self.table.is_empty() {
            Some("the table has no name".to_owned())
        } else if self.timeout.is_zero() {
            Some("a timeout of zero".to_owned())
        } else {
            self.names.problem()
        };
        problem
            .map_or(Ok(()), |problem| Err(StoreError::new(StoreErrorKind::Misconfigured, problem)))
    }

    /// The client with our time-outs and repeats, on the HTTP client of the one it is made from.
    fn reads(&self) -> Client {
        let timeouts = self.timeouts().operation_attempt_timeout(self.timeout / 3).build();
        self.with(timeouts, |like| like)
    }

    fn writes(&self) -> Client {
        let timeouts = self.timeouts().build();
        self.with(timeouts, |like| like.retry_classifier(OnlyAfterThrottling))
    }

    fn timeouts(&self) -> TimeoutConfigBuilder {
        let timeouts = TimeoutConfig::builder().operation_timeout(self.timeout);
        timeouts.connect_timeout(self.timeout / 2)
    }

    fn with(
        &self,
        timeouts: TimeoutConfig,
        change: impl FnOnce(config::Builder) -> config::Builder,
    ) -> Client {
        let retries = RetryConfig::standard()
            .with_max_attempts(ATTEMPTS)
            .with_initial_backoff(FIRST_PAUSE)
            .with_max_backoff(self.timeout / 2);
        let like = self.client.config().to_builder();
        let like = like.timeout_config(timeouts).retry_config(retries);
        Client::from_conf(change(like).build())
    }
}

impl fmt::Debug for DynamoDbStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamoDbStoreBuilder")
            .field("table", &self.table)
            .field("names", &self.names)
            .field("consistent", &self.consistent)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
