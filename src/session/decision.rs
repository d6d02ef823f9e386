//! The two questions of a commit, answered without touching anything.
//!
//! [`decide`]: what has to be written? [`verdict`]: what has become of a write that did not simply
//! succeed? Both are values in, value out, and both have a truth table as their test.

use crate::id::CommitId;
use crate::record::Mark;
use crate::store::Version;

/// What the request found in the store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Found {
    /// No ticket, no live record, or the mark of a logout.
    Nothing,
    /// The mark of a renewal: the session goes on under an id that this request does not know.
    Moved,
    Live,
}

/// What is known when a commit begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    pub(super) found: Found,
    /// There are operations, whatever they come to.
    pub(super) asked: bool,
    /// The record would keep something else than it did.
    pub(super) changed: bool,
    /// The record would keep nothing at all.
    pub(super) empty: bool,
    pub(super) renew: bool,
    /// The deadline has stood still for long enough.
    pub(super) slide: bool,
    pub(super) head_sent: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Decision {
    Nothing,
    Touch,
    Create,
    Replace,
    Renew,
    /// The session has moved on: this request's changes belong nowhere.
    RefuseGone,
    /// No cookie can reach the client any more.
    RefuseTooLate,
}

pub(super) fn decide(facts: Facts) -> Decision {
    match facts {
        // A request that met the mark may begin anew, so that a login whose answer was lost can be
        // repeated at once. Anything else would put an anonymous cookie over a fresh login.
        Facts { found: Found::Moved, asked: true, renew: false, .. } => Decision::RefuseGone,
        // Nobody gets a session for having nothing in it.
        Facts { found: Found::Nothing | Found::Moved, empty: true, .. } => Decision::Nothing,
        Facts { found: Found::Nothing | Found::Moved, head_sent: true, .. } => {
            Decision::RefuseTooLate
        }
        Facts { found: Found::Nothing | Found::Moved, .. } => Decision::Create,
        Facts { found: Found::Live, renew: true, head_sent: true, .. } => Decision::RefuseTooLate,
        Facts { found: Found::Live, renew: true, .. } => Decision::Renew,
        Facts { found: Found::Live, changed: true, .. } => Decision::Replace,
        Facts { found: Found::Live, slide: true, .. } => Decision::Touch,
        Facts { found: Found::Live, .. } => Decision::Nothing,
    }
}

/// A conditional write, as far as judging it goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) commit: CommitId,
    pub(super) expected: Version,
    /// The newest commit of the record that was expected.
    pub(super) base_commit: Option<CommitId>,
    /// An answer was lost: it may have been applied, now or later.
    pub(super) doubtful: bool,
}

/// What is under the key now.
#[derive(Clone, Copy, Debug)]
pub(super) enum Current<'a> {
    Absent,
    Mark(Mark),
    Live { version: Version, commits: &'a [CommitId] },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// It was applied.
    Applied,
    /// It may yet be applied; to send it again, unchanged, does no harm.
    SendAgain,
    /// It was not applied and can no longer be: do the changes to what is there now.
    Merge,
    /// It was not applied, and the session is over.
    Gone,
    /// Nothing tells.
    Unknown,
}

pub(super) fn verdict(sent: Sent, current: Current<'_>) -> Verdict {
    if !sent.doubtful {
        return match current {
            Current::Live { .. } => Verdict::Merge,
            Current::Absent | Current::Mark(_) => Verdict::Gone,
        };
    }
    match current {
        Current::Mark(Mark::Moved { commit, .. }) if commit == sent.commit => Verdict::Applied,
        Current::Live { commits, .. } if commits.contains(&sent.commit) => Verdict::Applied,
        Current::Live { version, .. } if version == sent.expected => Verdict::SendAgain,
        // Had it been applied, it would stand right after the commit it was based on. That one is
        // still listed, so ours could not have been pushed out.
        Current::Live { commits, .. }
            if sent.base_commit.is_some_and(|base| commits.contains(&base)) =>
        {
            Verdict::Merge
        }
        _ => Verdict::Unknown,
    }
}

#[cfg(test)]
mod tests;
