//! What a backend implements: five commands on opaque bytes.
//!
//! A store knows nothing of cookies, HTTP or what is in a session. It keeps entries under
//! [`StoreKey`]s, each with a [`Version`] and a deadline, and it decides, in one step on its side,
//! whether a write still applies. Everything else (merging, doubt, renewal, logout) is built on
//! that, once, for all stores.
//!
//! The trait's documentation is the contract. The feature `conformance` has it as tests, one per
//! sentence, which any store can run; `examples/custom_store.rs` shows how.

use std::fmt;
use std::sync::Arc;

/// The macro that [`SessionStore`] is declared with; an implementation needs it too.
pub use async_trait::async_trait;
/// The buffer that entries hold, from the crate `bytes`.
pub use bytes::Bytes;

#[cfg(any(feature = "memcached", feature = "redis"))]
mod authorities;
#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "dynamodb")]
mod dynamodb;
#[cfg(all(feature = "file", unix))]
mod file;
#[cfg(feature = "memcached")]
mod memcached;
mod memory;
#[cfg(feature = "redis")]
mod redis;

pub use crate::error::{StoreError, StoreErrorKind};
pub use crate::id::{CommitId, StoreKey};
#[cfg(any(feature = "memcached", feature = "redis"))]
pub use authorities::Authorities;
#[cfg(feature = "dynamodb")]
pub use dynamodb::{DynamoDbCapacity, DynamoDbStore, DynamoDbStoreBuilder};
#[cfg(all(feature = "file", unix))]
pub use file::{Durability, FileStore, FileStoreBuilder, Swept};
#[cfg(feature = "memcached")]
pub use memcached::{MemcachedServers, MemcachedStore, MemcachedStoreBuilder};
pub use memory::{MemoryStore, MemoryStoreBuilder};
#[cfg(feature = "redis-iam")]
pub use redis::RedisIam;
#[cfg(feature = "redis")]
pub use redis::{RedisServer, RedisStore, RedisStoreBuilder};

use crate::clock::Timestamp;
use crate::hex::Hex;

/// Keeps sessions. Implemented by backends; apps never call it.
///
/// # Contract
///
/// * **Live**: an entry is live until its deadline. At and after it the entry is absent for every
///   command, even while its bytes are still there.
/// * **Fresh**: every command sees what was acknowledged before it began, on whichever server it
///   was. Read the primary.
/// * **Atomic**: each command happens as one step. Of concurrent commands on one key, each finds
///   what the one before it left: of two `replace`s that expect the same version, exactly one is
///   `Done`.
/// * **Versions never repeat**: not after a delete, not for equal bytes, not after a failover. A
///   random token (the [`CommitId`] will do) holds that, a counter does not.
/// * **Cancelled**: a future that is dropped half-way leaves the old entry or the new one, whole.
///   The command may still be carried out later.
/// * **Never repeated**: a store does not send a write again by itself, unless the error proves
///   that the first was not applied. Who lost an answer says
///   [`Indeterminate`](StoreErrorKind::Indeterminate), and the library finds out.
/// * **Clones and handles**: a store is a handle; whatever shares it shares its entries.
/// * **Bytes**: any bytes of any length up to the store's limit come back as they were. Over the
///   limit is [`TooLarge`](StoreErrorKind::TooLarge), before anything is sent; nothing is cut.
/// * **Silent**: `Debug` shows nothing of what an entry holds.
/// * **Damage**: an entry that the store cannot have written is
///   [`Corrupt`](StoreErrorKind::Corrupt): not absent, not replaced. Only `delete` removes it.
///
/// Every method may fail with a [`StoreError`] whose kind tells whether the command was applied.
/// The library bounds every call in time by itself.
#[async_trait]
pub trait SessionStore: fmt::Debug + Send + Sync + 'static {
    /// Reads the live entry.
    ///
    /// `None` when it is absent or its deadline has passed.
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError>;

    /// Writes an entry where none is live.
    ///
    /// Never overwrites a live entry: that is [`Created::Exists`]. An expired one is as good as
    /// none.
    async fn create(&self, key: &StoreKey, entry: &NewEntry) -> Result<Created, StoreError>;

    /// Writes over a live entry whose version is `expected`; data, version and deadline are new.
    ///
    /// The deadline may become earlier. With another version it changes nothing and answers with
    /// the entry that is there, in the same round trip where the server can. Where no entry is live
    /// it is [`Replaced::Gone`] and creates none.
    async fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        entry: &NewEntry,
    ) -> Result<Replaced, StoreError>;

    /// Moves the deadline of a live entry forwards, if its version is `expected`.
    ///
    /// Changes neither data nor version. [`Touched::Skipped`] when the version is another or the
    /// deadline would not become later; [`Touched::Gone`] where no entry is live.
    async fn touch(
        &self,
        key: &StoreKey,
        expected: &Version,
        deadline: Timestamp,
    ) -> Result<Touched, StoreError>;

    /// Removes the entry, readable or not. Its absence is success.
    async fn delete(&self, key: &StoreKey) -> Result<(), StoreError>;
}

