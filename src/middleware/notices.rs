//! What a layer tells its operator once.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::session::{LEAST_TIME, Terms};

/// Shared by the clones of a layer and its services: axum makes a service for each route, and servers
/// one for each connection.
#[derive(Debug, Default)]
pub(super) struct Notices {
    checked: AtomicBool,
}

impl Notices {
    /// Warns of times that do not fit together, at the first call. Not in the setters: until the last of
    /// them was called, the times need not fit.
    pub(super) fn check(&self, terms: &Terms) {
        if self.checked.swap(true, Ordering::Relaxed) {
            return;
        }
        let Terms { idle_timeout, absolute_lifetime, command_timeout, commit_timeout, .. } = terms;
        if *idle_timeout.min(absolute_lifetime) == LEAST_TIME {
            tracing::warn!(
                ?idle_timeout,
                ?absolute_lifetime,
                "sessions end at once: the idle timeout or the absolute lifetime is next to zero"
            );
        } else if idle_timeout > absolute_lifetime {
            tracing::warn!(
                ?idle_timeout,
                ?absolute_lifetime,
                "the idle timeout is longer than the absolute lifetime, so it never ends a session"
            );
        }
        if *command_timeout.min(commit_timeout) == LEAST_TIME {
            tracing::warn!(
                ?command_timeout,
                ?commit_timeout,
                "a store has no time to answer: the command or the commit timeout is next to zero"
            );
        }
    }
}
