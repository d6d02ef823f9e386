//! Changes an entry where it is, or moves it with its change.

use std::time::Duration;

use tokio::time::timeout;

use super::format::Tent;
use super::new_store::{InNew, ReplacedInNew};
use super::old_store::{InOld, ReplacedInOld};
use super::pair::{Pair, nothing_sent, unconfirmed};
use crate::clock::Timestamp;
use crate::error::{StoreError, StoreErrorKind};
use crate::id::{CommitId, StoreKey};
use crate::store::entry::{Created, Entry, NewEntry, Replaced, Touched, Version};

/// An entry with less left than this is not moved: it is a mark, or about to end.
const TOO_SHORT_TO_MOVE: Duration = Duration::from_secs(120);

/// The longest time for making a tentative entry. A command of the library has two seconds, and the write in
/// the old store still has to fit.
const TENT_TIMEOUT: Duration = Duration::from_millis(500);

/// How an attempt to move an entry ended.
enum Moved {
    /// Nothing was written that counts, and the old store's entry was not touched.
    Stays,
    /// The same, because the new store has a tentative entry for the same one: somebody else is moving it, or was.
    IsTaken,
    /// The fence is there: the write is applied. This is the entry after settling.
    Over(Result<Option<Entry>, StoreError>),
    /// The old store has another entry: this one, or the key has to be looked at.
    Refused(Option<Entry>),
}

/// How an attempt to make a tentative entry ended.
enum Made {
    Tent(Version),
    /// The new store cannot take it now, or the entry is not there any more.
    Nothing,
    /// There is one for the same entry already.
    IsTaken,
}

impl Pair<'_> {
    pub(super) async fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        entry: &NewEntry,
    ) -> Result<Replaced, StoreError> {
        if expected.is_in_new_store() {
            return self.replace_in_new(key, expected, entry).await;
        }
        if !self.may_move(entry.deadline) {
            return self.replace_in_old(key, expected, entry).await;
        }
        match self.move_over(key, expected, entry).await? {
            Moved::Stays | Moved::IsTaken => self.replace_in_old(key, expected, entry).await,
            Moved::Refused(Some(there)) => Ok(Replaced::Conflict(there)),
            Moved::Refused(None) => self.look(key).await,
            Moved::Over(Err(error)) => Err(unconfirmed(error)),
            // The bytes of the library's entries have their commits in them, so these are ours.
            Moved::Over(Ok(Some(there))) if there.bytes == entry.bytes => {
                Ok(Replaced::Done(there.version))
            }
            Moved::Over(Ok(_)) => Err(StoreError::new(
                StoreErrorKind::Indeterminate,
                "another server went on from the moved entry before this one saw it",
            )),
        }
    }

    async fn replace_in_new(
        &self,
        key: &StoreKey,
        expected: &Version,
        entry: &NewEntry,
    ) -> Result<Replaced, StoreError> {
        match self.new.replace(key, expected, entry).await? {
            ReplacedInNew::Done(version) => Ok(Replaced::Done(version)),
            ReplacedInNew::Plain(there) => Ok(Replaced::Conflict(there)),
            ReplacedInNew::Elsewhere => self.look(key).await,
        }
    }

    async fn replace_in_old(
        &self,
        key: &StoreKey,
        expected: &Version,
        entry: &NewEntry,
    ) -> Result<Replaced, StoreError> {
        match self.old.replace(key, expected, entry).await? {
            ReplacedInOld::Done(version) => Ok(Replaced::Done(version)),
            ReplacedInOld::Plain(there) => Ok(Replaced::Conflict(there)),
            ReplacedInOld::Elsewhere => self.look(key).await,
        }
    }

    pub(super) async fn touch(
        &self,
        key: &StoreKey,
        expected: &Version,
        deadline: Timestamp,
    ) -> Result<Touched, StoreError> {
        if expected.is_in_new_store() {
            let touched = self.new.touch(key, expected, deadline).await?;
            return self.done_or_look(key, touched).await;
        }
        if !self.may_move(deadline) {
            return self.touch_in_old(key, expected, deadline).await;
        }
        let there = match self.old.load(key).await.map_err(nothing_sent)? {
            InOld::Plain(there) if there.version == *expected => there,
            _ => return self.look_after_touch(key).await,
        };
        if deadline <= there.deadline {
            return Ok(Touched::Skipped);
        }
        let entry = NewEntry::new(self.fresh_commit()?, deadline, there.bytes);
        match self.move_over(key, expected, &entry).await? {
            Moved::Stays | Moved::IsTaken => self.touch_in_old(key, expected, deadline).await,
            // The version is another one now, so the answer cannot be `Done`.
            Moved::Over(Ok(Some(_))) | Moved::Refused(Some(_)) => Ok(Touched::Skipped),
            Moved::Over(Ok(None)) | Moved::Refused(None) => self.look_after_touch(key).await,
            Moved::Over(Err(error)) => Err(unconfirmed(error)),
        }
    }

    async fn touch_in_old(
        &self,
        key: &StoreKey,
        expected: &Version,
        deadline: Timestamp,
    ) -> Result<Touched, StoreError> {
        let touched = self.old.touch(key, expected, deadline).await?;
        self.done_or_look(key, touched).await
    }

    async fn done_or_look(&self, key: &StoreKey, touched: Touched) -> Result<Touched, StoreError> {
        match touched {
            Touched::Done => Ok(Touched::Done),
            Touched::Skipped | Touched::Gone => self.look_after_touch(key).await,
        }
    }

    /// Moves the entry as it is. Returns whether nothing of the key is left to move.
    pub(super) async fn advance(&self, key: &StoreKey) -> Result<bool, StoreError> {
        let there = match self.old.load(key).await.map_err(nothing_sent)? {
            InOld::Absent => return Ok(true),
            InOld::Fence(fence) if fence.leads_to.is_none() => return Ok(true),
            InOld::Fence(fence) => return self.follow(key, &fence).await.map(|_| true),
            InOld::Plain(there) => there,
        };
        if !self.may_move(there.deadline) {
            return Ok(false);
        }
        let entry = NewEntry::new(self.fresh_commit()?, there.deadline, there.bytes);
        match self.move_over(key, &there.version, &entry).await? {
            Moved::Over(settled) => settled.map(|_| true).map_err(unconfirmed),
            Moved::IsTaken => self.leave_behind(key, &there.version, &entry).await.map(|()| false),
            Moved::Stays | Moved::Refused(_) => Ok(false),
        }
    }

    /// Writes the entry again where it is, so that a tentative entry for it is one for an entry of the past, which the
    /// next move replaces. Whoever has made it may be dead, and an entry that nobody changes would never move.
    ///
    /// To go on from that tentative entry, or to replace it, would be wrong: its maker's fence may yet lead to it. After
    /// this write that fence is refused.
    async fn leave_behind(
        &self,
        key: &StoreKey,
        expected: &Version,
        entry: &NewEntry,
    ) -> Result<(), StoreError> {
        let entry = NewEntry::new(self.fresh_commit()?, entry.deadline, entry.bytes.clone());
        self.old.replace(key, expected, &entry).await.map(drop)
    }

    fn may_move(&self, deadline: Timestamp) -> bool {
        let now = self.now();
        !self.is_old_first()
            && deadline >= now.saturating_add(TOO_SHORT_TO_MOVE)
            && self.shared.breaker.lets_move(now)
    }
}

