//! The record of revocations as one process knows it, and how it reads and writes it.
//!
//! The list of a process only grows: it takes in each answer of the store, in whatever order they come. So
//! no lock is held while the store is asked, and a record that the store has lost takes nothing back.
//! Reading and writing run in tasks of their own. A request or a revocation that nobody polls any more
//! then keeps nothing from the others that wait for the same answer, or for their turn to write.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::Instrument;

use super::list::{List, Whose};
use crate::clock::{Clock, Timestamp};
use crate::entropy;
use crate::error::{SessionError, StoreErrorKind};
use crate::id::{CommitId, StoreKey};
use crate::poison::IgnorePoison;
use crate::record::Record;
use crate::session::command::{TimeLimit, timed_out};
use crate::session::retry::Retry;
use crate::store::{Created, Entry, NewEntry, Replaced, SessionStore};

/// Clones share what is known.
#[derive(Clone)]
pub(super) struct SharedList(Arc<Inner>);

struct Inner {
    store: Arc<dyn SessionStore>,
    staleness: Duration,
    kept: Duration,
    clock: Clock,
    known: Mutex<Known>,
    /// Held by the revocation of this process that writes, so that they do not meet at the store. Only
    /// tasks of their own wait for it.
    writing: tokio::sync::Mutex<()>,
}

/// The record as this process knows it.
#[derive(Default)]
struct Known {
    /// Everything that the store has answered, and that still matters.
    list: Arc<List>,
    /// When the last good answer was asked for.
    asked: Option<Instant>,
    /// The last failure since.
    failure: Option<(SessionError, Instant)>,
    asking: Option<Asking>,
}

/// A task that asks the store.
#[derive(Clone)]
struct Asking {
    began: Instant,
    /// Closed when the task has ended, in whatever way.
    over: watch::Receiver<()>,
}

/// The next step of a request that needs the list.
enum Next {
    Take(Result<Arc<List>, SessionError>),
    Wait(Asking),
    Ask(Asking, watch::Sender<()>),
}

/// The record's key: the SHA-256 of `cloakroom revocations`, which no session has.
const KEY: StoreKey = StoreKey::from_bytes([
    0xb3, 0xf5, 0xce, 0x6c, 0x4e, 0x30, 0xa0, 0xa3, 0xc3, 0xed, 0xee, 0x94, 0xf7, 0x5d, 0xdb, 0x12,
    0xd5, 0x5b, 0xc2, 0x97, 0xa8, 0xb6, 0x82, 0x90, 0xfc, 0x22, 0xca, 0x6f, 0x85, 0x11, 0x65, 0xd2,
]);

/// One store command; a request waits no longer for it than its layer's
/// [`command_timeout`](crate::SessionLayer::command_timeout).
const COMMAND_TIMEOUT: Duration = Duration::from_secs(2);
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);
/// The pause before a store that did not answer is asked again.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How far the clocks of two servers may differ before an entry that one of them has forgotten as too
/// old seems lost to the other.
const CLOCK_SKEW: Duration = Duration::from_secs(60);

impl SharedList {
    pub(super) fn new(
        store: Arc<dyn SessionStore>,
        staleness: Duration,
        kept: Duration,
        clock: Clock,
    ) -> Self {
        let (known, writing) = (Mutex::default(), tokio::sync::Mutex::default());
        Self(Arc::new(Inner { store, staleness, kept, clock, known, writing }))
    }

    pub(super) fn store(&self) -> &dyn SessionStore {
        &*self.0.store
    }

    pub(super) fn staleness(&self) -> Duration {
        self.0.staleness
    }

    /// Returns whether this process knows already that a session is revoked.
    pub(super) fn know_revoked(&self, record: &Record) -> bool {
        self.known().list.revokes(record)
    }

    /// Returns whether a session is revoked, as far as it can be known within the staleness. One that
    /// is known to be revoked stays so, however old that knowledge is.
    pub(super) async fn revokes(
        &self,
        record: &Record,
        limit: TimeLimit,
    ) -> Result<bool, SessionError> {
        let known = Arc::clone(&self.known().list);
        if known.revokes(record) {
            return Ok(true);
        }
        let list = self.current(limit).await?;
        Ok(!Arc::ptr_eq(&known, &list) && list.revokes(record))
    }

