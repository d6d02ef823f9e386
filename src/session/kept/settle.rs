//! One conditional write, from its first sending to a definite answer.
//!
//! A lost answer is looked up by the commit's id. A conflict is merged and sent again. Both stay
//! within the commit's deadline. The write stays in the handle's state across every await, so that a
//! `save` that is dropped can be taken up where it was.

use super::fresh_id::Issuer;
use super::queue::Place;
use super::roster::{Joining, Rosters};
use crate::clock::Timestamp;
use crate::error::{SessionError, StoreError, StoreErrorKind};
use crate::events::ConflictOutcome;
use crate::id::{CommitId, StoreKey};
use crate::record::Record;
use crate::session::decision::{Verdict, verdict};
use crate::session::found::{Address, Found, Live};
use crate::session::in_flight::{Becomes, InFlight, Proof, Successor};
use crate::session::report::{Named, Reporter};
use crate::session::retry::Retry;
use crate::session::slot::{Draft, Slot};
use crate::session::state::State;
use crate::session::terms::Terms;
use crate::store::{Entry, NewEntry, Replaced, Touched, Version};

/// The next step with the write that is in flight.
pub(super) enum Step {
    Send,
    /// Load what is under the key: was the write applied, or what is to be merged with?
    Look,
}

/// Settles the write that is in flight.
pub(super) struct Settlement<'a> {
    issuer: &'a Issuer<'a>,
    slot: &'a Slot,
    retry: Retry,
    /// This commit's place in its session's line, from the first conflict on.
    place: Option<Place>,
    /// Time has passed since the conflict, in a line or a pause, so that its entry is out of date.
    waited: bool,
}

impl<'a> Settlement<'a> {
    pub(super) fn new(issuer: &'a Issuer<'a>, slot: &'a Slot) -> Self {
        let retry = Retry::new(issuer.terms.entropy, issuer.commands.deadline());
        Self { issuer, slot, retry, place: None, waited: false }
    }

    /// Sends what is in flight until it is known to be applied or known not to be.
    pub(super) async fn run(&mut self, mut step: Step) -> Result<(), SessionError> {
        let refusal = loop {
            let Some((at, expected, entry)) = self.in_flight() else {
                return Err(SessionError::Unconfirmed(None));
            };
            let entry = match step {
                // Boxed, because hardly any write is looked up.
                Step::Look => Box::pin(self.issuer.commands.load(&at.key)).await?,
                Step::Send => {
                    match self.issuer.commands.replace(&at.key, &expected, &entry).await {
                        Ok(Replaced::Done(version)) => {
                            self.slot.applied(Proof::Answer(version), self.report());
                            return Ok(());
                        }
                        Ok(Replaced::Conflict(entry)) => Some(entry),
                        Ok(Replaced::Gone) => None,
                        Err(error) if error.kind() == StoreErrorKind::Indeterminate => {
                            self.slot.state().doubt();
                            step = Step::Look;
                            continue;
                        }
                        Err(error) => break error,
                    }
                }
            };
            // Boxed, because hardly any write meets a conflict.
            match Box::pin(self.judge(at, entry)).await? {
                Some(next) => step = next,
                None => return Ok(()),
            }
        };
        Err(Box::pin(self.refused(refusal)).await)
    }

