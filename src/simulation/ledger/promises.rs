//! The promises, held against the books.

use std::collections::BTreeSet;

use super::{Answer, Change, Home, IDLE, Kind, LIFETIME, Ledger, SEATS, Stands, View, Visit};
use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::id::StoreKey;
use crate::simulation::world::START;

pub(super) const P5_LOST: &str = "P5 every acknowledged change is present";
pub(super) const P5_TWICE: &str = "P5 no change is applied twice";
pub(super) const P5_WHOLE: &str = "P5 a commit is applied as a whole";
pub(super) const P5_RULE: &str = "P5 a rule of `try_update` holds whoever is quicker";
pub(super) const P5_BACK: &str = "P5 what was removed stays away";
pub(super) const P5_FOREIGN: &str = "P5 a change goes to the session it was made on";
pub(super) const P5_GONE: &str = "P5 a session lives until it is ended or expires";
pub(super) const P6_ENDED: &str = "P6 what was logged out is over";
pub(super) const P6_LATE: &str = "P6 no late write is acknowledged after a logout";
pub(super) const P6_TWICE: &str = "P6 no id is created twice";
pub(super) const P6_COOKIE: &str = "P6 a failed commit sets no ticket";
pub(super) const P6_OVER: &str = "P6 only a login begins anew where a session was renewed away";
pub(super) const P6_REMOVAL: &str = "P6 only a logout removes the cookie";
pub(super) const P7_OLD: &str = "P7 a renewed-away id finds nothing";
pub(super) const P7_LATE: &str = "P7 no write under the old id is acknowledged after a renewal";
pub(super) const P7_TWO: &str = "P7 a session lives under one id";
pub(super) const P8_REFUSED: &str = "P8 what was refused is not stored";
pub(super) const P8_TICKET: &str = "P8 a ticket goes out with what it leads to";
pub(super) const P11_LATE: &str = "P11 an expired session is not changed";
pub(super) const P11_FOUND: &str = "P11 an expired session is not found";

impl Ledger {
    /// Whether the data is what it has to be for a request that began then.
    pub(super) fn check(&mut self, key: StoreKey, view: &View, start: Timestamp) {
        let count = view.count as usize;
        self.demand(count == view.tags.len(), P5_WHOLE, || {
            format!("{key} counts {count} and lists {:?}", view.tags)
        });
        self.check_list(key, Kind::Count, &view.tags, start);
        self.demand(view.seats.len() <= SEATS, P5_RULE, || format!("{:?} in {key}", view.seats));
        self.check_list(key, Kind::Seat, &view.seats, start);
        for (kind, tags) in [(Kind::ByHand, &view.by_hand), (Kind::Own, &view.own)] {
            if let Some(tags) = tags {
                self.check_list(key, kind, tags, start);
            }
        }
    }

    fn check_list(&mut self, key: StoreKey, kind: Kind, tags: &[u32], start: Timestamp) {
        let found: BTreeSet<usize> = tags.iter().map(|tag| *tag as usize).collect();
        self.demand(found.len() == tags.len(), P5_TWICE, || format!("{kind:?} {tags:?} in {key}"));
        let lineage = self.lineages.of(key);
        for tag in 0..self.changes.len() {
            let Change { kind: of, stands, home, .. } = self.changes[tag];
            let here = self.home(tag).is_some_and(|key| self.lineages.of(key) == lineage);
            let present = found.contains(&tag);
            if present {
                let may_be = of == kind && (here || home == Home::Unknown);
                self.demand(may_be, P5_FOREIGN, || format!("{tag} in {key}"));
                self.demand(stands != Stands::Refused, P8_REFUSED, || format!("{tag} in {key}"));
            }
            let due = matches!(stands, Stands::Stored(at) if at < start);
            let (removed, kept) = self.removals(tag, start);
            self.demand(!(present && removed), P5_BACK, || format!("{tag} in {key}"));
            self.demand(present || !(due && here && kept && of == kind), P5_LOST, || {
                format!("{tag} ({kind:?}) is not in {key}: {tags:?}")
            });
        }
    }

