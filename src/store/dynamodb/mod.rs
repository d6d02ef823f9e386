//! Sessions in DynamoDB: one item per session in a table with a hash key only, and no server to
//! keep.
//!
//! Every command is one request on one item. Writes are conditional on the version and on the
//! deadline, because DynamoDB removes an expired item some day, not when it expires. A write whose
//! condition does not hold is answered with the item that is there.

mod builder;
mod capacity;
mod condition;
mod failure;
mod item;
mod requests;
mod table;
mod throttling;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;

pub use builder::DynamoDbStoreBuilder;
pub use capacity::DynamoDbCapacity;

use super::{Created, Entry, NewEntry, Replaced, SessionStore, Touched, Version};
use crate::clock::{Clock, Timestamp};
use crate::error::StoreError;
use crate::id::StoreKey;
use condition::Condition;
use item::{Item, Names};
use requests::{Requests, Settled};

/// Keeps sessions in a DynamoDB table. Clones share the client.
///
/// | | request | capacity units |
/// |---|---|---|
/// | load | `GetItem`, strongly consistent | 1 read for each 4 KB |
/// | create, replace | `PutItem` with a condition | 1 write for each KB |
/// | touch | `UpdateItem` with a condition | 1 write for each KB of the whole item |
/// | delete | `DeleteItem` | 1 write for each KB |
///
/// A write whose condition does not hold is answered with the item that is there, so a merge needs
/// no second read. The [guide](crate::guide::dynamodb) has what a request costs in money, the
/// table's definition, and the permissions that the store needs.
///
/// The SDK sends a write again only after throttling, which proves that the first was not applied.
/// A time-out, a broken connection or a 5xx answer of a write is
/// [`Indeterminate`](super::StoreErrorKind::Indeterminate), and the library finds out what became of it.
///
/// # What it cannot promise
///
/// A global table with eventual consistency compares a write with its own region's replica: two
/// regions that change one session at once lose one of the changes. Send each visitor to one region.
///
/// ```no_run
/// use aws_sdk_dynamodb::Client;
/// use cloakroom::store::DynamoDbStore;
/// use cloakroom::{Key, SessionLayer};
///
/// # fn open(client: Client) -> Result<(), Box<dyn std::error::Error>> {
/// // The app's own client; `cloakroom::connect("dynamodb://sessions")` makes one.
/// let store = DynamoDbStore::builder(client).table("sessions").build()?;
/// let layer = SessionLayer::new(store, Key::generate()?);
/// # let _ = layer;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct DynamoDbStore(Arc<Shared>);

struct Shared {
    requests: Requests,
    names: Names,
    consistent: bool,
    clock: Clock,
    /// As it was given, for setting up the table.
    client: Client,
}

impl DynamoDbStore {
    /// A store on the app's own client, about to be built.
    pub fn builder(client: Client) -> DynamoDbStoreBuilder {
        DynamoDbStoreBuilder::new(client)
    }

    /// Reads an item that no session has, to learn whether the table can be reached. One `GetItem`.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](super::StoreErrorKind::Misconfigured) when there is no such table,
    /// [`Denied`](super::StoreErrorKind::Denied) without credentials or permission,
    /// [`Unavailable`](super::StoreErrorKind::Unavailable) when DynamoDB does not answer.
    pub async fn check(&self) -> Result<(), StoreError> {
        self.0.requests.get(&StoreKey::from_bytes([0; 32]), true).await.map(drop)
    }

    /// What the commands of this store and its clones have consumed; `None` unless it was built to
    /// [count](DynamoDbStoreBuilder::count_capacity).
    pub fn consumed_capacity(&self) -> Option<DynamoDbCapacity> {
        self.0.requests.counters.as_ref().map(capacity::Counters::sum)
    }

    /// The most bytes that an entry can have: 400 KB less the other attributes and all names.
    pub fn max_entry_bytes(&self) -> usize {
        self.0.names.max_entry_bytes()
    }

    async fn read(&self, key: &StoreKey, consistent: bool) -> Result<Option<Entry>, StoreError> {
        let item = self.0.requests.get(key, consistent).await?;
        self.live(item, self.0.clock.now())
    }

    /// The entry that an item is, unless it has expired.
    fn live(&self, item: Option<Item>, now: Timestamp) -> Result<Option<Entry>, StoreError> {
        let entry = item.map(|item| self.0.names.decode(item)).transpose()?;
        Ok(entry.filter(|entry| entry.deadline > now))
    }
}

#[async_trait]
impl SessionStore for DynamoDbStore {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        match self.read(key, self.0.consistent).await? {
            // A replica that lags may not have seen the login, or the touch, of a moment ago.
            None if !self.0.consistent => self.read(key, true).await,
            found => Ok(found),
        }
    }

    async fn create(&self, key: &StoreKey, new: &NewEntry) -> Result<Created, StoreError> {
        let (names, now) = (&self.0.names, self.0.clock.now());
        let only_if = Condition::none_is_live(names, now);
        match self.0.requests.put(names.encode(key, new)?, only_if).await? {
            Settled::Applied => Ok(Created::Done(new.commit.into())),
            Settled::Refused(item) => self.live(item, now).map(|_| Created::Exists),
        }
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        new: &NewEntry,
    ) -> Result<Replaced, StoreError> {
        let (names, now) = (&self.0.names, self.0.clock.now());
        let only_if = Condition::is_expected(names, expected, now);
        match self.0.requests.put(names.encode(key, new)?, only_if).await? {
            Settled::Applied => Ok(Replaced::Done(new.commit.into())),
            Settled::Refused(item) => {
                Ok(self.live(item, now)?.map_or(Replaced::Gone, Replaced::Conflict))
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
        let only_if = Condition::ends_earlier(&self.0.names, expected, now, deadline);
        match self.0.requests.update(key, "SET #e = :e, #ttl = :ttl", only_if).await? {
            Settled::Applied => Ok(Touched::Done),
            Settled::Refused(item) => {
                Ok(self.live(item, now)?.map_or(Touched::Gone, |_| Touched::Skipped))
            }
        }
    }

    async fn delete(&self, key: &StoreKey) -> Result<(), StoreError> {
        self.0.requests.delete(key).await
    }
}

impl fmt::Debug for DynamoDbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamoDbStore")
            .field("table", &self.0.requests.table)
            .field("consistent", &self.0.consistent)
            .finish_non_exhaustive()
    }
}
