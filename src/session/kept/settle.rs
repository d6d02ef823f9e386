//! One conditional write, from its first sending to a definite answer.
//!
//! A lost answer is looked up by the commit's id. A conflict is merged and sent again. Both stay
//! within the commit's deadline. The write stays in the handle's state across every await, so that a
//! `save` that is dropped can be taken up where it was.

use tokio::sync::MutexGuard;
use tokio::time::{Instant, timeout_at};

use super::fresh_id::Issuer;
use super::queue::Queues;
use crate::entropy;
use crate::error::{SessionError, StoreError, StoreErrorKind};
use crate::id::StoreKey;
use crate::session::command::RETRY;
use crate::session::decision::{Verdict, verdict};
use crate::session::found::{Found, Live};
use crate::session::in_flight::{Becomes, InFlight};
use crate::session::slot::Slot;
use crate::session::state::Proof;
use crate::store::{Entry, Replaced};

/// What to do next with the write that is in flight.
pub(super) enum Step {
    Send,
    /// Look whether it was applied.
    Ask,
}

/// Settles the write that is in flight.
pub(super) struct Settlement<'a> {
    issuer: Issuer<'a>,
    slot: &'a Slot,
    queues: &'a Queues,
    deadline: Instant,
    /// This commit's place in its session's line, held from the first conflict on.
    place: Option<MutexGuard<'a, ()>>,
    /// Conflicts while a place was held, and lost answers.
    failures: u32,
}

impl<'a> Settlement<'a> {
    pub(super) fn new(
        issuer: Issuer<'a>,
        slot: &'a Slot,
        queues: &'a Queues,
        deadline: Instant,
    ) -> Self {
        Self { issuer, slot, queues, deadline, place: None, failures: 0 }
    }

    /// Sends what is in flight until it is known to be applied or known not to be.
    pub(super) async fn run(&mut self, mut step: Step) -> Result<(), SessionError> {
        loop {
            let Some(key) = self.key() else { return Err(SessionError::Unconfirmed(None)) };
            let entry = match step {
                Step::Ask => self.issuer.commands.load(&key).await?,
                Step::Send => match self.send(&key).await {
                    Ok(Replaced::Done(version)) => {
                        self.slot.applied(Proof::Answer(version));
                        return Ok(());
                    }
                    Ok(Replaced::Conflict(entry)) => Some(entry),
                    Ok(Replaced::Gone) => None,
                    Err(error) if error.kind() == StoreErrorKind::Indeterminate => {
                        self.slot.state().doubt();
                        step = Step::Ask;
                        continue;
                    }
                    Err(error) => return Err(error.into()),
                },
            };
            if self.judge(key, entry).await? {
                return Ok(());
            }
            step = Step::Send;
        }
    }

    fn key(&self) -> Option<StoreKey> {
        self.slot.state().found.live().map(|live| live.key)
    }

    async fn send(&self, key: &StoreKey) -> Result<Replaced, StoreError> {
        let (expected, entry) = {
            let state = self.slot.state();
            match (state.found.live(), &state.in_flight) {
                (Some(live), Some(flight)) => (live.version, flight.entry.clone()),
                _ => return Ok(Replaced::Gone),
            }
        };
        self.issuer.commands.replace(key, &expected, &entry).await
    }

    /// Acts on what is under the key now. `true` when the commit is done, `false` when the write in
    /// flight is to be sent (again).
    async fn judge(&mut self, key: StoreKey, entry: Option<Entry>) -> Result<bool, SessionError> {
        let found = Found::decode(key, entry, self.issuer.terms.now())?;
        let sent = self.slot.state().sent();
        match (sent.map_or(Verdict::Unclear, |sent| verdict(sent, &found)), found) {
            (Verdict::Applied, found) => {
                self.slot.applied(Proof::Look(found));
                Ok(true)
            }
            (Verdict::Gone, _) => Box::pin(self.give_up(SessionError::Gone)).await,
            (Verdict::Unclear, _) => Err(SessionError::Unconfirmed(None)),
            (Verdict::SendAgain, _) if self.is_late_renewal() || self.is_over() => {
                Err(SessionError::Unconfirmed(None))
            }
            (Verdict::SendAgain, _) => {
                self.pause().await;
                Ok(false)
            }
            (Verdict::Merge, _) if self.is_late_renewal() => {
                Box::pin(self.give_up(SessionError::TooLate)).await
            }
            (Verdict::Merge, Found::Live(live)) => Box::pin(self.merge(live)).await,
            (Verdict::Merge, _) => Err(SessionError::Gone),
        }
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.deadline
    }

