//! The state of one session handle behind its short lock, and whether a cookie can still be sent.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::changes::{self, Change, CheckReads, Renewal};
use super::decision::Facts;
use super::flags::{DETACHED, Flags, HEAD_CLOSED, LOAD_REPORTED, TURN_DUE, USED};
use super::found::{Found, Live};
use super::in_flight::{InFlight, Proof, Successor};
use super::known_roster::KnownRoster;
use super::reading::Reading;
use super::report::{Named, Reporter};
use super::state::{Stage, State, Unfinished};
use super::terms::Terms;
use crate::clock::Timestamp;
use crate::cookie::SetCookies;
use crate::error::SessionError;
use crate::events::SessionChange;
use crate::id::CommitId;
use crate::poison::IgnorePoison;
use crate::record::Record;

#[derive(Default)]
pub(super) struct Slot {
    state: Mutex<State>,
    flags: Flags,
}

/// The record as the changes leave it, ready to be written.
pub(super) struct Draft {
    /// `None` once it was taken out.
    record: Option<Box<Record>>,
    /// The new id that the changes ask for.
    pub(super) renewal: Option<Renewal>,
    /// The roster that a login has read.
    pub(super) login: Option<Arc<KnownRoster>>,
    /// What a decision about it needs to know.
    pub(super) facts: Facts,
    /// The changes have made it larger.
    grows: bool,
}

impl Draft {
    /// Refuses a record that the changes have made too large. In one that was larger before, as when the
    /// limit is lowered, the visitor can still log in, and remove things.
    pub(super) fn check_size(&self, terms: &Terms) -> Result<(), SessionError> {
        match &self.record {
            Some(record) if self.grows => terms.check_size(record),
            _ => Ok(()),
        }
    }

    /// Returns the record, until it is taken out.
    pub(super) fn record(&self) -> Option<&Record> {
        self.record.as_deref()
    }

    /// Takes the record out. A draft is lent through the layers of a commit and not handed on: each
    /// `async fn` on the way would keep a copy of its own, and the commit's future would leave the
    /// sizes that the allocator serves quickly.
    pub(super) fn take_record(&mut self) -> Box<Record> {
        // Cannot be `None`: a commit takes it once. If it did twice, an expired record would be refused, and
        // an empty one would be stored.
        self.record.take().unwrap_or_else(|| {
            Box::new(Record::new(Timestamp::default(), Duration::ZERO, Duration::ZERO))
        })
    }
}

