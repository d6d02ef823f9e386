//! What visitors were told, and whether it is true.
//!
//! The ledger sees what a visitor sees: answers, cookies, and the data that handlers find. Of the
//! store it learns only which id a session moved to, and the deadlines that were asked for.

mod entries;
mod promises;

use std::collections::BTreeSet;
use std::time::Duration;

use super::lineage::Lineages;
use crate::clock::Timestamp;
use crate::id::StoreKey;
pub(super) use entries::{Answer, Kind, Pending, Said, View};
use entries::{Change, Home, Stands, Visit};
use promises::{P6_ENDED, P6_LATE, P6_TWICE, P7_LATE, P7_OLD, P11_FOUND, P11_LATE};

pub(super) const IDLE: Duration = Duration::from_secs(300);
pub(super) const LIFETIME: Duration = Duration::from_secs(900);

pub(super) const SEATS: usize = 3;

#[derive(Debug, Default)]
pub(super) struct Ledger {
    visits: Vec<Visit>,
    changes: Vec<Change>,
    pub(super) lineages: Lineages,
    created: BTreeSet<StoreKey>,
    /// The first promise that was broken.
    pub(super) violation: Option<String>,
}

impl Ledger {
    pub(super) fn accuse(&mut self, promise: &str, detail: impl FnOnce() -> String) {
        if self.violation.is_none() {
            self.violation = Some(format!("{promise}: {}", detail()));
        }
    }

    /// Accuses unless `holds`.
    pub(super) fn demand(&mut self, holds: bool, promise: &str, detail: impl FnOnce() -> String) {
        if !holds {
            self.accuse(promise, detail);
        }
    }

    pub(super) fn created(&mut self, key: StoreKey) {
        let first = self.created.insert(key);
        self.demand(first, P6_TWICE, || key.to_string());
    }

    pub(super) fn starts(&mut self, ticket: Option<StoreKey>, now: Timestamp) -> usize {
        self.visits.push(Visit::new(ticket, now));
        self.visits.len() - 1
    }

    /// The handler has loaded: a live session with this in it, or nothing.
    pub(super) fn loaded(&mut self, visit: usize, found: Option<&View>, now: Timestamp) {
        let Visit { start, ticket, home, ending, .. } = self.visits[visit];
        let Some((view, key)) = found.zip(ticket) else {
            let met_mark = ticket.is_some_and(|key| self.lineages.is_marked(key, now));
            (self.visits[visit].home, self.visits[visit].met_mark) = (Home::New, met_mark);
            return;
        };
        if home == Home::New {
            let excused = ending.is_some();
            self.demand(excused, P6_ENDED, || format!("visit {visit} found what it ended"));
            return;
        }
        self.visits[visit].home = Home::Of(key);
        let lineages = &self.lineages;
        let alive = now < lineages.deadline(key);
        let ended = lineages.was_ended(key, start);
        let renewed = lineages.was_renewed(key, start, visit);
        self.demand(alive, P11_FOUND, || format!("{key} by visit {visit}"));
        self.demand(!ended, P6_ENDED, || format!("visit {visit} found {key}"));
        self.demand(!renewed, P7_OLD, || format!("visit {visit} found {key}"));
        self.check(key, view, start);
    }

    /// The id under which a change's session was first known.
    fn home(&self, tag: usize) -> Option<StoreKey> {
        let change = &self.changes[tag];
        match change.home {
            Home::Of(key) => Some(key),
            Home::New => self.visits[change.visit].new_home,
            Home::Unknown => None,
        }
    }

    /// One of the keys that were in the session when this visit began. Removing a later one may
    /// be nothing to do: to this visit it is not there.
    pub(super) fn any_own(&self, visit: usize, any: u64) -> Option<u32> {
        let Visit { start, home: Home::Of(key), .. } = self.visits[visit] else { return None };
        let lineage = self.lineages.of(key);
        let stored = |tag: &usize| {
            let Change { kind, stands, .. } = &self.changes[*tag];
            *kind == Kind::Own && matches!(stands, Stands::Stored(at) if *at < start)
        };
        let here =
            |tag: &usize| self.home(*tag).is_some_and(|key| self.lineages.of(key) == lineage);
        let own: Vec<usize> = (0..self.changes.len()).filter(stored).filter(here).collect();
        let chosen = own.get((any % own.len().max(1) as u64) as usize)?;
        u32::try_from(*chosen).ok()
    }

