//! The reports of handlers and browsers to the ledger, in the order of a visit.

use super::books::Ledger;
use super::entry::{
    Answer, Change, ChangeKind, Commit, CommitResult, Contents, Status, Target, Visit,
};
use super::lineage::{Origin, Takes};
use super::promises::{P1_TICKET, P5_HIDDEN, P6_ENDED, P6_OVER, P6_TWICE};
use crate::Session;
use crate::clock::Timestamp;
use crate::id::StoreKey;

impl Ledger {
    /// Records that the library sends a create.
    pub(crate) fn key_created(&mut self, key: StoreKey) {
        let is_first = self.created.insert(key);
        self.demand(is_first, P6_TWICE, || key.to_string());
    }

    /// Returns the id of the session that a handle is on. Its `Debug` output shows the fingerprint.
    pub(crate) fn key_shown_by(&self, session: &Session) -> Option<StoreKey> {
        let shown = format!("{session:?}");
        self.created.iter().find(|key| shown.contains(&key.to_string())).copied()
    }

    /// Records a request and returns the number of its visit. The session whose ticket expires last comes
    /// first in `tickets`.
    pub(crate) fn visit_begins(&mut self, tickets: &[StoreKey], now: Timestamp) -> usize {
        self.visits.push(Visit::new(tickets, now));
        self.visits.len() - 1
    }

    /// Records the numbers of the tickets that a visit brings.
    pub(crate) fn tickets_presented(
        &mut self,
        visit: usize,
        turns: Vec<(StoreKey, u16)>,
        now: Timestamp,
    ) {
        for &(key, number) in &turns {
            self.tickets.record_presented(key, number, now);
        }
        self.visits[visit].turns = turns;
    }

    /// Records that the handler has loaded: `found` in the live session of a key, or no session.
    pub(crate) fn session_loaded(
        &mut self,
        visit: usize,
        found: Option<(StoreKey, &Contents)>,
        now: Timestamp,
    ) {
        let Visit { start, target, unconfirmed_logout, .. } = self.visits[visit];
        let presented = self.visits[visit].presented();
        let Some((key, found)) = found else {
            let marked = presented.into_iter().find(|key| self.lineages.is_marked(*key, now));
            self.visits[visit].target = Target::New;
            self.visits[visit].met_mark = marked.is_some();
            marked.into_iter().for_each(|key| self.visits[visit].choose(key));
            return;
        };
        self.demand(presented.contains(&key), P1_TICKET, || format!("visit {visit} found {key}"));
        self.visits[visit].choose(key);
        if target == Target::New {
            let is_excused = unconfirmed_logout.is_some();
            self.demand(is_excused, P6_ENDED, || format!("visit {visit} found what it ended"));
            return;
        }
        self.visits[visit].target = Target::Found(key);
        self.visits[visit].at = Some(key);
        self.check_found(key, visit, now);
        self.check_contents(key, found, start);
    }

    /// Records that a handler whose store has answered found no session.
    pub(crate) fn nothing_loaded(&mut self, visit: usize, now: Timestamp) {
        let is_refused = |key: StoreKey| {
            let turn = self.visits[visit].turn_of(key);
            turn.is_some_and(|turn| self.tickets.may_be_refused(key, turn, now))
        };
        let is_alive =
            |key: &StoreKey| self.lineages.is_certainly_alive(*key, now) && !is_refused(*key);
        let hidden = self.visits[visit].presented().into_iter().find(is_alive);
        self.demand(hidden.is_none(), P5_HIDDEN, || format!("{hidden:?} from visit {visit}"));
        self.session_loaded(visit, None, now);
    }

    /// Records that the handler makes a change and returns the change's tag.
    pub(crate) fn change_made(&mut self, visit: usize, kind: ChangeKind, now: Timestamp) -> u32 {
        let Visit { target, saves_under_way, logout_under_way, .. } = self.visits[visit];
        let (target, status) = match (logout_under_way, saves_under_way) {
            // A clone's change during a logout belongs to the session before or after it.
            (true, _) => (Target::Unknown, Status::Dropped),
            // A save that is under way may or may not take it along.
            (false, 1..) => (target, Status::InDoubt),
            (false, 0) => (target, Status::Unsent),
        };
        let sent = (status != Status::Unsent).then_some(now);
        self.changes.push(Change { kind, visit, target, stored_in: None, status, sent });
        u32::try_from(self.changes.len() - 1).expect("a run makes few changes")
    }

