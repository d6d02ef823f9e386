//! The states of a session's key: nothing, a live session, one whose ticket is outdated, or a mark.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::id::{SessionHandle, StoreKey};
use crate::record::{Mark, Record, RecordError, Seal, Text};
use crate::store::{Entry, Version};

/// The result of a look at the store, or at the cookie.
#[derive(Default)]
pub(super) enum Found {
    /// No ticket, no entry, or an entry that has expired.
    #[default]
    Nothing,
    /// A session whose ticket has been replaced by a later one: it is not this request's, which can still end it.
    Outdated {
        key: StoreKey,
        /// It was good a short while ago: the browser probably has the later one by now.
        recently: bool,
    },
    /// The mark of a session that was renewed or ended.
    Mark {
        key: StoreKey,
        mark: Mark,
        /// The session as it was renewed, if its values are sealed and the visitor has its ticket: for a
        /// login that is repeated, which cannot open what became of it.
        left: Option<Box<Record>>,
    },
    /// A session.
    Live(Live),
}

/// The place of a session in the store, and the seal of its values, as a ticket tells them.
#[derive(Clone)]
pub(super) struct Address {
    pub(super) key: StoreKey,
    /// The number of the ticket among those of its session.
    pub(super) turn: u16,
    /// `None` in layers that seal nothing, and for whoever does not know the session's id.
    pub(super) seal: Option<Arc<Seal>>,
}

impl From<StoreKey> for Address {
    /// The place alone, for whoever cannot open the values.
    fn from(key: StoreKey) -> Self {
        Self { key, turn: 0, seal: None }
    }
}

/// A live session as it was read or written last.
#[derive(Clone)]
pub(super) struct Live {
    pub(super) key: StoreKey,
    /// The seal of its values; see [`Address`].
    pub(super) seal: Option<Arc<Seal>>,
    pub(super) version: Version,
    /// When the session ends by itself.
    pub(super) deadline: Timestamp,
    /// The idle timeout of `record` is shorter by this than the one in the store, because the layer's
    /// is. The store's own deadline is later by as much, so that the last use can be told from it.
    pub(super) surplus: Duration,
    /// Boxed, because a session is handed on a dozen times between the store and the handler.
    pub(super) record: Box<Record>,
    /// When this handle last knew the session to be there.
    pub(super) known_at: Timestamp,
    /// Read from this server's memory or from a copy that lags behind, and perhaps out of date.
    pub(super) held: bool,
    /// The request has brought another ticket than the session's present one, or one whose turn is over.
    pub(super) turn_due: bool,
}

/// A session that this handle has loaded and that is over now, or goes on under an id that the handle
/// does not know.
#[derive(Clone)]
pub(super) struct Lost {
    pub(super) key: StoreKey,
    /// `None` for a session in which nobody was logged in.
    pub(super) owner: Option<Owner>,
    /// Until then the mark of any renewal since would still be there. An empty place found earlier
    /// proves that the session has ended; one found later proves nothing.
    pub(super) marked_until: Timestamp,
}

/// The login that a session belongs to.
#[derive(Clone)]
pub(super) struct Owner {
    pub(super) principal: Text,
    /// `None` if the layer kept no roster when the session was read.
    pub(super) handle: Option<SessionHandle>,
}

impl Live {
    /// A session as a write has left it, or a look has found it.
    pub(super) fn new(
        Address { key, seal, .. }: Address,
        version: Version,
        deadline: Timestamp,
        record: Box<Record>,
        known_at: Timestamp,
    ) -> Self {
        let (surplus, held, turn_due) = (Duration::ZERO, false, false);
        Self { key, seal, version, deadline, surplus, record, known_at, held, turn_due }
    }

    pub(super) fn address(&self) -> Address {
        Address { key: self.key, seal: self.seal.clone(), turn: self.record.turn.number }
    }

    /// Returns the deadline that the store holds for a session that ends at `deadline`.
    pub(super) fn stored(&self, deadline: Timestamp) -> Timestamp {
        deadline.saturating_add(self.surplus)
    }

    /// Whether this layer's timeouts are over since the session was last seen, while the store, which has
    /// longer ones, would still take a write. Others may have used the session meanwhile.
    pub(super) fn is_overdue(&self, now: Timestamp) -> bool {
        let idle_is_over = !self.surplus.is_zero() && self.deadline <= now;
        idle_is_over || self.record.expires <= now
    }

    /// The store has moved the deadline, just now.
    pub(super) fn touched(&mut self, deadline: Timestamp, now: Timestamp) {
        (self.deadline, self.known_at) = (deadline, now);
    }

    /// Returns when the session was last used, as far as the store knows.
    pub(super) fn last_use(&self) -> Timestamp {
        self.deadline.saturating_sub(self.record.idle).max(self.record.created)
    }