    /// The handler asks for a change; the number is its tag.
    pub(super) fn changes(&mut self, visit: usize, kind: Kind) -> u32 {
        let Visit { home, saving, destroying, .. } = self.visits[visit];
        let (home, stands) = match (destroying, saving) {
            // A clone's change amid a logout belongs to the session before or after it.
            (true, _) => (Home::Unknown, Stands::Lost),
            // A save that is under way may or may not take it along.
            (false, 1..) => (home, Stands::Doubt),
            (false, 0) => (home, Stands::Fresh),
        };
        self.changes.push(Change { kind, visit, home, stands });
        u32::try_from(self.changes.len() - 1).expect("few changes")
    }

    /// The session did not take it.
    pub(super) fn not_taken(&mut self, tag: u32) {
        self.changes[tag as usize].stands = Stands::Refused;
    }

    pub(super) fn save_begins(&mut self, visit: usize, now: Timestamp) -> Pending {
        self.visits[visit].saving += 1;
        self.visits[visit].saved += 1;
        self.commit_begins(visit, now)
    }

    pub(super) fn save_ends(&mut self, pending: &Pending, said: Said, now: Timestamp) -> u64 {
        let visit = &mut self.visits[pending.visit];
        visit.saving -= 1;
        visit.saved -= usize::from(matches!(said, Said::NotStored | Said::Gone));
        visit.gone |= said == Said::Gone;
        self.commit_ends(pending, said, now)
    }

    fn commit_begins(&mut self, visit: usize, now: Timestamp) -> Pending {
        let mine = |stands: Stands| {
            let changes = self.changes.iter().enumerate();
            let of =
                changes.filter(move |(_, change)| change.visit == visit && change.stands == stands);
            of.map(|(tag, _)| tag).collect::<Vec<_>>()
        };
        let (fresh, doubtful) = (mine(Stands::Fresh), mine(Stands::Doubt));
        for tag in &fresh {
            self.changes[*tag].stands = Stands::Doubt;
        }
        let deadline = match self.visits[visit].home {
            Home::Of(key) => Some(self.lineages.deadline(key)),
            _ => None,
        };
        let ends = self.visits[visit].ending.is_some();
        Pending { visit, fresh, doubtful, began: now, deadline, ends }
    }

    /// How many changes that acknowledged.
    fn commit_ends(&mut self, pending: &Pending, said: Said, now: Timestamp) -> u64 {
        let Pending { visit, fresh, doubtful, .. } = pending;
        match said {
            Said::Unknown => 0,
            Said::NotStored | Said::Gone => {
                for tag in fresh {
                    let stands = &mut self.changes[*tag].stands;
                    if *stands == Stands::Doubt && !self.visits[*visit].shared {
                        *stands = Stands::Fresh;
                    }
                }
                0
            }
            Said::Stored => {
                let now_stored = |tag: &&usize| self.changes[**tag].stands == Stands::Doubt;
                let stored: Vec<_> =
                    fresh.iter().chain(doubtful).filter(now_stored).copied().collect();
                for tag in &stored {
                    self.stored(*tag, pending, now);
                }
                if pending.ends {
                    self.destroyed(*visit, now);
                }
                stored.len() as u64
            }
        }
    }

    fn stored(&mut self, tag: usize, pending: &Pending, now: Timestamp) {
        self.changes[tag].stands = Stands::Stored(now);
        let Change { kind, visit, home: Home::Of(key), .. } = self.changes[tag] else { return };
        // What somebody else has removed already is nothing to write.
        let writes = !matches!(kind, Kind::Removal { .. });
        if writes && pending.fresh.contains(&tag) {
            let began = pending.began;
            let ended = self.lineages.was_ended(key, began);
            let renewed = self.lineages.was_renewed(key, began, visit);
            let alive = pending.deadline.is_none_or(|deadline| began < deadline);
            self.demand(!ended, P6_LATE, || format!("{tag} of visit {visit} on {key}"));
            self.demand(!renewed, P7_LATE, || format!("{tag} of visit {visit} on {key}"));
            self.demand(alive, P11_LATE, || format!("{tag} of visit {visit} on {key}"));
        }
        if kind == Kind::Renewal {
            self.lineages.renewed(key, now, visit);
        }
    }

