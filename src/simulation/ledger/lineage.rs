//! Lineages: the ids that belong to one session, and its acknowledged renewals and logouts.

use std::collections::BTreeMap;

use crate::clock::Timestamp;
use crate::id::StoreKey;

/// The lineages of a run. A lineage is a session as its visitor sees it: the id it began under and
/// every id that it was renewed to.
#[derive(Debug, Default)]
pub(crate) struct Lineages {
    /// The id that each id was renewed from. The first id of a lineage stands for all of it.
    parents: BTreeMap<StoreKey, StoreKey>,
    /// Renewals as the store executed them: old id, new id, and when the mark expires.
    moves: Vec<(StoreKey, StoreKey, Timestamp)>,
    /// Acknowledged renewals: old id, time and visit.
    renewals: Vec<(StoreKey, Timestamp, usize)>,
    /// Acknowledged logouts.
    logouts: Vec<(StoreKey, Timestamp)>,
    /// Logouts that were asked for.
    logout_attempts: Vec<StoreKey>,
    /// Ids that a visitor ever got a ticket for.
    tickets: Vec<StoreKey>,
    /// The latest deadline that the library ever sent for an id.
    deadlines: BTreeMap<StoreKey, Timestamp>,
}

impl Lineages {
    /// Returns the first id of the lineage.
    pub(crate) fn first_key(&self, key: StoreKey) -> StoreKey {
        let mut first = key;
        while let Some(parent) = self.parents.get(&first) {
            first = *parent;
        }
        first
    }

    /// Returns whether both ids belong to one session.
    pub(crate) fn is_same(&self, a: StoreKey, b: StoreKey) -> bool {
        self.first_key(a) == self.first_key(b)
    }

    /// Makes `child` part of the lineage of `parent`.
    pub(crate) fn join(&mut self, parent: StoreKey, child: StoreKey) {
        let (parent, child) = (self.first_key(parent), self.first_key(child));
        if parent != child {
            self.parents.insert(child, parent);
        }
    }

    /// Records that the store has put a mark of a renewal in the place of `from`.
    pub(crate) fn record_move(&mut self, from: StoreKey, to: StoreKey, mark_expires: Timestamp) {
        self.join(from, to);
        self.moves.push((from, to, mark_expires));
    }

    /// Returns whether the mark of a renewal is still there.
    pub(crate) fn is_marked(&self, key: StoreKey, now: Timestamp) -> bool {
        self.moves.iter().any(|(from, _, mark_expires)| *from == key && *mark_expires > now)
    }

    /// Records an acknowledged renewal.
    pub(crate) fn record_renewal(&mut self, key: StoreKey, now: Timestamp, visit: usize) {
        self.renewals.push((key, now, visit));
    }

    /// Returns the number of acknowledged renewals.
    pub(crate) fn count_renewals(&self) -> u64 {
        self.renewals.len() as u64
    }

    /// Returns whether a visit other than `visit` has renewed the id before `before`.
    pub(crate) fn was_renewed(&self, key: StoreKey, before: Timestamp, visit: usize) -> bool {
        self.renewals.iter().any(|&(old, at, by)| old == key && at < before && by != visit)
    }

    /// Records that a visit asks for a logout.
    pub(crate) fn record_logout_attempt(&mut self, key: StoreKey) {
        self.logout_attempts.push(key);
    }

    /// Returns whether any visit asked for a logout, successful or not.
    pub(crate) fn may_have_been_ended(&self, key: StoreKey) -> bool {
        self.logout_attempts.iter().any(|other| self.is_same(*other, key))
    }

    /// Records an acknowledged logout, unless a mark on the way to the lineage's current id has
    /// expired: such a logout does not reach the renewed session.
    pub(crate) fn record_logout(&mut self, key: StoreKey, now: Timestamp) {
        let mut at = key;
        while let Some(&(_, to, mark_expires)) = self.moves.iter().find(|(from, ..)| *from == at) {
            if mark_expires <= now {
                return;
            }
            at = to;
        }
        self.logouts.push((key, now));
    }

    /// Returns whether a logout was acknowledged before `before`.
    pub(crate) fn was_ended(&self, key: StoreKey, before: Timestamp) -> bool {
        self.logouts.iter().any(|&(other, at)| at < before && self.is_same(other, key))
    }

    /// Records a deadline that the library has sent to the store.
    pub(crate) fn record_deadline(&mut self, key: StoreKey, deadline: Timestamp) {
        let latest = self.deadlines.entry(key).or_default();
        *latest = deadline.max(*latest);
    }

    /// Returns the latest time at which any id of the lineage may be alive.
    pub(crate) fn deadline(&self, key: StoreKey) -> Timestamp {
        let same = self.deadlines.iter().filter(|(other, _)| self.is_same(**other, key));
        same.map(|(_, deadline)| *deadline).max().unwrap_or_default()
    }

    /// Records that a visitor got a ticket for the id.
    pub(crate) fn record_ticket(&mut self, key: StoreKey) {
        self.tickets.push(key);
    }

    /// Returns every lineage that a visitor ever got a ticket for, with all its ids. Other
    /// lineages hold only changes whose result nobody was told.
    pub(crate) fn with_tickets(&self) -> Vec<Vec<StoreKey>> {
        let mut lineages = BTreeMap::new();
        for key in &self.tickets {
            lineages.entry(self.first_key(*key)).or_insert_with(Vec::new);
        }
        for key in self.deadlines.keys() {
            if let Some(keys) = lineages.get_mut(&self.first_key(*key)) {
                keys.push(*key);
            }
        }
        lineages.into_values().collect()
    }
}