    /// Returns how long the mark of a renewal lives. By the idle timeout in the store: a server whose own is
    /// shorter must not leave a mark that ends before others, which have the longer one, expect it to.
    pub(super) fn moved_mark_lifetime(&self) -> Duration {
        Record::moved_mark_lifetime(self.record.idle.saturating_add(self.surplus))
    }

    pub(super) fn as_lost(&self) -> Lost {
        let marked_until = self.known_at.saturating_add(self.moved_mark_lifetime());
        let (principal, handle) = (self.record.principal.clone(), self.record.handle);
        let owner = principal.map(|principal| Owner { principal, handle });
        Lost { key: self.key, owner, marked_until }
    }
}

impl Found {
    /// Reads what a store has returned for this address. Values whose seal is not known stay closed.
    /// With `only_sealed`, a record whose values are not sealed is a damaged one.
    ///
    /// Both clocks of a session are checked here, whatever the store says: some stores return an
    /// entry for a while after its deadline, and a deadline alone knows nothing of the absolute
    /// lifetime.
    ///
    /// Call [`Terms::read`](super::terms::Terms::read), which holds the session to the layer's timeouts
    /// as well.
    pub(super) fn decode(
        at: Address,
        entry: Option<Entry>,
        now: Timestamp,
        only_sealed: bool,
    ) -> Result<Self, SessionError> {
        let Some(entry) = entry.filter(|entry| entry.deadline > now) else {
            return Ok(Self::Nothing);
        };
        if let Some(mark) = Mark::decode(&entry.bytes)? {
            let left = at.seal.and_then(|seal| Record::left_by(&entry.bytes, &seal));
            return Ok(Self::Mark { key: at.key, mark, left });
        }
        let mut record = Record::decode(&entry.bytes)?;
        if record.expires <= now {
            return Ok(Self::Nothing);
        }
        if only_sealed && !record.is_closed() {
            return Err(SessionError::Corrupt("its values are not sealed"));
        }
        if let (Some(seal), true) = (&at.seal, record.is_closed()) {
            record.open(&entry.bytes, seal)?;
        }
        Ok(Self::Live(Live::new(at, entry.version, entry.deadline, record, now)))
    }

    /// Refuses a look at values that are closed, and a change of them.
    pub(super) fn check_open(&self) -> Result<(), SessionError> {
        match self.live() {
            Some(live) if live.record.is_closed() => Err(SessionError::Sealed),
            _ => Ok(()),
        }
    }

    pub(super) fn live(&self) -> Option<&Live> {
        match self {
            Self::Live(live) => Some(live),
            Self::Nothing | Self::Outdated { .. } | Self::Mark { .. } => None,
        }
    }

    /// Returns the session of an entry that may be as old as `as_of`, if it is live.
    ///
    /// An old entry proves no end: a visitor whose session is called over gets another one in its place, and may
    /// have a live one by now.
    pub(super) fn held_since(self, as_of: Timestamp) -> Option<Live> {
        let Self::Live(live) = self else { return None };
        Some(Live { known_at: live.known_at.min(as_of), held: true, ..live })
    }

    /// Whether the session goes on under an id that this request does not know.
    pub(super) fn is_moved(&self) -> bool {
        matches!(
            self,
            Self::Mark { mark: Mark::Moved { .. }, .. } | Self::Outdated { recently: true, .. }
        )
    }
}

impl From<RecordError> for SessionError {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::Corrupt(problem) => Self::Corrupt(problem),
            RecordError::Newer(version) => Self::NewerFormat { version },
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::id::CommitId;

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

    fn record() -> Record {
        Record::new(start(), IDLE, LIFETIME)
    }

    fn entry(bytes: Bytes, deadline: Timestamp) -> Option<Entry> {
        Some(Entry::new(COMMIT.into(), deadline, bytes))
    }

    fn decoded(bytes: Bytes, now: Timestamp, only_sealed: bool) -> Result<Found, SessionError> {
        Found::decode(KEY.into(), entry(bytes, Timestamp::MAX), now, only_sealed)
    }

    fn live(surplus: Duration) -> Live {
        let live = Live::new(KEY.into(), COMMIT.into(), after(IDLE), record().into(), start());
        Live { surplus, ..live }
    }

    fn moved() -> Mark {
        Mark::Moved { commit: COMMIT, to: StoreKey::from_bytes([3; 32]), at: start() }
    }