impl Slot {
    pub(super) fn state(&self) -> StateGuard<'_> {
        StateGuard { state: self.state.lock().ignore_poison(), done_with: Vec::new() }
    }

    /// Locks the state to read it. Where nothing can be changed, nothing is left to drop, and a request
    /// locks its state a dozen times.
    pub(super) fn read(&self) -> impl Deref<Target = State> {
        self.state.lock().ignore_poison()
    }

    /// Locks the state for a change, which is refused after a failed read: what could not be read
    /// must never be written over.
    pub(super) fn writable(&self) -> Result<StateGuard<'_>, SessionError> {
        let mut state = self.state();
        if let Some(outage) = state.outage() {
            return Err(outage.clone());
        }
        state.late_changes |= self.head_is_closed();
        // A change is use.
        state.peeked = None;
        Ok(state)
    }

    /// Locks the state for a login, which needs nothing of what was there: over a record that is
    /// unreadable it begins a session anew, so that the visitor is not locked out until the record
    /// expires. The record stays.
    pub(super) fn writable_for_login(&self) -> Result<StateGuard<'_>, SessionError> {
        {
            let mut state = self.state();
            if let Some(error) = state.outage().filter(|error| error.is_unreadable()).cloned() {
                state.stage = Stage::Anew(error.into());
            }
        }
        self.writable()
    }

    /// See [`State::begin_commit`]. A function of its own, because a guard in the head of a `while`
    /// loop would live through the loop's body.
    pub(super) fn begin_commit(&self) -> Result<Option<Unfinished>, SessionError> {
        self.state().begin_commit()
    }

    /// See [`State::unfinished`].
    pub(super) fn unfinished(&self) -> Option<Unfinished> {
        self.state().unfinished()
    }

    /// Whether changes were made after the response's head had left that nobody has saved.
    pub(super) fn has_unsaved_late_changes(&mut self) -> bool {
        let state = self.state.get_mut().ignore_poison();
        state.late_changes && state.has_changes()
    }

    /// Applies the changes of this commit to the loaded record, and returns what follows from that.
    ///
    /// Runs closures of the app, without the lock.
    pub(super) fn draft(
        &self,
        terms: &Terms,
        now: Timestamp,
        saving: bool,
    ) -> Result<Draft, SessionError> {
        let (base, sending, mut facts) = {
            let mut state = self.state();
            let stale = std::mem::replace(&mut state.stale, true) || self.head_is_closed();
            let live = state.found.live();
            let facts = Facts {
                live: live.is_some(),
                over: state.is_over(),
                asked: !state.sending.is_empty(),
                saving,
                stale,
                changed: false,
                empty: false,
                renew: false,
                login: false,
                touch_due: state.is_touch_due(),
                head_sent: self.flags.head_is_closed(),
            };
            (live.map(|live| live.record.clone()), state.sending.to_vec(), facts)
        };
        facts.login = changes::logs_in(&sending);
        let mut record = base.unwrap_or_else(|| terms.new_record(now));
        let base_len = record.fields.encoded_len();
        match facts.over && facts.login {
            // The data come when it is known what the new session begins with; see `draft_on`.
            true => changes::apply_login(&sending, &mut record)?,
            false => changes::apply(&sending, &mut record, CheckReads::Yes)?,
        }
        // For whoever is logged in now, or is not any more.
        terms.tighten(&mut record);
        let renewal = changes::renewal(&sending);
        if let (false, Some(Renewal { lifetime: Some(lifetime) })) = (facts.live, renewal) {
            record.expires = now.saturating_add(lifetime);
        }
        facts.changed = {
            let state = self.read();
            state.found.live().is_none_or(|live| !live.record.keeps_same(&record))
        };
        facts.empty = record.is_empty();
        let grows = record.fields.encoded_len() > base_len;
        facts.renew = renewal.is_some();
        Ok(Draft {
            record: Some(record),
            renewal,
            login: changes::known_roster(&sending),
            facts,
            grows,
        })
    }

    /// Applies the changes of a login that begins anew to `record`, which its handler has never seen.
    pub(super) fn draft_on(&self, mut record: Box<Record>) -> Result<Box<Record>, SessionError> {
        let sending = self.read().sending.to_vec();
        changes::apply(&sending, &mut record, CheckReads::No)?;
        Ok(record)
    }

    /// Whether a commit that has met `Gone` can go on as a login that begins anew: only if its session is over.
    pub(super) fn may_begin_anew(&self, now: Timestamp) -> bool {
        !self.head_is_closed() && self.read().logs_in() && !self.only_login_refused(now)
    }

    /// Whether a commit that has met `Gone` holds a login whose session lives on. The login was refused: its new
    /// record was ended, or all sessions of its user were, since it began. The handle keeps the session, so that a
    /// later login of the same request marks the old id, as any login does.
    pub(super) fn only_login_refused(&self, now: Timestamp) -> bool {
        let state = self.read();
        state.logs_in() && state.found.live().is_some_and(|live| live.record.expires > now)
    }

    /// The store was asked again, and `found` is there now.
    ///
    /// # Errors
    ///
    /// [`SessionError::Gone`] when the session is over.
    pub(super) fn looked_again(&self, found: Found) -> Result<(), SessionError> {
        let mut state = self.state();
        state.stale = true;
        if found.live().is_none() {
            state.lose(found);
            return Err(SessionError::Gone);
        }
        state.found = found;
        Ok(())
    }

    /// Whether another is logged in to `current` than to the session that was loaded.
    pub(super) fn is_of_another_principal(&self, current: &Live) -> bool {
        let state = self.read();
        state.found.live().is_some_and(|live| live.record.principal != current.record.principal)
    }

    /// The store has moved the session's deadline, just now.
    pub(super) fn touched(&self, deadline: Timestamp, now: Timestamp) {
        let mut state = self.state();
        state.touch_due = false;
        if let Found::Live(live) = &mut state.found {
            live.touched(deadline, now);
        }
    }

    /// Puts the mark in flight that leads from the session to its `successor`.
    pub(super) fn mark_in_flight(&self, commit: CommitId, successor: Successor, terms: &Terms) {
        let (now, mut state) = (terms.now(), self.state());
        if let Found::Live(base) = &state.found {
            let left = terms.left_in_mark(base, &successor.live);
            let mark = InFlight::mark(commit, base, successor, now, &left);
            state.in_flight = Some(Box::new(mark));
        }
    }

    /// Counts a use of the session. If its deadline is to be moved for this use, and was not for those
    /// before, which only peeked, it returns the time that is left for the load.
    pub(super) fn count_use(&self, reading: Reading) -> Option<Duration> {
        if !reading.is_use() || self.read().peeked.is_none() {
            return None;
        }
        let mut state = self.state();
        state.peeked.take().filter(|_| state.touch_due)
    }

    /// Whether what is known of the session is more than the request's own look, which was just now.
    pub(super) fn is_stale(&self) -> bool {
        self.head_is_closed() || self.read().stale
    }

    /// The session was loaded, and its deadline moved if that could not wait.
    pub(super) fn loaded(&self) {
        let mut state = self.state();
        if matches!(state.stage, Stage::Untouched) {
            state.stage = Stage::Loaded;
        }
    }

    /// The commit had nothing to write.
    pub(super) fn nothing_to_write(&self) {
        self.state().forget_sending();
    }

    /// See [`State::fail`].
    pub(super) fn fail(&self, error: SessionError) -> SessionError {
        self.state().fail(error)
    }

    /// The session is stored as `live`, by a write that was answered at once. `change` is what there is to
    /// report of it.
    pub(super) fn stored(
        &self,
        live: Live,
        cookies: Option<SetCookies>,
        change: Option<SessionChange>,
        report: &Reporter,
    ) {
        let named = Named::from(&live);
        let principal = {
            let mut state = self.state();
            let principal = change_of_principal(&state);
            state.committed(live);
            state.cookies = cookies;
            principal
        };
        // Without the lock: an observer or a log subscriber may ask for the session.
        for change in change.into_iter().chain(principal) {
            report.session(named, change);
        }
    }

    /// The write in flight was applied.
    pub(super) fn applied(&self, proof: Proof, report: &Reporter) {
        let applied = {
            let mut state = self.state();
            let principal = change_of_principal(&state);
            state.applied(proof).map(|(key, renewed)| {
                let handle = state.found.live().and_then(|live| live.record.handle);
                let change = if renewed { SessionChange::Renewed } else { SessionChange::Changed };
                (Named::new(&key, handle), change, principal)
            })
        };
        // Without the lock, as above.
        let Some((named, change, principal)) = applied else { return };
        for change in [change].into_iter().chain(principal) {
            report.session(named, change);
        }
    }

    /// Notes that the loaded session has been reported. Returns its names the first time.
    pub(super) fn first_report_of_load(&self) -> Option<Named> {
        let named = self.read().found.live().map(Named::from)?;
        self.flags.is_first(LOAD_REPORTED).then_some(named)
    }

    /// The handle was made from outside of any request.
    pub(super) fn detach(&self) {
        self.flags.set(DETACHED);
        self.close_head();
    }

    pub(super) fn is_detached(&self) -> bool {
        self.flags.has(DETACHED)
    }

    /// Notes that the ticket may have to be renewed when the request ends.
    pub(super) fn note_turn(&self) {
        self.flags.set(TURN_DUE);
    }

    pub(super) fn is_turn_due(&self) -> bool {
        self.flags.has(TURN_DUE)
    }

    /// The store has taken the turn of the session's ticket, with nothing else changed.
    pub(super) fn turned(&self, live: Live) {
        self.state().found = Found::Live(live);
    }

    /// Notes that the session was used, so that the response depends on the cookie.
    pub(super) fn mark_used(&self) {
        self.flags.set(USED);
    }

    pub(super) fn was_used(&self) -> bool {
        self.flags.has(USED)
    }

    /// From here on a cookie can no longer reach the client.
    pub(super) fn close_head(&self) {
        self.flags.set(HEAD_CLOSED);
    }

    /// The commit at the end of the request is over. What a clone has changed meanwhile is late; what a
    /// request that failed leaves is dropped, so that a clone's `save` cannot store it.
    pub(super) fn close_head_after_commit(&self, succeeded: bool) {
        self.close_head();
        let mut state = self.state();
        match succeeded {
            true => state.late_changes |= state.has_changes(),
            false => state.drop_unsaved(),
        }
    }

    pub(super) fn head_is_closed(&self) -> bool {
        self.flags.head_is_closed()
    }

    pub(super) fn close_head_if_unused(&self) -> bool {
        self.flags.close_head_if_unused()
    }
}

