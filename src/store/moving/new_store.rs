//! The store that sessions move to.

use super::format::{Form, Tent, plain_version, stores_exchanged};
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::id::StoreKey;
use crate::store::contract::SessionStore;
use crate::store::entry::{Created, Entry, NewEntry, Replaced, Touched, Version};

/// The commands on the new store, with answers in the words of a move. Versions of the library's entries
/// carry the bit that says "in the new store"; those of tentative entries do not, and stay in this folder.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewStore<'a>(pub(super) &'a dyn SessionStore);

/// The live entry in the new store.
#[derive(Debug)]
pub(super) enum InNew {
    Absent,
    Plain(Entry),
    Tent(FoundTent),
}

/// A tentative entry and its version.
#[derive(Debug)]
pub(super) struct FoundTent {
    pub(super) version: Version,
    pub(super) tent: Tent,
}

/// The answer of the new store to a replace.
#[derive(Debug)]
pub(super) enum ReplacedInNew {
    Done(Version),
    /// The entry is another one, of the library's.
    Plain(Entry),
    /// A tentative entry is there, or nothing is: the key has to be looked at in both stores.
    Elsewhere,
}

impl InNew {
    pub(super) fn into_plain(self) -> Option<Entry> {
        match self {
            Self::Plain(entry) => Some(entry),
            Self::Absent | Self::Tent(_) => None,
        }
    }
}

impl NewStore<'_> {
    pub(super) async fn load(&self, key: &StoreKey) -> Result<InNew, StoreError> {
        match self.0.load(key).await? {
            None => Ok(InNew::Absent),
            Some(entry) => classify(entry),
        }
    }

    pub(super) async fn create(
        &self,
        key: &StoreKey,
        entry: &NewEntry,
    ) -> Result<Created, StoreError> {
        match self.0.create(key, entry).await? {
            Created::Done(version) => Ok(Created::Done(plain_version(version)?.in_new_store())),
            Created::Exists => Ok(Created::Exists),
        }
    }

    pub(super) async fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        entry: &NewEntry,
    ) -> Result<ReplacedInNew, StoreError> {
        match self.0.replace(key, &expected.as_its_store_has_it(), entry).await? {
            Replaced::Done(version) => {
                Ok(ReplacedInNew::Done(plain_version(version)?.in_new_store()))
            }
            Replaced::Gone => Ok(ReplacedInNew::Elsewhere),
            Replaced::Conflict(entry) => match classify(entry)? {
                InNew::Plain(entry) => Ok(ReplacedInNew::Plain(entry)),
                InNew::Tent(_) | InNew::Absent => Ok(ReplacedInNew::Elsewhere),
            },
        }
    }

    pub(super) async fn touch(
        &self,
        key: &StoreKey,
        expected: &Version,
        deadline: Timestamp,
    ) -> Result<Touched, StoreError> {
        self.0.touch(key, &expected.as_its_store_has_it(), deadline).await
    }

    /// Removes damaged bytes, which no replace can.
    pub(super) async fn remove_damage(&self, key: &StoreKey) -> Result<(), StoreError> {
        self.0.delete(key).await
    }
}

fn classify(mut entry: Entry) -> Result<InNew, StoreError> {
    let version = plain_version(entry.version)?;
    match Form::read(&entry)? {
        Form::Plain => {
            entry.version = version.in_new_store();
            Ok(InNew::Plain(entry))
        }
        Form::Tent(tent) => Ok(InNew::Tent(FoundTent { version, tent })),
        Form::Fence(_) => Err(stores_exchanged("the new store has a fence")),
    }
}
