//! A conditional write, from its first sending until it is known to be applied or not.

use bytes::Bytes;

use crate::clock::Timestamp;
use crate::cookie::SetCookies;
use crate::error::SessionError;
use crate::id::{CommitId, StoreKey};
use crate::record::{Mark, Record};
use crate::session::found::{Found, Live};
use crate::store::{NewEntry, Version};

/// A write on the loaded record, as it was sent and as it may have to be sent again.
pub(super) struct InFlight {
    pub(super) commit: CommitId,
    pub(super) entry: NewEntry,
    pub(super) becomes: Becomes,
    pub(super) sent_at: Timestamp,
    /// An answer was lost: the write may have been applied, now or later.
    pub(super) doubtful: bool,
}

/// The session after the write, once it is known to be applied.
pub(super) enum Becomes {
    /// The same id with this record.
    Changed(Box<Record>),
    /// The new id of a renewal, whose record is written already.
    Renewed(Box<Successor>),
}

/// The record of a renewed session under its new id, and the cookie that leads to it.
pub(super) struct Successor {
    pub(super) live: Live,
    pub(super) cookie: SetCookies,
    /// Its roster does not list it yet, so the cookie must wait: a session that works and that no end finds
    /// would outlive its user's "log out everywhere".
    pub(super) is_unlisted: bool,
}

/// A renewed session that its roster does not list yet.
pub(super) struct Unlisted {
    pub(super) cookies: SetCookies,
    /// Its id before, which is listed.
    pub(super) from: StoreKey,
}

/// The evidence that the write in flight was applied.
pub(super) enum Proof {
    /// The store's answer, with the new version.
    Answer(Version),
    /// A later look at what is there.
    Look(Found),
}

impl InFlight {
    /// The replacement of the loaded record by `record`, in the bytes that `encode` makes of it.
    pub(super) fn replacement(
        commit: CommitId,
        mut record: Box<Record>,
        now: Timestamp,
        encode: impl FnOnce(&Record) -> Result<Bytes, SessionError>,
    ) -> Result<Self, SessionError> {
        if record.expires <= now {
            return Err(SessionError::Gone);
        }
        record.commits.push(commit);
        let entry = NewEntry::new(commit, record.deadline(now), encode(&record)?);
        Ok(Self { commit, entry, becomes: Becomes::Changed(record), sent_at: now, doubtful: false })
    }

    /// The replacement of the loaded record by the mark that leads to its successor, and that holds `left`.
    pub(super) fn mark(
        commit: CommitId,
        base: &Live,
        successor: Successor,
        now: Timestamp,
        left: &[u8],
    ) -> Self {
        let bytes = Mark::Moved { commit, to: successor.live.key, at: now }.encode_with(left);
        let deadline = now.saturating_add(base.moved_mark_lifetime());
        let entry = NewEntry::new(commit, deadline, bytes).last_word();
        let becomes = Becomes::Renewed(Box::new(successor));
        Self { commit, entry, becomes, sent_at: now, doubtful: false }
    }

    /// Gives the entry the deadline that it would get if it were made now; its bytes stay.
    ///
    /// A `save` whose answer was lost may be repeated much later. With the deadline of the first
    /// attempt it would shorten the session that other requests have kept alive, even into the past.
    ///
    /// # Errors
    ///
    /// [`SessionError::Gone`] when the absolute lifetime of the session has passed.
    pub(super) fn refresh(&mut self, base: &Live, now: Timestamp) -> Result<(), SessionError> {
        self.sent_at = now;
        self.entry.deadline = match &self.becomes {
            Becomes::Changed(record) if record.expires <= now => return Err(SessionError::Gone),
            Becomes::Changed(record) => record.deadline(now),
            Becomes::Renewed(_) => now.saturating_add(base.moved_mark_lifetime()),
        };
        Ok(())
    }
}