/// Returns the login, or the logout that keeps the data, among the operations of this commit.
fn change_of_principal(state: &State) -> Option<SessionChange> {
    let was_logged_in = || state.found.live().is_some_and(|live| live.record.principal.is_some());
    match state.sending.principal()? {
        Change::Principal { principal: Some(_), .. } => Some(SessionChange::LoggedIn),
        Change::Principal { .. } if was_logged_in() => Some(SessionChange::LoggedOut),
        _ => None,
    }
}

/// Closes the response's head when it is dropped.
pub(super) struct CloseHead<'a>(pub(super) &'a Slot);

impl Drop for CloseHead<'_> {
    fn drop(&mut self) {
        self.0.close_head();
    }
}

/// The locked state.
///
/// When it is dropped, it releases the lock and then drops the operations that the state is done with:
/// the fields are dropped in this order. Their closures are the app's, and one whose `Drop` asks for
/// the session would wait for itself under the lock.
pub(super) struct StateGuard<'a> {
    state: MutexGuard<'a, State>,
    done_with: Vec<Change>,
}

impl Deref for StateGuard<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for StateGuard<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

impl Drop for StateGuard<'_> {
    fn drop(&mut self) {
        if !self.state.done_with.is_empty() {
            self.done_with = std::mem::take(&mut self.state.done_with);
        }
    }
}
