//! One conditional write, from its first sending to a definite answer.
//!
//! A lost answer is looked up by the commit's id, a conflict is merged and sent again, and both
//! stay within the commit's deadline. What is in flight is kept in the handle's state at every
//! await, so that a dropped `save` can be picked up where it was.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::Commit;
use crate::clock::Timestamp;
use crate::entropy;
use crate::error::{SessionError, StoreError, StoreErrorKind};
use crate::id::CommitId;
use crate::record::Record;
use crate::session::decision::{Verdict, verdict};
use crate::session::load::{A_MOMENT, Read};
use crate::session::state::{Base, Becomes, InFlight, Live};
use crate::store::{Entry, NewEntry, Replaced, Version};

/// What to do next with the write that is in flight.
pub(super) enum Step {
    Send,
    Ask,
}

impl Commit<'_> {
    /// Puts the replacement of the loaded record in flight.
    pub(super) fn prepare(
        &self,
        commit: CommitId,
        mut record: Record,
        now: Timestamp,
    ) -> Result<(), SessionError> {
        if record.expires <= now {
            return Err(SessionError::Gone);
        }
        record.commits.push(commit);
        let entry = NewEntry::new(commit, record.deadline(now), record.encode());
        let becomes = Becomes::Changed(record);
        self.shared.state().in_flight =
            Some(Box::new(InFlight { commit, entry, becomes, doubtful: false }));
        Ok(())
    }

    /// Sends what is in flight until it is known to be applied or known not to be.
    pub(super) async fn drive(&mut self, mut step: Step) -> Result<(), SessionError> {
        loop {
            let found = match step {
                Step::Send => match self.send().await {
                    Ok(Replaced::Done(version)) => return self.applied(Some(version), None),
                    Ok(Replaced::Conflict(entry)) => Some(entry),
                    Ok(Replaced::Gone) => None,
                    Err(error) if error.kind() == StoreErrorKind::Indeterminate => {
                        self.doubt();
                        step = Step::Ask;
                        continue;
                    }
                    Err(error) => return self.fail(error.into()),
                },
                Step::Ask => match self.ask().await {
                    Ok(entry) => entry,
                    Err(error) => return self.fail(error.into()),
                },
            };
            let read = match found.as_ref().map(|entry| Read::of(entry, self.now())) {
                None => Read::Expired,
                Some(Ok(read)) => read,
                Some(Err(error)) => return self.fail(error),
            };
            let version = found.as_ref().map_or(Version::EMPTY, |entry| entry.version);
            match self.judge(&read, version) {
                Verdict::Applied => return self.applied(None, live(read, found)),
                Verdict::Gone => return Box::pin(self.give_up(SessionError::Gone)).await,
                Verdict::Unknown => return self.fail(SessionError::Unconfirmed(None)),
                Verdict::SendAgain if Instant::now() >= self.deadline || self.is_late_renewal() => {
                    return self.fail(SessionError::Unconfirmed(None));
                }
                Verdict::SendAgain => self.pause(A_MOMENT).await,
                Verdict::Merge if self.is_late_renewal() => {
                    return Box::pin(self.give_up(SessionError::TooLate)).await;
                }
                Verdict::Merge => match live(read, found) {
                    Some(there) => {
                        if Box::pin(self.merge(there)).await? {
                            return Ok(());
                        }
                    }
                    None => return self.fail(SessionError::Gone),
                },
            }
            step = Step::Send;
        }
    }

    /// A renewal whose ticket could reach nobody any more: it would only log the visitor out.
    fn is_late_renewal(&self) -> bool {
        let state = self.shared.state();
        let moving = |flight: &InFlight| matches!(flight.becomes, Becomes::Moved(_));
        self.shared.head.is_closed() && state.in_flight.as_deref().is_some_and(moving)
    }

    fn judge(&self, read: &Read, version: Version) -> Verdict {
        match self.shared.state().sent() {
            Some(sent) => verdict(sent, read.current(version)),
            None => Verdict::Unknown,
        }
    }

    /// Does the changes to the record that is there now; `true` when that leaves nothing to write.
    async fn merge(&mut self, (version, deadline, record): There) -> Result<bool, SessionError> {
        self.queue().await?;
        tracing::debug!("session changed meanwhile, merging");
        let now = self.now();
        let flight = {
            let mut state = self.shared.state();
            if let Base::Live(live) = &mut state.base {
                (live.version, live.deadline, live.record) = (version, deadline, record);
            }
            // Known not to be applied, and on a version that is no more: from here on nothing is
            // in flight, wherever this future may be dropped.
            state.in_flight.take()
        };
        let Some(flight) = flight else { return Ok(true) };
        match (self.shared.weigh(now), flight.becomes) {
            (Ok((record, _)), Becomes::Moved(home)) => {
                self.move_again(flight.commit, *home, record).await.map(|()| false)
            }
            (Ok((_, facts)), Becomes::Changed(_)) if !facts.changed => {
                self.shared.state().sending.clear();
                Ok(true)
            }
            // Under the same name: the attempt before can no longer be applied.
            (Ok((record, _)), Becomes::Changed(_)) => self
                .prepare(flight.commit, record, now)
                .or_else(|error| self.fail(error))
                .map(|()| false),
            (Err(error), Becomes::Changed(_)) => self.fail(error).map(|()| true),
            (Err(error), Becomes::Moved(home)) => {
                let failed = self.fail(error);
                self.forget(home.live.key).await;
                failed.map(|()| true)
            }
        }
    }

    /// The write was applied: by this answer, or by what the record or the mark lists.
    fn applied(
        &mut self,
        version: Option<Version>,
        now_there: Option<There>,
    ) -> Result<(), SessionError> {
        let mut state = self.shared.state();
        let Some(flight) = state.in_flight.take() else { return Ok(()) };
        match flight.becomes {
            Becomes::Moved(home) => {
                tracing::debug!(session = %home.live.key, "session renewed");
                state.committed(home.live);
                state.cookie = Some(home.cookie);
            }
            Becomes::Changed(record) => {
                let Some(key) = state.base.live().map(|live| live.key) else { return Ok(()) };
                let (version, deadline, record) = match (version, now_there) {
                    (_, Some(there)) => there,
                    (Some(version), None) => (version, flight.entry.deadline, record),
                    (None, None) => return Ok(()),
                };
                tracing::debug!(session = %key, "session changed");
                state.committed(Live { key, version, deadline, record });
            }
        }
        Ok(())
    }

    /// Ends a commit whose write is known not to be applied, and removes the new record that a
    /// renewal has written in vain.
    async fn give_up(&mut self, error: SessionError) -> Result<(), SessionError> {
        let new_home = {
            let mut state = self.shared.state();
            state.in_flight.take().and_then(|flight| match flight.becomes {
                Becomes::Moved(home) => Some(home.live.key),
                Becomes::Changed(_) => None,
            })
        };
        let failed = self.fail(error);
        if let Some(key) = new_home {
            self.forget(key).await;
        }
        failed
    }

    fn doubt(&self) {
        if let Some(flight) = &mut self.shared.state().in_flight {
            flight.doubtful = true;
        }
    }

    /// The first conflict stands in line with the other commits of this process; each further one
    /// comes from another process and is answered by a short random pause.
    async fn queue(&mut self) -> Result<(), SessionError> {
        let Some(key) = self.shared.state().base.live().map(|live| live.key) else { return Ok(()) };
        if self.line.is_none() {
            let line = self.shared.settings.queues.line(&key);
            self.line = timeout_at(self.deadline, line.lock()).await.ok();
        } else {
            self.pause(Duration::ZERO).await;
        }
        if Instant::now() < self.deadline {
            return Ok(());
        }
        self.give_up(SessionError::Contended).await
    }

    /// Waits for up to twice as long as the last command took, and at least `least`.
    async fn pause(&self, least: Duration) {
        let fraction = u32::from(entropy::for_a_pause(self.shared.settings.entropy));
        let pause = (self.last_operation * 2 * fraction / 256).max(least);
        // Timers tick in milliseconds; less than that is better spent by letting others run.
        if pause < Duration::from_millis(1) {
            tokio::task::yield_now().await;
        } else {
            tokio::time::sleep_until(self.deadline.min(Instant::now() + pause)).await;
        }
    }

    async fn send(&mut self) -> Result<Replaced, StoreError> {
        let (key, expected, entry) = {
            let state = self.shared.state();
            match (state.base.live(), &state.in_flight) {
                (Some(live), Some(flight)) => (live.key, live.version, flight.entry.clone()),
                _ => return Ok(Replaced::Gone),
            }
        };
        let store = self.store();
        self.operate(StoreErrorKind::Indeterminate, store.replace(&key, &expected, &entry)).await
    }

    async fn ask(&mut self) -> Result<Option<Entry>, StoreError> {
        let Some(key) = self.shared.state().base.live().map(|live| live.key) else {
            return Ok(None);
        };
        let store = self.store();
        self.operate(StoreErrorKind::Unavailable, store.load(&key)).await
    }
}

/// A live entry, decoded.
type There = (Version, Timestamp, Record);

fn live(read: Read, entry: Option<Entry>) -> Option<There> {
    match (read, entry) {
        (Read::Live(record), Some(entry)) => Some((entry.version, entry.deadline, record)),
        _ => None,
    }
}
