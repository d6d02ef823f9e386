//! Carries out what a request asked for: one conditional write where all goes well, and a definite
//! answer, or an honest "unknown", where it does not.

mod create;
mod renew;

use std::time::Duration;

use tokio::sync::MutexGuard;
use tokio::time::{Instant, timeout_at};

use super::changes;
use super::decision::{Decision, Facts, Found, Verdict, decide, verdict};
use super::lazy::Shared;
use super::load::{Read, bound, timed_out};
use super::state::{Base, Becomes, InFlight, Live};
use crate::clock::Timestamp;
use crate::error::{SessionError, StoreError, StoreErrorKind};
use crate::id::{CommitId, StoreKey};
use crate::record::Record;
use crate::store::{Entry, NewEntry, Replaced, SessionStore, Touched, Version};

impl Shared {
    /// Commits what was asked for so far; the clones of a handle take turns.
    pub(super) async fn commit(&self) -> Result<(), SessionError> {
        let deadline = Instant::now() + self.settings.commit_timeout;
        let Ok(_turn) = timeout_at(deadline, self.turn.lock()).await else {
            return Err(SessionError::Contended);
        };
        let result = Commit::new(self, deadline).run().await;
        if let Err(error) = &result {
            report(error);
            if matches!(error, SessionError::Gone) {
                // Whatever an earlier `save` had to send: it would be a ticket to nothing.
                self.state().cookie = None;
            }
        }
        result
    }
}

fn report(error: &SessionError) {
    let source = error as &dyn std::error::Error;
    if error.needs_operator() {
        tracing::warn!(error = source, "session not stored");
    } else {
        tracing::debug!(error = source, "session not stored");
    }
}

/// One commit under way.
struct Commit<'a> {
    shared: &'a Shared,
    deadline: Instant,
    /// Held from the first conflict on, so that the commits of one process do not race again.
    line: Option<MutexGuard<'a, ()>>,
    last_operation: Duration,
}

/// What to do next with the write that is in flight.
enum Step {
    Send,
    Ask,
}

impl<'a> Commit<'a> {
    fn new(shared: &'a Shared, deadline: Instant) -> Self {
        Self {
            shared,
            deadline,
            line: None,
            last_operation: Duration::ZERO,
        }
    }

    async fn run(&mut self) -> Result<(), SessionError> {
        let pending = {
            let state = self.shared.state();
            if let (Some(outage), true) = (&state.outage, state.has_work(false)) {
                return Err(outage.clone());
            }
            (state.ending, state.in_flight.is_some())
        };
        if pending.0 {
            // A dropped `destroy` is finished first.
            self.shared.end(self.deadline).await?;
        } else if pending.1 {
            // So is a dropped `save`: it may have been applied.
            if let Some(flight) = &mut self.shared.state().in_flight {
                flight.doubtful = true;
            }
            self.drive(Step::Ask).await?;
        }
        self.shared.state().take_changes();
        self.begin().await
    }

    /// Looks at the facts and starts what they call for.
    async fn begin(&mut self) -> Result<(), SessionError> {
        let now = self.now();
        let (record, facts) = match self.weigh(now) {
            Ok(weighed) => weighed,
            Err(error) => return self.fail(error),
        };
        match decide(facts) {
            Decision::Nothing => {
                self.shared.state().sending.clear();
                Ok(())
            }
            Decision::Touch => {
                self.shared.state().sending.clear();
                self.touch(now).await;
                Ok(())
            }
            Decision::RefuseGone => self.fail(SessionError::Gone),
            Decision::RefuseTooLate => self.fail(SessionError::TooLate),
            Decision::Create => self.create(record).await,
            Decision::Renew => self.renew(record).await,
            Decision::Replace => {
                let prepared = CommitId::draw(self.shared.settings.entropy)
                    .map_err(SessionError::from)
                    .and_then(|commit| self.prepare(commit, record, now));
                match prepared {
                    Ok(()) => self.drive(Step::Send).await,
                    Err(error) => self.fail(error),
                }
            }
        }
    }

    /// The record as the changes leave it, and what follows from that. Runs user code, unlocked.
    fn weigh(&self, now: Timestamp) -> Result<(Record, Facts), SessionError> {
        let (base, sending, facts) = {
            let state = self.shared.state();
            let facts = Facts {
                found: state.base.found(),
                asked: !state.sending.is_empty(),
                changed: false,
                empty: false,
                renew: false,
                slide: self.shared.slide_due(&state, now).is_some(),
                head_sent: state.head_sent,
            };
            (state.base.live().map(|live| live.record.clone()), state.sending.clone(), facts)
        };
        let settings = &self.shared.settings;
        let mut record = base.unwrap_or_else(|| {
            Record::new(now, settings.idle_timeout, settings.absolute_lifetime)
        });
        changes::apply(&sending, &mut record)?;
        let renewal = changes::renewal(&sending);
        if facts.found != Found::Live
            && let Some(Some(lifetime)) = renewal
        {
            record.expires = now.saturating_add(lifetime);
        }
        let changed = {
            let state = self.shared.state();
            state.base.live().is_none_or(|live| !live.record.keeps_same(&record))
        };
        let facts =
            Facts { changed, empty: record.is_empty(), renew: renewal.is_some(), ..facts };
        Ok((record, facts))
    }

