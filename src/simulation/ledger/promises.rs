//! The promises, checked against the books.

use std::collections::BTreeSet;

use super::books::Ledger;
use super::entry::{Answer, Change, ChangeKind, Contents, Status, Target, Visit};
use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::id::StoreKey;
use crate::record::MARK_LIFETIME;
use crate::simulation::setup::{ABSOLUTE_LIFETIME, IDLE_TIMEOUT, SEATS, START};

pub(super) const P1_TICKET: &str = "P1 only a ticket leads to a session";
pub(super) const P5_HIDDEN: &str = "P5 no ticket hides a live session";
pub(super) const P5_LOST: &str = "P5 every acknowledged change is present";
pub(super) const P5_TWICE: &str = "P5 no change is applied twice";
pub(super) const P5_WHOLE: &str = "P5 a commit is applied as a whole";
pub(super) const P5_RULE: &str = "P5 a rule of `try_update` holds whoever is quicker";
pub(super) const P5_BACK: &str = "P5 what was removed stays away";
pub(super) const P5_PRINCIPAL: &str =
    "P5 the principal is that of the last acknowledged login or logout";
pub(super) const P5_FOREIGN: &str = "P5 a change goes to the session it was made on";
pub(super) const P5_GONE: &str = "P5 a session lives until it is ended or expires";
pub(super) const P6_ENDED: &str = "P6 what was logged out is over";
pub(super) const P6_LATE: &str = "P6 no late write is acknowledged after a logout";
pub(super) const P6_TWICE: &str = "P6 no id is created twice";
pub(super) const P6_COOKIE: &str = "P6 a failed commit sets no ticket";
pub(super) const P6_OVER: &str = "P6 only a login begins anew where a session was renewed away";
pub(super) const P6_FALSE: &str = "P6 an id that was renewed away long ago confirms no logout";
pub(super) const P6_REMOVAL: &str = "P6 only a logout removes the cookie";
pub(super) const P7_OLD: &str = "P7 a renewed-away id finds nothing";
pub(super) const P7_LATE: &str = "P7 no write under the old id is acknowledged after a renewal";
pub(super) const P7_OUTDATED: &str = "P7 of a session's tickets only the last two are good";
pub(super) const P7_TWO: &str = "P7 a session lives under one id";
pub(super) const P8_REFUSED: &str = "P8 what was refused is not stored";
pub(super) const P8_TICKET: &str = "P8 a ticket goes out with what it leads to";
pub(super) const P11_LATE: &str = "P11 an expired session is not changed";
pub(super) const P11_FOUND: &str = "P11 an expired session is not found";

impl Ledger {
    /// Checks that an id under which a live session was found may lead to one.
    pub(super) fn check_found(&mut self, key: StoreKey, visit: usize, now: Timestamp) {
        let start = self.visits[visit].start;
        let is_alive = now < self.lineages.deadline(key);
        let was_ended = self.lineages.was_ended(key, start);
        let was_renewed = self.lineages.was_renewed(key, start, visit);
        self.demand(is_alive, P11_FOUND, || format!("{key} by visit {visit}"));
        self.demand(!was_ended, P6_ENDED, || format!("visit {visit} found {key}"));
        self.demand(!was_renewed, P7_OLD, || format!("visit {visit} found {key}"));
        let turn = self.visits[visit].turn_of(key);
        let is_outdated = turn.is_some_and(|turn| self.tickets.must_be_refused(key, turn, start));
        self.demand(!is_outdated, P7_OUTDATED, || format!("visit {visit} found {key}"));
    }

