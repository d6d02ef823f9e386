//! Carries out what a request asked for: one conditional write where all goes well, and a definite
//! answer, or an honest "unknown", where it does not.

mod create;
mod drive;
mod renew;

use std::time::Duration;

use tokio::sync::MutexGuard;
use tokio::time::{Instant, timeout_at};

use super::changes;
use super::decision::{Decision, Facts, Found, decide};
use super::lazy::Shared;
use super::load::{report, timed_out, within};
use super::state::{Base, Begun};
use crate::clock::Timestamp;
use crate::error::{SessionError, StoreError, StoreErrorKind};
use crate::id::{CommitId, StoreKey};
use crate::record::Record;
use crate::store::{SessionStore, Touched};
use drive::Step;

impl Shared {
    /// Commits what was asked for so far, if it is to be stored at all; the clones of a handle take
    /// turns. With `last` the response's head is closed within the same turn, so that no clone
    /// can issue a ticket that would miss it.
    pub(super) async fn commit(&self, store: bool, last: bool) -> Result<(), SessionError> {
        let deadline = Instant::now() + self.settings.commit_timeout;
        let turn = match self.turn.try_lock() {
            Ok(turn) => Ok(turn),
            Err(_) => timeout_at(deadline, self.turn.lock()).await,
        };
        let Ok(_turn) = turn else { return Err(SessionError::Contended) };
        let result = match store {
            true => self.settings.keeper.commit(self, deadline).await,
            false => Ok(()),
        };
        if last {
            self.head.close();
        }
        if let Err(error) = &result {
            report(error, "session not stored");
            if matches!(error, SessionError::Gone) {
                // Whatever an earlier `save` had to send: it would be a ticket to nothing.
                self.state().cookie = None;
            }
        }
        result
    }

    /// The record as the changes leave it, and what follows from that. Runs user code, unlocked.
    pub(super) fn weigh(&self, now: Timestamp) -> Result<(Record, Facts), SessionError> {
        let (base, sending, facts) = {
            let state = self.state();
            let facts = Facts {
                found: state.base.found(),
                asked: !state.sending.is_empty(),
                changed: false,
                empty: false,
                renew: false,
                slide: state.slide,
                head_sent: self.head.is_closed(),
            };
            (state.base.live().map(|live| live.record.clone()), state.sending.clone(), facts)
        };
        let settings = &self.settings;
        let mut record = base
            .unwrap_or_else(|| Record::new(now, settings.idle_timeout, settings.absolute_lifetime));
        changes::apply(&sending, &mut record)?;
        let renewal = changes::renewal(&sending);
        if facts.found != Found::Live
            && let Some(Some(lifetime)) = renewal
        {
            record.expires = now.saturating_add(lifetime);
        }
        let changed = {
            let state = self.state();
            state.base.live().is_none_or(|live| !live.record.keeps_same(&record))
        };
        let facts = Facts { changed, empty: record.is_empty(), renew: renewal.is_some(), ..facts };
        Ok((record, facts))
    }

    /// The record with its absolute lifetime begun anew: the one it had, unless another was asked
    /// for.
    pub(super) fn restart(&self, mut record: Record, now: Timestamp) -> Record {
        let asked = changes::renewal(&self.state().sending).flatten();
        let usual = match record.remembered {
            true => record.expires.since(record.created),
            false => self.settings.absolute_lifetime,
        };
        record.created = now;
        record.expires = now.saturating_add(asked.unwrap_or(usual));
        record
    }
}

/// One commit to a store, under way.
pub(super) struct Commit<'a> {
    shared: &'a Shared,
    store: &'a dyn SessionStore,
    deadline: Instant,
    /// Held from the first conflict on, so that the commits of one process do not race again.
    line: Option<MutexGuard<'a, ()>>,
    last_operation: Duration,
}

impl<'a> Commit<'a> {
    pub(super) fn new(shared: &'a Shared, store: &'a dyn SessionStore, deadline: Instant) -> Self {
        Self { shared, store, deadline, line: None, last_operation: Duration::ZERO }
    }

    pub(super) async fn run(&mut self) -> Result<(), SessionError> {
        while let Some(begun) = self.begun()? {
            match begun {
                Begun::Destroy => Box::pin(self.shared.end(self.deadline)).await?,
                Begun::Save => self.drive(Step::Ask).await?,
            }
        }
        self.begin().await
    }

    /// By itself, because a lock taken in the loop's head would be held through its body.
    fn begun(&self) -> Result<Option<Begun>, SessionError> {
        self.shared.state().begin_commit()
    }

    /// Looks at the facts and starts what they call for.
    async fn begin(&mut self) -> Result<(), SessionError> {
        let now = self.now();
        let (record, facts) = match self.shared.weigh(now) {
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
                Box::pin(self.touch(now)).await;
                Ok(())
            }
            Decision::RefuseGone => self.fail(SessionError::Gone),
            Decision::RefuseTooLate => self.fail(SessionError::TooLate),
            // Boxed, as every path that few requests take: a commit's future stays small.
            Decision::Create => Box::pin(self.create(record)).await,
            Decision::Renew => Box::pin(self.renew(record)).await,
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

    /// Moves the deadline. That it fails costs the visitor some idle time, so no request does.
    async fn touch(&mut self, now: Timestamp) {
        let Some((key, version, deadline)) = ({
            let mut state = self.shared.state();
            state.slide = false;
            let due = self.shared.slide_due(&state, now);
            due.zip(state.base.live()).map(|(deadline, live)| (live.key, live.version, deadline))
        }) else {
            return;
        };
        let store = self.store();
        let touched = self
            .operate(StoreErrorKind::Indeterminate, store.touch(&key, &version, deadline))
            .await;
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
        // Only commits that stand in line ever pause, and only they need to know how long.
        let start = self.line.is_some().then(Instant::now);
        let limit = self.shared.settings.command_timeout;
        let result = within(limit, Some(self.deadline), operation).await;
        self.last_operation = start.map(|start| start.elapsed()).unwrap_or_default();
        result.unwrap_or_else(|| Err(timed_out(late)))
    }

    fn store(&self) -> &'a dyn SessionStore {
        self.store
    }

    fn now(&self) -> Timestamp {
        self.shared.settings.clock.now()
    }

    /// Removes a record that nobody has a ticket for. If that fails, it expires.
    async fn forget(&mut self, key: StoreKey) {
        let store = self.store();
        let _ = self.operate(StoreErrorKind::Indeterminate, store.delete(&key)).await;
    }
}
