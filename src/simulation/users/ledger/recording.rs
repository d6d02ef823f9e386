//! What happens, as it is entered into the books.

use std::collections::BTreeSet;

use super::books::{Aim, End, Ledger, Login, LoginCall, Tag, Tick, Visit};
use super::promises::{FOREIGN, LISTED, OUTAGE, TICKET};
use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::id::{SessionHandle, StoreKey};
use crate::record::MARK_LIFETIME;
use crate::simulation::users::setup::{Principal, SKEW};
use crate::simulation::users::stored::RosterWrite;

/// The answer to a request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The error of a commit.
    pub(crate) refused: Option<SessionError>,
    /// The id that its ticket leads to.
    pub(crate) ticket: Option<StoreKey>,
}

/// A session as a handler has found it.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) principal: Option<Principal>,
    pub(crate) tags: BTreeSet<u32>,
}

/// A list or an edit, under way: what it has to contain or to reach.
#[derive(Debug)]
pub(crate) struct Listing {
    principal: Principal,
    due: Vec<SessionHandle>,
    evicted: Option<Tick>,
}

impl Ledger {
    pub(crate) fn visit_begins(&mut self, ticket: Option<StoreKey>, now: Timestamp) -> usize {
        let start = self.tick();
        let (found, login, tags, logs_out) = (false, None, Vec::new(), false);
        self.visits.push(Visit { start, began: now, ticket, found, login, tags, logs_out });
        self.visits.len() - 1
    }

    /// Records that a handler has found a session.
    pub(crate) fn loaded(&mut self, visit: usize, loaded: &Loaded, now: Timestamp) {
        let Visit { start, ticket, .. } = self.visits[visit];
        let Some(key) = ticket else { return };
        self.visits[visit].found = true;
        self.check_not_ended(key, start, now);
        self.check_tags(key, loaded.principal, &loaded.tags, start);
    }

    pub(crate) fn login_begins(&mut self, visit: usize, principal: Principal, now: Timestamp) {
        let called = self.tick();
        let call = LoginCall { principal, called_at: now, called, returned: None };
        let found = self.visits[visit].ticket.and_then(|key| self.stored.birth(key)?.principal);
        let before = self.visits[visit].login.replace(call).map(|login| login.principal);
        // The login clears the session of another user, and with it what this visit has changed there.
        if before.or(found).is_some_and(|present| present != principal) {
            self.visits[visit].tags.clear();
        }
        self.leaves(visit, Some(principal));
    }

    pub(crate) fn login_has_begun(&mut self, visit: usize) {
        let returned = self.tick();
        if let Some(call) = &mut self.visits[visit].login {
            call.returned = Some(returned);
        }
    }

    /// Records that a visit ends the login that it has found, and goes on as `to`.
    pub(crate) fn leaves(&mut self, visit: usize, to: Option<Principal>) {
        let found = self.handle_presented(visit);
        for (handle, login) in &mut self.logins {
            let is_its = Some(*handle) == found || login.visit == visit;
            login.is_left |= is_its && Some(login.principal) != to;
        }
        if to.is_none() {
            self.visits[visit].logs_out = true;
        }
    }

    pub(crate) fn logs_out(&mut self, visit: usize) {
        self.leaves(visit, None);
        self.destroyed.extend(self.visits[visit].ticket);
    }

    /// Returns the tag of a change that a visit makes.
    pub(crate) fn change_made(&mut self, visit: usize) -> u32 {
        let tag = self.tags.len();
        self.tags.push(Tag::Change { acknowledged: None });
        self.visits[visit].tags.push(tag);
        tag as u32
    }

    /// Records that a handler was told that its session is stored. `shown` is what `Debug` shows of it, the
    /// fingerprint of its id included.
    pub(crate) fn saved(&mut self, visit: usize, shown: &str, now: Timestamp) {
        let keys = self.stored.births().map(|(key, _)| key);
        let key = keys.into_iter().find(|key| shown.contains(&key.to_string()));
        let Some(key) = key else { return };
        if let Some(handle) = self.stored.birth(key).and_then(|birth| birth.handle) {
            self.saved.insert(key);
            self.acknowledge(visit, handle, now);
        }
    }

