//! The knowledge that a request has of its session between load and commit.
//!
//! Everything here is short and synchronous. It runs under the slot's lock, so it never awaits and
//! never runs code of the app: a closure, a `Drop` or a log subscriber that asked for the session again
//! would wait for itself.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::changes::{self, Change, Outcome, Receive};
use super::decision::Sent;
use super::found::{Found, Live, Lost};
use super::in_flight::{Becomes, InFlight, Proof, Unlisted};
use super::log::Log;
use super::reads::Reads;
use crate::cookie::SetCookies;
use crate::error::SessionError;
use crate::id::StoreKey;
use crate::record::Text;

/// Fields that few requests use are boxed: the whole is within the one allocation of a request, which
/// should have a size that the allocator serves quickly.
#[derive(Default)]
pub(super) struct State {
    pub(super) stage: Stage,
    /// The session as the store held it when this request last heard of it.
    pub(super) found: Found,
    /// The session that this handle had is over, and not by this handle's own logout. The handle stays
    /// empty until a login begins anew.
    pub(super) over: bool,
    /// The session that this handle had loaded before, so that a logout can still follow a renewal.
    pub(super) lost: Option<Box<Lost>>,
    /// The error that changes have met which this handle no longer has. Neither a `save` nor the request's
    /// end may acknowledge them.
    pub(super) unsaved: Option<Box<SessionError>>,
    /// The request was dropped while a clone was talking to the store, so the next commit drops what it has left
    /// unsaved.
    pub(super) drops_unsaved: bool,
    /// `found` is more than this request's first look, because a commit has come before or the session was
    /// loaded anew; or less, because this server had it in memory.
    pub(super) stale: bool,
    /// Changes were made after the response's head had left, and are not stored yet.
    pub(super) late_changes: bool,
    /// The last logout was refused for good, so those that waited for it must not take it for done.
    pub(super) logout_refused: Option<Box<SessionError>>,
    /// When the session was loaded, its deadline had stood still for long enough to be moved.
    pub(super) touch_due: bool,
    /// A load has counted as use.
    pub(super) counted: bool,
    /// The session was only peeked at so far, which does not count as use. The time that is left for its
    /// load.
    pub(super) peeked: Option<Duration>,
    /// Operations of a commit that is under way, or whose outcome is not known.
    pub(super) sending: Log,
    /// Operations since.
    pub(super) changes: Log,
    pub(super) reads: Reads,
    /// A conditional write that was sent and not answered for.
    pub(super) in_flight: Option<Box<InFlight>>,
    /// `destroy` was called and has not succeeded yet.
    pub(super) ending: bool,
    /// `destroy` has ended the session of a ticket that the request had brought.
    pub(super) logged_out: bool,
    /// The cookies that the response will carry.
    pub(super) cookies: Option<SetCookies>,
    /// The session was renewed, and its cookies wait for its roster.
    pub(super) unlisted: Option<Box<Unlisted>>,
    /// Operations that nobody needs any more. Their closures are the app's, so the slot drops them
    /// after it has released the lock.
    pub(super) done_with: Vec<Change>,
}

#[derive(Default)]
pub(super) enum Stage {
    #[default]
    Untouched,
    Loaded,
    Failed(Box<SessionError>),
    /// The session could not be read, and the app chose to go on as for an anonymous visitor.
    Outage(Box<SessionError>),
    /// A login has begun a session anew, because the one that the ticket leads to is unreadable.
    Anew(Box<SessionError>),
}

impl Stage {
    /// Returns the name that `Debug` shows.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Untouched => "untouched",
            Self::Loaded => "loaded",
            Self::Failed(_) => "failed",
            Self::Outage(_) => "outage",
            Self::Anew(_) => "anew",
        }
    }
}

/// Work that a dropped future has left unfinished.
pub(super) enum Unfinished {
    /// A logout: it ends everything.
    Logout,
    /// A write, which may have been applied; or a renewal that its roster does not list yet.
    Write,
}

