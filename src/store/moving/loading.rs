//! Finds the entry that counts.

use super::new_store::{FoundTent, InNew, ReplacedInNew};
use super::old_store::{Fence, InOld};
use super::pair::{Pair, nothing_sent};
use crate::error::StoreError;
use crate::id::StoreKey;
use crate::store::entry::{Entry, NewEntry, Replaced, Touched, Version};

impl Pair<'_> {
    pub(super) async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        let found = match self.is_old_first() {
            true => self.load_old_first(key).await,
            false => self.load_new_first(key).await,
        };
        // Settling may lose an answer; to a reader that is one that did not come.
        found.map_err(nothing_sent)
    }

    async fn load_old_first(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        match self.old.load(key).await? {
            InOld::Plain(entry) => Ok(Some(self.counted(entry))),
            InOld::Absent => Ok(self.new.load(key).await?.into_plain()),
            InOld::Fence(fence) => self.follow(key, &fence).await,
        }
    }

    async fn load_new_first(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        let first = match self.new.load(key).await? {
            InNew::Plain(entry) => return Ok(Some(entry)),
            first => first,
        };
        match (self.old.load(key).await?, first) {
            (InOld::Plain(entry), _) => Ok(Some(self.counted(entry))),
            (InOld::Absent | InOld::Fence(Fence { leads_to: None, .. }), _) => Ok(None),
            (InOld::Fence(fence), InNew::Tent(found)) if fence.leads_to_tent(&found) => {
                self.settle(key, &found.version, &found.tent.entry).await
            }
            (InOld::Fence(fence), _) => self.follow(key, &fence).await,
        }
    }

    /// Reads what a fence says that the new store decides.
    pub(super) async fn follow(
        &self,
        key: &StoreKey,
        fence: &Fence,
    ) -> Result<Option<Entry>, StoreError> {
        match self.new.load(key).await? {
            InNew::Plain(entry) => Ok(Some(entry)),
            InNew::Tent(found) if fence.leads_to_tent(&found) => {
                self.settle(key, &found.version, &found.tent.entry).await
            }
            InNew::Tent(_) | InNew::Absent => Ok(None),
        }
    }

    /// Turns the tentative entry that a fence leads to into the entry itself. Others may do so at the same
    /// time, and go on from there.
    pub(super) async fn settle(
        &self,
        key: &StoreKey,
        tent: &Version,
        entry: &NewEntry,
    ) -> Result<Option<Entry>, StoreError> {
        match self.new.replace(key, tent, entry).await? {
            ReplacedInNew::Done(version) => {
                Ok(Some(Entry::new(version, entry.deadline, entry.bytes.clone())))
            }
            ReplacedInNew::Plain(entry) => Ok(Some(entry)),
            ReplacedInNew::Elsewhere => Ok(None),
        }
    }

    /// Answers a replace that was not applied with what is there instead.
    pub(super) async fn look(&self, key: &StoreKey) -> Result<Replaced, StoreError> {
        let found = self.load(key).await?;
        Ok(found.map_or(Replaced::Gone, Replaced::Conflict))
    }

    /// Answers a touch that was skipped or found nothing in one store: the entry may have moved.
    pub(super) async fn look_after_touch(&self, key: &StoreKey) -> Result<Touched, StoreError> {
        let found = self.load(key).await?;
        Ok(found.map_or(Touched::Gone, |_| Touched::Skipped))
    }

    fn counted(&self, entry: Entry) -> Entry {
        self.shared.tally.count(self.now());
        entry
    }
}

impl Fence {
    pub(super) fn leads_to_tent(&self, found: &FoundTent) -> bool {
        self.leads_to == Some(found.version)
    }
}