    /// Records the answer of a request.
    pub(crate) fn answered(&mut self, visit: usize, answer: &Answer, now: Timestamp) {
        if let Some(key) = answer.ticket {
            self.issue(visit, key, now);
        }
        let Visit { ticket, login, logs_out, .. } = self.visits[visit];
        if answer.status == 200 {
            let at = answer.ticket.or(ticket);
            for tag in self.visits[visit].tags.clone() {
                let now = self.tick();
                self.tags[tag] = Tag::Change { acknowledged: at.map(|key| (now, key)) };
                self.coverage.changes += 1;
            }
            let has_ticket = login.is_none() || logs_out || answer.ticket.is_some();
            self.demand(has_ticket, TICKET, || format!("visit {visit}"));
            // A read moves the deadline only if nothing goes wrong.
            if !self.visits[visit].tags.is_empty()
                && let Some(handle) = at.and_then(|key| self.stored.birth(key)?.handle)
                && let Some(login) = self.logins.get_mut(&handle)
            {
                login.last_use = login.last_use.max(self.visits[visit].began);
            }
        }
        // A logout of a session that was loaded minutes ago may find nothing where it was.
        let is_slow = now.since(self.visits[visit].began) >= MARK_LIFETIME;
        let may_fail = self.rules.has_faults || is_slow || answer.status != 503;
        self.demand(may_fail, OUTAGE, || format!("visit {visit}"));
        if let Some(error) = &answer.refused {
            self.check_refusal(visit, error, now);
            let is_login = login.is_some();
            self.coverage.refused_by_end +=
                u64::from(is_login && matches!(error, SessionError::Gone));
            self.coverage.refused_by_limit +=
                u64::from(matches!(error, SessionError::TooManySessions { .. }));
        }
    }

    /// Records that a request has got no answer.
    pub(crate) fn unanswered(&mut self, visit: usize) {
        let found = self.handle_presented(visit);
        for (handle, login) in &mut self.logins {
            login.lacks_answer |= Some(*handle) == found || login.visit == visit;
        }
    }

    /// Returns the handle of the session whose ticket a visit has presented.
    fn handle_presented(&self, visit: usize) -> Option<SessionHandle> {
        self.visits[visit].ticket.and_then(|key| self.stored.birth(key)?.handle)
    }

    fn issue(&mut self, visit: usize, key: StoreKey, now: Timestamp) {
        self.issued.insert(key);
        self.check_old_id(visit, key, now);
        let Some(birth) = self.stored.birth(key) else { return };
        if let Some(handle) = birth.handle {
            self.acknowledge(visit, handle, now);
            self.coverage.renewals += u64::from(self.visits[visit].login.is_none());
        }
        if let Some(principal) = birth.principal {
            self.check_listed(principal, key, now);
            self.check_reached(principal, now);
            self.check_not_ended(key, Tick::MAX, now);
        }
    }

    fn acknowledge(&mut self, visit: usize, handle: SessionHandle, now: Timestamp) {
        let acknowledged = self.tick();
        let Visit { login: call, began, .. } = self.visits[visit];
        let call = call.and_then(|call| Some((call, call.returned?)));
        match (self.logins.get_mut(&handle), call) {
            (Some(login), call) => {
                login.last_use = login.last_use.max(began);
                // Logged in again: a session of the same handle, from a later login.
                if let Some((call, returned)) = call.filter(|(_, at)| *at > login.at) {
                    (login.at, login.called_at) = (returned, call.called_at);
                    self.coverage.logins_again += 1;
                }
            }
            (None, Some((LoginCall { principal, called_at, .. }, at))) => {
                let login = Login {
                    principal,
                    at,
                    called_at,
                    acknowledged,
                    visit,
                    last_use: began,
                    is_left: false,
                    lacks_answer: false,
                };
                self.logins.insert(handle, login);
                self.note_seen(principal, handle);
                self.coverage.logins += 1;
                self.check_limit(principal, now);
            }
            (None, None) => {}
        }
    }

    fn note_seen(&mut self, principal: Principal, handle: SessionHandle) {
        let seen = &mut self.seen[usize::from(principal)];
        if !seen.contains(&handle) {
            seen.push(handle);
        }
    }

    /// Records the beginning of an end, and returns its number.
    pub(crate) fn end_begins(&mut self, aim: Aim) -> usize {
        let begun = self.tick();
        self.ends.push(End { aim, begun, returned: None });
        self.ends.len() - 1
    }

