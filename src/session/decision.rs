//! The two questions of a commit, answered without touching anything.
//!
//! [`decide`]: what must be written? [`verdict`]: what became of a write that did not simply succeed?
//! Both take values and return a value, and both have a truth table as their test.

use super::found::Found;
use crate::id::CommitId;
use crate::record::Mark;
use crate::store::Version;

/// The facts that are known when a commit begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    /// The request has a live session.
    pub(super) live: bool,
    /// The session that this request or handle had is over, or goes on under an id that it does not
    /// know.
    pub(super) over: bool,
    /// There are operations, whatever they come to.
    pub(super) asked: bool,
    /// The app waits in `save`; otherwise the response does.
    pub(super) saving: bool,
    /// The record in hand is not fresh from this request's load.
    pub(super) stale: bool,
    /// The record would hold something else than it did.
    pub(super) changed: bool,
    /// The record would hold nothing at all.
    pub(super) empty: bool,
    pub(super) renew: bool,
    /// The operations log somebody in.
    pub(super) login: bool,
    /// The deadline has stood still for long enough to be moved.
    pub(super) touch_due: bool,
    pub(super) head_sent: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Decision {
    Nothing,
    Touch,
    /// Look whether the session is still there.
    Look,
    Create,
    /// Create a session for a login whose session has moved or ended under it.
    LogInAnew,
    Replace,
    Renew,
    /// The session has moved on: this request's changes belong nowhere.
    RefuseGone,
    /// A cookie can no longer reach the client.
    RefuseTooLate,
}

pub(super) fn decide(facts: Facts) -> Decision {
    match facts {
        // Only a login begins anew, so that one whose answer was lost can be repeated at once. Any
        // other change would put an anonymous cookie over a fresh login.
        Facts { over: true, asked: true, login: false, .. }
        | Facts { over: true, asked: false, saving: true, .. } => Decision::RefuseGone,
        // A visitor gets a session only when something is stored in it (ASVS 7.6.2).
        Facts { live: false, empty: true, .. } => Decision::Nothing,
        Facts { live: false, head_sent: true, .. } => Decision::RefuseTooLate,
        Facts { live: false, over: true, .. } => Decision::LogInAnew,
        Facts { live: false, .. } => Decision::Create,
        Facts { renew: true, head_sent: true, .. } => Decision::RefuseTooLate,
        Facts { renew: true, .. } => Decision::Renew,
        // "As it was loaded, so nothing to write" holds for what was loaded just now. Others may
        // have changed since what an open handle was given long ago, so the store is asked.
        Facts { changed: true, .. } | Facts { asked: true, stale: true, .. } => Decision::Replace,
        Facts { saving: true, stale: true, .. } => Decision::Look,
        Facts { touch_due: true, .. } => Decision::Touch,
        _ => Decision::Nothing,
    }
}

/// A conditional write, as far as judging it needs to know.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) commit: CommitId,
    pub(super) expected: Version,
    /// The newest commit of the record that was expected.
    pub(super) base_commit: Option<CommitId>,
    /// An answer was lost: the write may have been applied, now or later.
    pub(super) doubtful: bool,
    /// The write is the mark of a renewal.
    pub(super) renews: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// The write was applied.
    Applied,
    /// The write may yet be applied; to send it again, unchanged, does no harm.
    SendAgain,
    /// The write was not applied and can no longer be: apply the changes to the current record.
    Merge,
    /// The write was not applied, and the session is over.
    Gone,
    /// Nothing that was found tells whether it was applied.
    Unclear,
}

pub(super) fn verdict(sent: Sent, found: &Found) -> Verdict {
    match found {
        Found::Live(_) if !sent.doubtful => Verdict::Merge,
        _ if !sent.doubtful => Verdict::Gone,
        Found::Mark { mark: Mark::Moved { commit, .. }, .. } if *commit == sent.commit => {
            Verdict::Applied
        }
        // Nothing replaces a mark, so ours was never there.
        Found::Mark { .. } if sent.renews => Verdict::Gone,
        // The mark would stand in its place.
        Found::Live(live) if sent.renews && live.version != sent.expected => Verdict::Merge,
        Found::Live(live) => verdict_of_doubt(sent, live.version, live.record.commits.as_slice()),
        Found::Nothing | Found::Outdated { .. } | Found::Mark { .. } => Verdict::Unclear,
    }
}

fn verdict_of_doubt(sent: Sent, version: Version, commits: &[CommitId]) -> Verdict {
    if commits.contains(&sent.commit) {
        Verdict::Applied
    } else if version == sent.expected {
        Verdict::SendAgain
    } else if sent.base_commit.is_some_and(|base| commits.contains(&base)) {
        // Had it been applied, it would stand right after the commit it was based on. That one is
        // still listed, so ours could not have been pushed out of the list.
        Verdict::Merge
    } else {
        Verdict::Unclear
    }
}

#[cfg(test)]
mod tests;
