//! Counts how often runs met the situations that the promises are about.

use crate::simulation::coverage::counts;

counts! {
    requests,
    /// Reads that may be answered from memory, and such that may not.
    reads,
    fresh_reads,
    loads,
    /// Reads of a session from before a change, a renewal or a logout that was acknowledged by then.
    old_reads,
    reads_of_ended,
    /// Acknowledged by an answer.
    changes,
    renewals,
    logouts,
    touches,
    /// Changes that were refused: on top of an old value, and of a session that was over.
    conflicting,
    gone,
    /// Changes that may have been stored.
    unconfirmed,
    store_conflicts,
    lost_replies,
    late_executions,
    hang_ups,
    crashes,
}
