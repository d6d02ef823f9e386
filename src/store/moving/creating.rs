//! Creates an entry, in the old store or behind a fence in the new one.

use super::new_store::{InNew, ReplacedInNew};
use super::old_store::{Fence, InOld};
use super::pair::{FENCE_MARGIN, Pair, nothing_sent};
use crate::error::{StoreError, StoreErrorKind};
use crate::id::StoreKey;
use crate::store::entry::{Created, NewEntry, Touched, Version};

/// The number of times that a create begins anew because an entry came or went between two of its commands.
const ATTEMPTS: usize = 4;

impl Pair<'_> {
    pub(super) async fn create(
        &self,
        key: &StoreKey,
        entry: &NewEntry,
    ) -> Result<Created, StoreError> {
        // Each attempt that ends without an answer has proved that it applied nothing.
        for _ in 0..ATTEMPTS {
            let answer = match self.is_old_first() {
                true => self.create_in_old(key, entry).await?,
                false => self.create_in_new(key, entry).await?,
            };
            if let Some(created) = answer {
                return Ok(created);
            }
        }
        Err(busy())
    }

    async fn create_in_old(
        &self,
        key: &StoreKey,
        entry: &NewEntry,
    ) -> Result<Option<Created>, StoreError> {
        if let InNew::Plain(_) = self.new.load(key).await.map_err(nothing_sent)? {
            return Ok(Some(Created::Exists));
        }
        match self.old.create(key, entry).await? {
            Created::Done(version) => Ok(Some(Created::Done(version))),
            Created::Exists => self.create_under_what_is_there(key, entry).await,
        }
    }

    async fn create_in_new(
        &self,
        key: &StoreKey,
        entry: &NewEntry,
    ) -> Result<Option<Created>, StoreError> {
        let fence = self.open_fence(entry.renewal)?;
        match self.old.create(key, &fence).await.map_err(nothing_sent)? {
            Created::Done(_) => self.create_under(key, entry, None).await,
            Created::Exists => self.create_under_what_is_there(key, entry).await,
        }
    }

    /// Goes on where the old store has something already.
    async fn create_under_what_is_there(
        &self,
        key: &StoreKey,
        entry: &NewEntry,
    ) -> Result<Option<Created>, StoreError> {
        match self.old.load(key).await.map_err(nothing_sent)? {
            InOld::Plain(_) => Ok(Some(Created::Exists)),
            InOld::Absent => Ok(None),
            InOld::Fence(fence) => match self.lengthen(key, &fence).await? {
                true => self.create_under(key, entry, fence.leads_to).await,
                false => Ok(None),
            },
        }
    }

    /// Makes a fence that somebody else has left outlive this command. Returns whether it is still there:
    /// a fence that ends before the entry behind it is written lets a server of the step before write into
    /// the old store, and then both stores have an entry.
    async fn lengthen(&self, key: &StoreKey, fence: &Fence) -> Result<bool, StoreError> {
        let deadline = self.now().saturating_add(FENCE_MARGIN);
        match self.old.touch(key, &fence.version, deadline).await.map_err(nothing_sent)? {
            Touched::Done => Ok(true),
            Touched::Gone => Ok(false),
            // Because it lives long enough, or because it is another entry by now.
            Touched::Skipped => match self.old.load(key).await.map_err(nothing_sent)? {
                InOld::Fence(now) => Ok(now.version == fence.version),
                InOld::Plain(_) | InOld::Absent => Ok(false),
            },
        }
    }

    /// Creates the entry in the new store, behind a fence.
    async fn create_under(
        &self,
        key: &StoreKey,
        entry: &NewEntry,
        leads_to: Option<Version>,
    ) -> Result<Option<Created>, StoreError> {
        if let Created::Done(version) = self.new.create(key, entry).await? {
            return Ok(Some(Created::Done(version)));
        }
        let junk = match self.new.load(key).await.map_err(nothing_sent)? {
            InNew::Plain(_) => return Ok(Some(Created::Exists)),
            InNew::Tent(found) if leads_to == Some(found.version) => {
                return Ok(Some(Created::Exists));
            }
            InNew::Absent => return Ok(None),
            InNew::Tent(found) => found,
        };
        match self.new.replace(key, &junk.version, entry).await? {
            ReplacedInNew::Done(version) => Ok(Some(Created::Done(version))),
            ReplacedInNew::Plain(_) => Ok(Some(Created::Exists)),
            ReplacedInNew::Elsewhere => Ok(None),
        }
    }
}

fn busy() -> StoreError {
    StoreError::new(
        StoreErrorKind::Unavailable,
        "the entry under this key kept changing in the two stores",
    )
}
