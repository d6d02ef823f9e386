//! The store: the five commands of the contract, made of reads and conditional writes of one object.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::Instant;

use super::command::{Command, Vacancy};
use super::format;
use super::layout::Layout;
use super::requests::Put;
use super::sweeper::{BucketSwept, Sweeper};
use super::tag::{Token, token_of, version_of};
use crate::abort_on_drop::AbortOnDrop;
use crate::clock::{Clock, Timestamp};
use crate::error::{StoreError, StoreErrorKind};
use crate::id::StoreKey;
use crate::store::contract::SessionStore;
use crate::store::entry::{Created, Entry, NewEntry, Replaced, Touched, Version};
use crate::store::failure::Failure;
use crate::store::token_cache::TokenCache;

/// Keeps sessions in a bucket: Amazon S3, Cloudflare R2, MinIO, Google Cloud Storage or Azure Blob Storage. Clones
/// share the bucket.
///
/// **Most apps should not.** A read takes tens of milliseconds, and a write costs several times what it does in
/// DynamoDB. The [guide](crate::guide::object) has the figures, and the cases in which a bucket is right.
///
/// | | requests |
/// |---|---|
/// | load | one GET |
/// | create | one PUT, only where no object is |
/// | replace | one PUT, only over the object that was read; after a conflict one GET |
/// | touch | one GET and one PUT, only over the object just read |
/// | delete | one GET and one PUT, only over the object just read |
///
/// The deadline stands in the object, exact to the millisecond, and this process's clock decides when it has passed.
/// A touch therefore writes the object again.
///
/// # Limits
///
/// An entry has at most [`max_entry_bytes`](super::BucketStoreBuilder::max_entry_bytes). All servers must have the
/// time to within 15 minutes, or the bucket refuses their requests.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
///
/// use cloakroom::store::BucketStore;
/// use cloakroom::{Key, SessionLayer};
/// use object_store::memory::InMemory;
///
/// // In production an `AmazonS3`, or `connect("s3://bucket/prefix")`.
/// let store = BucketStore::builder(Arc::new(InMemory::new())).prefix("shop").open().await?;
/// let layer = SessionLayer::new(store, Key::generate()?);
/// # let _ = layer;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[doc(alias("S3Store", "ObjectStore", "AmazonS3", "GoogleCloudStorage", "MicrosoftAzure", "R2"))]
pub struct BucketStore(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) sweeper: Arc<Sweeper>,
    pub(super) layout: Layout,
    pub(super) tokens: TokenCache<Token>,
    pub(super) command_timeout: Duration,
    pub(super) max_entry_bytes: usize,
    pub(super) clock: Clock,
    pub(super) sweep_every: Option<Duration>,
    pub(super) _sweeping: Option<AbortOnDrop<()>>,
}

impl BucketStore {
    /// Removes every session whose deadline has passed a minute ago. Looks at every object under the prefix, which
    /// costs a GET for each.
    ///
    /// The store does so by itself, at less cost, see
    /// [`sweep_every`](super::BucketStoreBuilder::sweep_every). Any number of servers may sweep at once.
    ///
    /// # Errors
    ///
    /// Those of a bucket that cannot be listed. What fails with single objects is counted.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use std::sync::Arc;
    /// # use cloakroom::store::BucketStore;
    /// # use object_store::memory::InMemory;
    /// let store = BucketStore::builder(Arc::new(InMemory::new())).open().await?;
    /// let swept = store.sweep().await?;
    /// assert_eq!((swept.inspected, swept.removed), (0, 0));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn sweep(&self) -> Result<BucketSwept, StoreError> {
        self.0.sweeper.sweep_all().await.map_err(Failure::for_read)
    }

    fn command(&self, key: &StoreKey) -> Command<'_> {
        let inner = &*self.0;
        Command {
            requests: &inner.sweeper.requests,
            clock: &inner.clock,
            path: inner.layout.session(key),
            until: Instant::now() + inner.command_timeout,
        }
    }

    fn encode(&self, new: &NewEntry) -> Result<Bytes, StoreError> {
        let (size, limit) = (new.bytes.len(), self.0.max_entry_bytes);
        if size > limit { Err(StoreError::too_large(size, limit)) } else { Ok(format::encode(new)) }
    }

    /// Returns the token with which `expected` can be replaced without a load before it.
    fn known_token(&self, key: &StoreKey, expected: &Version) -> Option<Token> {
        let token = self.0.tokens.get(key, expected).or_else(|| token_of(expected));
        token.filter(|token| token.deadline > self.0.clock.now())
    }

    /// Remembers the token of a touched entry, so that a replace needs no load before it. The version of any other
    /// entry has its token in it, unless its tag is too long.
    fn remember_token(&self, key: &StoreKey, version: Version, token: &Token) {
        if token_of(&version).as_ref() != Some(token) {
            self.0.tokens.insert(key, version, token.clone());
        }
    }

    /// Returns the version of an entry that was just written.
    fn written(&self, key: &StoreKey, new: &NewEntry, tag: Box<str>) -> Version {
        let version = version_of(new.commit, new.deadline, &tag);
        self.remember_token(key, version, &Token { tag, deadline: new.deadline });
        version
    }
}