    pub(super) fn save_dropped(&mut self, visit: usize) {
        self.visits[visit].saving -= 1;
    }

    pub(super) fn destroy_begins(&mut self, visit: usize) {
        let Visit { ticket, home, saving, saved, .. } = self.visits[visit];
        for tag in 0..self.changes.len() {
            let change = &mut self.changes[tag];
            if change.visit == visit {
                change.stands = match change.stands {
                    Stands::Fresh if saving == 0 => Stands::Refused,
                    Stands::Fresh | Stands::Doubt => Stands::Lost,
                    Stands::Stored(_) if change.home == Home::New => Stands::Lost,
                    stands => stands,
                };
            }
        }
        let led_to = if let Home::Of(key) = home { Some(key) } else { ticket };
        led_to.into_iter().for_each(|key| self.lineages.is_being_ended(key));
        // What a save has begun takes the place of what the ticket led to.
        let ends = led_to.filter(|_| home != Home::New || saved == 0);
        let visit = &mut self.visits[visit];
        visit.ending = ends.or(visit.ending);
        (visit.destroys, visit.destroying, visit.home) = (true, true, Home::New);
    }

    pub(super) fn destroy_ends(&mut self, visit: usize, ended: bool, now: Timestamp) {
        self.visits[visit].destroying = false;
        if ended {
            self.destroyed(visit, now);
        }
    }

    fn destroyed(&mut self, visit: usize, now: Timestamp) {
        if let Some(key) = self.visits[visit].ending.take() {
            self.lineages.ended(key, now);
        }
    }

    /// Clones of the session are handed out, or are back.
    pub(super) fn shares(&mut self, visit: usize, shared: bool) {
        self.visits[visit].shared = shared;
    }

    /// The handler is done, and the layer commits.
    pub(super) fn handled(&mut self, visit: usize, now: Timestamp) {
        let pending = self.commit_begins(visit, now);
        self.visits[visit].last = Some(pending);
    }

    /// The answer has left. How many changes that acknowledged.
    pub(super) fn answered(&mut self, visit: usize, answer: &Answer, now: Timestamp) -> u64 {
        self.check_cookie(visit, answer);
        answer.ticket.into_iter().for_each(|key| self.lineages.issued(key));
        if let (Some(key), Home::New) = (answer.ticket, self.visits[visit].home) {
            self.visits[visit].new_home = Some(key);
        }
        if let (Some(key), Home::Of(old)) = (answer.ticket, self.visits[visit].home) {
            self.lineages.join(old, key);
        }
        let last = self.visits[visit].last.take();
        let said = match &answer.refused {
            None => Said::Stored,
            Some(error) => Said::of(error),
        };
        let acknowledged = last.map_or(0, |pending| self.commit_ends(&pending, said, now));
        self.visits[visit].gone |= said == Said::Gone;
        self.check_ticket(visit, answer);
        self.settle(visit);
        acknowledged
    }

    /// The visitor has hung up, or the handler has failed without an answer.
    pub(super) fn unanswered(&mut self, visit: usize) {
        // A commit that has begun goes on, and nobody learns how it ends.
        if self.visits[visit].last.is_none() {
            self.settle(visit);
        }
    }

    /// What has not been sent by now never will be, unless a clone does it.
    fn settle(&mut self, visit: usize) {
        let shared = self.visits[visit].shared;
        for change in self.changes.iter_mut().filter(|change| change.visit == visit) {
            if change.stands == Stands::Fresh {
                change.stands = if shared { Stands::Doubt } else { Stands::Refused };
            }
        }
    }
}