/// The move itself.
impl Pair<'_> {
    /// Moves an entry to the new store, changed to `entry`. The write of the fence is the moment of the move;
    /// before it nothing counts that was written, and after it everything does.
    async fn move_over(
        &self,
        key: &StoreKey,
        expected: &Version,
        entry: &NewEntry,
    ) -> Result<Moved, StoreError> {
        let (Ok(for_tent), Ok(for_fence)) = (self.fresh_commit(), self.fresh_commit()) else {
            return Ok(Moved::Stays);
        };
        let tent = match self.tent_in_time(key, expected, entry, for_tent).await {
            Made::Tent(tent) => tent,
            Made::Nothing => return Ok(Moved::Stays),
            Made::IsTaken => return Ok(Moved::IsTaken),
        };
        let fence = self.fence(for_fence, &tent, entry.deadline);
        let refused = match self.old.replace(key, expected, &fence).await {
            Ok(ReplacedInOld::Done(_)) => {
                return Ok(Moved::Over(self.settle(key, &tent, entry).await));
            }
            // The fence may be there, or may yet come. The tentative entry has to stay for it.
            Err(error) if error.kind() == StoreErrorKind::Indeterminate => return Err(error),
            Ok(ReplacedInOld::Plain(there)) => Ok(Moved::Refused(Some(there))),
            Ok(ReplacedInOld::Elsewhere) => Ok(Moved::Refused(None)),
            Err(error) => Err(error),
        };
        self.withdraw(key, &tent).await;
        refused
    }

    /// Makes the tentative entry.
    async fn tent_in_time(
        &self,
        key: &StoreKey,
        expected: &Version,
        entry: &NewEntry,
        commit: CommitId,
    ) -> Made {
        let tent = Tent { made_for: *expected, entry: entry.clone() };
        let tent = tent.encode(commit);
        let breaker = &self.shared.breaker;
        match timeout(TENT_TIMEOUT, self.make_tent(key, expected, &tent)).await {
            Ok(Ok(made)) => made,
            Ok(Err(error)) => {
                breaker.note(error.kind(), self.now());
                Made::Nothing
            }
            // It may still come, and is junk then: no fence will lead to it.
            Err(_) => {
                breaker.open(self.now());
                Made::Nothing
            }
        }
    }

    async fn make_tent(
        &self,
        key: &StoreKey,
        expected: &Version,
        tent: &NewEntry,
    ) -> Result<Made, StoreError> {
        if let Created::Done(version) = self.new.create(key, tent).await? {
            return Ok(Made::Tent(version.as_its_store_has_it()));
        }
        let InNew::Tent(there) = self.new.load(key).await? else {
            return Ok(Made::Nothing);
        };
        if there.tent.made_for == *expected {
            return Ok(Made::IsTaken);
        }
        // It is junk, unless its fence has been written since. The old store alone can tell.
        match self.old.load(key).await {
            Ok(InOld::Plain(entry)) if entry.version == *expected => {}
            _ => return Ok(Made::Nothing),
        }
        match self.new.replace(key, &there.version, tent).await? {
            ReplacedInNew::Done(version) => Ok(Made::Tent(version.as_its_store_has_it())),
            ReplacedInNew::Plain(_) | ReplacedInNew::Elsewhere => Ok(Made::Nothing),
        }
    }

    /// Removes a tentative entry that no fence will lead to. If that fails, the next move overwrites it.
    async fn withdraw(&self, key: &StoreKey, tent: &Version) {
        if let Ok(nothing) = self.nothing() {
            let _ = timeout(TENT_TIMEOUT, self.new.replace(key, tent, &nothing)).await;
        }
    }
}
