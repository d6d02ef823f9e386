//! The ledger's data and the questions that both its recording and its checks ask.

use std::collections::BTreeSet;

use super::entry::{Change, ChangeKind, Status, Target, Visit};
use super::lineage::Lineages;
use crate::clock::Timestamp;
use crate::id::StoreKey;

/// Everything that visitors and handlers of a run were told.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(super) visits: Vec<Visit>,
    pub(super) changes: Vec<Change>,
    pub(crate) lineages: Lineages,
    /// The ids that the library has sent a create for.
    pub(super) created: BTreeSet<StoreKey>,
    /// The first promise that was broken.
    pub(crate) violation: Option<String>,
}

impl Ledger {
    /// Records a violation of `promise` unless `holds`. The first violation counts: later ones
    /// often follow from it.
    pub(crate) fn demand(&mut self, holds: bool, promise: &str, detail: impl FnOnce() -> String) {
        if !holds && self.violation.is_none() {
            self.violation = Some(format!("{promise}: {}", detail()));
        }
    }

    /// Returns the id under which the session of a change was first known.
    pub(super) fn first_known_key(&self, tag: usize) -> Option<StoreKey> {
        let change = &self.changes[tag];
        match change.target {
            Target::Found(key) => Some(key),
            Target::New => self.visits[change.visit].new_key,
            Target::Unknown => None,
        }
    }

    /// Returns whether the change is known to belong to the session of `key`.
    pub(super) fn belongs_to(&self, tag: usize, key: StoreKey) -> bool {
        self.first_known_key(tag).is_some_and(|known| self.lineages.is_same(known, key))
    }

    /// Returns one of the own keys that were in the session when the visit began. A key that was
    /// inserted later is not there for this visit, so removing it may change nothing.
    pub(crate) fn choose_own_key(&self, visit: usize, choice: u64) -> Option<u32> {
        let Visit { start, target: Target::Found(key), .. } = self.visits[visit] else {
            return None;
        };
        let was_stored = |tag: &usize| {
            let Change { kind, status, .. } = &self.changes[*tag];
            *kind == ChangeKind::OwnKey && matches!(status, Status::Stored(at) if *at < start)
        };
        let tags = (0..self.changes.len()).filter(was_stored);
        let tags: Vec<usize> = tags.filter(|tag| self.belongs_to(*tag, key)).collect();
        let chosen = tags.get((choice % tags.len().max(1) as u64) as usize)?;
        u32::try_from(*chosen).ok()
    }

    /// Returns whether the change has certainly led to a write on a live session. A commit that
    /// leaves the session as its visit has loaded it writes nothing, so a removal or a clear need
    /// not, nor a change that a later clear of the same visit undoes.
    pub(super) fn has_written(&self, tag: usize) -> bool {
        self.changes[tag].kind.always_writes() && !self.is_undone_by_own_visit(tag)
    }

    /// Returns whether a later change of the same visit undoes the change.
    pub(super) fn is_undone_by_own_visit(&self, tag: usize) -> bool {
        let Change { kind, visit, .. } = self.changes[tag];
        let later = &self.changes[tag + 1..];
        later.iter().any(|later| later.visit == visit && later.kind.undoes(kind))
    }

    /// Returns whether a change of the session of `key` is known to have undone `tag` before
    /// `before`.
    pub(super) fn was_undone(&self, tag: usize, key: StoreKey, before: Timestamp) -> bool {
        (0..self.changes.len()).any(|undo| {
            let stored = |status| matches!(status, Status::Stored(at) if at < before);
            stored(self.changes[undo].status)
                && match self.changes[undo].kind {
                    ChangeKind::Removal { removed } => removed as usize == tag,
                    kind => {
                        let is_later = self.is_known_to_follow(undo, tag);
                        kind.undoes(self.changes[tag].kind)
                            && is_later
                            && self.belongs_to(undo, key)
                    }
                }
        })
    }

    /// Returns whether any change of the session of `key` may have undone `tag`.
    pub(super) fn may_have_been_undone(&self, tag: usize, key: StoreKey) -> bool {
        (0..self.changes.len()).any(|undo| {
            let Change { kind, status, target, .. } = self.changes[undo];
            status != Status::Refused
                && match kind {
                    ChangeKind::Removal { removed } => removed as usize == tag,
                    kind => {
                        let is_here = target == Target::Unknown || self.belongs_to(undo, key);
                        let is_earlier = self.is_known_to_follow(tag, undo);
                        kind.undoes(self.changes[tag].kind) && is_here && !is_earlier
                    }
                }
        })
    }

    /// Returns whether the store can only have executed `later` after `earlier`.
    ///
    /// A commit that leaves the session as its visit has loaded it writes nothing and counts as
    /// having come before everything since. So `later` is compared by the start of its visit, not
    /// by the time at which it was sent, if it may have written nothing.
    pub(super) fn is_known_to_follow(&self, later: usize, earlier: usize) -> bool {
        let (after, before) = (&self.changes[later], &self.changes[earlier]);
        if after.visit == before.visit {
            return later > earlier;
        }
        let begun = match after.kind.always_writes() {
            true => after.sent,
            false => Some(self.visits[after.visit].start),
        };
        let ended = match before.status {
            Status::Stored(at) => Some(at),
            _ => None,
        };
        ended.zip(begun).is_some_and(|(ended, begun)| ended < begun)
    }

    /// Returns the principals that the session of `key` may show to a request that began at
    /// `start`: those of all logins and logouts that no later one is known to have replaced.
    pub(super) fn possible_principals(&self, key: StoreKey, start: Timestamp) -> Vec<Option<u8>> {
        let is_sent = |tag: &usize| {
            let Change { status, target, .. } = self.changes[*tag];
            let is_here = target == Target::Unknown || self.belongs_to(*tag, key);
            is_here && !matches!(status, Status::Refused | Status::Unsent)
        };
        let may_show = |tag: usize| !self.was_undone(tag, key, start);
        let principal = |tag: usize| match self.changes[tag].kind {
            ChangeKind::LogIn { principal } => Some(Some(principal)),
            ChangeKind::LogOut => Some(None),
            _ => None,
        };
        let sent = (0..self.changes.len()).filter(is_sent);
        let mut possible: Vec<_> =
            sent.filter(|tag| may_show(*tag)).filter_map(principal).collect();
        let is_due = |tag: usize| {
            let is_stored = matches!(self.changes[tag].status, Status::Stored(at) if at < start);
            is_stored && principal(tag).is_some() && self.belongs_to(tag, key)
        };
        if !(0..self.changes.len()).any(is_due) {
            // The session began without a principal.
            possible.push(None);
        }
        possible
    }

    /// Returns how many changes of this kind were acknowledged.
    pub(crate) fn count_stored(&self, is_kind: impl Fn(ChangeKind) -> bool) -> u64 {
        let is_stored =
            |change: &&Change| is_kind(change.kind) && matches!(change.status, Status::Stored(_));
        self.changes.iter().filter(is_stored).count() as u64
    }
}
