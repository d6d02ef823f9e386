//! Counts how often runs met the situations that the promises are about.

use crate::simulation::coverage::counts;

counts! {
    requests,
    /// What was acknowledged.
    logins,
    logins_again,
    renewals,
    logouts,
    changes,
    ends_of_all,
    ends_of_others,
    ends_of_one,
    lists,
    edits,
    /// Ends and edits that may have been done.
    unconfirmed,
    /// Logins that were refused because of an end, and because of the limit.
    refused_by_end,
    refused_by_limit,
    /// Sessions that were ended by the limit alone.
    ended_by_limit,
    /// Logins that have ended all others in the same request.
    logins_that_end_others,
    hang_ups,
    crashes,
    /// Answers of a server that was dead by then.
    died_with_answer,
    lost_replies,
    late_executions,
    /// Joins that somebody else was quicker than.
    join_conflicts,
    /// Ends that the store has executed after their caller was left in doubt: in the roster, and of a session.
    late_ends,
    late_marks,
    /// Ends that were written while a login had created its session and not listed it.
    ends_between_create_and_join,
    /// Ends that were written while a renewal had listed its new id and not marked the old one.
    ends_between_join_and_mark,
    /// The other way round: the two go on at the same time.
    ends_between_mark_and_join,
    /// Sessions of logins under way that were listed again, under another id.
    new_ids_joined,
    pruned,
    /// Absent sessions that were given a mark before they were pruned.
    absent_marked,
    evictions,
    /// Sessions that were listed again after their roster was lost.
    shown_again,
    /// Sessions that were ended while no roster listed them.
    hidden_ended,
}
