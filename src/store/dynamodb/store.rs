//! The store: each command of the contract is one request.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;

use super::capacity::{CapacityCounters, DynamoDbCapacity};
use super::condition::{Condition, MOVE_DEADLINE};
use super::item::{AttributeNames, Item, NotAnEntry};
use super::requests::{Requests, WriteOutcome};
use crate::clock::{Clock, Timestamp};
use crate::error::{StoreError, StoreErrorKind};
use crate::id::StoreKey;
use crate::store::contract::{NearLoad, SessionStore};
use crate::store::entry::{Created, Entry, LoadedNear, NewEntry, Replaced, Touched, Version};
use crate::store::failure::Failure;

/// How far an eventually consistent read may lag behind. AWS says "usually within one second or less" and names no
/// limit, so this is that with room. A longer time would only make logouts from old handles ask more often.
const LONGEST_LAG: Duration = Duration::from_secs(10);

/// Keeps sessions in a DynamoDB table. Clones share the client.
///
/// | | request | capacity units |
/// |---|---|---|
/// | load | `GetItem`, strongly consistent | 1 read for each 4 KB |
/// | create, replace | `PutItem` with a condition | 1 write for each KB |
/// | touch | `UpdateItem` with a condition | 1 write for each KB of the whole item |
/// | delete | `DeleteItem` with a condition | 1 write for each KB |
///
/// A write whose condition does not hold is answered with the item that is there, so a merge needs
/// no second read. The [guide](crate::guide::dynamodb) has what a request costs in money, the
/// table's definition, and the permissions that the store needs.
///
/// The SDK sends a write again only after throttling, which proves that the first was not applied.
/// A time-out, a broken connection or a 5xx answer of a write is
/// [`Indeterminate`](StoreErrorKind::Indeterminate), and the library finds out whether the write was
/// applied.
///
/// # What it cannot promise
///
/// A global table with eventual consistency compares a write with its own region's replica: two
/// regions that change one session at once lose one of the changes. Send each visitor to one region.
///
/// ```
/// # use aws_sdk_dynamodb::{Client, Config, config::BehaviorVersion};
/// # let config = Config::builder().behavior_version(BehaviorVersion::latest()).build();
/// # let client = Client::from_conf(config);
/// use cloakroom::store::DynamoDbStore;
/// use cloakroom::{Key, SessionLayer};
///
/// // The app's own client; `cloakroom::connect("dynamodb://sessions")` makes one.
/// let store = DynamoDbStore::builder(client).table("sessions").build()?;
/// let layer = SessionLayer::new(store, Key::generate()?);
/// assert!(layer.to_string().contains("__Host-id"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct DynamoDbStore(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) requests: Requests,
    pub(super) names: AttributeNames,
    pub(super) consistent: bool,
    pub(super) clock: Clock,
    /// With the app's own time-outs and repeats, for setting up the table.
    pub(super) client: Client,
}

impl DynamoDbStore {
    /// Reads an item that no session has, to learn whether the table can be reached. Sends one
    /// `GetItem`.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](StoreErrorKind::Misconfigured) when there is no such table,
    /// [`Denied`](StoreErrorKind::Denied) without credentials or permission,
    /// [`Unavailable`](StoreErrorKind::Unavailable) when DynamoDB does not answer. The error's source
    /// names the table, the region and the host.
    ///
    /// ```no_run
    /// use cloakroom::store::{DynamoDbStore, StoreErrorKind};
    ///
    /// # async fn check(client: aws_sdk_dynamodb::Client) -> Result<(), cloakroom::store::StoreError> {
    /// let store = DynamoDbStore::builder(client).table("no-such-table").build()?;
    /// let error = store.check().await.unwrap_err();
    /// assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "ping")]
    pub async fn check(&self) -> Result<(), StoreError> {
        self.0.requests.get(&StoreKey::from_bytes([0; 32]), true).await.map(drop)
    }

    /// Returns the capacity that the commands of this store and its clones have consumed, or `None`
    /// unless the store was built to [count it](super::DynamoDbStoreBuilder::count_capacity).
    ///
    /// ```
    /// # use aws_sdk_dynamodb::{Client, Config, config::BehaviorVersion};
    /// # let config = || Config::builder().behavior_version(BehaviorVersion::latest()).build();
    /// # let client = || Client::from_conf(config());
    /// use cloakroom::store::{DynamoDbCapacity, DynamoDbStore};
    ///
    /// let store = DynamoDbStore::builder(client()).count_capacity().build().unwrap();
    /// assert_eq!(store.consumed_capacity(), Some(DynamoDbCapacity::default()));
    /// let store = DynamoDbStore::builder(client()).build().unwrap();
    /// assert_eq!(store.consumed_capacity(), None);
    /// ```
    pub fn consumed_capacity(&self) -> Option<DynamoDbCapacity> {
        self.0.requests.counters.as_ref().map(CapacityCounters::sum)
    }