    fn report(&self) -> &'a Reporter {
        &self.issuer.terms.report
    }

    /// Returns the write in flight, with the address and the version that it is for.
    fn in_flight(&self) -> Option<(Address, Version, NewEntry)> {
        let state = self.slot.read();
        let (live, flight) = (state.found.live()?, state.in_flight.as_ref()?);
        Some((live.address(), live.version, flight.entry.clone()))
    }

    /// Acts on what is under the key now. Returns the next step, if there is one.
    async fn judge(
        &mut self,
        at: Address,
        entry: Option<Entry>,
    ) -> Result<Option<Step>, SessionError> {
        let found = read_again(self.slot, self.issuer.terms, at, entry)?;
        let sent = self.slot.read().sent();
        match (sent.map_or(Verdict::Unclear, |sent| verdict(sent, &found)), found) {
            (Verdict::Applied, found) => {
                self.slot.applied(Proof::Look(found), self.report());
                Ok(None)
            }
            (Verdict::Gone, found) => Err(Box::pin(self.lose(found, SessionError::Gone)).await),
            // Others have written so often since that its id would be forgotten by now.
            (Verdict::Unclear, Found::Live(live)) => {
                let error = SessionError::Unconfirmed(None);
                self.slot.state().give_up_doubt(live, &error);
                Err(error)
            }
            // The session is over, so nothing can become of the write any more; but it may have been
            // applied before that.
            (Verdict::Unclear, found) => {
                let error = SessionError::Unconfirmed(None);
                let error = Box::pin(self.lose(found, error)).await;
                self.slot.state().empty(&error);
                Err(error)
            }
            (Verdict::SendAgain, _) => match !self.is_late_renewal() && self.retry.pause().await {
                true => Box::pin(self.refresh()).await.map(|()| Some(Step::Send)),
                false => Err(SessionError::Unconfirmed(None)),
            },
            (Verdict::Merge, _) if self.is_late_renewal() => {
                Err(Box::pin(self.give_up(SessionError::TooLate)).await)
            }
            (Verdict::Merge, Found::Live(live)) => Box::pin(self.merge(live)).await,
            (Verdict::Merge, _) => Err(SessionError::Gone),
        }
    }

    /// Whether this is a renewal whose ticket can no longer reach the client: it would only log the
    /// visitor out.
    fn is_late_renewal(&self) -> bool {
        let renews = |flight: &InFlight| matches!(flight.becomes, Becomes::Renewed(_));
        self.slot.head_is_closed() && self.slot.read().in_flight.as_deref().is_some_and(renews)
    }

    /// Applies the changes to the record that is there now, and puts the result in flight.
    async fn merge(&mut self, current: Live) -> Result<Option<Step>, SessionError> {
        if self.wait_for_others(&current.key).await? {
            return Ok(Some(Step::Look));
        }
        // What one user's handler has decided must not be done to the session of another.
        if self.slot.is_of_another_principal(&current) {
            return Err(self.give_up(SessionError::Conflict { key: "principal".into() }).await);
        }
        let named = Named::from(&current);
        let flight = {
            let mut state = self.slot.state();
            state.found = Found::Live(current);
            // Known not to be applied, and on a version that has been replaced: from here on nothing is in
            // flight, wherever this future may be dropped.
            state.in_flight.take()
        };
        let Some(flight) = flight else { return Ok(None) };
        let terms = self.issuer.terms;
        let now = terms.now();
        let drafted = self.slot.draft(terms, now, false).and_then(|draft| {
            draft.check_size(terms)?;
            Ok(draft)
        });
        if drafted.is_ok() {
            terms.report.conflict(named, ConflictOutcome::Merged);
        }
        let next = match (drafted, flight.becomes) {
            (Ok(draft), Becomes::Changed(_)) if !draft.facts.changed => {
                self.slot.nothing_to_write();
                return Ok(None);
            }
            // Under the same commit id: the attempt before can no longer be applied.
            (Ok(mut draft), Becomes::Changed(_)) => {
                replacement(self.slot, terms, flight.commit, draft.take_record(), now)?
            }
            (Ok(draft), Becomes::Renewed(successor)) => {
                let successor = self.bring_up_to_date(*successor, draft).await?;
                self.slot.mark_in_flight(flight.commit, successor, terms);
                return Ok(Some(Step::Send));
            }
            (Err(error), Becomes::Changed(_)) => return Err(error),
            (Err(error), Becomes::Renewed(successor)) => {
                let error = self.slot.fail(error);
                self.issuer.remove_orphan(&successor.live.key).await;
                return Err(error);
            }
        };
        self.slot.state().in_flight = Some(Box::new(next));
        Ok(Some(Step::Send))
    }

    /// Brings the record of a renewal up to date. If it had to take another id than the one that its roster
    /// lists, that one is listed, too: otherwise it would be a live session that nobody can find.
    async fn bring_up_to_date(
        &self,
        successor: Successor,
        mut draft: Draft,
    ) -> Result<Successor, SessionError> {
        let listed = successor.live.clone();
        let mut record = draft.take_record();
        let joining = {
            let state = self.slot.read();
            Joining::new(&Rosters::of(self.issuer), &mut record, state.found.live(), draft.login)?
        };
        let successor = self.issuer.rewrite(successor, record).await?;
        let key = successor.live.key;
        let Some(joining) = joining.filter(|_| key != listed.key) else {
            return Ok(successor);
        };
        let left = match joining.list(Rosters::of(self.issuer), &successor.live).await {
            // Whoever ends this login and has seen the first id alone follows the mark.
            Ok(()) => self.issuer.leave(&listed, key).await,
            Err(error) => {
                self.issuer.remove_orphan(&listed.key).await;
                Err(error)
            }
        };
        if left.is_err() {
            self.issuer.remove_orphan(&key).await;
        }
        left.map(|()| successor)
    }

    /// Brings the deadlines of a write that is sent again up to date: it may be an hour since it was
    /// sent first. See [`InFlight::refresh`].
    async fn refresh(&self) -> Result<(), SessionError> {
        let terms = self.issuer.terms;
        let now = terms.now();
        let due = {
            let mut state = self.slot.state();
            let State { found: Found::Live(base), in_flight: Some(flight), .. } = &mut *state
            else {
                return Ok(());
            };
            flight.refresh(base, now)?;
            match &flight.becomes {
                Becomes::Changed(_) => return Ok(()),
                Becomes::Renewed(next) if next.live.deadline <= now => {
                    return Err(SessionError::Unconfirmed(None));
                }
                Becomes::Renewed(next) => terms
                    .touch_due(&next.live, now)
                    .map(|deadline| (next.live.key, next.live.version, deadline)),
            }
        };
        // The mark must not lead to a record that is about to expire.
        if let Some((key, version, deadline)) = due {
            let touched = self.issuer.commands.touch(&key, &version, deadline).await?;
            if touched == Touched::Gone {
                return Err(SessionError::Unconfirmed(None));
            }
            if let Some(Becomes::Renewed(next)) =
                self.slot.state().in_flight.as_deref_mut().map(|flight| &mut flight.becomes)
            {
                next.live.deadline = deadline;
            }
        }
        Ok(())
    }

    /// Returns the error of a write that the store has certainly not applied.
    async fn refused(&mut self, error: StoreError) -> SessionError {
        let doubtful = self.slot.read().in_flight.as_ref().is_some_and(|flight| flight.doubtful);
        match doubtful {
            // An earlier attempt of the same write may have been applied.
            true => error.into(),
            false => self.give_up(error.into()).await,
        }
    }

    /// Ends a commit whose session is over, or goes on elsewhere: `found` is there instead.
    async fn lose(&mut self, found: Found, error: SessionError) -> SessionError {
        let error = self.give_up(error).await;
        self.slot.state().lose(found);
        error
    }

    /// Ends a commit whose write is known not to be applied, and removes the record that a renewal
    /// has created in vain.
    async fn give_up(&mut self, error: SessionError) -> SessionError {
        let (error, flight) = {
            let mut state = self.slot.state();
            let flight = state.in_flight.take();
            (state.fail(error), flight)
        };
        if let Some(Becomes::Renewed(successor)) = flight.map(|flight| flight.becomes) {
            self.issuer.remove_orphan(&successor.live.key).await;
        }
        error
    }

    /// Lets others go first after a conflict. Returns whether time has passed, so that what is under
    /// the key must be looked at again: merging with what was there before would only conflict again.
    ///
    /// At the first conflict this commit takes its place in line behind the other commits of this
    /// process. A conflict of the one whose turn it is comes from another process, and is answered by
    /// a pause.
    async fn wait_for_others(&mut self, key: &StoreKey) -> Result<bool, SessionError> {
        if std::mem::take(&mut self.waited) {
            return Ok(false);
        }
        // Known not to be applied: if the time runs out here, nothing is in doubt.
        if let Some(flight) = &mut self.slot.state().in_flight {
            flight.doubtful = false;
        }
        let line = self.issuer.queues.line_for(key);
        if self.place.as_ref().is_some_and(Place::is_held) {
            self.retry.pause().await;
        } else {
            self.place = line.try_enter();
            if self.place.is_some() {
                return Ok(false);
            }
            self.place = line.enter(self.issuer.commands.deadline()).await;
        }
        if self.retry.is_over() {
            return Err(self.give_up(SessionError::Contended).await);
        }
        self.waited = true;
        Ok(true)
    }
}

/// Reads what is now in the place of the slot's session. A handle from outside of any request knows no seal; one
/// of a request that cannot open the values is on a server that is too old for them.
pub(super) fn read_again(
    slot: &Slot,
    terms: &Terms,
    at: Address,
    entry: Option<Entry>,
) -> Result<Found, SessionError> {
    match slot.is_detached() {
        true => terms.read(at, entry),
        false => terms.read_own(at, entry, terms.now()),
    }
}

/// Returns the replacement of the slot's session by `record`, sealed as the session is.
pub(super) fn replacement(
    slot: &Slot,
    terms: &Terms,
    commit: CommitId,
    record: Box<Record>,
    now: Timestamp,
) -> Result<InFlight, SessionError> {
    let seal = slot.read().found.live().and_then(|live| live.seal.clone());
    InFlight::replacement(commit, record, now, |record| terms.encode(record, seal.as_deref()))
}