    /// Whether this is a renewal whose ticket can no longer reach the client: it would only log the
    /// visitor out.
    fn is_late_renewal(&self) -> bool {
        let renews = |flight: &InFlight| matches!(flight.becomes, Becomes::Renewed(_));
        self.slot.head_is_closed() && self.slot.state().in_flight.as_deref().is_some_and(renews)
    }

    /// Applies the changes to the record that is there now, and puts the result in flight. `true`
    /// when that leaves nothing to write.
    async fn merge(&mut self, current: Live) -> Result<bool, SessionError> {
        self.wait_in_line(&current.key).await?;
        tracing::debug!("session changed meanwhile, merging");
        let flight = {
            let mut state = self.slot.state();
            state.found = Found::Live(current);
            // Known not to be applied, and on a version that is no more: from here on nothing is in
            // flight, wherever this future may be dropped.
            state.in_flight.take()
        };
        let Some(flight) = flight else { return Ok(true) };
        let terms = self.issuer.terms;
        let now = terms.now();
        let next = match (self.slot.draft(terms, now), flight.becomes) {
            (Ok((_, facts)), Becomes::Changed(_)) if !facts.changed => {
                self.slot.nothing_to_write();
                return Ok(true);
            }
            // Under the same commit id: the attempt before can no longer be applied.
            (Ok((draft, _)), Becomes::Changed(_)) => {
                InFlight::replacement(flight.commit, draft.record, now)?
            }
            (Ok((draft, _)), Becomes::Renewed(successor)) => {
                let successor = self.issuer.rewrite(*successor, draft.record, now).await?;
                InFlight::mark(flight.commit, successor, terms.now())
            }
            (Err(error), Becomes::Changed(_)) => return Err(error),
            (Err(error), Becomes::Renewed(successor)) => {
                let error = self.slot.fail(error);
                self.issuer.discard(&successor.live.key).await;
                return Err(error);
            }
        };
        self.slot.state().in_flight = Some(Box::new(next));
        Ok(false)
    }

    /// Ends a commit whose write is known not to be applied, and removes the record that a renewal
    /// has created in vain.
    async fn give_up(&mut self, error: SessionError) -> Result<bool, SessionError> {
        let (error, flight) = {
            let mut state = self.slot.state();
            let flight = state.in_flight.take();
            (state.fail(error), flight)
        };
        if let Some(Becomes::Renewed(successor)) = flight.map(|flight| flight.becomes) {
            self.issuer.discard(&successor.live.key).await;
        }
        Err(error)
    }

    /// After the first conflict, waits in line with the other commits of this process. Each further
    /// conflict comes from another process and is answered by a random pause.
    async fn wait_in_line(&mut self, key: &StoreKey) -> Result<(), SessionError> {
        if self.place.is_none() {
            let line = self.queues.line_for(key);
            self.place = timeout_at(self.deadline, line.lock()).await.ok();
        } else {
            self.pause().await;
        }
        if self.is_over() {
            self.give_up(SessionError::Contended).await?;
        }
        Ok(())
    }

    /// Pauses, longer after each failure, but not past the deadline.
    async fn pause(&mut self) {
        self.failures += 1;
        let pause = RETRY.pause(self.failures, entropy::for_a_pause(self.issuer.terms.entropy));
        tokio::time::sleep_until(self.deadline.min(Instant::now() + pause)).await;
    }
}
