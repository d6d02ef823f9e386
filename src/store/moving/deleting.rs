//! Deletes an entry, on the version that was read.

use super::new_store::{FoundTent, InNew, ReplacedInNew};
use super::old_store::{InOld, ReplacedInOld};
use super::pair::{Pair, nothing_sent};
use crate::error::{StoreError, StoreErrorKind};
use crate::id::StoreKey;
use crate::store::entry::Version;

/// The number of changes by others that a delete goes after.
const ATTEMPTS: usize = 64;

impl Pair<'_> {
    /// Deletes the entry. An unconditional delete could hit a fence that another server has just written, and
    /// bring back what that fence ended.
    pub(super) async fn delete(&self, key: &StoreKey) -> Result<(), StoreError> {
        for _ in 0..ATTEMPTS {
            let leads_to = match self.in_old(key).await? {
                InOld::Plain(entry) => {
                    let nothing = self.nothing()?;
                    match self.old.replace(key, &entry.version, &nothing).await? {
                        ReplacedInOld::Done(_) => return Ok(()),
                        ReplacedInOld::Plain(_) | ReplacedInOld::Elsewhere => continue,
                    }
                }
                InOld::Fence(fence) => fence.leads_to,
                InOld::Absent => None,
            };
            if self.delete_in_new(key, leads_to).await? {
                return Ok(());
            }
        }
        Err(StoreError::new(StoreErrorKind::Unavailable, "the entry changed all the time"))
    }

    /// Deletes the new store's entry, if it counts. Returns whether none is left.
    async fn delete_in_new(
        &self,
        key: &StoreKey,
        leads_to: Option<Version>,
    ) -> Result<bool, StoreError> {
        let version = match self.in_new(key).await? {
            InNew::Plain(entry) => entry.version,
            InNew::Tent(FoundTent { version, .. }) if leads_to == Some(version) => version,
            InNew::Tent(_) | InNew::Absent => return Ok(true),
        };
        let deleted = self.new.replace(key, &version, &self.nothing()?).await?;
        Ok(matches!(deleted, ReplacedInNew::Done(_)))
    }

    /// Reads the old store. Damaged bytes are removed and count as absent.
    async fn in_old(&self, key: &StoreKey) -> Result<InOld, StoreError> {
        match self.old.load(key).await.map_err(nothing_sent) {
            Err(error) if error.kind() == StoreErrorKind::Corrupt => {
                self.old.remove_damage(key).await.map(|()| InOld::Absent)
            }
            found => found,
        }
    }

    /// Reads the new store. Damaged bytes are removed and count as absent.
    async fn in_new(&self, key: &StoreKey) -> Result<InNew, StoreError> {
        match self.new.load(key).await.map_err(nothing_sent) {
            Err(error) if error.kind() == StoreErrorKind::Corrupt => {
                self.new.remove_damage(key).await.map(|()| InNew::Absent)
            }
            found => found,
        }
    }
}
