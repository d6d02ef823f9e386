//! Options of the store, and opening it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;

use super::layout::Layout;
use super::probe::probe;
use super::requests::LARGEST_ENTRY;
use super::store::{BucketStore, Inner};
use super::sweeper::{self, Sweeper};
use crate::clock::Clock;
use crate::error::{StoreError, StoreErrorKind};
use crate::store::failure::Failure;
use crate::store::token_cache::TokenCache;

/// Options of a [`BucketStore`].
#[derive(Clone)]
#[must_use]
pub struct BucketStoreBuilder {
    bucket: Arc<dyn ObjectStore>,
    prefix: String,
    command_timeout: Duration,
    max_entry_bytes: usize,
    sweep_every: Option<Duration>,
    clock: Clock,
}

impl BucketStore {
    /// Returns a builder for a store in a bucket of the app's own client. **Its retries must be off**
    /// (`RetryConfig { max_retries: 0, .. }`): a client that sends a write again cannot say what became of the
    /// first.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use cloakroom::store::BucketStore;
    /// use object_store::memory::InMemory;
    ///
    /// let builder = BucketStore::builder(Arc::new(InMemory::new())).prefix("shop");
    /// assert!(format!("{builder:?}").contains("shop"));
    /// ```
    pub fn builder(bucket: Arc<dyn ObjectStore>) -> BucketStoreBuilder {
        BucketStoreBuilder {
            bucket,
            prefix: String::new(),
            command_timeout: Duration::from_millis(1_500),
            max_entry_bytes: 1 << 20,
            sweep_every: Some(Duration::from_secs(60 * 60)),
            clock: Clock::system(),
        }
    }
}

impl BucketStoreBuilder {
    /// Sets the names in front of all objects: ASCII letters, digits, `.`, `_` and `-`, joined by slashes. Apps
    /// that share a bucket need different ones, and so does a lifecycle rule that is for sessions only.
    ///
    /// Default: none.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # use std::sync::Arc;
    /// # use object_store::memory::InMemory;
    /// use cloakroom::store::{BucketStore, StoreErrorKind};
    ///
    /// let builder = BucketStore::builder(Arc::new(InMemory::new()));
    /// assert!(builder.clone().prefix("shop/sessions").open().await.is_ok());
    /// let error = builder.prefix("a//b").open().await.unwrap_err();
    /// assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    /// # }
    /// ```
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Sets the longest time that one command may take, which may be several requests. A third of it is the limit
    /// for the first attempt of a read. Zero is refused by [`open`](Self::open).
    ///
    /// Default: 1.5 seconds, less than the layer's own two, so that the store still gets to tell what became of the
    /// command.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # use std::sync::Arc;
    /// # use std::time::Duration;
    /// # use object_store::memory::InMemory;
    /// use cloakroom::store::{BucketStore, StoreErrorKind};
    ///
    /// let builder = BucketStore::builder(Arc::new(InMemory::new()));
    /// assert!(builder.clone().command_timeout(Duration::from_secs(1)).open().await.is_ok());
    /// let error = builder.command_timeout(Duration::ZERO).open().await.unwrap_err();
    /// assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    /// # }
    /// ```
    #[doc(alias = "timeout")]
    pub fn command_timeout(mut self, timeout: Duration) -> Self {
        self.command_timeout = timeout;
        self
    }

    /// Sets the most bytes that one session may have. Values above 16 MiB mean 16 MiB.
    ///
    /// A larger session is refused with [`TooLarge`](StoreErrorKind::TooLarge) before anything is sent.
    ///
    /// Default: 1 MiB, which is far more than a session should have, because every request that uses the session
    /// reads all of it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use std::sync::Arc;
    /// # use cloakroom::Timestamp;
    /// # use cloakroom::store::{BucketStore, CommitId, NewEntry, SessionStore, StoreErrorKind, StoreKey};
    /// # use object_store::memory::InMemory;
    /// let store = BucketStore::builder(Arc::new(InMemory::new())).max_entry_bytes(4).open().await?;
    /// let entry = NewEntry::new(CommitId::from_bytes([1; 8]), Timestamp::MAX, "a coat");
    /// let refused = store.create(&StoreKey::from_bytes([7; 32]), &entry).await.unwrap_err();
    /// assert_eq!(refused.kind(), StoreErrorKind::TooLarge);
    /// # Ok(())
    /// # }
    /// ```
    pub fn max_entry_bytes(mut self, bytes: usize) -> Self {
        self.max_entry_bytes = bytes.min(LARGEST_ENTRY);
        self
    }

