//! The values of the contract: what a store keeps, and how it answers.

use std::fmt;

use bytes::Bytes;

use crate::clock::Timestamp;
use crate::hex::Hex;
use crate::id::CommitId;

/// A live entry as it was read. `Debug` shows how long the bytes are, not the bytes.
///
/// ```
/// use cloakroom::Timestamp;
/// use cloakroom::store::{Entry, Version};
///
/// let version = Version::new(b"etag").unwrap();
/// let entry = Entry::new(version, Timestamp::MAX, "a secret");
/// assert!(!format!("{entry:?}").contains("secret"));
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// The version that a conditional write has to expect.
    pub version: Version,
    /// The moment at which the entry stops being live.
    pub deadline: Timestamp,
    /// The bytes as they were written.
    pub bytes: Bytes,
}

/// An entry to be written. `Debug` shows how long the bytes are, not the bytes.
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
    /// The name of this commit, drawn at random. It does not name the bytes: the library keeps it when
    /// it sends a write again, when it sends bytes that were merged after a [`Replaced::Conflict`], and
    /// when it repeats a failed `create` under another key. Of all writes with one id under one key, at
    /// most one is applied, so it can serve as the entry's [`Version`].
    pub commit: CommitId,
    /// The moment at which the entry stops being live.
    pub deadline: Timestamp,
    /// The bytes to keep.
    pub bytes: Bytes,
    /// Whether losing this entry would bring a session back: true for the marks that a logout and a
    /// renewal leave, after which nothing else is written under the key, and for the end of all sessions in
    /// the roster of a user.
    ///
    /// A store that can lose what it has acknowledged (one with asynchronous replicas) may take more
    /// care of such an entry, for example wait for a replica. Any other store ignores it.
    pub last_word: bool,
    /// Whether this entry takes over from a live one, which the library ends right after it: true for
    /// the record that a login or another renewal creates, and for the roster of a user who logs in.
    ///
    /// A store that refuses new sessions when it is full may keep some room for such an entry, so that
    /// the visitors who are there can still log in. Any other store ignores it.
    pub renewal: bool,
}

impl Entry {
    /// Creates the entry that a store has read.
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
    /// Creates an entry that a later one may replace; its [`last_word`](field@Self::last_word) and its
    /// [`renewal`](field@Self::renewal) are `false`.
    ///
    /// ```
    /// use cloakroom::Timestamp;
    /// use cloakroom::store::{CommitId, NewEntry};
    ///
    /// let commit = CommitId::from_bytes([7; 8]);
    /// let entry = NewEntry::new(commit, Timestamp::MAX, vec![1, 2, 3]);
    /// assert_eq!(entry.bytes, [1, 2, 3][..]);
    /// assert!(!entry.last_word);
    /// ```
    pub fn new(commit: CommitId, deadline: Timestamp, bytes: impl Into<Bytes>) -> Self {
        Self { commit, deadline, bytes: bytes.into(), last_word: false, renewal: false }
    }

    /// Sets [`last_word`](field@Self::last_word).
    ///
    /// ```
    /// use cloakroom::Timestamp;
    /// use cloakroom::store::{CommitId, NewEntry};
    ///
    /// let mark = NewEntry::new(CommitId::from_bytes([7; 8]), Timestamp::MAX, "ended").last_word();
    /// assert!(mark.last_word);
    /// ```
    #[must_use]
    pub fn last_word(mut self) -> Self {
        self.last_word = true;
        self
    }

    /// Sets [`renewal`](field@Self::renewal).
    ///
    /// ```
    /// use cloakroom::Timestamp;
    /// use cloakroom::store::{CommitId, NewEntry};
    ///
    /// let login = NewEntry::new(CommitId::from_bytes([7; 8]), Timestamp::MAX, "a coat").renewal();
    /// assert!(login.renewal);
    /// ```
    #[must_use]
    pub fn renewal(mut self) -> Self {
        self.renewal = true;
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
            .field("renewal", &self.renewal)
            .finish()
    }
}

/// The answer to [`SessionStore::create`](super::SessionStore::create).
///
/// Exhaustive, as the other answers are: the library handles each of them, and a new one would be a
/// new contract for every store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Created {
    /// The entry was written; this is its version.
    Done(Version),
    /// A live entry is there already. Nothing was written.
    Exists,
}

/// The answer to [`SessionStore::replace`](super::SessionStore::replace); exhaustive, as [`Created`] is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Replaced {
    /// The entry was written; this is its new version.
    Done(Version),
    /// The version is another. Nothing was written; this is the entry that is there.
    Conflict(Entry),
    /// No live entry is there. Nothing was written.
    Gone,
}

/// The answer to [`SessionStore::touch`](super::SessionStore::touch); exhaustive, as [`Created`] is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Touched {
    /// The deadline is the new one.
    Done,
    /// The version is another, or the deadline would not become later. Nothing was changed.
    Skipped,
    /// No live entry is there.
    Gone,
}

