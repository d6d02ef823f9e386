//! The plain values that the sessions of one layer live by.

use std::time::Duration;

use bytes::Bytes;

use super::command::TimeLimit;
use super::found::{Address, Found, Live};
use super::report::Reporter;
use super::revocations::Revocations;
use super::roster::Roster;
use super::sealing::Sealing;
use crate::clock::{Clock, Timestamp};
use crate::entropy::{self, Entropy, EntropyError};
use crate::error::SessionError;
use crate::events::{EndedBy, SessionChange};
use crate::id::CommitId;
use crate::record::{Cipher, FORMAT_SEALED, NONCE_LEN, Record, SEAL_LEN, Seal, Turn};
use crate::store::Entry;

/// The shortest time that counts; a shorter one is taken for it. Times are kept in whole milliseconds,
/// and an entry that is over before it is written would be an error of some stores and none of others.
pub(crate) const LEAST_TIME: Duration = Duration::from_millis(1);

/// The most bytes of values that a mark holds. With more, a session that fits its store could have a mark that
/// does not, and its visitor could not log in.
const MOST_LEFT_IN_MARK: usize = 256 * 1024;

#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) clock: Clock,
    pub(crate) entropy: Entropy,
    pub(crate) idle_timeout: Duration,
    /// The idle timeout of sessions without a principal, if it is shorter.
    pub(crate) anonymous_idle_timeout: Duration,
    pub(crate) absolute_lifetime: Duration,
    /// The age at which the ticket of a session is renewed, if it ever is.
    pub(crate) renew_every: Option<Duration>,
    /// Hundredths of the idle timeout that pass before the deadline is moved.
    pub(crate) slide_after_percent: u32,
    pub(crate) command_timeout: Duration,
    pub(crate) commit_timeout: Duration,
    pub(crate) max_session_bytes: usize,
    pub(crate) revocations: Option<Revocations>,
    pub(crate) roster: Option<Roster>,
    pub(crate) sealing: Sealing,
    /// The cipher of seals. `None` in layers that seal nothing.
    pub(crate) cipher: Option<&'static dyn Cipher>,
    pub(crate) report: Reporter,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            clock: Clock::system(),
            entropy: entropy::operating_system,
            idle_timeout: Duration::from_secs(30 * 60),
            anonymous_idle_timeout: Duration::MAX,
            absolute_lifetime: Duration::from_secs(12 * 60 * 60),
            renew_every: None,
            slide_after_percent: 10,
            command_timeout: Duration::from_secs(2),
            commit_timeout: Duration::from_secs(5),
            max_session_bytes: 1 << 20,
            revocations: None,
            roster: None,
            sealing: Sealing::Off,
            cipher: None,
            report: Reporter::default(),
        }
    }
}

impl Terms {
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn draw_commit_id(&self) -> Result<CommitId, EntropyError> {
        CommitId::draw(self.entropy)
    }

    /// Returns an empty record that begins now.
    pub(super) fn new_record(&self, now: Timestamp) -> Box<Record> {
        Box::new(Record::new(now, self.idle_timeout, self.absolute_lifetime))
    }

    /// Reads what a store has returned, and holds a session to the layer's timeouts. Values whose seal is not
    /// part of the address stay closed.
    pub(super) fn read(
        &self,
        at: impl Into<Address>,
        entry: Option<Entry>,
    ) -> Result<Found, SessionError> {
        self.read_at(at.into(), entry, self.now())
    }

    /// Reads what a store has returned for a ticket.
    ///
    /// # Errors
    ///
    /// [`SessionError::NewerFormat`] in a layer that opens no seals, as in a release that knows none.
    pub(super) fn read_own(
        &self,
        at: Address,
        entry: Option<Entry>,
        now: Timestamp,
    ) -> Result<Found, SessionError> {
        let found = self.read_at(at, entry, now)?;
        match found.check_open() {
            Ok(()) => Ok(found),
            Err(_) => Err(SessionError::NewerFormat { version: FORMAT_SEALED }),
        }
    }

