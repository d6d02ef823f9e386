//! The promises, checked against the books.

use std::collections::BTreeSet;

use super::books::{Ledger, Tag, Tick, Visit};
use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::id::{SessionHandle, StoreKey};
use crate::record::Listed;
use crate::simulation::users::setup::{Principal, SKEW};
use crate::simulation::users::stored::{Place, RosterWrite};

pub(super) const LISTED: &str = "U1 a list has every acknowledged session";
pub(super) const FOREIGN: &str = "U1 a list shows only sessions of its user, each once";
const REACHED: &str = "U2 a session that works is reached from its roster";
const UNLISTED: &str = "U2 a ticket goes out when its session is listed";
const PRUNED: &str = "U2 only what is over leaves a roster";
const ENDED: &str = "U3 what was ended works no more";
const LIVES: &str = "U4 a session lives until it is ended or expires";
const LIMIT: &str = "U5 no more sessions are acknowledged than the limit allows";
const FULL: &str = "U5 a login is refused only where the limit is reached";
const EDITED: &str = "U6 an edit reaches every session";
const CHANGED: &str = "U7 every acknowledged change is present";
const GONE: &str = "U8 only an end refuses a login, a renewal or a change";
pub(super) const TICKET: &str = "U8 a login is acknowledged with a ticket";
const OLD_ID: &str = "U9 a new ticket leaves the old id worthless";
pub(super) const OUTAGE: &str = "U8 no outage without a fault";

impl Ledger {
    /// Checks that the session which a ticket leads to has not been ended before `since`.
    pub(super) fn check_not_ended(&mut self, key: StoreKey, since: Tick, now: Timestamp) {
        self.check_ends(key, since, now, false);
    }

    /// Checks that nothing works which was ended, once every session has looked at its roster.
    pub(crate) fn check_all_ends(&mut self, now: Timestamp) {
        let keys: Vec<StoreKey> = self.issued.iter().copied().collect();
        for key in keys {
            self.check_ends(key, Tick::MAX, now, true);
        }
    }

    fn check_ends(&mut self, key: StoreKey, since: Tick, now: Timestamp, all_have_looked: bool) {
        let principal = self.stored.live(key, now).and_then(|life| life.principal);
        let is_violated = principal.is_some()
            && self.ends.iter().any(|end| {
                end.acknowledged().is_some_and(|at| at < since)
                    && self.must_have_ended(end, key, all_have_looked)
            });
        self.demand(!is_violated, ENDED, || format!("{key} of {principal:?}"));
    }

    /// Checks that every session of a principal that works is in the roster, or that a mark leads there.
    pub(super) fn check_reached(&mut self, principal: Principal, now: Timestamp) {
        let working = self.working(principal, now);
        let hidden = &self.stored.roster(principal).hidden;
        let reached = self.stored.reached(principal);
        let lost = working.into_iter().find(|key| !reached.contains(key) && !hidden.contains(key));
        self.demand(lost.is_none(), REACHED, || format!("{lost:?} of {principal}"));
    }

    /// Checks that a session whose ticket goes out is in the roster itself: a mark that leads there expires.
    pub(super) fn check_listed(&mut self, principal: Principal, key: StoreKey, now: Timestamp) {
        let roster = self.stored.roster(principal);
        let is_listed = roster.listed.iter().any(|listed| listed.key == key);
        let is_over = self.stored.live(key, now).is_none();
        let holds = is_listed || is_over || roster.hidden.contains(&key);
        self.demand(holds, UNLISTED, || format!("{key} of {principal}"));
    }

    /// Checks that the id with which a visit came is worthless once it gets a ticket for another.
    pub(super) fn check_old_id(&mut self, visit: usize, key: StoreKey, now: Timestamp) {
        let old = self.visits[visit].ticket.filter(|old| *old != key);
        let lives = old.filter(|old| self.stored.live(*old, now.saturating_add(SKEW)).is_some());
        self.demand(lives.is_none(), OLD_ID, || format!("{lives:?} of visit {visit} beside {key}"));
    }

    /// Checks that nothing was taken out of a roster that anybody may still use.
    pub(super) fn check_removed(&mut self, write: &RosterWrite, now: Timestamp) {
        for removed in &write.removed {
            let is_over = self.is_over(write.principal, *removed, now);
            let place = self.stored.place(removed.key).clone();
            self.demand(is_over, PRUNED, || format!("{} is {place:?}", removed.key));
        }
    }

    fn is_over(&self, principal: Principal, removed: Listed, now: Timestamp) -> bool {
        let listed = &self.stored.roster(principal).listed;
        let mut key = removed.key;
        let mut seen = BTreeSet::new();
        while seen.insert(key) {
            match self.stored.place(key) {
                _ if listed.iter().any(|listed| listed.key == key) => return true,
                Place::Ended => return true,
                Place::Session(life) => return life.principal != Some(principal),
                Place::Moved(to) => key = *to,
                Place::Nothing => return removed.has_expired(now.saturating_add(SKEW)),
            }
        }
        true
    }

