//! Handles that are kept open: what they are told about their session, hours after they loaded it.

use super::books::Ledger;
use super::entry::{CommitResult, Contents, Status};
use super::promises::P5_GONE;
use crate::clock::Timestamp;
use crate::id::StoreKey;

const P6_LEARNS: &str = "P6 an open handle learns of the end of its session";
const P6_EMPTY: &str = "P6 a handle whose session is over is empty";

/// The answer that a handle got.
pub(crate) struct Answered {
    pub(crate) visit: usize,
    pub(crate) result: CommitResult,
    pub(crate) begun: Timestamp,
    /// Whether it moves the idle deadline.
    pub(crate) is_use: bool,
    /// Whether the handle shows neither a principal nor values.
    pub(crate) is_empty: bool,
}

impl Ledger {
    /// Records that the handle on the session of `at` stays open after its response has left.
    pub(crate) fn handle_kept_open(&mut self, visit: usize, discards: bool, at: Option<StoreKey>) {
        self.visits[visit].is_open = true;
        // A logout that was not confirmed is finished first, and the handle begins anew.
        self.visits[visit].at = at.filter(|_| self.visits[visit].unconfirmed_logout.is_none());
        if discards {
            self.drop_all(visit);
        }
    }

    /// Records that nothing more comes from the handle.
    pub(crate) fn handle_closed(&mut self, visit: usize) {
        for change in self.changes.iter_mut().filter(|change| change.visit == visit) {
            if change.status == Status::Unsent {
                change.status = Status::Refused;
            }
        }
    }

    /// Records that the handler was dropped with everything that it was about to do.
    pub(crate) fn handler_dropped(&mut self, visit: usize) {
        self.visits[visit].logout_under_way = false;
    }

    /// Records the answer to a question about the session.
    pub(crate) fn handle_answered(
        &mut self,
        answered: &Answered,
        contents: Option<&Contents>,
        now: Timestamp,
    ) {
        let Answered { visit, result, begun, is_use, is_empty } = *answered;
        self.check_open(visit, result, begun, now);
        let Some(key) = self.known_key(visit) else { return };
        match result {
            CommitResult::Stored if is_use => self.uses.push((key, begun)),
            CommitResult::Stored => {
                // A key with an unsaved `update` shows what the closure made of the older value.
                let is_unsaved = |status| matches!(status, Status::Unsent | Status::InDoubt);
                let mut own = self.changes.iter().filter(|change| change.visit == visit);
                let shows_own = own.any(|change| is_unsaved(change.status));
                if let (Some(contents), false) = (contents, shows_own) {
                    self.check_contents(key, contents, begun);
                }
            }
            CommitResult::Gone => {
                self.drop_all(visit);
                self.demand(is_empty, P6_EMPTY, || format!("visit {visit}"));
            }
            _ => {}
        }
    }

    /// Checks that an open handle learns whether its session is over.
    pub(super) fn check_open(
        &mut self,
        visit: usize,
        result: CommitResult,
        begun: Timestamp,
        now: Timestamp,
    ) {
        let (true, Some(key)) = (self.visits[visit].is_open, self.known_key(visit)) else { return };
        match result {
            CommitResult::Stored => {
                let has_ended = self.visits[visit].is_over
                    || self.lineages.was_ended(key, begun)
                    || self.lineages.was_renewed(key, begun, visit)
                    || self.lineages.deadline(key) <= begun;
                self.demand(!has_ended, P6_LEARNS, || format!("visit {visit} on {key}"));
            }
            CommitResult::Gone => {
                self.visits[visit].is_over = true;
                let is_over = self.lineages.is_over(key, now);
                let must_live = self.lineages.successor(key).is_none() && self.must_live(key, now);
                self.demand(is_over && !must_live, P5_GONE, || {
                    format!("{key} is gone for visit {visit}")
                });
            }
            _ => {}
        }
    }
}
