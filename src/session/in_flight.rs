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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const KEY: StoreKey = StoreKey::from_bytes([1; 32]);
    const COMMIT: CommitId = CommitId::from_bytes([2; 8]);
    const IDLE: Duration = Duration::from_secs(1800);
    const LIFETIME: Duration = Duration::from_secs(43_200);
    const MILLI: Duration = Duration::from_millis(1);

    fn start() -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000)
    }

    fn after(span: Duration) -> Timestamp {
        start().saturating_add(span)
    }

    fn record() -> Box<Record> {
        Record::new(start(), IDLE, LIFETIME).into()
    }

    fn live(key: StoreKey) -> Live {
        Live::new(key.into(), COMMIT.into(), after(IDLE), record(), start())
    }

    fn replacement(now: Timestamp) -> Result<InFlight, SessionError> {
        InFlight::replacement(COMMIT, record(), now, |record| Ok(record.encode()))
    }

    fn mark(left: &[u8]) -> InFlight {
        let live = live(StoreKey::from_bytes([3; 32]));
        let successor = Successor { live, cookie: SetCookies::new(), is_unlisted: false };
        InFlight::mark(COMMIT, &self::live(KEY), successor, start(), left)
    }

    #[test]
    fn a_replacement_lists_its_commit_and_ends_by_both_clocks() {
        let sent = replacement(after(IDLE)).unwrap();
        let written = Record::decode(&sent.entry.bytes).unwrap();
        assert_eq!(written.commits.as_slice(), [COMMIT]);
        assert_eq!((sent.entry.commit, sent.entry.deadline), (COMMIT, after(2 * IDLE)));
        assert!(!sent.entry.last_word && !sent.doubtful);
        assert_eq!(sent.sent_at, after(IDLE));
        assert_eq!(replacement(after(LIFETIME - MILLI)).unwrap().entry.deadline, after(LIFETIME));
        assert!(matches!(replacement(after(LIFETIME)), Err(SessionError::Gone)));
    }

    #[test]
    fn a_mark_leads_to_the_successor_and_is_the_last_word() {
        let sent = mark(&[7; 9]);
        let to = StoreKey::from_bytes([3; 32]);
        let expected = Mark::Moved { commit: COMMIT, to, at: start() };
        assert_eq!(Mark::find(&sent.entry.bytes), Ok(Some(expected)));
        assert_eq!(Mark::left(&sent.entry.bytes), [7; 9]);
        assert!(sent.entry.last_word);
        assert_eq!((sent.entry.commit, sent.entry.deadline), (COMMIT, after(IDLE)));
    }

    #[test]
    fn a_write_that_is_sent_again_has_the_same_bytes_and_a_deadline_from_now() {
        let mut sent = replacement(start()).unwrap();
        let bytes = sent.entry.bytes.clone();
        sent.refresh(&live(KEY), after(IDLE)).unwrap();
        assert_eq!((&sent.entry.bytes, sent.entry.deadline), (&bytes, after(2 * IDLE)));
        assert_eq!(sent.sent_at, after(IDLE));
        assert!(sent.refresh(&live(KEY), after(LIFETIME - MILLI)).is_ok());
        let over = sent.refresh(&live(KEY), after(LIFETIME));
        assert!(matches!(over, Err(SessionError::Gone)));
        let mut sent = mark(&[]);
        sent.refresh(&live(KEY), after(LIFETIME)).unwrap();
        assert_eq!(sent.entry.deadline, after(LIFETIME + IDLE));
    }
}