    /// Records the result of an end.
    pub(crate) fn end_returns(&mut self, end: usize, confirmed: bool, now: Timestamp) {
        let tick = self.tick();
        self.ends[end].returned = Some((tick, confirmed));
        if confirmed {
            for key in self.issued.iter().copied().collect::<Vec<_>>() {
                self.check_not_ended(key, Tick::MAX, now);
            }
        }
    }

    /// Returns what a list that begins now has to show.
    pub(crate) fn list_begins(&self, principal: Principal) -> Listing {
        let hidden = &self.stored.roster(principal).hidden;
        let is_due = |handle: &SessionHandle| {
            self.logins[handle].principal == principal
                && !self.stored.keys_of(*handle).any(|key| hidden.contains(&key))
        };
        let due = self.logins.keys().copied().filter(is_due).collect();
        Listing { principal, due, evicted: self.evicted[usize::from(principal)] }
    }

    /// Checks a list.
    pub(crate) fn listed(
        &mut self,
        listing: &Listing,
        shown: &[(Option<SessionHandle>, Option<Principal>)],
        now: Timestamp,
    ) {
        let Listing { principal, due, evicted } = listing;
        let handles: BTreeSet<_> = shown.iter().filter_map(|(handle, _)| *handle).collect();
        let is_right = shown.iter().all(|(_, of)| *of == Some(*principal));
        self.demand(is_right && handles.len() == shown.len(), FOREIGN, || format!("{shown:?}"));
        let was_lost = self.evicted[usize::from(*principal)] != *evicted;
        for handle in due.iter().filter(|handle| !handles.contains(handle)) {
            let is_missing = !was_lost && self.is_certainly_live(*handle, now);
            self.demand(!is_missing, LISTED, || format!("{handle} is not in {handles:?}"));
        }
        for handle in handles {
            self.note_seen(*principal, handle);
        }
    }

    /// Returns the tag of an edit that begins now.
    pub(crate) fn edit_begins(&mut self, principal: Principal) -> u32 {
        let begun = self.tick();
        self.tags.push(Tag::Edit { principal, begun, acknowledged: None, due: BTreeSet::new() });
        (self.tags.len() - 1) as u32
    }

    /// Records that an edit has succeeded.
    pub(crate) fn edited(&mut self, tag: u32, now: Timestamp) {
        let tick = self.tick();
        let Tag::Edit { principal, begun, .. } = self.tags[tag as usize] else { return };
        let logins = self.logins.iter().filter(|(handle, login)| {
            // No server can have taken it for expired.
            let until = now.saturating_add(SKEW);
            let is_live =
                self.stored.keys_of(**handle).any(|key| self.stored.live(key, until).is_some());
            login.principal == principal
                && login.acknowledged < begun
                && !self.hidden_once.contains(*handle)
                && is_live
        });
        let due = logins.map(|(handle, _)| *handle).collect();
        self.tags[tag as usize] = Tag::Edit { principal, begun, acknowledged: Some(tick), due };
        let since = self.tick();
        self.check_all_tags(now, since);
    }

    /// Records that a call of `Users` has failed.
    pub(crate) fn action_failed(&mut self, error: &SessionError) {
        let may_fail = self.rules.has_faults || matches!(error, SessionError::Gone);
        self.demand(may_fail, OUTAGE, || error.to_string());
        self.coverage.unconfirmed += u64::from(matches!(error, SessionError::Unconfirmed(_)));
    }

    /// Records a roster that the store has written.
    pub(crate) fn roster_written(&mut self, write: &RosterWrite, now: Timestamp) {
        self.check_removed(write, now);
        self.check_reached(write.principal, now);
    }

    /// Records that the store has lost a roster.
    pub(crate) fn roster_lost(&mut self, principal: Principal, now: Timestamp) {
        let tick = self.tick();
        self.evicted[usize::from(principal)] = Some(tick);
        let hidden = self.stored.evict(principal, now);
        self.hidden_once.extend(hidden);
    }

    /// Checks that an audit's list shows every session that works.
    pub(crate) fn check_audited(
        &mut self,
        principal: Principal,
        shown: &BTreeSet<SessionHandle>,
        now: Timestamp,
    ) {
        let working = self.working_handles(principal, now.saturating_add(SKEW));
        let missing: Vec<_> = working.difference(shown).collect();
        self.demand(missing.is_empty(), LISTED, || format!("{missing:?} of {principal}"));
    }
}
