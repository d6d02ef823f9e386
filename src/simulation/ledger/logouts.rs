//! Logouts: what was asked for, and what an acknowledged one must have ended.

use super::books::Ledger;
use super::entry::{CommitResult, Status, Target, Visit};
use super::promises::P6_FALSE;
use crate::clock::Timestamp;

impl Ledger {
    /// Records that the handler asks for a logout.
    pub(crate) fn logout_begins(&mut self, visit: usize, now: Timestamp) {
        let Visit { ticket, target, saves_under_way, saves_maybe_stored, .. } = self.visits[visit];
        for change in self.changes.iter_mut().filter(|change| change.visit == visit) {
            change.status = match change.status {
                Status::Unsent if saves_under_way == 0 => Status::Refused,
                Status::Unsent | Status::InDoubt => Status::Dropped,
                Status::Stored(_) if change.target == Target::New => Status::Dropped,
                status => status,
            };
        }
        let at = self.visits[visit].at;
        let is_loaded = at.is_some() || matches!(target, Target::Found(_));
        let led_to = match target {
            _ if at.is_some() => at,
            Target::Found(key) => Some(key),
            _ => ticket,
        };
        // It also ends what became of the session that the visit came with, after a login of its own.
        let presented = self.visits[visit].presented();
        led_to
            .into_iter()
            .chain(presented)
            .for_each(|key| self.lineages.record_logout_attempt(key));
        // A session that a save has begun takes the place of the one that the ticket led to.
        let ends = led_to.filter(|_| is_loaded || target != Target::New || saves_maybe_stored == 0);
        let visit = &mut self.visits[visit];
        visit.unconfirmed_logout = ends.or(visit.unconfirmed_logout);
        visit.asked_for_logout = true;
        visit.logouts += 1;
        visit.logout_begun = now;
        visit.logs_out_loaded |= is_loaded;
        visit.logout_under_way = true;
        visit.target = Target::New;
        visit.at = None;
    }

    /// Records the end of a logout.
    pub(crate) fn logout_ends(&mut self, visit: usize, result: CommitResult, now: Timestamp) {
        self.visits[visit].logout_under_way = false;
        match result {
            CommitResult::Stored => self.logout_confirmed(visit, now),
            // The handler was told that it has nothing to end; the end of the request tries no more, and
            // the visit is where it was.
            CommitResult::Gone => {
                let visit = &mut self.visits[visit];
                visit.unconfirmed_logout = None;
                visit.asked_for_logout &= !visit.met_mark;
            }
            _ => {}
        }
    }

    pub(super) fn logout_confirmed(&mut self, visit: usize, now: Timestamp) {
        if let Some(key) = self.visits[visit].unconfirmed_logout.take() {
            let Visit { logs_out_loaded, logout_begun, .. } = self.visits[visit];
            if !logs_out_loaded && self.lineages.has_moved_away(key, logout_begun, now) {
                self.demand(false, P6_FALSE, || format!("{key} by visit {visit}"));
            }
            self.lineages.record_logout(key, now, logs_out_loaded);
            // And every other session whose ticket the request carried.
            for key in self.visits[visit].others.clone() {
                self.lineages.record_logout(key, now, false);
            }
        }
    }
}
