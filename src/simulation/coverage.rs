//! Counts how often runs met the situations that the promises are about.

use std::fmt;

/// Makes the type `Coverage` of these counts.
macro_rules! counts {
    ($($(#[$docs:meta])* $name:ident,)*) => {
        /// Counts of what a run has met.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub(crate) struct Coverage {
            $($(#[$docs])* pub(crate) $name: u64,)*
        }

        impl std::ops::AddAssign for Coverage {
            fn add_assign(&mut self, other: Self) {
                $(self.$name += other.$name;)*
            }
        }
    };
}
pub(super) use counts;

counts! {
    requests,
    /// Changes that were acknowledged.
    acknowledged,
    answers_409,
    answers_503,
    conflicts,
    lost_replies,
    late_executions,
    renewals,
    logins,
    logouts,
    logouts_keeping_data,
    clears,
    touches,
    /// Answers with a ticket that was renewed by time.
    renewed_tickets,
    hang_ups,
    /// Requests with two tickets, and under a layer that was applied twice.
    two_tickets,
    two_layers,
    dropped_saves,
    dropped_handlers,
    /// Saves that were left unpolled for long.
    parked_saves,
    /// Answers of the store to handles that were kept open.
    open_saves,
    open_reloads,
    open_touches,
    open_logouts,
    /// Handles kept open that learned of the end of their session.
    open_ends,
    expiries,
}

/// Returns the names of the counts that are zero. They come from `Debug`, so that a count that is added
/// later cannot be forgotten here.
pub(super) fn zeros(counts: &impl fmt::Debug) -> Vec<String> {
    let counts = format!("{counts:#?}");
    let zeros = counts.lines().filter_map(|line| line.trim().strip_suffix(": 0,"));
    zeros.map(str::to_owned).collect()
}