    /// Checks the data that a request which began at `start` has found.
    pub(super) fn check_contents(&mut self, key: StoreKey, found: &Contents, start: Timestamp) {
        let count = found.count as usize;
        self.demand(count == found.counted.len(), P5_WHOLE, || {
            format!("{key} counts {count} and lists {:?}", found.counted)
        });
        self.check_list(key, ChangeKind::Count, &found.counted, start);
        let seats = &found.seats;
        self.demand(seats.len() <= SEATS, P5_RULE, || format!("{seats:?} in {key}"));
        self.check_list(key, ChangeKind::Seat, seats, start);
        let possible = self.possible_principals(key, start);
        self.demand(possible.contains(&found.principal), P5_PRINCIPAL, || {
            format!("{key} shows {:?}, not one of {possible:?}", found.principal)
        });
        let audited =
            [(ChangeKind::GetAndInsert, &found.inserted), (ChangeKind::OwnKey, &found.own_keys)];
        for (kind, tags) in audited {
            if let Some(tags) = tags {
                self.check_list(key, kind, tags, start);
            }
        }
    }

    /// Checks the tags that the changes of one kind have left.
    fn check_list(&mut self, key: StoreKey, kind: ChangeKind, tags: &[u32], start: Timestamp) {
        let found: BTreeSet<usize> = tags.iter().map(|tag| *tag as usize).collect();
        self.demand(found.len() == tags.len(), P5_TWICE, || format!("{kind:?} {tags:?} in {key}"));
        for tag in 0..self.changes.len() {
            let is_kind = self.changes[tag].kind == kind;
            if found.contains(&tag) {
                self.check_present(tag, is_kind, key, start);
            } else if is_kind {
                self.check_absent(tag, key, tags, start);
            }
        }
    }

    fn check_present(&mut self, tag: usize, is_kind: bool, key: StoreKey, start: Timestamp) {
        let status = self.changes[tag].status;
        let may_be_here = is_kind && self.may_hold(tag, key, Timestamp::MAX);
        let was_undone = self.was_undone(tag, key, start);
        self.demand(may_be_here, P5_FOREIGN, || format!("{tag} in {key}"));
        self.demand(status != Status::Refused, P8_REFUSED, || format!("{tag} in {key}"));
        self.demand(!was_undone, P5_BACK, || format!("{tag} in {key}"));
    }

    fn check_absent(&mut self, tag: usize, key: StoreKey, tags: &[u32], start: Timestamp) {
        let kind = self.changes[tag].kind;
        let is_lost = self.must_hold(tag, key, start, Timestamp::MAX);
        self.demand(!is_lost, P5_LOST, || format!("{tag} ({kind:?}) is not in {key}: {tags:?}"));
    }

    /// Checks a change that was acknowledged by the commit that sent it first.
    pub(super) fn check_stored(
        &mut self,
        tag: usize,
        key: StoreKey,
        begun: Timestamp,
        deadline: Option<Timestamp>,
    ) {
        let visit = self.changes[tag].visit;
        let was_ended = self.lineages.was_ended(key, begun);
        let was_renewed = self.lineages.was_renewed(key, begun, visit);
        let is_alive = deadline.is_none_or(|deadline| begun < deadline);
        self.demand(!was_ended, P6_LATE, || format!("{tag} of visit {visit} on {key}"));
        self.demand(!was_renewed, P7_LATE, || format!("{tag} of visit {visit} on {key}"));
        self.demand(is_alive, P11_LATE, || format!("{tag} of visit {visit} on {key}"));
    }

    /// Checks the cookie of an answer against what the visit has asked for.
    pub(super) fn check_cookie(&mut self, visit: usize, answer: &Answer) {
        let Visit { asked_for_logout, saves_maybe_stored, met_mark, .. } = self.visits[visit];
        let logs_in = |change: &Change| {
            change.visit == visit && matches!(change.kind, ChangeKind::LogIn { .. })
        };
        let begins_anew = asked_for_logout || self.changes.iter().any(logs_in);
        let covers_login = answer.ticket.is_some() && met_mark && !begins_anew;
        self.demand(!covers_login, P6_OVER, || format!("visit {visit}"));
        let failed = answer.refused.is_some() || answer.status >= 500;
        let gone = matches!(answer.refused, Some(SessionError::Gone));
        let may_issue = !gone && (!failed || saves_maybe_stored > 0);
        self.demand(answer.ticket.is_none() || may_issue, P6_COOKIE, || format!("visit {visit}"));
        let may_remove = !answer.removes_cookie || asked_for_logout;
        self.demand(may_remove, P6_REMOVAL, || format!("visit {visit}"));
    }