    /// Returns the list, at most as old as the staleness. Of all requests that need it at a time, one
    /// asks the store.
    pub(super) async fn current(&self, limit: TimeLimit) -> Result<Arc<List>, SessionError> {
        let came = Instant::now();
        let deadline = Some(limit.deadline.unwrap_or(came + limit.command));
        let limit = TimeLimit { deadline, ..limit };
        loop {
            let mut asking = match self.next(came) {
                Next::Take(answer) => return answer,
                Next::Wait(asking) => asking,
                Next::Ask(asking, ends) => {
                    let command = limit.command.max(COMMAND_TIMEOUT);
                    let ask = self.clone().ask(ends, command);
                    match Handle::try_current() {
                        Ok(runtime) => drop(runtime.spawn(ask.in_current_span())),
                        // Outside of tokio nobody else can run it.
                        Err(_) => ask.await,
                    }
                    asking
                }
            };
            let is_over = limit.wait(asking.over.changed()).await.is_some();
            let was_for_this_request = asking.began >= came;
            match (is_over, was_for_this_request) {
                (true, false) => {}
                (true, true) => {
                    // Without an answer when the task has panicked, or the runtime shuts down.
                    let answer = self.known().answer(came, self.0.staleness);
                    return answer.unwrap_or_else(|| Err(no_answer()));
                }
                (false, _) => return Err(no_answer()),
            }
        }
    }

    fn next(&self, came: Instant) -> Next {
        let mut known = self.known();
        if let Some(answer) = known.answer(came, self.0.staleness) {
            return Next::Take(answer);
        }
        let running = known.asking.as_ref().filter(|asking| asking.over.has_changed().is_ok());
        if let Some(asking) = running {
            return Next::Wait(asking.clone());
        }
        let (ends, over) = watch::channel(());
        let asking = Asking { began: Instant::now(), over };
        known.asking = Some(asking.clone());
        Next::Ask(asking, ends)
    }

