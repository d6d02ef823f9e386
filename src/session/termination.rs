//! Logout: ends a session so that nothing in flight can bring it back.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::lazy::Shared;
use super::load::{A_MOMENT, timed_out, within};
use super::state::{Base, Seen, Stage};
use crate::error::{SessionError, StoreError, StoreErrorKind};
use crate::id::{CommitId, StoreKey};
use crate::record::{MARK_LIFETIME, Mark, Stored};
use crate::store::{Entry, NewEntry, Replaced, SessionStore, Version};

impl Shared {
    pub(super) async fn destroy(&self) -> Result<(), SessionError> {
        let deadline = Instant::now() + self.settings.commit_timeout;
        {
            self.head.mark_used();
            let mut state = self.state();
            // From here on it is being ended, even if this future is dropped.
            state.ending = true;
            state.changes.clear();
        }
        let Ok(_turn) = timeout_at(deadline, self.turn.lock()).await else {
            return Err(SessionError::Unconfirmed(None));
        };
        // A clone's commit may have done it while this waited, and begun the session after.
        if !self.state().ending {
            return Ok(());
        }
        self.end(deadline).await
    }

    /// Ends the session where it is kept and then in this handle. The caller holds the turn.
    pub(super) async fn end(&self, deadline: Instant) -> Result<(), SessionError> {
        let cookie = self.settings.keeper.end(self, deadline).await?;
        let mut state = self.state();
        state.ending = false;
        state.stage = Stage::Loaded;
        state.base = Base::Nothing;
        state.slide = false;
        state.sending.clear();
        state.in_flight = None;
        state.seen = Seen::default();
        state.cookie = cookie;
        Ok(())
    }

    /// What there is to end, and its version if it is known.
    fn target(&self) -> Option<(StoreKey, Option<Version>)> {
        let state = self.state();
        match (&state.stage, &state.base) {
            (_, Base::Live(live)) => Some((live.key, Some(live.version))),
            (_, Base::Moved(key)) => Some((*key, None)),
            (Stage::Loaded, Base::Nothing) => None,
            _ => {
                drop(state);
                let ticket = self.prove(self.settings.clock.now())?;
                Some((ticket.id.store_key(), None))
            }
        }
    }
}

/// Renewals that may follow each other within the lifetime of their marks and still be ended.
const MAX_FOLLOWS: usize = 16;

/// One logout from a store, under way.
pub(super) struct Termination<'a> {
    shared: &'a Shared,
    store: &'a dyn SessionStore,
    deadline: Instant,
}

/// What a look at an entry's bytes means for the logout.
enum Next {
    Over,
    End(Version),
    Follow(StoreKey),
    Delete,
}

impl<'a> Termination<'a> {
    pub(super) fn new(shared: &'a Shared, store: &'a dyn SessionStore, deadline: Instant) -> Self {
        Self { shared, store, deadline }
    }

    /// Ends the session that this request is about, if there is any.
    pub(super) async fn run(&self) -> Result<(), SessionError> {
        let Some((key, version)) = self.shared.target() else { return Ok(()) };
        let ended = self.end(key, version).await;
        match &ended {
            Ok(()) => tracing::debug!(session = %key, "session ended"),
            Err(error) => {
                let error = error as &dyn std::error::Error;
                tracing::warn!(session = %key, error, "logout not confirmed");
            }
        }
        ended
    }

    async fn end(
        &self,
        mut key: StoreKey,
        mut version: Option<Version>,
    ) -> Result<(), SessionError> {
        let mut follows = 0;
        loop {
            let found = match version.take() {
                None => self.load(&key).await?,
                Some(version) => match self.mark(&key, &version).await? {
                    Marked::Done => return Ok(()),
                    Marked::Unknown => {
                        self.pause(A_MOMENT).await?;
                        continue;
                    }
                    Marked::Conflict(entry) => {
                        self.pause(Duration::ZERO).await?;
                        next(&entry)?
                    }
                },
            };
            match found {
                Next::Over => return Ok(()),
                Next::End(current) => version = Some(current),
                // A renewal leads to a new id, never back; damaged marks might.
                Next::Follow(_) if follows == MAX_FOLLOWS => {
                    return Err(SessionError::Corrupt("marks that lead on and on"));
                }
                // The mark stays: who still holds the old id must go on finding it.
                Next::Follow(to) => {
                    follows += 1;
                    key = to;
                }
                Next::Delete => {
                    let store = self.store();
                    return Ok(self.operate(store.delete(&key)).await?);
                }
            }
        }
    }

    /// Lets others run, and ends what has taken too long.
    async fn pause(&self, pause: Duration) -> Result<(), SessionError> {
        if Instant::now() >= self.deadline {
            return Err(SessionError::Unconfirmed(None));
        }
        match pause {
            Duration::ZERO => tokio::task::yield_now().await,
            pause => tokio::time::sleep(pause).await,
        }
        Ok(())
    }

    async fn load(&self, key: &StoreKey) -> Result<Next, SessionError> {
        match self.operate(self.store().load(key)).await {
            Ok(Some(entry)) => next(&entry),
            Ok(None) => Ok(Next::Over),
            Err(error) if error.kind() == StoreErrorKind::Corrupt => Ok(Next::Delete),
            Err(error) => Err(error.into()),
        }
    }

    /// Replaces the entry by the mark. Deleting it would leave a moment in which a renewal in
    /// flight could not tell a logout from an expiry, and a store that lost an answer no trace.
    async fn mark(&self, key: &StoreKey, version: &Version) -> Result<Marked, SessionError> {
        let settings = &self.shared.settings;
        let commit = CommitId::draw(settings.entropy)?;
        let entry = NewEntry::new(
            commit,
            settings.clock.now().saturating_add(MARK_LIFETIME),
            Mark::Ended { commit }.encode(),
        )
        .last_word();
        match self.operate(self.store().replace(key, version, &entry)).await {
            Ok(Replaced::Done(_) | Replaced::Gone) => Ok(Marked::Done),
            Ok(Replaced::Conflict(entry)) => Ok(Marked::Conflict(entry)),
            Err(error) if error.kind() == StoreErrorKind::Indeterminate => Ok(Marked::Unknown),
            Err(error) => Err(error.into()),
        }
    }

    async fn operate<T>(
        &self,
        operation: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let limit = self.shared.settings.command_timeout;
        let result = within(limit, Some(self.deadline), operation).await;
        result.unwrap_or_else(|| Err(timed_out(StoreErrorKind::Indeterminate)))
    }

    fn store(&self) -> &dyn SessionStore {
        self.store
    }
}

enum Marked {
    Done,
    Conflict(Entry),
    Unknown,
}

fn next(entry: &Entry) -> Result<Next, SessionError> {
    use crate::record::RecordError;
    match Stored::mark(&entry.bytes) {
        Ok(None) => Ok(Next::End(entry.version)),
        Ok(Some(Mark::Ended { .. })) => Ok(Next::Over),
        Ok(Some(Mark::Moved { to, .. })) => Ok(Next::Follow(to)),
        Err(RecordError::Corrupt(_)) => Ok(Next::Delete),
        Err(error @ RecordError::Newer(_)) => Err(error.into()),
    }
}