#[async_trait]
impl SessionStore for BucketStore {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        let stored = self.command(key).find_live().await?;
        Ok(stored.map(|stored| {
            self.remember_token(key, stored.entry.version, &stored.token);
            stored.entry
        }))
    }

    async fn create(&self, key: &StoreKey, new: &NewEntry) -> Result<Created, StoreError> {
        let (value, command) = (self.encode(new)?, self.command(key));
        let mut over = None;
        while command.has_time() {
            if let Put::Done(tag) = command.write(value.clone(), over.as_deref()).await? {
                return Ok(Created::Done(self.written(key, new, tag)));
            }
            over = match command.find_vacancy().await? {
                None => return Ok(Created::Exists),
                Some(Vacancy::Nothing) => None,
                Some(Vacancy::Over(tag)) => Some(tag),
            };
        }
        Err(always_overtaken())
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        new: &NewEntry,
    ) -> Result<Replaced, StoreError> {
        let (value, command) = (self.encode(new)?, self.command(key));
        let mut token = self.known_token(key, expected);
        while command.has_time() {
            if let Some(Token { tag, .. }) = &token
                && let Put::Done(tag) = command.write(value.clone(), Some(tag)).await?
            {
                return Ok(Replaced::Done(self.written(key, new, tag)));
            }
            let Some(stored) = command.find_live().await? else { return Ok(Replaced::Gone) };
            if stored.entry.version != *expected {
                self.remember_token(key, stored.entry.version, &stored.token);
                return Ok(Replaced::Conflict(stored.entry));
            }
            token = Some(stored.token);
        }
        Err(always_overtaken())
    }

    async fn touch(
        &self,
        key: &StoreKey,
        expected: &Version,
        deadline: Timestamp,
    ) -> Result<Touched, StoreError> {
        let command = self.command(key);
        while command.has_time() {
            let Some(stored) = command.find_live().await? else { return Ok(Touched::Gone) };
            if stored.entry.version != *expected || stored.entry.deadline >= deadline {
                return Ok(Touched::Skipped);
            }
            let value = format::encode_touched(&stored.entry, deadline);
            if let Put::Done(tag) = command.write(value, Some(&stored.token.tag)).await? {
                self.remember_token(key, stored.entry.version, &Token { tag, deadline });
                return Ok(Touched::Done);
            }
        }
        Err(always_overtaken())
    }

    async fn delete(&self, key: &StoreKey) -> Result<(), StoreError> {
        let command = self.command(key);
        while command.has_time() {
            if command.remove().await? {
                return Ok(());
            }
        }
        Err(always_overtaken())
    }
}

/// Returns the error of a write that was not applied because others were faster each time.
fn always_overtaken() -> StoreError {
    let problem = "other requests changed the entry between each read and the write after it";
    StoreError::new(StoreErrorKind::Unavailable, problem)
}

impl fmt::Debug for BucketStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BucketStore")
            .field("place", &self.0.sweeper.requests.place)
            .field("sweep_every", &self.0.sweep_every)
            .finish_non_exhaustive()
    }
}