    /// Asks the store, and writes the record again if it has lost something.
    async fn ask(self, ends: watch::Sender<()>, command: Duration) {
        let (asked, before) = (Instant::now(), Arc::clone(&self.known().list));
        let limit = TimeLimit { command, deadline: None };
        let loaded = self.load(limit).await;
        let lost = match loaded {
            Ok((list, _)) => {
                let lost = !list.covers(&before, self.oldest_of_all());
                self.learn(&list, asked);
                lost
            }
            Err(error) => {
                self.known().failure = Some((error, Instant::now()));
                false
            }
        };
        // Nobody has to wait for what follows.
        drop(ends);
        if lost {
            tracing::warn!("the store has lost revocations; they are written again");
            if let Err(error) = self.write(None).await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "revocations could not be written again");
            }
        }
    }

    /// Adds a revocation to the record. It is done even if the caller goes away meanwhile.
    pub(super) async fn revoke(&self, whose: Whose, before: Timestamp) -> Result<(), SessionError> {
        let shared = self.clone();
        let write = async move { shared.write(Some((whose, before))).await };
        match Handle::try_current() {
            Ok(runtime) => {
                let done = runtime.spawn(write.in_current_span()).await;
                done.unwrap_or(Err(SessionError::Unconfirmed(None)))
            }
            Err(_) => write.await,
        }
    }

    /// Writes the record with everything that is known, and with `added`, if it lacks any of it.
    async fn write(&self, added: Option<(Whose, Timestamp)>) -> Result<(), SessionError> {
        let deadline = Instant::now() + WRITE_TIMEOUT;
        let mut retry = Retry::new(entropy::operating_system, deadline);
        while !self.try_write_in_turn(added, deadline).await? {
            // Another server was quicker, or the answer was lost: read the record again.
            if !retry.pause().await {
                return Err(SessionError::Unconfirmed(None));
            }
        }
        Ok(())
    }

    async fn try_write_in_turn(
        &self,
        added: Option<(Whose, Timestamp)>,
        deadline: Instant,
    ) -> Result<bool, SessionError> {
        let limit = TimeLimit { command: WRITE_TIMEOUT, deadline: Some(deadline) };
        let writing = limit.wait(self.0.writing.lock()).await;
        let _writing = writing.ok_or_else(no_answer)?;
        self.try_write(added, deadline).await
    }

    /// Tries once; returns whether it is done.
    async fn try_write(
        &self,
        added: Option<(Whose, Timestamp)>,
        deadline: Instant,
    ) -> Result<bool, SessionError> {
        let (asked, before) = (Instant::now(), Arc::clone(&self.known().list));
        let limit = TimeLimit { command: COMMAND_TIMEOUT, deadline: Some(deadline) };
        let (stored, found) = self.load(limit).await?;
        if added.is_some() && !stored.covers(&before, self.oldest_of_all()) {
            tracing::warn!("the store has lost revocations; they are written again");
        }
        let oldest = self.oldest();
        let mut list = stored.clone();
        list.merge(&before, oldest);
        if let Some((whose, time)) = added {
            list.add(whose, time, oldest);
        }
        let written =
            stored.covers(&list, Timestamp::default()) || self.put(found, &list, limit).await?;
        if written {
            self.learn(&list, asked);
        }
        Ok(written)
    }

    async fn load(&self, limit: TimeLimit) -> Result<(List, Option<Entry>), SessionError> {
        let loaded = limit.run(StoreErrorKind::Unavailable, self.0.store.load(&KEY)).await?;
        let list = loaded.as_ref().map(|entry| List::decode(&entry.bytes)).transpose()?;
        Ok((list.unwrap_or_default(), loaded))
    }

    /// Puts `list` in place of the record that was found; `false` when that is no longer there, or the
    /// answer was lost.
    async fn put(
        &self,
        found: Option<Entry>,
        list: &List,
        limit: TimeLimit,
    ) -> Result<bool, SessionError> {
        let Inner { store, clock, kept, .. } = &*self.0;
        let commit = CommitId::draw(entropy::operating_system)?;
        let deadline = clock.now().saturating_add(*kept);
        let entry = NewEntry::new(commit, deadline, list.encode()).last_word();
        let lost = StoreErrorKind::Indeterminate;
        let written = match found {
            None => {
                let created = limit.run(lost, store.create(&KEY, &entry)).await;
                created.map(|created| matches!(created, Created::Done(_)))
            }
            Some(Entry { version, .. }) => {
                let replaced = limit.run(lost, store.replace(&KEY, &version, &entry)).await;
                replaced.map(|replaced| matches!(replaced, Replaced::Done(_)))
            }
        };
        match written {
            Err(error) if error.kind() == lost => Ok(false),
            written => Ok(written?),
        }
    }

    /// Adds an answer of the store to what is known, and forgets what no longer matters.
    fn learn(&self, list: &List, asked: Instant) {
        let oldest = self.oldest();
        let mut known = self.known();
        let mut merged = (*known.list).clone();
        merged.merge(list, oldest);
        if *known.list != merged {
            known.list = Arc::new(merged);
        }
        known.asked = known.asked.max(Some(asked));
        known.failure = None;
    }

    /// Returns the time before which every session has ended by itself.
    fn oldest(&self) -> Timestamp {
        self.0.clock.now().saturating_sub(self.0.kept)
    }

    /// Returns the time after which no server has forgotten a revocation as too old.
    fn oldest_of_all(&self) -> Timestamp {
        self.oldest().saturating_add(CLOCK_SKEW)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock().ignore_poison()
    }
}

impl Known {
    /// Returns the list, or the failure to read it, if it is fresh enough for a request that came at
    /// `came`.
    fn answer(
        &self,
        came: Instant,
        staleness: Duration,
    ) -> Option<Result<Arc<List>, SessionError>> {
        let fresh = |at, limit| at >= came || came.duration_since(at) < limit;
        match (self.asked, &self.failure) {
            (Some(asked), _) if fresh(asked, staleness) => Some(Ok(Arc::clone(&self.list))),
            (_, Some((error, at))) if fresh(*at, ASK_AGAIN_AFTER) => Some(Err(error.clone())),
            _ => None,
        }
    }
}

fn no_answer() -> SessionError {
    timed_out(StoreErrorKind::Unavailable).into()
}
