//! Counts how often runs met the situations that the protocol is about.

use crate::simulation::coverage::counts;

counts! {
    /// Calls by the step of the server that made them.
    calls_at_step_0,
    calls_at_step_1,
    calls_at_step_2,
    calls_at_step_3,
    created,
    exists,
    replaced,
    conflicts,
    gone,
    touched,
    skipped,
    ended,
    deleted,
    advanced,
    /// Calls whose caller was left in doubt, and what a look then showed.
    in_doubt,
    settled_as_done,
    sent_again,
    settled_as_not_done,
    /// Calls that were left between two commands, because their time was over or their server died.
    ran_out_of_time,
    crashes,
    late_executions,
    down_from,
    down_to,
    /// Writes of the move itself: fences without and with a tent, tents, and tents that were settled.
    open_fences,
    fences,
    tents,
    settled_tents,
    rolled_back,
    waited_for_step_3,
    waited_for_step_0,
}
