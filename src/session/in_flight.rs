//! A conditional write, from its first sending until it is known to be applied or not.

use crate::clock::Timestamp;
use crate::cookie::SetCookies;
use crate::error::SessionError;
use crate::id::CommitId;
use crate::record::{MARK_LIFETIME, Mark, Record};
use crate::session::found::Live;
use crate::store::NewEntry;

/// A write on the loaded record, as it was sent and as it may have to be sent again.
pub(super) struct InFlight {
    pub(super) commit: CommitId,
    pub(super) entry: NewEntry,
    pub(super) becomes: Becomes,
    /// An answer was lost: the write may have been applied, now or later.
    pub(super) doubtful: bool,
}

/// The session after the write, once it is known to be applied.
pub(super) enum Becomes {
    /// The same id with this record.
    Changed(Record),
    /// The new id of a renewal, whose record is written already.
    Renewed(Box<Successor>),
}

/// The record of a renewed session under its new id, and the cookie that leads to it.
pub(super) struct Successor {
    pub(super) live: Live,
    pub(super) cookie: SetCookies,
}

impl InFlight {
    /// The replacement of the loaded record by `record`.
    pub(super) fn replacement(
        commit: CommitId,
        mut record: Record,
        now: Timestamp,
    ) -> Result<Self, SessionError> {
        if record.expires <= now {
            return Err(SessionError::Gone);
        }
        record.commits.push(commit);
        let entry = NewEntry::new(commit, record.deadline(now), record.encode());
        Ok(Self { commit, entry, becomes: Becomes::Changed(record), doubtful: false })
    }

    /// The replacement of the loaded record by the mark that leads to its successor.
    pub(super) fn mark(commit: CommitId, successor: Successor, now: Timestamp) -> Self {
        let bytes = Mark::Moved { commit, to: successor.live.key }.encode();
        let entry = NewEntry::new(commit, now.saturating_add(MARK_LIFETIME), bytes).last_word();
        Self { commit, entry, becomes: Becomes::Renewed(Box::new(successor)), doubtful: false }
    }
}