/// Shares a store; the way to choose one at run time is an `Arc<dyn SessionStore>`.
///
/// Written out by hand: each call hands on the future that the store itself boxed.
impl<S: SessionStore + ?Sized> SessionStore for Arc<S> {
    fn load<'a, 'k, 'f>(&'a self, key: &'k StoreKey) -> BoxFuture<'f, Option<Entry>>
    where
        'a: 'f,
        'k: 'f,
    {
        (**self).load(key)
    }

    fn create<'a, 'k, 'e, 'f>(
        &'a self,
        key: &'k StoreKey,
        entry: &'e NewEntry,
    ) -> BoxFuture<'f, Created>
    where
        'a: 'f,
        'k: 'f,
        'e: 'f,
    {
        (**self).create(key, entry)
    }

    fn replace<'a, 'k, 'v, 'e, 'f>(
        &'a self,
        key: &'k StoreKey,
        expected: &'v Version,
        entry: &'e NewEntry,
    ) -> BoxFuture<'f, Replaced>
    where
        'a: 'f,
        'k: 'f,
        'v: 'f,
        'e: 'f,
    {
        (**self).replace(key, expected, entry)
    }

    fn touch<'a, 'k, 'v, 'f>(
        &'a self,
        key: &'k StoreKey,
        expected: &'v Version,
        deadline: Timestamp,
    ) -> BoxFuture<'f, Touched>
    where
        'a: 'f,
        'k: 'f,
        'v: 'f,
    {
        (**self).touch(key, expected, deadline)
    }

    fn delete<'a, 'k, 'f>(&'a self, key: &'k StoreKey) -> BoxFuture<'f, ()>
    where
        'a: 'f,
        'k: 'f,
    {
        (**self).delete(key)
    }
}

type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A live entry as it was read. `Debug` shows how long the bytes are, not what they say.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// What a conditional write has to name.
    pub version: Version,
    /// When it stops being live.
    pub deadline: Timestamp,
    /// The bytes as they were written.
    pub bytes: Bytes,
}

/// An entry to be written. `Debug` shows how long the bytes are, not what they say.
///
/// ```
/// use cloakroom::Timestamp;
/// use cloakroom::store::{CommitId, NewEntry};
///
/// let commit = CommitId::from_bytes([7; 8]);
/// let entry = NewEntry::new(commit, Timestamp::MAX, "bytes");
/// assert!(!entry.last_word);
/// assert!(entry.last_word().last_word);
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewEntry {
    /// Names this commit; fresh for every change, the same when the same write is sent again.
    pub commit: CommitId,
    /// When it stops being live.
    pub deadline: Timestamp,
    /// The bytes to keep.
    pub bytes: Bytes,
    /// Whether losing this entry would bring a session back: true for the marks that a logout and a
    /// renewal leave, after which nothing else is written under the key.
    ///
    /// A store that can lose what it has acknowledged (one with asynchronous replicas) may take more
    /// care of such an entry, for example wait for a replica. Any other store ignores it.
    pub last_word: bool,
}