/// The answer to [`SessionStore::load_near`](super::SessionStore::load_near); exhaustive, as [`Created`] is.
///
/// An absence is never answered from memory: a visitor whose session was not there a moment ago may have one now.
///
/// ```
/// use cloakroom::Timestamp;
/// use cloakroom::store::{Entry, LoadedNear, Version};
///
/// let entry = Entry::new(Version::new(b"etag").unwrap(), Timestamp::MAX, "a coat");
/// let held = LoadedNear::Held { entry: entry.clone(), as_of: Timestamp::from_millis(1_000) };
/// assert_eq!(held.into_entry(), Some(entry));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LoadedNear {
    /// The store was asked after the call had begun, as by [`load`](super::SessionStore::load).
    Fresh(Option<Entry>),
    /// The entry was live a short while ago, and nobody was asked. Others may have changed or ended it since.
    Held {
        /// The entry as it was.
        entry: Entry,
        /// It has every change that was acknowledged before this moment.
        as_of: Timestamp,
    },
    /// The store was asked, and answered from a copy that may lag behind. Otherwise as [`Held`](Self::Held).
    Lagging {
        /// The entry as the copy has it.
        entry: Entry,
        /// It has every change that was acknowledged before this moment.
        as_of: Timestamp,
    },
}

impl LoadedNear {
    /// Returns the entry, from wherever it is.
    ///
    /// ```
    /// use cloakroom::store::LoadedNear;
    ///
    /// assert_eq!(LoadedNear::Fresh(None).into_entry(), None);
    /// ```
    pub fn into_entry(self) -> Option<Entry> {
        match self {
            Self::Fresh(entry) => entry,
            Self::Held { entry, .. } | Self::Lagging { entry, .. } => Some(entry),
        }
    }
}

/// A token for one state of an entry: at most 32 bytes that only the store understands (a commit id,
/// a compare-and-set token, an ETag).
///
/// ```
/// use cloakroom::store::Version;
///
/// let version = Version::new(b"etag").unwrap();
/// assert_eq!(version.as_bytes(), b"etag");
/// assert!(Version::new(&[0; 33]).is_none());
/// ```
// Inline and not `Bytes`: every loaded session and every write in flight holds one, and none of them
// has to allocate for it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Version {
    bytes: [u8; Self::MAX_BYTES],
    /// The number of bytes in the low six bits. The highest bit is [`Moving`](super::Moving)'s: the entry is
    /// in its new store.
    len: u8,
}

impl Version {
    /// The most bytes that a version can have.
    pub const MAX_BYTES: usize = 32;

    pub(crate) const EMPTY: Self = Self { bytes: [0; Self::MAX_BYTES], len: 0 };

    /// The bit of `len` that says which of two stores has the entry.
    const IN_NEW_STORE: u8 = 0x80;

    /// Creates a version from a store's token. Returns `None` when the token has more than
    /// [`MAX_BYTES`](Self::MAX_BYTES).
    ///
    /// A longer token cannot be shortened, because two different ones could become equal; a hash of
    /// it will do.
    ///
    /// ```
    /// use cloakroom::store::Version;
    ///
    /// assert_eq!(Version::new(b"1"), Version::new(b"1"));
    /// assert_ne!(Version::new(b"1"), Version::new(b"1\0"));
    /// assert_eq!(Version::new(&[0; Version::MAX_BYTES + 1]), None);
    /// ```
    pub fn new(token: &[u8]) -> Option<Self> {
        let mut bytes = [0; Self::MAX_BYTES];
        bytes.get_mut(..token.len())?.copy_from_slice(token);
        Some(Self { bytes, len: u8::try_from(token.len()).ok()? })
    }

    /// Returns the token.
    ///
    /// ```
    /// use cloakroom::store::{CommitId, Version};
    ///
    /// let version = Version::from(CommitId::from_bytes([7; 8]));
    /// assert_eq!(version.as_bytes(), [7; 8]);
    /// ```
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len & !Self::IN_NEW_STORE)]
    }

    /// Returns this version of an entry in the new one of two stores. It differs from the same token in the
    /// old store.
    pub(super) fn in_new_store(self) -> Self {
        Self { len: self.len | Self::IN_NEW_STORE, ..self }
    }

    pub(super) fn is_in_new_store(&self) -> bool {
        self.len & Self::IN_NEW_STORE != 0
    }

    /// Returns the version as the store itself knows it.
    pub(super) fn as_its_store_has_it(self) -> Self {
        Self { len: self.len & !Self::IN_NEW_STORE, ..self }
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
        let side = if self.is_in_new_store() { " in the new store" } else { "" };
        write!(f, "Version({}{side})", Hex(self.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_same_token_in_two_stores_is_two_versions() {
        for token in [&[][..], b"etag", &[7; Version::MAX_BYTES]] {
            let old = Version::new(token).unwrap();
            let new = old.in_new_store();
            assert_ne!(old, new);
            assert_eq!(HashSet::from([old, new]).len(), 2);
            assert_eq!((old.as_bytes(), new.as_bytes()), (token, token));
            assert_eq!((old.is_in_new_store(), new.is_in_new_store()), (false, true));
            assert_eq!((new.as_its_store_has_it(), old.as_its_store_has_it()), (old, old));
            assert_eq!(new.in_new_store(), new);
        }
        assert_eq!(size_of::<Version>(), Version::MAX_BYTES + 1);
    }
}