    /// Returns whether a logout may answer that it found nothing where its session was: so long after it
    /// was loaded that the mark of a renewal since would be gone.
    pub(crate) fn logout_may_find_nothing(&self, visit: usize, now: Timestamp) -> bool {
        let Visit { start, asked_for_logout, unconfirmed_logout, .. } = self.visits[visit];
        // A mark tells nothing of the timeout of the session that it leads to, so only the shortest
        // lifetime of the next mark can be relied on.
        let proves_for = |key| match self.lineages.successor(key) {
            Some(_) => MARK_LIFETIME,
            None => IDLE_TIMEOUT,
        };
        let may_find_nothing =
            |key| self.lineages.is_over(key, now) && start.saturating_add(proves_for(key)) <= now;
        asked_for_logout && unconfirmed_logout.is_some_and(may_find_nothing)
    }

    /// Checks that a visitor whose session was begun or renewed got a ticket for it.
    pub(super) fn check_ticket(&mut self, visit: usize, answer: &Answer, now: Timestamp) {
        let Visit { asked_for_logout, found_gone, has_clones, .. } = self.visits[visit];
        // A commit in doubt that finds the session over takes back the ticket of an earlier save.
        let is_in_doubt = matches!(answer.refused, Some(SessionError::Unconfirmed(_)))
            || has_clones && answer.status >= 500;
        let is_over = |key| self.lineages.is_over(key, now);
        let leads_nowhere = found_gone || is_in_doubt && self.known_key(visit).is_some_and(is_over);
        let needs_ticket = |tag: usize| {
            let Change { kind, target, status, .. } = self.changes[tag];
            let is_stored = matches!(status, Status::Stored(_));
            is_stored
                && match target {
                    Target::Found(_) => kind.renews() && !asked_for_logout,
                    Target::New => kind.leaves_something() && !self.is_undone_by_own_visit(tag),
                    Target::Unknown => false,
                }
        };
        let tags = 0..self.changes.len();
        let mut own = tags.filter(|tag| self.changes[*tag].visit == visit);
        let is_missing = answer.ticket.is_none() && !leads_nowhere && own.any(needs_ticket);
        self.demand(!is_missing, P8_TICKET, || format!("visit {visit}"));
    }

    /// Checks one lineage at the end of the run: what the audit found under each of its ids.
    pub(crate) fn check_audit(&mut self, found: &[(StoreKey, Option<Contents>)], now: Timestamp) {
        let live: Vec<_> =
            found.iter().filter_map(|(key, found)| Some((*key, found.as_ref()?))).collect();
        self.demand(live.len() < 2, P7_TWO, || format!("{live:?}"));
        for (key, found) in &live {
            let was_ended = self.lineages.was_ended(*key, now);
            let was_renewed = self.lineages.was_renewed(*key, now, usize::MAX);
            self.demand(!was_ended, P6_ENDED, || format!("{key} lives at the end"));
            self.demand(!was_renewed, P7_OLD, || format!("{key} lives at the end"));
            self.check_contents(*key, found, now);
        }
        if let (true, [(key, _), ..]) = (live.is_empty(), found) {
            let must_live = self.must_live(*key, now);
            self.demand(!must_live, P5_GONE, || format!("{key} is gone"));
        }
    }

    /// Returns whether a lineage has acknowledged uses and can neither have been ended nor have
    /// expired.
    pub(super) fn must_live(&self, key: StoreKey, now: Timestamp) -> bool {
        let uses = self.uses.iter().filter(|(used, _)| self.lineages.is_same(*used, key));
        let last_use = uses.map(|(_, at)| *at).max();
        last_use.is_some_and(|at| {
            let expires =
                at.saturating_add(IDLE_TIMEOUT).min(START.saturating_add(ABSOLUTE_LIFETIME));
            now < expires && !self.lineages.may_have_been_ended(key)
        })
    }
}
