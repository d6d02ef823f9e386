//! The store that sessions move away from.

use super::format::{Form, plain_version, stores_exchanged};
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::id::StoreKey;
use crate::store::contract::SessionStore;
use crate::store::entry::{Created, Entry, NewEntry, Replaced, Touched, Version};

/// The commands on the old store, with answers in the words of a move.
#[derive(Clone, Copy, Debug)]
pub(super) struct OldStore<'a>(pub(super) &'a dyn SessionStore);

/// The live entry in the old store.
#[derive(Debug)]
pub(super) enum InOld {
    Absent,
    Plain(Entry),
    Fence(Fence),
}

/// The note that the new store decides.
#[derive(Debug)]
pub(super) struct Fence {
    pub(super) version: Version,
    /// The version of the tentative entry that it leads to; none if it is open.
    pub(super) leads_to: Option<Version>,
}

/// The answer of the old store to a replace.
#[derive(Debug)]
pub(super) enum ReplacedInOld {
    Done(Version),
    /// The entry is another one, of the library's.
    Plain(Entry),
    /// Something else is there, or nothing is: the key has to be looked at in both stores.
    Elsewhere,
}

impl OldStore<'_> {
    pub(super) async fn load(&self, key: &StoreKey) -> Result<InOld, StoreError> {
        match self.0.load(key).await? {
            None => Ok(InOld::Absent),
            Some(entry) => classify(entry),
        }
    }

    pub(super) async fn create(
        &self,
        key: &StoreKey,
        entry: &NewEntry,
    ) -> Result<Created, StoreError> {
        match self.0.create(key, entry).await? {
            Created::Done(version) => plain_version(version).map(Created::Done),
            Created::Exists => Ok(Created::Exists),
        }
    }

    pub(super) async fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        entry: &NewEntry,
    ) -> Result<ReplacedInOld, StoreError> {
        match self.0.replace(key, expected, entry).await? {
            Replaced::Done(version) => plain_version(version).map(ReplacedInOld::Done),
            Replaced::Gone => Ok(ReplacedInOld::Elsewhere),
            Replaced::Conflict(entry) => match classify(entry)? {
                InOld::Plain(entry) => Ok(ReplacedInOld::Plain(entry)),
                InOld::Fence(_) | InOld::Absent => Ok(ReplacedInOld::Elsewhere),
            },
        }
    }

    pub(super) async fn touch(
        &self,
        key: &StoreKey,
        expected: &Version,
        deadline: Timestamp,
    ) -> Result<Touched, StoreError> {
        self.0.touch(key, expected, deadline).await
    }

    /// Removes damaged bytes, which no replace can.
    pub(super) async fn remove_damage(&self, key: &StoreKey) -> Result<(), StoreError> {
        self.0.delete(key).await
    }
}

fn classify(entry: Entry) -> Result<InOld, StoreError> {
    let version = plain_version(entry.version)?;
    match Form::read(&entry)? {
        Form::Plain => Ok(InOld::Plain(entry)),
        Form::Fence(leads_to) => Ok(InOld::Fence(Fence { version, leads_to })),
        Form::Tent(_) => Err(stores_exchanged("the old store has a tentative entry")),
    }
}