    /// Records that the session did not accept the change.
    pub(crate) fn change_refused(&mut self, tag: u32) {
        self.changes[tag as usize].status = Status::Refused;
    }

    /// Records that a save begins. The save's end refers to the result.
    pub(crate) fn save_begins(&mut self, visit: usize, now: Timestamp) -> Commit {
        self.visits[visit].saves_under_way += 1;
        self.visits[visit].saves_maybe_stored += 1;
        self.begin_commit(visit, now)
    }

    /// Records the result of a save, after which the handle is on the session of `at`, and returns how
    /// many changes that acknowledged.
    pub(crate) fn save_ends(
        &mut self,
        commit: &Commit,
        result: CommitResult,
        at: Option<StoreKey>,
        now: Timestamp,
    ) -> u64 {
        let visit = &mut self.visits[commit.visit];
        visit.saves_under_way -= 1;
        if matches!(result, CommitResult::NotStored | CommitResult::Gone) {
            visit.saves_maybe_stored -= 1;
        }
        visit.found_gone |= result == CommitResult::Gone;
        let was_live = visit.at.is_some();
        self.check_open(commit.visit, result, commit.begun, now);
        let acknowledged = self.end_commit(commit, result, at, now);
        if result == CommitResult::Unconfirmed && was_live && at.is_none() {
            self.visits[commit.visit].found_gone = true;
            self.drop_all(commit.visit);
        }
        acknowledged
    }

    /// Records that the handler has dropped a save. The changes that it sent stay in doubt.
    pub(crate) fn save_dropped(&mut self, visit: usize) {
        self.visits[visit].saves_under_way -= 1;
    }

    fn begin_commit(&mut self, visit: usize, now: Timestamp) -> Commit {
        let of_visit = |status: Status| {
            let changes = self.changes.iter().enumerate();
            let matching =
                changes.filter(move |(_, change)| change.visit == visit && change.status == status);
            matching.map(|(tag, _)| tag).collect::<Vec<_>>()
        };
        let (unsent, in_doubt) = (of_visit(Status::Unsent), of_visit(Status::InDoubt));
        for tag in &unsent {
            let change = &mut self.changes[*tag];
            change.status = Status::InDoubt;
            change.sent = change.sent.or(Some(now));
        }
        let deadline = match self.visits[visit].target {
            Target::Found(key) => Some(self.lineages.deadline(key)),
            _ => None,
        };
        let finishes_logout = self.visits[visit].unconfirmed_logout.is_some();
        let logouts = self.visits[visit].logouts;
        Commit { visit, unsent, in_doubt, begun: now, deadline, logouts, finishes_logout }
    }

    fn end_commit(
        &mut self,
        commit: &Commit,
        result: CommitResult,
        at: Option<StoreKey>,
        now: Timestamp,
    ) -> u64 {
        match result {
            CommitResult::Unconfirmed | CommitResult::Unknown => 0,
            CommitResult::NotStored => {
                self.take_back(commit);
                0
            }
            CommitResult::Gone => {
                self.take_back(commit);
                self.drop_all(commit.visit);
                0
            }
            CommitResult::Stored => {
                let tags = commit.in_doubt.iter().chain(&commit.unsent).copied();
                let was_in_doubt = |tag: &usize| self.changes[*tag].status == Status::InDoubt;
                let mut stored: Vec<_> = tags.filter(was_in_doubt).collect();
                let begins_anew = at.is_some_and(|at| self.goes_to(at, commit, &stored, now));
                if begins_anew {
                    // What an earlier commit has sent may have been stored in the session before.
                    stored.retain(|tag| commit.unsent.contains(tag));
                    self.drop_doubt(commit);
                }
                for tag in &stored {
                    self.changes[*tag].stored_in = at;
                }
                for tag in &stored {
                    self.change_stored(*tag, commit, begins_anew, now);
                }
                // Changes in doubt may have been stored, and counted as a use, long before.
                let is_written =
                    |tag: &&usize| commit.unsent.contains(tag) && self.has_written(**tag);
                let mut written = stored.iter().filter(is_written);
                if let Some(key) = written.find_map(|tag| self.first_known_key(*tag)) {
                    self.uses.push((key, commit.begun));
                }
                if commit.finishes_logout {
                    self.logout_confirmed(commit.visit, now);
                }
                stored.len() as u64
            }
        }
    }