    fn read_at(
        &self,
        at: Address,
        entry: Option<Entry>,
        now: Timestamp,
    ) -> Result<Found, SessionError> {
        let mut found = Found::decode(at, entry, now, self.sealing == Sealing::Only)?;
        if let Found::Live(live) = &mut found {
            live.surplus = self.tighten(&mut live.record);
            live.deadline = live.deadline.saturating_sub(live.surplus).min(live.record.expires);
            if live.deadline <= now {
                return Ok(Found::Nothing);
            }
        }
        Ok(found)
    }

    /// Shortens the timeouts of a record that began under longer ones. Otherwise, whoever shortens them
    /// after an incident would have to wait until the sessions that exist have ended. Returns by how much
    /// the idle timeout is shorter.
    ///
    /// "Remembered" sessions have timeouts of their own.
    pub(super) fn tighten(&self, record: &mut Record) -> Duration {
        if record.remembered {
            return Duration::ZERO;
        }
        let surplus = record.idle.saturating_sub(self.idle_timeout_for(record));
        record.idle -= surplus;
        record.expires = record.expires.min(record.created.saturating_add(self.absolute_lifetime));
        surplus
    }

    /// Returns the layer's idle timeout for a session with this record's principal, or without one.
    fn idle_timeout_for(&self, record: &Record) -> Duration {
        match record.principal {
            Some(_) => self.idle_timeout,
            None => self.idle_timeout.min(self.anonymous_idle_timeout),
        }
    }

    /// Returns whether a session is revoked, as far as that can be known within the staleness that the app
    /// has chosen.
    pub(super) async fn is_revoked(
        &self,
        live: &Live,
        limit: TimeLimit,
    ) -> Result<bool, SessionError> {
        let Some(revocations) = &self.revocations else { return Ok(false) };
        let is_revoked = revocations.revoked(&live.record, limit).await?;
        if is_revoked {
            self.report.session(live.into(), SessionChange::Ended(EndedBy::Revocation));
        }
        Ok(is_revoked)
    }

    /// Brings what this process knows of revocations up to date.
    pub(super) async fn learn_revocations(&self, limit: TimeLimit) -> Result<(), SessionError> {
        match &self.revocations {
            Some(revocations) => revocations.learn(limit).await,
            None => Ok(()),
        }
    }

    /// Returns whether this process knows already that a session which would be stored as `record` is
    /// revoked. After a login it is not.
    pub(super) fn know_revoked(&self, record: &Record) -> bool {
        self.revocations.as_ref().is_some_and(|revocations| revocations.know_revoked(record))
    }

    /// Refuses a record that is larger than the layer allows.
    pub(super) fn check_size(&self, record: &Record) -> Result<(), SessionError> {
        let seal = if self.sealing.writes() { SEAL_LEN } else { 0 };
        let (size, limit) = (record.encoded_len() + seal, self.max_session_bytes);
        match size > limit {
            true => Err(SessionError::TooLarge { size, limit }),
            false => Ok(()),
        }
    }

    /// Encodes a record for the store, sealed if the layer seals.
    ///
    /// # Errors
    ///
    /// [`SessionError::Sealed`] for whoever does not have the seal: a layer that seals never writes values in the
    /// clear, and nothing about a sealed record can be changed without its seal.
    pub(super) fn encode(
        &self,
        record: &Record,
        seal: Option<&Seal>,
    ) -> Result<Bytes, SessionError> {
        match (self.sealing.writes(), seal) {
            _ if record.is_closed() => Err(SessionError::Sealed),
            (true, None) => Err(SessionError::Sealed),
            (true, Some(seal)) => {
                let mut nonce = [0; NONCE_LEN];
                (self.entropy)(&mut nonce)?;
                Ok(record.encode_sealed(seal, &nonce))
            }
            (false, _) => Ok(record.encode()),
        }
    }