impl State {
    /// Returns the value of a key as the handler's own changes leave it.
    pub(super) fn value(&self, key: &str) -> Option<&Bytes> {
        let outcome = match self.changes.outcome_for(key) {
            Outcome::Untouched => self.sending.outcome_for(key),
            outcome => outcome,
        };
        match outcome {
            Outcome::Value(value) => Some(value),
            Outcome::Removed => None,
            Outcome::Untouched => self.found.live()?.record.fields.get(key),
        }
    }

    /// Removes every key.
    pub(super) fn clear(&mut self) {
        // A second one would only keep what the first has left.
        let is_first = !self.changes.is_cleared();
        let known = is_first.then(|| Arc::new(self.reads.clone()));
        self.reads.clear_values();
        self.changes.push(Change::Clear { known });
    }

    /// Remembers that the handler has read a key, and returns the value that is there now.
    pub(super) fn note_read(&mut self, key: Text) -> Option<Bytes> {
        let value = self.value(key.as_str()).cloned();
        self.reads.note(key, value.clone());
        value
    }

    /// Adds an operation on one key. If the handler has read the key, it knows its new value too.
    pub(super) fn push(&mut self, key: &Text, change: Change) {
        self.changes.push(change);
        if self.reads.last(key).is_some() {
            self.note_read(key.clone());
        }
    }

    /// Returns the key's text, from the record's own buffer if the record has the key.
    pub(super) fn known_text(&self, key: &str) -> Option<Text> {
        let (text, _) = self.found.live()?.record.fields.entry(key)?;
        Some(text.clone())
    }

    /// Takes all operations so far into this commit, unless earlier work must be finished first.
    ///
    /// One step under one lock, so that what is done after a clone has called `destroy` is never sent
    /// to the session that is being ended.
    pub(super) fn begin_commit(&mut self) -> Result<Option<Unfinished>, SessionError> {
        if std::mem::take(&mut self.drops_unsaved) {
            self.drop_unsaved();
        }
        if let Some(unfinished) = self.unfinished() {
            return Ok(Some(unfinished));
        }
        if let (Some(error), false) = (self.refusal(), self.logs_in()) {
            return Err(error.clone());
        }
        self.sending.append(&mut self.changes);
        Ok(None)
    }

    /// Drops what a request that has failed leaves unsaved. Its closures may hold the session themselves,
    /// and would keep it in memory for ever. Handles that live on are told by every `save`, until they
    /// discard what they have lost: told once, the first clone would hear of the changes of all.
    pub(super) fn drop_unsaved(&mut self) {
        let unsaved = self.changes.len() + self.sending.len();
        self.take_back_unsaved();
        if self.sending.len() < unsaved && self.unsaved.is_none() {
            self.unsaved = Some(SessionError::TooLate.into());
        }
    }

    /// Returns why nothing but a login may be stored, if there is anything to store.
    fn refusal(&self) -> Option<&SessionError> {
        let unread = match &self.stage {
            Stage::Outage(error) => Some(error),
            // A login has been taken back, or is over.
            Stage::Anew(error) if self.found.live().is_none() => Some(error),
            _ => None,
        };
        let error = self.unsaved.as_ref().or(unread.filter(|_| self.has_work()));
        error.map(Box::as_ref)
    }

    /// Returns the last login, or logout that keeps the data, if the handler's own changes hold one.
    pub(super) fn principal_change(&self) -> Option<&Change> {
        self.changes.principal().or_else(|| self.sending.principal())
    }

    /// Whether the operations that are not stored log somebody in.
    pub(super) fn logs_in(&self) -> bool {
        matches!(self.principal_change(), Some(Change::Principal { principal: Some(_), .. }))
    }

    /// Returns the work that must be finished before anything else is asked of the store.
    pub(super) fn unfinished(&mut self) -> Option<Unfinished> {
        if self.ending {
            return Some(Unfinished::Logout);
        }
        match &mut self.in_flight {
            Some(flight) => flight.doubtful = true,
            None if self.unlisted.is_none() => return None,
            None => {}
        }
        Some(Unfinished::Write)
    }