    /// Sets how often expired sessions are removed. `None` means never; then a lifecycle rule of the bucket has to
    /// do it, or somebody who calls [`BucketStore::sweep`].
    ///
    /// One of the servers that share the prefix sweeps, so the interval is one for all of them. A sweep lists the
    /// whole prefix, and looks at each object when it has not been written for one interval, for two, for four and
    /// so on. A session is gone at the latest when it has been over for as long as nobody had used it before, or for
    /// two intervals. A sweep that fails is logged as a warning and repeated.
    ///
    /// Default: one hour. Expired sessions are never served, so a sweep only saves storage.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use std::sync::Arc;
    /// # use std::time::Duration;
    /// # use cloakroom::store::BucketStore;
    /// # use object_store::memory::InMemory;
    /// let builder = BucketStore::builder(Arc::new(InMemory::new()));
    /// let daily = builder.clone().sweep_every(Duration::from_secs(86_400)).open().await?;
    /// assert!(format!("{daily:?}").contains("sweep_every: Some(86400s)"));
    /// let never = builder.sweep_every(None).open().await?;
    /// assert!(format!("{never:?}").contains("sweep_every: None"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn sweep_every(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.sweep_every = interval.into();
        self
    }

    /// Reads the time from `clock`, for tests. Clients sign requests by the system's clock.
    ///
    /// Default: the system's clock.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # use std::sync::Arc;
    /// # use object_store::memory::InMemory;
    /// use cloakroom::store::BucketStore;
    /// use cloakroom::{ManualClock, Timestamp};
    ///
    /// let clock = ManualClock::at(Timestamp::from_millis(1_700_000_000_000));
    /// let builder = BucketStore::builder(Arc::new(InMemory::new()));
    /// assert!(builder.clock(clock).open().await.is_ok());
    /// # }
    /// ```
    pub fn clock(mut self, clock: impl Into<Clock>) -> Self {
        self.clock = clock.into();
        self
    }

    /// Opens the store, and checks that the bucket honours conditions: it creates an object twice, writes over it on
    /// a tag that is out of date, and lets eight writers race, and all but the first or one must be refused. The
    /// object is then removed.
    ///
    /// # Errors
    ///
    /// * [`Misconfigured`](StoreErrorKind::Misconfigured): the server ignores conditions, which would lose updates
    ///   and logouts; there is no such bucket; or an option is wrong.
    /// * [`Denied`](StoreErrorKind::Denied): the credentials are missing or lack a permission. On S3 the app needs
    ///   `s3:GetObject`, `s3:PutObject`, `s3:DeleteObject` and `s3:ListBucket`.
    /// * [`Unavailable`](StoreErrorKind::Unavailable): the server cannot be reached.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use std::sync::Arc;
    /// use cloakroom::store::BucketStore;
    /// use object_store::ObjectStore;
    /// use object_store::memory::InMemory;
    ///
    /// let bucket = Arc::new(InMemory::new());
    /// let store = BucketStore::builder(bucket.clone()).open().await?;
    /// # let _ = store;
    /// assert!(bucket.list_with_delimiter(None).await?.common_prefixes.is_empty(), "nothing is left");
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias("connect", "build"))]
    pub async fn open(self) -> Result<BucketStore, StoreError> {
        let misconfigured = |problem| StoreError::new(StoreErrorKind::Misconfigured, problem);
        let layout = Layout::new(&self.prefix).map_err(misconfigured)?;
        if self.command_timeout.is_zero() || self.sweep_every.is_some_and(|every| every.is_zero()) {
            return Err(misconfigured(
                "the command timeout and the sweep's interval must be longer than zero",
            ));
        }
        let place = match layout.prefix() {
            "" => format!("the bucket {}", self.bucket),
            prefix => format!("the bucket {} under `{prefix}`", self.bucket),
        };
        let requests =
            probe(self.bucket, &layout, place.into()).await.map_err(Failure::for_read)?;
        let clock = self.clock;
        let sweeper = Arc::new(Sweeper { requests, layout: layout.clone(), clock: clock.clone() });
        let sweeping = self.sweep_every.map(|interval| sweeper::start(sweeper.clone(), interval));
        Ok(BucketStore(Arc::new(Inner {
            sweeper,
            layout,
            tokens: TokenCache::default(),
            command_timeout: self.command_timeout,
            max_entry_bytes: self.max_entry_bytes,
            clock,
            sweep_every: self.sweep_every,
            _sweeping: sweeping,
        })))
    }
}

impl fmt::Debug for BucketStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BucketStoreBuilder")
            .field("bucket", &self.bucket.to_string())
            .field("prefix", &self.prefix)
            .field("command_timeout", &self.command_timeout)
            .field("max_entry_bytes", &self.max_entry_bytes)
            .field("sweep_every", &self.sweep_every)
            .finish_non_exhaustive()
    }
}