    /// Puts the replacement of the loaded record in flight.
    fn prepare(
        &self,
        commit: CommitId,
        mut record: Record,
        now: Timestamp,
    ) -> Result<(), SessionError> {
        if record.expires <= now {
            return Err(SessionError::Gone);
        }
        record.commits.push(commit);
        let entry = NewEntry { commit, deadline: record.deadline(now), bytes: record.encode() };
        let becomes = Becomes::Changed(record);
        self.shared.state().in_flight =
            Some(InFlight { commit, entry, becomes, doubtful: false });
        Ok(())
    }

    /// Sends what is in flight until it is known to be applied or known not to be.
    async fn drive(&mut self, mut step: Step) -> Result<(), SessionError> {
        loop {
            let found = match step {
                Step::Send => match self.send().await {
                    Ok(Replaced::Done(version)) => return self.applied(Some(version), None),
                    Ok(Replaced::Conflict(entry)) => Some(entry),
                    Ok(Replaced::Gone) => None,
                    Err(error) if error.kind() == StoreErrorKind::Unknown => {
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
                Verdict::Gone => return self.give_up(SessionError::Gone).await,
                Verdict::Unknown => return self.fail(SessionError::Unconfirmed(None)),
                Verdict::SendAgain => self.pause(A_MOMENT).await,
                Verdict::Merge => match live(read, found) {
                    Some((version, deadline, record)) => {
                        self.queue().await?;
                        if self.merge(version, deadline, record).await? {
                            return Ok(());
                        }
                    }
                    None => return self.fail(SessionError::Gone),
                },
            }
            step = Step::Send;
        }
    }

    fn judge(&self, read: &Read, version: Version) -> Verdict {
        match self.shared.state().sent() {
            Some(sent) => verdict(sent, read.current(version)),
            None => Verdict::Unknown,
        }
    }

    /// Does the changes to the record that is there now; `true` when that leaves nothing to write.
    async fn merge(
        &mut self,
        version: Version,
        deadline: Timestamp,
        record: Record,
    ) -> Result<bool, SessionError> {
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
        match (self.weigh(now), flight.becomes) {
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
        now_there: Option<(Version, Timestamp, Record)>,
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

    /// Ends a commit without success. A write in doubt stays in flight, to be settled by the next
    /// commit; everything else goes back into the log.
    fn fail(&self, error: SessionError) -> Result<(), SessionError> {
        let mut state = self.shared.state();
        if state.in_flight.as_ref().is_some_and(|flight| flight.doubtful) {
            return Err(match error {
                SessionError::Store(source) => SessionError::Unconfirmed(Some(source)),
                SessionError::Unconfirmed(source) => SessionError::Unconfirmed(source),
                _ => SessionError::Unconfirmed(None),
            });
        }
        state.put_back();
        Err(error)
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
        let mut byte = [0];
        let fraction = match (self.shared.settings.entropy)(&mut byte) {
            Ok(()) => u32::from(byte[0]),
            Err(_) => 128,
        };
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
        self.operate(StoreErrorKind::Unknown, store.replace(&key, &expected, &entry)).await
    }

    async fn ask(&mut self) -> Result<Option<Entry>, StoreError> {
        let Some(key) = self.shared.state().base.live().map(|live| live.key) else {
            return Ok(None);
        };
        let store = self.store();
        self.operate(StoreErrorKind::Unavailable, store.load(&key)).await
    }

    /// Moves the deadline. That it fails costs the visitor some idle time, so no request does.
    async fn touch(&mut self, now: Timestamp) {
        let Some((key, version, deadline)) = ({
            let state = self.shared.state();
            let due = self.shared.slide_due(&state, now);
            due.zip(state.base.live()).map(|(deadline, live)| (live.key, live.version, deadline))
        }) else {
            return;
        };
        let store = self.store();
        let touched =
            self.operate(StoreErrorKind::Unknown, store.touch(&key, &version, deadline)).await;
        match touched {
            Ok(Touched::Done) => {
                if let Base::Live(live) = &mut self.shared.state().base {
                    live.deadline = deadline;
                }
            }
            Ok(Touched::Skipped | Touched::Gone) => {}
            Err(error) => {
                tracing::debug!(session = %key, error = &error as &dyn std::error::Error, "idle timeout not moved");
            }
        }
    }

    /// One store command, bounded in time. `late` is what running out of time means for it.
    async fn operate<T>(
        &mut self,
        late: StoreErrorKind,
        operation: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let start = Instant::now();
        if start >= self.deadline {
            return Err(timed_out(StoreErrorKind::Unavailable));
        }
        let until = bound(self.deadline, self.shared.settings.operation_timeout);
        let result = timeout_at(until, operation).await;
        self.last_operation = start.elapsed();
        result.unwrap_or_else(|_| Err(timed_out(late)))
    }

    fn store(&self) -> &'a dyn SessionStore {
        self.shared.settings.backend.store()
    }

    fn now(&self) -> Timestamp {
        self.shared.settings.clock.now()
    }

    /// Removes a record that nobody has a ticket for. If that fails, it expires.
    async fn forget(&mut self, key: StoreKey) {
        let store = self.store();
        let _ = self.operate(StoreErrorKind::Unknown, store.delete(&key)).await;
    }
}

/// Before a write is sent again, so that a store which loses every answer at once is not asked in
/// a busy loop.
const A_MOMENT: Duration = Duration::from_millis(1);

fn live(read: Read, entry: Option<Entry>) -> Option<(Version, Timestamp, Record)> {
    match (read, entry) {
        (Read::Live(record), Some(entry)) => Some((entry.version, entry.deadline, record)),
        _ => None,
    }
}