    /// Puts the operations of a commit that has certainly failed back for the next one.
    ///
    /// If a clone has called `destroy` meanwhile, they were made on the session that is being ended
    /// and are dropped: they must not turn up in the session that comes after.
    fn put_back(&mut self) {
        self.in_flight = None;
        let mut failed = std::mem::take(&mut self.sending);
        if self.ending {
            failed.move_to(&mut self.done_with);
        } else {
            failed.append(&mut self.changes);
            self.changes = failed;
        }
    }

    /// Ends a commit that met `error`, and returns what the caller is told.
    ///
    /// A write whose answer was lost stays in flight and is settled by the next commit; until then
    /// nobody may be told that it failed. Everything else goes back into the log.
    ///
    /// A caller that still has something to await calls it first, so that the state is right if it is
    /// dropped there; the second call, at the end of the commit, then changes nothing.
    pub(super) fn fail(&mut self, error: SessionError) -> SessionError {
        if self.in_flight.as_ref().is_some_and(|flight| flight.doubtful) {
            return error.into_unconfirmed();
        }
        self.put_back();
        error
    }

    /// The session is stored as `live`.
    pub(super) fn committed(&mut self, live: Live) {
        // A login that begins anew leaves the past behind. Any other commit says nothing of changes that
        // were lost before it.
        if self.is_over() {
            (self.over, self.unsaved) = (false, None);
        }
        self.found = Found::Live(live);
        self.forget_sending();
        self.in_flight = None;
        self.late_changes &= !self.changes.is_empty();
    }

    /// The session is not where this handle knew it: `found` is there instead. Without a session that was
    /// live, a mark that was met before stays. The operations stay, because a login may take them along.
    pub(super) fn lose(&mut self, found: Found) {
        if let Some(live) = self.found.live() {
            self.lost = Some(live.as_lost().into());
            self.found = found;
        }
        self.over = true;
        self.in_flight = None;
        self.unlisted = None;
        self.touch_due = false;
    }

    /// Empties the handle of a session that is over. `error` is what its changes have met.
    pub(super) fn empty(&mut self, error: &SessionError) {
        if self.unsaved.is_none() && self.has_changes() {
            self.unsaved = Some(error.clone().into());
        }
        self.forget_sending();
        self.forget_changes();
        self.reads = Reads::default();
        self.late_changes = false;
        // An earlier `save` may have issued a ticket, which now leads to nothing.
        (self.cookies, self.unlisted) = (None, None);
    }

    /// Takes back the removal of a key that has not been stored, so that no later commit makes up for it.
    pub(super) fn take_back(&mut self, key: &Text, receive: &Receive) {
        if self.in_flight.is_some() {
            return;
        }
        let is_meant = |change: &Change| match change {
            Change::Take { receive: its, .. } => Arc::ptr_eq(its, receive),
            _ => false,
        };
        self.sending.take_out(is_meant, &mut self.done_with);
        self.changes.take_out(is_meant, &mut self.done_with);
        if self.reads.last(key).is_some() {
            self.note_read(key.clone());
        }
    }

    /// Gives up a write whose fate can no longer be found out: others have changed `live` too often since.
    pub(super) fn give_up_doubt(&mut self, live: Live, error: &SessionError) {
        self.found = Found::Live(live);
        self.in_flight = None;
        self.unsaved = Some(error.clone().into());
        self.forget_sending();
    }

    /// The operations of this commit are stored, or came to nothing.
    pub(super) fn forget_sending(&mut self) {
        self.sending.move_to(&mut self.done_with);
    }

    /// The operations that are not under way are not wanted any more.
    pub(super) fn forget_changes(&mut self) {
        self.changes.move_to(&mut self.done_with);
    }

    /// Takes back what is not stored. A write whose answer was lost cannot be taken back, and is settled with its
    /// operations. What a clone is just sending may be stored, so the handle goes on knowing it.
    fn take_back_unsaved(&mut self) {
        changes::take_back(&self.changes, &mut self.reads);
        self.forget_changes();
        if self.in_flight.is_none() {
            self.forget_sending();
        }
    }

    /// Forgets what is not stored.
    pub(super) fn discard(&mut self) {
        self.take_back_unsaved();
        (self.unsaved, self.drops_unsaved) = (None, false);
    }