    /// Checks how many sessions of a principal have been acknowledged and live.
    pub(super) fn check_limit(&mut self, principal: Principal, now: Timestamp) {
        let Some(limit) = self.rules.limit else { return };
        let evicted = self.evicted[usize::from(principal)];
        let counts = |handle: &&SessionHandle| {
            let login = &self.logins[handle];
            login.principal == principal
                && evicted.is_none_or(|evicted| login.at > evicted)
                && !self.hidden_once.contains(handle)
                && self.is_certainly_live(**handle, now)
        };
        let live: Vec<SessionHandle> = self.logins.keys().filter(counts).copied().collect();
        self.demand(live.len() <= limit.most, LIMIT, || {
            format!("{live:?} of {principal}, not {}", limit.most)
        });
    }

    /// Checks the keys that a live session holds, as a request finds them that began at `since`.
    pub(super) fn check_tags(
        &mut self,
        key: StoreKey,
        principal: Option<Principal>,
        found: &BTreeSet<u32>,
        since: Tick,
    ) {
        for tag in 0..self.tags.len() {
            if found.contains(&(tag as u32)) {
                continue;
            }
            let (is_lost, promise) = match &self.tags[tag] {
                Tag::Change { acknowledged } => {
                    let is_due = acknowledged.is_some_and(|(at, of)| {
                        at < since
                            && self.stored.first_key(of) == self.stored.first_key(key)
                            && !self.had_several_users(key)
                    });
                    (is_due, CHANGED)
                }
                Tag::Edit { principal: of, acknowledged, due, .. } => {
                    let handle = self.stored.birth(key).and_then(|birth| birth.handle);
                    let is_due = acknowledged.is_some_and(|at| at < since)
                        && principal == Some(*of)
                        && handle.is_some_and(|handle| due.contains(&handle));
                    (is_due, EDITED)
                }
            };
            self.demand(!is_lost, promise, || format!("{tag} is not in {key}"));
        }
    }

    /// Checks the tags of every session that somebody has a ticket for. The record of a renewal under way is
    /// brought up to date before anybody gets one.
    pub(crate) fn check_all_tags(&mut self, now: Timestamp, since: Tick) {
        for key in self.issued.iter().copied().collect::<Vec<_>>() {
            let Some(life) = self.stored.live(key, now).cloned() else { continue };
            self.check_tags(key, life.principal, &life.tags, since);
        }
    }

    /// Checks that a request was refused for a reason.
    pub(super) fn check_refusal(&mut self, visit: usize, error: &SessionError, now: Timestamp) {
        match error {
            SessionError::Gone => {
                let has_reason = self.rules.evicts || self.may_be_gone(visit, now);
                self.demand(has_reason, GONE, || format!("visit {visit}"));
            }
            SessionError::TooManySessions { .. } => {
                let others = self.count_others(visit, now);
                let has_reason =
                    self.rules.limit.is_some_and(|limit| limit.refuses && others >= limit.most);
                self.demand(has_reason, FULL, || format!("visit {visit} beside {others}"));
            }
            _ => {}
        }
    }

    fn may_be_gone(&self, visit: usize, now: Timestamp) -> bool {
        let Visit { login, ticket, found, start, .. } = self.visits[visit];
        let ends_oldest = self.rules.limit.is_some_and(|limit| !limit.refuses);
        let Some(login) = login else {
            // The session that was found is over, unless an end is only half done.
            let Some((key, true)) = ticket.map(|key| (key, found)) else { return true };
            let lives = self.stored.live(key, now.saturating_add(SKEW)).is_some();
            let principal = self.stored.birth(key).and_then(|birth| birth.principal);
            let mut ends = self.ends.iter().filter(|end| Some(end.aim.principal) == principal);
            return !lives || ends_oldest || ends.any(|end| end.may_act_after(start));
        };
        let mut ends = self.ends.iter().filter(|end| end.aim.principal == login.principal);
        ends_oldest
            || now.since(login.called_at) >= LONGEST_LOGIN
            || ends.any(|end| {
                let is_own = end.aim.visit == visit && end.aim.spares_visit;
                !(is_own && end.acknowledged().is_some()) && end.may_act_after(login.called)
            })
    }

    /// Returns how many sessions of the principal that a visit has tried to log in were there meanwhile.
    fn count_others(&self, visit: usize, now: Timestamp) -> usize {
        let Some(login) = self.visits[visit].login else { return 0 };
        let were_there = self.stored.births().filter(|(_, birth)| {
            let was_there =
                birth.at <= now && birth.over.is_none_or(|over| over >= login.called_at);
            was_there && birth.principal == Some(login.principal)
        });
        let handles: BTreeSet<_> = were_there.filter_map(|(_, birth)| birth.handle).collect();
        // One of them is its own.
        handles.len().saturating_sub(1)
    }

    /// Checks at the end of the run that no session has ended by itself.
    pub(crate) fn check_lives(&mut self, now: Timestamp) {
        for handle in self.logins.keys().copied().collect::<Vec<_>>() {
            let principal = self.logins[&handle].principal;
            let lives = self.lives(handle, now);
            let must_live = self.must_live(handle, now);
            self.demand(lives || !must_live, LIVES, || format!("{handle} of {principal}"));
            let is_ended_by_limit = !lives
                && !self.may_have_been_left(handle)
                && !self.may_have_been_ended(handle)
                && self.may_have_made_room(handle);
            self.coverage.ended_by_limit += u64::from(is_ended_by_limit);
        }
    }
}

/// From here on a login may be too old. See `LONGEST_LOGIN` in the library.
const LONGEST_LOGIN: std::time::Duration = std::time::Duration::from_secs(290);