    /// Returns the most bytes that an entry can have: 400 KB less the other attributes and all names.
    ///
    /// ```
    /// # use aws_sdk_dynamodb::{Client, Config, config::BehaviorVersion};
    /// # let config = Config::builder().behavior_version(BehaviorVersion::latest()).build();
    /// # let client = Client::from_conf(config);
    /// use cloakroom::store::DynamoDbStore;
    ///
    /// let store = DynamoDbStore::builder(client).build().unwrap();
    /// assert!(store.max_entry_bytes() < 400 * 1024);
    /// ```
    pub fn max_entry_bytes(&self) -> usize {
        self.0.names.max_entry_bytes()
    }

    /// Reads with eventual consistency, and once more if nothing live is there: a replica may not have seen the
    /// login or the touch of a moment ago.
    async fn look(&self, key: &StoreKey) -> Result<LoadedNear, StoreError> {
        let began = self.0.clock.now();
        let item = self.0.requests.get(key, false).await?;
        Ok(match self.live_entry(item, self.0.clock.now())? {
            Some(entry) => LoadedNear::Lagging { entry, as_of: began.saturating_sub(LONGEST_LAG) },
            None => LoadedNear::Fresh(self.load(key).await?),
        })
    }

    /// Returns the entry in an item, unless it has expired.
    fn live_entry(&self, item: Option<Item>, now: Timestamp) -> Result<Option<Entry>, StoreError> {
        let Some(item) = item else { return Ok(None) };
        let entry = self.0.names.decode(item).map_err(|reason| self.unreadable(reason))?;
        Ok(Some(entry).filter(|entry| entry.deadline > now))
    }

    /// An item of a newer release is not `Corrupt`: a logout may delete what is corrupt, and during a
    /// roll-out another server of the app can read this one.
    fn unreadable(&self, reason: NotAnEntry) -> StoreError {
        let (kind, problem) = match reason {
            NotAnEntry::Foreign => (
                StoreErrorKind::Corrupt,
                "the item under the key of a session is not an entry of this library",
            ),
            NotAnEntry::Newer => (
                StoreErrorKind::NewerFormat,
                "its format is newer than this release reads; update this server",
            ),
        };
        Failure::not_applied(kind, problem).at(self.0.requests.location.to_string()).for_read()
    }
}

#[async_trait]
impl SessionStore for DynamoDbStore {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        let item = self.0.requests.get(key, true).await?;
        self.live_entry(item, self.0.clock.now())
    }

    async fn create(&self, key: &StoreKey, new: &NewEntry) -> Result<Created, StoreError> {
        let (names, now) = (&self.0.names, self.0.clock.now());
        let condition = Condition::no_live_item(names, now);
        match self.0.requests.put(names.encode(key, new)?, condition).await? {
            WriteOutcome::Applied => Ok(Created::Done(new.commit.into())),
            WriteOutcome::ConditionFailed(item) => {
                // The item is decoded only to tell damage from a live session. `Exists` for both would
                // hide the damage behind a fresh id.
                self.live_entry(item, now).map(|_| Created::Exists)
            }
        }
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        new: &NewEntry,
    ) -> Result<Replaced, StoreError> {
        let (names, now) = (&self.0.names, self.0.clock.now());
        let condition = Condition::live_with_version(names, expected, now);
        match self.0.requests.put(names.encode(key, new)?, condition).await? {
            WriteOutcome::Applied => Ok(Replaced::Done(new.commit.into())),
            WriteOutcome::ConditionFailed(item) => {
                Ok(self.live_entry(item, now)?.map_or(Replaced::Gone, Replaced::Conflict))
            }
        }
    }

    async fn touch(
        &self,
        key: &StoreKey,
        expected: &Version,
        deadline: Timestamp,
    ) -> Result<Touched, StoreError> {
        let now = self.0.clock.now();
        let condition = Condition::live_and_ending_before(&self.0.names, expected, now, deadline);
        match self.0.requests.update(key, MOVE_DEADLINE, condition).await? {
            WriteOutcome::Applied => Ok(Touched::Done),
            WriteOutcome::ConditionFailed(item) => {
                Ok(self.live_entry(item, now)?.map_or(Touched::Gone, |_| Touched::Skipped))
            }
        }
    }

    async fn delete(&self, key: &StoreKey) -> Result<(), StoreError> {
        match self.0.requests.delete(key, Condition::not_newer()).await? {
            WriteOutcome::Applied => Ok(()),
            WriteOutcome::ConditionFailed(_) => Err(self.unreadable(NotAnEntry::Newer)),
        }
    }

    fn load_near<'a>(&'a self, key: &'a StoreKey) -> Option<NearLoad<'a>> {
        (!self.0.consistent).then(|| Box::pin(self.look(key)) as NearLoad<'a>)
    }
}

impl fmt::Debug for DynamoDbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamoDbStore")
            .field("table", &self.0.requests.location.table)
            .field("consistent", &self.0.consistent)
            .finish_non_exhaustive()
    }
}