    /// Makes the changes of a failed commit unsent again. With a clone in another task they stay in
    /// doubt, because a commit of that clone may already have sent them.
    fn take_back(&mut self, commit: &Commit) {
        for tag in &commit.unsent {
            let status = &mut self.changes[*tag].status;
            if *status == Status::InDoubt && !self.visits[commit.visit].has_clones {
                *status = Status::Unsent;
            }
        }
    }

    fn drop_doubt(&mut self, commit: &Commit) {
        for tag in &commit.in_doubt {
            let status = &mut self.changes[*tag].status;
            if *status == Status::InDoubt {
                *status = Status::Dropped;
            }
        }
    }

    /// Drops what a handle forgets when it learns that its session is over.
    pub(super) fn drop_all(&mut self, visit: usize) {
        let has_clones = self.visits[visit].has_clones;
        for change in self.changes.iter_mut().filter(|change| change.visit == visit) {
            change.status = match change.status {
                Status::Unsent if !has_clones => Status::Refused,
                Status::Unsent | Status::InDoubt => Status::Dropped,
                status => status,
            };
        }
    }

    /// Records that a commit has stored changes in the session of `key`, and returns whether the visit
    /// has begun that one in the place of the one it had.
    fn goes_to(
        &mut self,
        key: StoreKey,
        commit: &Commit,
        stored: &[usize],
        now: Timestamp,
    ) -> bool {
        if self.visits[commit.visit].logouts > commit.logouts {
            // The logout has ended what this commit has stored.
            return false;
        }
        let before = self.known_key(commit.visit);
        self.visits[commit.visit].at = Some(key);
        let Some(before) = before.filter(|before| !self.lineages.is_same(*before, key)) else {
            return false;
        };
        let mut login = self.logged_in(stored);
        if self.visits[commit.visit].had_clones {
            // A clone's commit may have taken the login along, with whatever it came to itself. Or it was
            // refused before the login, and said so after it.
            let is_own = |tag: &usize| self.changes[*tag].visit == commit.visit;
            let own: Vec<_> = (0..self.changes.len()).filter(is_own).collect();
            login = login.or(self.logged_in(&own));
        }
        let may_begin = login.is_some() && self.lineages.is_over(before, now);
        self.demand(may_begin, P6_OVER, || {
            format!("visit {} goes from {before} to {key}", commit.visit)
        });
        self.visits[commit.visit].began_anew = Some(key);
        let sets_list = |tag: usize| self.changes[tag].kind == ChangeKind::GetAndInsert;
        // A save may go on while its request fails, and takes along what counts as dropped then.
        let was_dropped = |tag: usize| {
            let Change { visit, status, .. } = self.changes[tag];
            visit == commit.visit && status == Status::Dropped
        };
        let mut dropped = (0..self.changes.len()).filter(|tag| was_dropped(*tag));
        let overwrites_list = match stored.iter().any(|tag| sets_list(*tag)) {
            true => Some(true),
            false if dropped.any(sets_list) => None,
            false => Some(false),
        };
        let (target, keeps_list) =
            (self.visits[commit.visit].target, overwrites_list == Some(false));
        if let (Target::Found(_), false) = (target, keeps_list) {
            let begun = self.visits[commit.visit].start;
            let origin = Origin { from: before, begun, ended: commit.begun, takes: Takes::List };
            self.lineages.record_origin(key, origin);
        }
        self.record_origin(before, key, login, overwrites_list, (commit.begun, now));
        if let Target::Found(_) = self.visits[commit.visit].target {
            self.visits[commit.visit].target = Target::Found(key);
        }
        true
    }