    #[test]
    fn both_clocks_end_a_session_that_the_store_still_returns() {
        let found = |deadline, now| {
            Found::decode(KEY.into(), entry(record().encode(), deadline), now, false).unwrap()
        };
        let is_live = |found: Found| matches!(found, Found::Live(live) if live.key == KEY);
        assert!(is_live(found(after(IDLE), after(IDLE - MILLI))));
        assert!(matches!(found(after(IDLE), after(IDLE)), Found::Nothing));
        assert!(is_live(found(Timestamp::MAX, after(LIFETIME - MILLI))));
        assert!(matches!(found(Timestamp::MAX, after(LIFETIME)), Found::Nothing));
        assert!(matches!(Found::decode(KEY.into(), None, start(), false), Ok(Found::Nothing)));
    }

    #[test]
    fn a_mark_is_found_and_only_one_of_a_renewal_has_moved() {
        for (mark, is_moved) in [(moved(), true), (Mark::Ended { commit: COMMIT }, false)] {
            let found = decoded(mark.encode(), start(), true).unwrap();
            assert_eq!(found.is_moved(), is_moved);
            assert!(found.live().is_none());
            let Found::Mark { key, mark: read, left: None } = found else { panic!("no mark") };
            assert_eq!((key, read), (KEY, mark));
        }
        assert!(Found::Outdated { key: KEY, recently: true }.is_moved());
        assert!(!Found::Outdated { key: KEY, recently: false }.is_moved());
        assert!(!Found::Live(live(Duration::ZERO)).is_moved() && !Found::Nothing.is_moved());
    }

    #[test]
    fn where_only_sealed_values_count_others_are_damage() {
        let readable = decoded(record().encode(), start(), false).unwrap();
        assert!(readable.live().is_some() && readable.check_open().is_ok());
        let refused = decoded(record().encode(), start(), true);
        assert!(matches!(refused, Err(SessionError::Corrupt("its values are not sealed"))));
    }

    #[test]
    fn values_without_their_seal_stay_closed_and_cannot_be_looked_at() {
        let sealed = Record { closed: Bytes::from_static(&[0; 32]), ..record() }.encode();
        for only_sealed in [false, true] {
            let found = decoded(sealed.clone(), start(), only_sealed).unwrap();
            assert!(found.live().unwrap().record.is_closed());
            assert!(matches!(found.check_open(), Err(SessionError::Sealed)));
        }
        assert!(Found::Nothing.check_open().is_ok());
    }

    #[test]
    fn damage_and_a_newer_format_are_different_errors() {
        let damaged = decoded(Bytes::from_static(b"junk"), start(), false);
        assert!(matches!(damaged, Err(SessionError::Corrupt("not a session record"))));
        let newer = decoded(Bytes::from_static(&[0xC1, 9, 0]), start(), false);
        assert!(matches!(newer, Err(SessionError::NewerFormat { version: 9 })));
    }

    #[test]
    fn a_session_is_overdue_only_if_the_stores_deadline_is_later_than_the_layers() {
        assert!(!live(Duration::ZERO).is_overdue(after(IDLE)));
        assert!(!live(MILLI).is_overdue(after(IDLE - MILLI)));
        assert!(live(MILLI).is_overdue(after(IDLE)));
        assert_eq!(live(MILLI).stored(after(IDLE)), after(IDLE + MILLI));
    }

    #[test]
    fn the_last_use_follows_from_the_deadline_and_is_not_before_the_beginning() {
        let mut live = live(Duration::ZERO);
        assert_eq!(live.last_use(), start());
        live.touched(after(2 * IDLE), after(IDLE));
        assert_eq!((live.last_use(), live.known_at), (after(IDLE), after(IDLE)));
        live.touched(after(MILLI), after(IDLE));
        assert_eq!(live.last_use(), start());
    }

    #[test]
    fn a_mark_lives_by_the_idle_timeout_of_the_store() {
        assert_eq!(live(Duration::ZERO).moved_mark_lifetime(), IDLE);
        assert_eq!(live(IDLE / 2).moved_mark_lifetime(), IDLE * 3 / 2);
        let lost = live(IDLE / 2).as_lost();
        assert_eq!((lost.key, lost.marked_until), (KEY, after(IDLE * 3 / 2)));
    }

    #[test]
    fn a_held_session_is_known_since_its_entry_was_read() {
        let earlier = start().saturating_sub(MILLI);
        for (as_of, known_at) in [(earlier, earlier), (after(MILLI), start())] {
            let held = Found::Live(live(MILLI)).held_since(as_of).unwrap();
            assert_eq!((held.known_at, held.held, held.surplus), (known_at, true, MILLI));
        }
        assert!(!live(MILLI).held);
        assert!(Found::Nothing.held_since(start()).is_none());
    }

    #[test]
    fn the_address_of_a_session_has_the_number_of_its_ticket() {
        let mut live = live(Duration::ZERO);
        live.record.turn = live.record.turn.after_use_of(7, start(), IDLE, start());
        let address = live.address();
        assert_eq!((address.key, address.turn), (KEY, 7));
        assert!(address.seal.is_none());
    }
}
