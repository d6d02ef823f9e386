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

    /// Returns whether a removal of the change's key was acknowledged before `before`.
    pub(super) fn was_removed(&self, tag: usize, before: Timestamp) -> bool {
        self.removals(tag).any(|status| matches!(status, Status::Stored(at) if at < before))
    }

    /// Returns whether any removal of the change's key may have been stored.
    pub(super) fn may_have_been_removed(&self, tag: usize) -> bool {
        self.removals(tag).any(|status| status != Status::Refused)
    }

    fn removals(&self, tag: usize) -> impl Iterator<Item = Status> {
        let removes_it = move |change: &&Change| matches!(change.kind, ChangeKind::Removal { removed } if removed as usize == tag);
        self.changes.iter().filter(removes_it).map(|change| change.status)
    }
}