    /// Records whose data a login has taken along that began anew under `key`: those of the session
    /// that the mark under `before` leads to, if the same principal is logged in there and nobody has
    /// changed it since. `overwrites_list` is `None` where nobody knows whether it does.
    fn record_origin(
        &mut self,
        before: StoreKey,
        key: StoreKey,
        login: Option<u8>,
        overwrites_list: Option<bool>,
        (begun, ended): (Timestamp, Timestamp),
    ) {
        let Some((from, mark_expires)) = self.lineages.successor(before) else { return };
        let rewritten = self.lineages.first_rewrite(from).filter(|at| *at <= ended);
        let principals = self.possible_principals(from, begun);
        if !principals.contains(&login) || rewritten.is_some_and(|at| at < begun) {
            return;
        }
        let is_same = principals.iter().all(|principal| *principal == login);
        let is_alive = rewritten.is_none()
            && mark_expires > ended
            && self.lineages.is_certainly_alive(from, ended);
        let takes = match (is_same && is_alive, overwrites_list) {
            (true, Some(false)) => Takes::All,
            (true, Some(true)) => Takes::AllButList,
            (true, None) | (false, _) => Takes::Maybe,
        };
        self.lineages.record_origin(key, Origin { from, begun, ended, takes });
    }

    fn change_stored(&mut self, tag: usize, commit: &Commit, begins_anew: bool, now: Timestamp) {
        self.changes[tag].status = Status::Stored(now);
        if let ChangeKind::LogIn { .. } = self.changes[tag].kind {
            self.visits[commit.visit].found_gone = false;
        }
        if begins_anew {
            return;
        }
        let Change { kind, visit, target: Target::Found(key), stored_in, .. } = self.changes[tag]
        else {
            return;
        };
        // A clone's change goes where another task's login has begun anew.
        if stored_in.is_some_and(|stored_in| !self.lineages.is_same(stored_in, key)) {
            return;
        }
        // A change that writes nothing may be acknowledged on a session that is over: it counts as
        // having come before the end.
        if self.has_written(tag) && commit.unsent.contains(&tag) {
            self.check_stored(tag, key, commit.begun, commit.deadline);
        }
        if kind.renews() {
            self.lineages.record_renewal(key, now, visit);
        }
    }

    /// Records whether other tasks hold clones of the session.
    pub(crate) fn set_has_clones(&mut self, visit: usize, has_clones: bool) {
        self.visits[visit].has_clones = has_clones;
        self.visits[visit].had_clones |= has_clones;
    }

    /// Records that the handler is done, so that the layer commits.
    pub(crate) fn handler_done(&mut self, visit: usize, now: Timestamp) {
        let commit = self.begin_commit(visit, now);
        self.visits[visit].final_commit = Some(commit);
    }

    /// Records that the answer has left and returns how many changes that acknowledged.
    pub(crate) fn answer_sent(&mut self, visit: usize, answer: &Answer, now: Timestamp) -> u64 {
        self.check_cookie(visit, answer);
        if let Some(key) = answer.ticket {
            self.lineages.record_ticket(key);
            if self.visits[visit].target == Target::New {
                self.visits[visit].new_key = Some(key);
            }
        }
        let result = match &answer.refused {
            None => CommitResult::Stored,
            Some(error) => CommitResult::from_error(error),
        };
        let commit = self.visits[visit].final_commit.take();
        let failed = commit.is_none() || result != CommitResult::Stored;
        let acknowledged =
            commit.map_or(0, |commit| self.end_commit(&commit, result, answer.ticket, now));
        self.visits[visit].found_gone |= result == CommitResult::Gone;
        self.check_ticket(visit, answer, now);
        if failed {
            // A request that fails drops its changes; a clone that outlives it is told.
            self.drop_all(visit);
        }
        self.refuse_unsent_changes(visit);
        acknowledged
    }

    /// Records that the visitor has hung up, or that the service failed without an answer.
    pub(crate) fn visit_unanswered(&mut self, visit: usize) {
        // A commit that has begun goes on, and nobody learns its result.
        if self.visits[visit].final_commit.is_none() {
            self.drop_all(visit);
        }
    }

    /// Marks the changes that were not sent during the visit. Only a clone can still send them.
    fn refuse_unsent_changes(&mut self, visit: usize) {
        let has_clones = self.visits[visit].has_clones;
        for change in self.changes.iter_mut().filter(|change| change.visit == visit) {
            if change.status == Status::Unsent {
                change.status = if has_clones { Status::InDoubt } else { Status::Refused };
            }
        }
    }
}
