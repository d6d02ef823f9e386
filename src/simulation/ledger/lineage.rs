//! Lineages: the ids that belong to one session, and its acknowledged renewals and logouts.

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::Timestamp;
use crate::id::StoreKey;
use crate::simulation::setup::{IDLE_TIMEOUT, LONGEST_FOLLOW};

/// The lineages of a run. A lineage is a session as its visitor sees it: the id it began under and
/// every id that it was renewed to.
#[derive(Debug, Default)]
pub(crate) struct Lineages {
    /// The id that each id was renewed from. The first id of a lineage stands for all of it.
    parents: BTreeMap<StoreKey, StoreKey>,
    /// Renewals as the store executed them.
    moves: Vec<Move>,
    /// Ids in whose place the store has put the mark of a logout.
    ended: BTreeSet<StoreKey>,
    /// The sessions that logins have begun anew, by their first ids, with where their data come from.
    origins: BTreeMap<StoreKey, Vec<Origin>>,
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
    /// When the record under each id was first changed after it had been created.
    rewrites: BTreeMap<StoreKey, Timestamp>,
    /// The deadlines that the store has given the session under each id.
    stored_deadlines: BTreeMap<StoreKey, Timestamp>,
}

/// A renewal as the store executed it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Move {
    pub(crate) from: StoreKey,
    pub(crate) to: StoreKey,
    /// The time of the renewal, as its mark says.
    pub(crate) at: Timestamp,
    pub(crate) mark_expires: Timestamp,
}

/// The session whose data a login has taken along when it began anew.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) from: StoreKey,
    /// The login took the data after this time,
    pub(crate) begun: Timestamp,
    /// and before this one.
    pub(crate) ended: Timestamp,
    pub(crate) takes: Takes,
}

/// The data that a login takes along when it begins anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Takes {
    /// Everything.
    All,
    /// Everything but the list that the login's own handler overwrites.
    AllButList,
    /// Everything or nothing.
    Maybe,
    /// Only the list that the handler had read before it wrote it.
    List,
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
    pub(crate) fn record_move(&mut self, renewal: Move) {
        self.join(renewal.from, renewal.to);
        self.moves.push(renewal);
    }

    /// Records that the store has put a mark of a logout in the place of `key`.
    pub(crate) fn record_end(&mut self, key: StoreKey) {
        self.ended.insert(key);
    }

    /// Returns whether the session is no more under this id: renewed, ended or expired.
    pub(crate) fn is_over(&self, key: StoreKey, now: Timestamp) -> bool {
        !self.is_stored_until(key, now)
            || self.ended.contains(&key)
            || self.successor(key).is_some()
    }

    /// Returns the id that a renewal has moved the session of `key` to, and when the mark expires.
    pub(crate) fn successor(&self, key: StoreKey) -> Option<(StoreKey, Timestamp)> {
        let Move { to, mark_expires, .. } = self.find_move(key)?;
        Some((to, mark_expires))
    }

    fn find_move(&self, key: StoreKey) -> Option<Move> {
        self.moves.iter().find(|renewal| renewal.from == key).copied()
    }

    /// Returns whether a logout between `begun` and `now`, from the id alone, has met the mark of a
    /// renewal that was too long ago for it to follow.
    pub(crate) fn has_moved_away(&self, key: StoreKey, begun: Timestamp, now: Timestamp) -> bool {
        self.find_move(key).is_some_and(|renewal| {
            let is_old = renewal.at.saturating_add(LONGEST_FOLLOW) <= begun;
            is_old && now < renewal.mark_expires && !self.ended.contains(&renewal.to)
        })
    }

    /// Returns whether the session is certainly alive under this id until `now`, if nobody asked for a
    /// logout.
    pub(crate) fn is_certainly_alive(&self, key: StoreKey, now: Timestamp) -> bool {
        !self.is_over(key, now) && !self.may_have_been_ended(key)
    }

    /// Records that the store has replaced a record by another one.
    pub(crate) fn record_rewrite(&mut self, key: StoreKey, now: Timestamp) {
        self.rewrites.entry(key).or_insert(now);
    }

    /// Returns when the record was first changed after it had been created.
    pub(crate) fn first_rewrite(&self, key: StoreKey) -> Option<Timestamp> {
        self.rewrites.get(&key).copied()
    }

    /// Records that the session which begins under `key` has taken data along.
    pub(crate) fn record_origin(&mut self, key: StoreKey, origin: Origin) {
        self.origins.entry(self.first_key(key)).or_default().push(origin);
    }

    /// Returns where the data of a session may come from if a login has begun it anew.
    pub(crate) fn origins(&self, key: StoreKey) -> &[Origin] {
        self.origins.get(&self.first_key(key)).map_or(&[], Vec::as_slice)
    }

    /// Returns whether the mark of a renewal is still there: for an idle timeout.
    pub(crate) fn is_marked(&self, key: StoreKey, now: Timestamp) -> bool {
        self.find_move(key).is_some_and(|renewal| now < renewal.at.saturating_add(IDLE_TIMEOUT))
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

    /// Records an acknowledged logout. If it had an id alone, it does not reach a session that was
    /// renewed long ago.
    pub(crate) fn record_logout(&mut self, key: StoreKey, now: Timestamp, had_loaded: bool) {
        let mut at = key;
        while let Some(renewal) = self.find_move(at) {
            if !had_loaded && renewal.at.saturating_add(LONGEST_FOLLOW) <= now {
                return;
            }
            at = renewal.to;
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

    /// Records a deadline that the store has given the session.
    pub(crate) fn record_stored_deadline(&mut self, key: StoreKey, deadline: Timestamp) {
        self.stored_deadlines.insert(key, deadline);
    }

    /// Returns whether the store still has the session under this id at `now`, as far as its deadline
    /// goes.
    fn is_stored_until(&self, key: StoreKey, now: Timestamp) -> bool {
        self.stored_deadlines.get(&key).is_some_and(|deadline| now < *deadline)
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
