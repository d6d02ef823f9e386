//! The things that one commit, logout, reload or touch of a handle works with.

use tokio::time::Instant;

use super::command::TimeLimit;
use super::slot::Slot;
use super::terms::Terms;
use crate::cookie::Presented;

/// One commit, logout, reload or touch. The clones of a handle take turns, so there is one at a time.
pub(super) struct Work<'a> {
    pub(super) presented: &'a Presented,
    pub(super) slot: &'a Slot,
    pub(super) terms: &'a Terms,
    pub(super) deadline: Instant,
}

impl Work<'_> {
    pub(super) fn limit(&self) -> TimeLimit {
        TimeLimit { command: self.terms.command_timeout, deadline: Some(self.deadline) }
    }
}
