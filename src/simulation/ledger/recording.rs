//! The reports of handlers and browsers to the ledger, in the order of a visit.

use super::books::Ledger;
use super::entry::{
    Answer, Change, ChangeKind, Commit, CommitResult, Contents, Status, Target, Visit,
};
use super::promises::{P6_ENDED, P6_TWICE};
use crate::clock::Timestamp;
use crate::id::StoreKey;

impl Ledger {
    /// Records that the library sends a create.
    pub(crate) fn key_created(&mut self, key: StoreKey) {
        let is_first = self.created.insert(key);
        self.demand(is_first, P6_TWICE, || key.to_string());
    }

    /// Records a request and returns the number of its visit.
    pub(crate) fn visit_begins(&mut self, ticket: Option<StoreKey>, now: Timestamp) -> usize {
        self.visits.push(Visit::new(ticket, now));
        self.visits.len() - 1
    }

    /// Records that the handler has loaded: `found` in a live session, or no session.
    pub(crate) fn session_loaded(
        &mut self,
        visit: usize,
        found: Option<&Contents>,
        now: Timestamp,
    ) {
        let Visit { start, ticket, target, unconfirmed_logout, .. } = self.visits[visit];
        let Some((found, key)) = found.zip(ticket) else {
            self.visits[visit].target = Target::New;
            self.visits[visit].met_mark =
                ticket.is_some_and(|key| self.lineages.is_marked(key, now));
            return;
        };
        if target == Target::New {
            let is_excused = unconfirmed_logout.is_some();
            self.demand(is_excused, P6_ENDED, || format!("visit {visit} found what it ended"));
            return;
        }
        self.visits[visit].target = Target::Found(key);
        self.check_found(key, visit, now);
        self.check_contents(key, found, start);
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
        self.changes.push(Change { kind, visit, target, status, sent });
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

    /// Records the result of a save and returns how many changes that acknowledged.
    pub(crate) fn save_ends(
        &mut self,
        commit: &Commit,
        result: CommitResult,
        now: Timestamp,
    ) -> u64 {
        let visit = &mut self.visits[commit.visit];
        visit.saves_under_way -= 1;
        if matches!(result, CommitResult::NotStored | CommitResult::Gone) {
            visit.saves_maybe_stored -= 1;
        }
        visit.found_gone |= result == CommitResult::Gone;
        self.end_commit(commit, result, now)
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
        Commit { visit, unsent, in_doubt, begun: now, deadline, finishes_logout }
    }

    fn end_commit(&mut self, commit: &Commit, result: CommitResult, now: Timestamp) -> u64 {
        match result {
            CommitResult::Unknown => 0,
            CommitResult::NotStored | CommitResult::Gone => {
                self.take_back(commit);
                0
            }
            CommitResult::Stored => {
                let tags = commit.unsent.iter().chain(&commit.in_doubt).copied();
                let was_in_doubt = |tag: &usize| self.changes[*tag].status == Status::InDoubt;
                let stored: Vec<_> = tags.filter(was_in_doubt).collect();
                for tag in &stored {
                    self.change_stored(*tag, commit, now);
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

    fn change_stored(&mut self, tag: usize, commit: &Commit, now: Timestamp) {
        self.changes[tag].status = Status::Stored(now);
        let Change { kind, visit, target: Target::Found(key), .. } = self.changes[tag] else {
            return;
        };
        // A change that writes nothing may be acknowledged on a session that is over: it counts as
        // having come before the end.
        if self.has_written(tag) && commit.unsent.contains(&tag) {
            self.check_stored(tag, key, commit.begun, commit.deadline);
        }
        if kind.renews() {
            self.lineages.record_renewal(key, now, visit);
        }
    }

    /// Records that the handler asks for a logout.
    pub(crate) fn logout_begins(&mut self, visit: usize) {
        let Visit { ticket, target, saves_under_way, saves_maybe_stored, .. } = self.visits[visit];
        for change in self.changes.iter_mut().filter(|change| change.visit == visit) {
            change.status = match change.status {
                Status::Unsent if saves_under_way == 0 => Status::Refused,
                Status::Unsent | Status::InDoubt => Status::Dropped,
                Status::Stored(_) if change.target == Target::New => Status::Dropped,
                status => status,
            };
        }
        let led_to = if let Target::Found(key) = target { Some(key) } else { ticket };
        led_to.into_iter().for_each(|key| self.lineages.record_logout_attempt(key));
        // A session that a save has begun takes the place of the one that the ticket led to.
        let ends = led_to.filter(|_| target != Target::New || saves_maybe_stored == 0);
        let visit = &mut self.visits[visit];
        visit.unconfirmed_logout = ends.or(visit.unconfirmed_logout);
        visit.asked_for_logout = true;
        visit.logout_under_way = true;
        visit.target = Target::New;
    }

    /// Records the end of a logout.
    pub(crate) fn logout_ends(&mut self, visit: usize, is_confirmed: bool, now: Timestamp) {
        self.visits[visit].logout_under_way = false;
        if is_confirmed {
            self.logout_confirmed(visit, now);
        }
    }

    fn logout_confirmed(&mut self, visit: usize, now: Timestamp) {
        if let Some(key) = self.visits[visit].unconfirmed_logout.take() {
            self.lineages.record_logout(key, now);
        }
    }

    /// Records whether other tasks hold clones of the session.
    pub(crate) fn set_has_clones(&mut self, visit: usize, has_clones: bool) {
        self.visits[visit].has_clones = has_clones;
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
            match self.visits[visit].target {
                Target::New => self.visits[visit].new_key = Some(key),
                Target::Found(old) => self.lineages.join(old, key),
                Target::Unknown => {}
            }
        }
        let result = match &answer.refused {
            None => CommitResult::Stored,
            Some(error) => CommitResult::from_error(error),
        };
        let commit = self.visits[visit].final_commit.take();
        let acknowledged = commit.map_or(0, |commit| self.end_commit(&commit, result, now));
        self.visits[visit].found_gone |= result == CommitResult::Gone;
        self.check_ticket(visit, answer);
        self.refuse_unsent_changes(visit);
        acknowledged
    }

    /// Records that the visitor has hung up, or that the service failed without an answer.
    pub(crate) fn visit_unanswered(&mut self, visit: usize) {
        // A commit that has begun goes on, and nobody learns its result.
        if self.visits[visit].final_commit.is_none() {
            self.refuse_unsent_changes(visit);
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