    /// The write in flight was applied. Returns the session's key, and whether it was renewed.
    pub(super) fn applied(&mut self, proof: Proof) -> Option<(StoreKey, bool)> {
        let flight = self.in_flight.take()?;
        let record = match flight.becomes {
            Becomes::Renewed(successor) => {
                let key = successor.live.key;
                let from = self.found.live().map_or(key, |live| live.key);
                self.committed(successor.live);
                let cookies = successor.cookie;
                match successor.is_unlisted {
                    true => self.unlisted = Some(Unlisted { cookies, from }.into()),
                    false => self.cookies = Some(cookies),
                }
                return Some((key, true));
            }
            Becomes::Changed(record) => record,
        };
        let at = self.found.live()?.address();
        let key = at.key;
        let live = match proof {
            Proof::Answer(version) => {
                Live::new(at, version, flight.entry.deadline, record, flight.sent_at)
            }
            // Others may have written since, so what is there now counts.
            Proof::Look(Found::Live(live)) => live,
            Proof::Look(_) => return None,
        };
        self.committed(live);
        Some((key, false))
    }

    /// The session is over, and so is everything that was done to it.
    pub(super) fn ended(&mut self, cookies: Option<SetCookies>) {
        self.ending = false;
        self.stage = Stage::Loaded;
        self.found = Found::Nothing;
        (self.over, self.lost, self.unsaved) = (false, None, None);
        self.touch_due = false;
        self.forget_sending();
        self.in_flight = None;
        self.reads = Reads::default();
        self.logged_out |= cookies.is_some();
        (self.cookies, self.unlisted) = (cookies, None);
    }

    /// The roster lists the renewed session under `key`.
    pub(super) fn listed(&mut self, key: &StoreKey) {
        match self.in_flight.as_deref_mut().map(|flight| &mut flight.becomes) {
            Some(Becomes::Renewed(successor)) if successor.live.key == *key => {
                successor.is_unlisted = false;
            }
            _ if self.found.live().is_some_and(|live| live.key == *key) => {
                let unlisted = self.unlisted.take().map(|unlisted| unlisted.cookies);
                self.cookies = unlisted.or(self.cookies.take());
            }
            _ => {}
        }
    }

    /// The answer to the write in flight was lost.
    pub(super) fn doubt(&mut self) {
        if let Some(flight) = &mut self.in_flight {
            flight.doubtful = true;
        }
    }

    /// Returns what judging the write in flight needs.
    pub(super) fn sent(&self) -> Option<Sent> {
        let flight = self.in_flight.as_ref()?;
        let base = self.found.live()?;
        Some(Sent {
            commit: flight.commit,
            expected: base.version,
            base_commit: base.record.commits.last(),
            doubtful: flight.doubtful,
            renews: matches!(flight.becomes, Becomes::Renewed(_)),
        })
    }

    /// Returns why the store could not be read, if the app goes on without it.
    pub(super) fn outage(&self) -> Option<&SessionError> {
        match &self.stage {
            Stage::Outage(outage) => Some(outage),
            Stage::Untouched | Stage::Loaded | Stage::Failed(_) | Stage::Anew(_) => None,
        }
    }

    /// Whether the end of the request is to move the deadline.
    pub(super) fn is_touch_due(&self) -> bool {
        self.touch_due && self.peeked.is_none()
    }

    /// Whether anything is to be stored.
    pub(super) fn has_work(&self) -> bool {
        let unfinished = self.ending || self.in_flight.is_some() || self.unlisted.is_some();
        unfinished || self.has_changes() || self.unsaved.is_some()
    }

    /// Whether there is something to store in a session that is [overdue](super::found::Live::is_overdue).
    pub(super) fn writes_overdue(&self, now: crate::clock::Timestamp) -> bool {
        !self.sending.is_empty() && self.found.live().is_some_and(|live| live.is_overdue(now))
    }

    /// Whether there are operations that are not stored.
    pub(super) fn has_changes(&self) -> bool {
        !self.changes.is_empty() || !self.sending.is_empty()
    }

    /// Whether the session that this request or handle had is over, or goes on under an id that it does
    /// not know.
    pub(super) fn is_over(&self) -> bool {
        self.over || self.found.is_moved()
    }
}
