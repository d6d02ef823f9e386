//! From a cookie to a record: one proof, one store command.

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::MutexGuard;
use tokio::time::{Instant, sleep_until};

use super::decision::Current;
use super::lazy::Shared;
use super::state::{Base, Live, Stage, State};
use crate::clock::Timestamp;
use crate::cookie::Ticket;
use crate::error::{SessionError, StoreError, StoreErrorKind};
use crate::id::StoreKey;
use crate::record::{Mark, Record, RecordError, Stored};
use crate::store::{Entry, SessionStore, Version};

impl Shared {
    /// Loads once; the second caller waits for the first.
    pub(super) async fn load(&self) -> Result<(), SessionError> {
        if let Some(loaded) = self.loaded() {
            return loaded;
        }
        let (_turn, deadline) = match self.turn.try_lock() {
            Ok(turn) => (turn, None),
            // Boxed, because hardly any load has to wait.
            Err(_) => Box::pin(self.turn_to_load()).await?,
        };
        if let Some(loaded) = self.loaded() {
            return loaded;
        }
        let now = self.settings.clock.now();
        let read = self.settings.keeper.load(self, now, deadline).await;
        let mut state = self.state();
        match read {
            Ok(base) => {
                state.base = base;
                state.stage = Stage::Loaded;
                state.slide = self.slide_due(&state, now).is_some();
            }
            Err(error) if self.anonymous_on_outage && error.is_outage() => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "session unreadable, going on anonymously"
                );
                state.stage = Stage::Outage(error);
            }
            Err(error) => {
                report(&error, "session not read");
                state.stage = Stage::Failed(error.clone());
                return Err(error);
            }
        }
        Ok(())
    }

    fn loaded(&self) -> Option<Result<(), SessionError>> {
        self.head.mark_used();
        match &self.state().stage {
            Stage::Untouched => None,
            Stage::Loaded | Stage::Outage(_) => Some(Ok(())),
            Stage::Failed(error) => Some(Err(error.clone())),
        }
    }

    /// Of all cookies with our name whose signature holds, the one that expires last: an older one
    /// may linger under another path or domain.
    pub(super) fn prove(&self, now: Timestamp) -> Option<Ticket> {
        let mint = &self.settings.mint;
        let proven = self.presented.candidates().filter_map(|text| mint.prove(text, now));
        let ticket = proven.max_by_key(|ticket| ticket.expires);
        if ticket.is_none() && self.presented.any() {
            // Old bookmarks, restarts with a new key and curious people; nobody has to act on it.
            tracing::debug!("session cookie refused");
        }
        ticket
    }

    /// Waits for what a clone is doing, but not longer than the whole load may take.
    async fn turn_to_load(&self) -> Result<(MutexGuard<'_, ()>, Option<Instant>), SessionError> {
        let limit = self.settings.command_timeout;
        let deadline = Instant::now() + limit;
        match within(limit, Some(deadline), self.turn.lock()).await {
            Some(turn) => Ok((turn, Some(deadline))),
            None => Err(timed_out(StoreErrorKind::Unavailable).into()),
        }
    }

    pub(super) async fn read(
        &self,
        store: &dyn SessionStore,
        key: StoreKey,
        deadline: Option<Instant>,
    ) -> Result<Base, SessionError> {
        let load = store.load(&key);
        let loaded = within(self.settings.command_timeout, deadline, load).await;
        let entry = loaded.unwrap_or_else(|| Err(timed_out(StoreErrorKind::Unavailable)))?;
        let now = self.settings.clock.now();
        let Some(entry) = entry else { return Ok(Base::Nothing) };
        Ok(match Read::of(&entry, now)? {
            Read::Live(record) => {
                Base::Live(Live { key, version: entry.version, deadline: entry.deadline, record })
            }
            Read::Mark(Mark::Moved { .. }) => Base::Moved(key),
            Read::Mark(Mark::Ended { .. }) | Read::Expired => Base::Nothing,
        })
    }

    /// The new deadline, when the last one has stood still for long enough to be moved.
    pub(super) fn slide_due(&self, state: &State, now: Timestamp) -> Option<Timestamp> {
        let live = state.base.live().filter(|_| self.settings.keeper.slides())?;
        let last_use = live.deadline.saturating_sub(live.record.idle);
        let pause = live.record.idle.saturating_mul(self.settings.slide_after_percent) / 100;
        let deadline = live.record.deadline(now);
        (now.since(last_use) >= pause && deadline > live.deadline).then_some(deadline)
    }
}

/// An entry's bytes, read at a moment.
pub(super) enum Read {
    Live(Record),
    Mark(Mark),
    /// One of its two clocks has run out, whatever the store says.
    Expired,
}

impl Read {
    pub(super) fn of(entry: &Entry, now: Timestamp) -> Result<Self, SessionError> {
        if entry.deadline <= now {
            return Ok(Self::Expired);
        }
        Ok(match Stored::decode(&entry.bytes)? {
            Stored::Live(record) if record.expires <= now => Self::Expired,
            Stored::Live(record) => Self::Live(record),
            Stored::Mark(mark) => Self::Mark(mark),
        })
    }

    pub(super) fn current(&self, version: Version) -> Current<'_> {
        match self {
            Self::Live(record) => Current::Live { version, commits: record.commits.as_slice() },
            Self::Mark(mark) => Current::Mark(*mark),
            Self::Expired => Current::Absent,
        }
    }
}

impl From<RecordError> for SessionError {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::Corrupt(what) => Self::Corrupt(what),
            RecordError::Newer(version) => Self::NewerFormat { version },
        }
    }
}

/// Tells the operator what a person has to mend, and whoever debugs the rest.
pub(super) fn report(error: &SessionError, what: &str) {
    let source = error as &dyn std::error::Error;
    if error.needs_operator() {
        tracing::warn!(error = source, "{what}");
    } else {
        tracing::debug!(error = source, "{what}");
    }
}

/// Before a command is sent again, so that a store which loses every answer at once is not asked
/// in a busy loop.
pub(super) const A_MOMENT: Duration = Duration::from_millis(1);

pub(super) fn timed_out(kind: StoreErrorKind) -> StoreError {
    StoreError::new(kind, "no answer in time")
}

/// Waits for one store command: at most `limit`, and not past the deadline of the whole.
pub(super) async fn within<T>(
    limit: Duration,
    deadline: Option<Instant>,
    operation: impl Future<Output = T>,
) -> Option<T> {
    let mut operation = pin!(operation);
    let mut timer = pin!(None);
    std::future::poll_fn(|cx| {
        if let Poll::Ready(done) = operation.as_mut().poll(cx) {
            return Poll::Ready(Some(done));
        }
        // Made only now: commands of a store in memory are done at the first look, and need neither
        // timer nor clock.
        if timer.is_none() {
            let until = Instant::now() + limit;
            let until = deadline.map_or(until, |deadline| deadline.min(until));
            timer.set(Some(sleep_until(until)));
        }
        match timer.as_mut().as_pin_mut() {
            Some(timer) => timer.poll(cx).map(|()| None),
            None => Poll::Pending,
        }
    })
    .await
}