impl Entry {
    /// An entry as a store read it.
    ///
    /// ```
    /// use cloakroom::Timestamp;
    /// use cloakroom::store::{Entry, Version};
    ///
    /// let version = Version::new(b"etag").unwrap();
    /// let entry = Entry::new(version, Timestamp::MAX, "bytes");
    /// assert_eq!(entry.version, version);
    /// assert_eq!(entry.bytes, "bytes");
    /// ```
    pub fn new(version: Version, deadline: Timestamp, bytes: impl Into<Bytes>) -> Self {
        Self { version, deadline, bytes: bytes.into() }
    }
}

impl NewEntry {
    /// An entry that a later one may replace.
    pub fn new(commit: CommitId, deadline: Timestamp, bytes: impl Into<Bytes>) -> Self {
        Self { commit, deadline, bytes: bytes.into(), last_word: false }
    }

    /// Sets [`last_word`](field@Self::last_word).
    #[must_use]
    pub fn last_word(mut self) -> Self {
        self.last_word = true;
        self
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("version", &self.version)
            .field("deadline", &self.deadline)
            .field("bytes", &self.bytes.len())
            .finish()
    }
}

impl fmt::Debug for NewEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewEntry")
            .field("commit", &self.commit)
            .field("deadline", &self.deadline)
            .field("bytes", &self.bytes.len())
            .field("last_word", &self.last_word)
            .finish()
    }
}

/// The answer to [`SessionStore::create`].
///
/// Exhaustive, as the other answers are: the library handles each of them, and a new one would be a
/// new contract for every store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Created {
    /// Written; this is its version.
    Done(Version),
    /// A live entry is there already. Nothing was written.
    Exists,
}

/// The answer to [`SessionStore::replace`]; exhaustive, as [`Created`] is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Replaced {
    /// Written; this is the new version.
    Done(Version),
    /// The version is another. Nothing was written; this is what is there.
    Conflict(Entry),
    /// No live entry is there. Nothing was written.
    Gone,
}

/// The answer to [`SessionStore::touch`]; exhaustive, as [`Created`] is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Touched {
    /// The deadline is the new one.
    Done,
    /// Another version, or no later deadline. Nothing was changed.
    Skipped,
    /// No live entry is there.
    Gone,
}

/// Names one state of an entry: at most 32 bytes that only the store understands (a commit id, a
/// compare-and-set token, an ETag).
///
/// ```
/// use cloakroom::store::Version;
///
/// let version = Version::new(b"etag").unwrap();
/// assert_eq!(version.as_bytes(), b"etag");
/// assert!(Version::new(&[0; 33]).is_none());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Version {
    bytes: [u8; Self::MAX_BYTES],
    len: u8,
}

impl Version {
    /// The most bytes a version can have.
    pub const MAX_BYTES: usize = 32;

    pub(crate) const EMPTY: Self = Self { bytes: [0; Self::MAX_BYTES], len: 0 };

    /// A version of these bytes; `None` when there are more than 32.
    pub fn new(token: &[u8]) -> Option<Self> {
        let mut bytes = [0; Self::MAX_BYTES];
        bytes.get_mut(..token.len())?.copy_from_slice(token);
        Some(Self { bytes, len: u8::try_from(token.len()).ok()? })
    }

    /// The bytes it was made of.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl From<CommitId> for Version {
    fn from(commit: CommitId) -> Self {
        let mut bytes = [0; Self::MAX_BYTES];
        bytes[..8].copy_from_slice(commit.as_bytes());
        Self { bytes, len: 8 }
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Version({})", Hex(self.as_bytes()))
    }
}
