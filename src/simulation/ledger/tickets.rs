//! Tickets that are renewed by time: which of them the library may refuse, and which it must.

use std::collections::BTreeMap;

use crate::clock::Timestamp;
use crate::id::StoreKey;
use crate::record::OVERLAP;

/// The tickets of all sessions of a run, by their numbers.
#[derive(Debug, Default)]
pub(crate) struct Tickets {
    /// When the store has first held a record with this number.
    stored: BTreeMap<(StoreKey, u16), Timestamp>,
    /// When a request has first brought the ticket.
    presented: BTreeMap<(StoreKey, u16), Timestamp>,
}

impl Tickets {
    /// Records that the store has put a record with this number in its place.
    pub(crate) fn record_turn(&mut self, key: StoreKey, number: u16, now: Timestamp) {
        self.stored.entry((key, number)).or_insert(now);
    }

    /// Records that a request brings a ticket.
    pub(crate) fn record_presented(&mut self, key: StoreKey, number: u16, now: Timestamp) {
        self.presented.entry((key, number)).or_insert(now);
    }

    /// Returns whether a ticket may be refused: a later one is stored, and was brought first before a whole overlap.
    pub(crate) fn may_be_refused(&self, key: StoreKey, number: u16, now: Timestamp) -> bool {
        let is_used = |at: &Timestamp| at.saturating_add(OVERLAP) <= now;
        let next = number.saturating_add(1);
        let mut used = self.presented.range((key, next)..=(key, u16::MAX));
        self.stored.range((key, next)..=(key, u16::MAX)).next().is_some()
            && used.any(|(_, at)| is_used(at))
    }

    /// Returns whether a ticket must be refused to a request that began at `start`: one from before the last one.
    pub(crate) fn must_be_refused(&self, key: StoreKey, number: u16, start: Timestamp) -> bool {
        let Some(next) = number.checked_add(2) else { return false };
        self.stored.range((key, next)..=(key, u16::MAX)).any(|(_, at)| *at < start)
    }
}