    /// Whether a removal of it was acknowledged before that, and whether none can have been made.
    fn removals(&self, tag: usize, before: Timestamp) -> (bool, bool) {
        let of_it =
            |change: &&Change| matches!(change.kind, Kind::Removal { of } if of as usize == tag);
        let removals = || self.changes.iter().filter(of_it).map(|change| change.stands);
        let removed = removals().any(|stands| matches!(stands, Stands::Stored(at) if at < before));
        (removed, removals().all(|stands| stands == Stands::Refused))
    }

    pub(super) fn check_cookie(&mut self, visit: usize, answer: &Answer) {
        let Visit { destroys, saved, met_mark, .. } = self.visits[visit];
        let renews = |change: &Change| change.visit == visit && change.kind == Kind::Renewal;
        let begins_anew = destroys || self.changes.iter().any(renews);
        let over_login = answer.ticket.is_some() && met_mark && !begins_anew;
        self.demand(!over_login, P6_OVER, || format!("visit {visit}"));
        let failed = answer.refused.is_some() || answer.status >= 500;
        let gone = matches!(answer.refused, Some(SessionError::Gone));
        let may_issue = !gone && (!failed || saved > 0);
        self.demand(answer.ticket.is_none() || may_issue, P6_COOKIE, || format!("visit {visit}"));
        self.demand(!answer.removal || destroys, P6_REMOVAL, || format!("visit {visit}"));
    }

    /// Whoever was told that a session was begun or renewed can find it.
    pub(super) fn check_ticket(&mut self, visit: usize, answer: &Answer) {
        let Visit { destroys, gone, .. } = self.visits[visit];
        let needs_ticket = |change: &Change| {
            let mine = change.visit == visit && matches!(change.stands, Stands::Stored(_));
            mine && match (change.kind, change.home) {
                (Kind::Renewal, Home::Of(_)) => !destroys,
                (Kind::Renewal | Kind::Removal { .. }, _) => false,
                (_, home) => home == Home::New,
            }
        };
        let missing = answer.ticket.is_none() && !gone && self.changes.iter().any(needs_ticket);
        self.demand(!missing, P8_TICKET, || format!("visit {visit}"));
    }

    /// One lineage when all is quiet: what each of its ids finds.
    pub(in crate::simulation) fn audit(
        &mut self,
        found: &[(StoreKey, Option<View>)],
        now: Timestamp,
    ) {
        let live: Vec<_> =
            found.iter().filter_map(|(key, view)| Some((*key, view.as_ref()?))).collect();
        self.demand(live.len() < 2, P7_TWO, || format!("{live:?}"));
        for (key, view) in &live {
            let ended = self.lineages.was_ended(*key, now);
            let renewed = self.lineages.was_renewed(*key, now, usize::MAX);
            self.demand(!ended, P6_ENDED, || format!("{key} lives at the end"));
            self.demand(!renewed, P7_OLD, || format!("{key} lives at the end"));
            self.check(*key, view, now);
        }
        if let (true, [(key, _), ..]) = (live.is_empty(), found) {
            let due = self.must_live(*key, now);
            self.demand(!due, P5_GONE, || format!("{key} is gone"));
        }
    }

    /// Whether a lineage with acknowledged changes can neither have been ended nor have expired.
    fn must_live(&self, key: StoreKey, now: Timestamp) -> bool {
        let lineage = self.lineages.of(key);
        let stored = (0..self.changes.len()).filter(|tag| {
            let here = self.home(*tag).is_some_and(|home| self.lineages.of(home) == lineage);
            here && matches!(self.changes[*tag].stands, Stands::Stored(_))
        });
        let last_use = stored.map(|tag| self.visits[self.changes[tag].visit].start).max();
        last_use.is_some_and(|at| {
            let expires = at.saturating_add(IDLE).min(START.saturating_add(LIFETIME));
            now < expires && !self.lineages.may_have_been_ended(key)
        })
    }
}
