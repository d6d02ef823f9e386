//! Counts how often runs met the situations that the promises are about.

use std::fmt;
use std::ops::AddAssign;

/// Counts of what a run has met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Coverage {
    pub(super) requests: u64,
    /// Changes that were acknowledged.
    pub(super) acknowledged: u64,
    pub(super) answers_409: u64,
    pub(super) answers_503: u64,
    pub(super) conflicts: u64,
    pub(super) lost_replies: u64,
    pub(super) late_executions: u64,
    pub(super) renewals: u64,
    pub(super) logins: u64,
    pub(super) logouts: u64,
    pub(super) logouts_keeping_data: u64,
    pub(super) clears: u64,
    pub(super) touches: u64,
    /// Answers with a ticket that was renewed by time.
    pub(super) renewed_tickets: u64,
    pub(super) hang_ups: u64,
    /// Requests with two tickets, and under a layer that was applied twice.
    pub(super) two_tickets: u64,
    pub(super) two_layers: u64,
    pub(super) dropped_saves: u64,
    pub(super) dropped_handlers: u64,
    /// Saves that were left unpolled for long.
    pub(super) parked_saves: u64,
    /// Answers of the store to handles that were kept open.
    pub(super) open_saves: u64,
    pub(super) open_reloads: u64,
    pub(super) open_touches: u64,
    pub(super) open_logouts: u64,
    /// Handles kept open that learned of the end of their session.
    pub(super) open_ends: u64,
    pub(super) expiries: u64,
}

/// Returns the names of the counts that are zero. They come from `Debug`, so that a count that is added
/// later cannot be forgotten here.
pub(super) fn zeros(counts: &impl fmt::Debug) -> Vec<String> {
    let counts = format!("{counts:#?}");
    let zeros = counts.lines().filter_map(|line| line.trim().strip_suffix(": 0,"));
    zeros.map(str::to_owned).collect()
}

impl AddAssign for Coverage {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.acknowledged += other.acknowledged;
        self.answers_409 += other.answers_409;
        self.answers_503 += other.answers_503;
        self.conflicts += other.conflicts;
        self.lost_replies += other.lost_replies;
        self.late_executions += other.late_executions;
        self.renewals += other.renewals;
        self.logins += other.logins;
        self.logouts += other.logouts;
        self.logouts_keeping_data += other.logouts_keeping_data;
        self.clears += other.clears;
        self.touches += other.touches;
        self.renewed_tickets += other.renewed_tickets;
        self.hang_ups += other.hang_ups;
        self.two_tickets += other.two_tickets;
        self.two_layers += other.two_layers;
        self.dropped_saves += other.dropped_saves;
        self.dropped_handlers += other.dropped_handlers;
        self.parked_saves += other.parked_saves;
        self.open_saves += other.open_saves;
        self.open_reloads += other.open_reloads;
        self.open_touches += other.open_touches;
        self.open_logouts += other.open_logouts;
        self.open_ends += other.open_ends;
        self.expiries += other.expiries;
    }
}
