//! The ledger's data and the questions that both its recording and its checks ask.

use std::collections::BTreeSet;

use super::entry::{Change, ChangeKind, Status, Target, Visit};
use super::lineage::{Lineages, Origin, Takes};
use super::tickets::Tickets;
use crate::clock::Timestamp;
use crate::id::StoreKey;

/// Everything that visitors and handlers of a run were told.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(super) visits: Vec<Visit>,
    pub(super) changes: Vec<Change>,
    pub(crate) lineages: Lineages,
    pub(crate) tickets: Tickets,
    /// The ids that the library has sent a create for.
    pub(super) created: BTreeSet<StoreKey>,
    /// Acknowledged uses, which move a session's idle deadline.
    pub(super) uses: Vec<(StoreKey, Timestamp)>,
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
        if change.stored_in.is_some() {
            return change.stored_in;
        }
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

    /// Returns whether the change may belong to the session of `key`. As long as nobody was told where
    /// it is stored, it may be wherever its visit has been.
    fn may_belong_to(&self, tag: usize, key: StoreKey) -> bool {
        let Change { target, stored_in, visit, .. } = self.changes[tag];
        let is_here = |began: StoreKey| self.lineages.is_same(began, key);
        let is_open = stored_in.is_none();
        let may_be_here =
            target == Target::Unknown || self.visits[visit].began_anew.is_some_and(is_here);
        self.belongs_to(tag, key) || is_open && may_be_here
    }

    /// Returns the id that the visit's handle was given up under: where it is known to have been, or
    /// where its ticket led to if it met a mark there.
    pub(super) fn known_key(&self, visit: usize) -> Option<StoreKey> {
        let Visit { at, target, ticket, met_mark, asked_for_logout, .. } = self.visits[visit];
        match target {
            _ if at.is_some() => at,
            Target::Found(key) => Some(key),
            _ => ticket.filter(|_| met_mark && !asked_for_logout),
        }
    }

    /// Returns whether the changes log somebody in: of those that change the principal, the last one
    /// decides.
    pub(super) fn logged_in(&self, tags: &[usize]) -> Option<u8> {
        let changes = tags.iter().map(|tag| self.changes[*tag].kind);
        changes.fold(None, |principal, kind| match kind {
            ChangeKind::LogIn { principal } => Some(principal),
            ChangeKind::LogOut => None,
            _ => principal,
        })
    }

    /// Returns one of the own keys that were in the session when the visit began. A key that was
    /// inserted later is not there for this visit, so removing it may change nothing.
    pub(crate) fn choose_own_key(&self, visit: usize, choice: u64) -> Option<u32> {
        let Visit { start, target: Target::Found(key), is_open, .. } = self.visits[visit] else {
            return None;
        };
        // An open handle's changes are compared with what is stored when it saves.
        let start = if is_open { Timestamp::MAX } else { start };
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
        let is_undone_here = (0..self.changes.len()).any(|undo| {
            let Change { status, .. } = self.changes[undo];
            let is_stored = matches!(status, Status::Stored(at) if at < before);
            is_stored && self.belongs_to(undo, key) && self.undoes(undo, tag)
        });
        let is_undone_before = |origin: &Origin| self.was_undone(tag, origin.from, origin.begun);
        let origins = self.lineages.origins(key);
        let is_undone_in_all = !origins.is_empty() && origins.iter().all(is_undone_before);
        is_undone_here || !self.belongs_to(tag, key) && is_undone_in_all
    }

    /// Returns whether `undo` certainly undoes `tag` if both are stored in one session.
    fn undoes(&self, undo: usize, tag: usize) -> bool {
        match self.changes[undo].kind {
            ChangeKind::Removal { removed } => removed as usize == tag,
            kind => kind.undoes(self.changes[tag].kind) && self.is_known_to_follow(undo, tag),
        }
    }

    /// Returns whether any change of the session of `key` may have undone `tag` before `before`.
    fn may_have_been_undone(&self, tag: usize, key: StoreKey, before: Timestamp) -> bool {
        (0..self.changes.len()).any(|undo| {
            let Change { kind, status, sent, .. } = self.changes[undo];
            let is_here = self.may_belong_to(undo, key);
            let is_early = sent.is_none_or(|sent| sent <= before);
            status != Status::Refused
                && is_here
                && is_early
                && match kind {
                    ChangeKind::Removal { removed } => removed as usize == tag,
                    kind => {
                        let is_earlier = self.is_known_to_follow(tag, undo);
                        kind.undoes(self.changes[tag].kind) && !is_earlier
                    }
                }
        })
    }

    /// Returns whether a request that began at `start` may find `tag` in the session of `key`.
    pub(super) fn may_hold(&self, tag: usize, key: StoreKey, start: Timestamp) -> bool {
        let Change { kind, sent, .. } = self.changes[tag];
        let is_early = sent.is_none_or(|sent| sent <= start);
        let is_taken_along = |origin: &Origin| {
            let takes = match kind {
                ChangeKind::GetAndInsert => origin.takes != Takes::AllButList,
                _ => origin.takes != Takes::List,
            };
            takes && self.may_hold(tag, origin.from, origin.ended)
        };
        is_early
            && (self.may_belong_to(tag, key)
                || self.lineages.origins(key).iter().any(is_taken_along))
    }

    /// Returns whether a request that began between `start` and `until` must find `tag` in the session
    /// of `key`.
    pub(super) fn must_hold(
        &self,
        tag: usize,
        key: StoreKey,
        start: Timestamp,
        until: Timestamp,
    ) -> bool {
        let is_stored = matches!(self.changes[tag].status, Status::Stored(at) if at < start);
        let is_here = self.belongs_to(tag, key);
        let is_taken_along = |origin: &Origin| {
            let takes = match origin.takes {
                Takes::All => true,
                Takes::AllButList => self.changes[tag].kind != ChangeKind::GetAndInsert,
                Takes::Maybe | Takes::List => false,
            };
            takes && self.must_hold(tag, origin.from, origin.begun, origin.ended)
        };
        is_stored
            && (is_here || self.lineages.origins(key).iter().any(is_taken_along))
            && !self.may_have_been_undone(tag, key, until)
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
            let status = self.changes[*tag].status;
            let is_here = self.may_belong_to(*tag, key);
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