    /// Returns the bytes of a session that the mark of its renewal holds: none, unless its values are sealed and
    /// somebody is logged in to the successor.
    ///
    /// A login that is repeated, because its answer was lost or the visitor has clicked twice, goes on with what
    /// the first one began with. It has the old id alone, and the successor opens with the new one alone.
    pub(super) fn left_in_mark(&self, base: &Live, successor: &Live) -> Bytes {
        let is_wanted = self.sealing.writes()
            && successor.record.principal.is_some()
            && base.record.fields.encoded_len() < MOST_LEFT_IN_MARK;
        // Without random bytes for a nonce the mark holds nothing, and the repeated login begins with nothing.
        let left = is_wanted.then(|| self.encode(&base.record, base.seal.as_deref()).ok());
        left.flatten().unwrap_or_default()
    }

    /// Begins the record's absolute lifetime anew: with `lifetime` if `remember` was called, else
    /// with the layer's length, or its own if it is "remembered".
    pub(super) fn renew_lifetime(
        &self,
        mut record: Box<Record>,
        lifetime: Option<Duration>,
        now: Timestamp,
    ) -> Box<Record> {
        let usual = match record.remembered {
            true => record.expires.since(record.created),
            false => self.absolute_lifetime,
        };
        if !record.remembered {
            record.idle = record.idle.min(self.idle_timeout_for(&record));
        }
        record.created = now;
        record.expires = now.saturating_add(lifetime.unwrap_or(usual));
        record.turn = Turn::default();
        record
    }

    /// Returns the turn that this use of a session's ticket leads to; `None` if the layer renews no tickets, or not
    /// those of such a session.
    ///
    /// A layer that renews none still notes the first use of one that another server has issued: the one before it would
    /// otherwise stay good until the session ends.
    ///
    /// A visitor who is not logged in keeps the ticket: it protects little, and a login replaces it. Were it renewed at the
    /// moment of a login, the later of the two answers could put it over the login's.
    pub(super) fn turn_after_use(
        &self,
        record: &Record,
        number: u16,
        now: Timestamp,
    ) -> Option<Turn> {
        record.principal.as_ref()?;
        let every = self.renew_every.or((record.turn.number > 0).then_some(Duration::MAX))?;
        Some(record.turn.after_use_of(number, record.created, every, now))
    }

    /// Returns the session's new deadline if the last one has stood still for long enough to be
    /// moved. Moving it at every request would double the store commands of a site that is read.
    pub(super) fn touch_due(&self, live: &Live, now: Timestamp) -> Option<Timestamp> {
        let last_use = live.deadline.saturating_sub(live.record.idle);
        let pause = live.record.idle.saturating_mul(self.slide_after_percent) / 100;
        let deadline = live.record.deadline(now);
        (now.since(last_use) >= pause && deadline > live.deadline).then_some(deadline)
    }

    /// Whether reads move the session's deadline less often than once in three minutes, or never.
    pub(super) fn is_rarely_moved(&self, live: &Live) -> bool {
        let pause = live.record.idle.saturating_mul(self.slide_after_percent) / 100;
        pause > Duration::from_secs(3 * 60) || live.deadline >= live.record.expires
    }

    /// Returns whether the deadline of what was found is to be moved before the handler runs.
    pub(super) fn is_late(&self, found: &Found) -> bool {
        found.live().is_some_and(|live| self.early_touch_due(live, self.now()).is_some())
    }

    /// Returns the session's new deadline if it is to be moved before the handler runs: less than half
    /// of the timeout is left, and a handler that takes longer than that would lose its session.
    pub(super) fn early_touch_due(&self, live: &Live, now: Timestamp) -> Option<Timestamp> {
        let is_late = live.deadline.since(now) < live.record.idle / 2;
        if is_late { self.touch_due(live, now) } else { None }
    }
}
