//! Which ids are the same session, and what was said of it.

use std::collections::BTreeMap;

use crate::clock::Timestamp;
use crate::id::StoreKey;

/// Sessions as visitors see them: a session and whatever it was renewed into.
#[derive(Debug, Default)]
pub(super) struct Lineages {
    /// Each id's elder; the eldest stands for all.
    elder: BTreeMap<StoreKey, StoreKey>,
    /// Renewals as the store carried them out, and how long their marks stay.
    moves: Vec<(StoreKey, StoreKey, Timestamp)>,
    /// Renewals that were acknowledged, and to which visit.
    renewed: Vec<(StoreKey, Timestamp, usize)>,
    /// Logouts that were acknowledged.
    ended: Vec<(StoreKey, Timestamp)>,
    /// Logouts that were asked for.
    ending: Vec<StoreKey>,
    /// Ids that a visitor ever got a ticket for.
    issued: Vec<StoreKey>,
    /// The latest deadline that the library ever wanted for an id.
    deadlines: BTreeMap<StoreKey, Timestamp>,
}

impl Lineages {
    pub(super) fn of(&self, key: StoreKey) -> StoreKey {
        let mut eldest = key;
        while let Some(elder) = self.elder.get(&eldest) {
            eldest = *elder;
        }
        eldest
    }

    pub(super) fn join(&mut self, elder: StoreKey, younger: StoreKey) {
        let (elder, younger) = (self.of(elder), self.of(younger));
        if elder != younger {
            self.elder.insert(younger, elder);
        }
    }

    pub(super) fn moved(&mut self, from: StoreKey, to: StoreKey, marked_until: Timestamp) {
        self.join(from, to);
        self.moves.push((from, to, marked_until));
    }

    /// Whether the mark of its renewal is still there.
    pub(super) fn is_marked(&self, key: StoreKey, now: Timestamp) -> bool {
        self.moves.iter().any(|(from, _, marked_until)| *from == key && *marked_until > now)
    }

    pub(super) fn renewed(&mut self, key: StoreKey, now: Timestamp, visit: usize) {
        self.renewed.push((key, now, visit));
    }

    /// How many were acknowledged.
    pub(super) fn renewals(&self) -> u64 {
        self.renewed.len() as u64
    }

    /// Whether another visit had it renewed by then.
    pub(super) fn was_renewed(&self, key: StoreKey, by: Timestamp, visit: usize) -> bool {
        self.renewed.iter().any(|&(old, at, who)| old == key && at < by && who != visit)
    }

    pub(super) fn is_being_ended(&mut self, key: StoreKey) {
        self.ending.push(key);
    }

    /// Whether somebody wanted it ended, be it in vain.
    pub(super) fn may_have_been_ended(&self, key: StoreKey) -> bool {
        self.ending.iter().any(|other| self.of(*other) == self.of(key))
    }

    /// A logout was acknowledged. It does not reach what the session was renewed into long ago:
    /// the marks that lead there have expired.
    pub(super) fn ended(&mut self, key: StoreKey, now: Timestamp) {
        let mut at = key;
        while let Some(&(_, to, marked_until)) = self.moves.iter().find(|(from, ..)| *from == at) {
            if marked_until <= now {
                return;
            }
            at = to;
        }
        self.ended.push((key, now));
    }

    pub(super) fn was_ended(&self, key: StoreKey, by: Timestamp) -> bool {
        let same = |other: StoreKey| self.of(other) == self.of(key);
        self.ended.iter().any(|&(other, at)| at < by && same(other))
    }

    pub(super) fn promised(&mut self, key: StoreKey, deadline: Timestamp) {
        let latest = self.deadlines.entry(key).or_default();
        *latest = deadline.max(*latest);
    }

    /// The latest moment at which any id of the lineage may be alive.
    pub(super) fn deadline(&self, key: StoreKey) -> Timestamp {
        let same = self.deadlines.iter().filter(|(other, _)| self.of(**other) == self.of(key));
        same.map(|(_, deadline)| *deadline).max().unwrap_or_default()
    }

    pub(super) fn issued(&mut self, key: StoreKey) {
        self.issued.push(key);
    }

    /// Every lineage that a visitor ever had a ticket for, with all its ids. The others hold what
    /// somebody was told to be in doubt.
    pub(super) fn known(&self) -> Vec<Vec<StoreKey>> {
        let mut known = BTreeMap::new();
        for key in &self.issued {
            known.entry(self.of(*key)).or_insert_with(Vec::new);
        }
        for key in self.deadlines.keys() {
            if let Some(keys) = known.get_mut(&self.of(*key)) {
                keys.push(*key);
            }
        }
        known.into_values().collect()
    }
}
