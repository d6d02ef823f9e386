//! "Log out everywhere" for sessions in cookies: one small shared record.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::list::{List, Revoke};
use crate::clock::{Clock, Timestamp};
use crate::entropy;
use crate::error::{SessionError, StoreErrorKind};
use crate::id::{CommitId, StoreKey};
use crate::poison::IgnorePoison;
use crate::record::Record;
use crate::session::command::{TimeLimit, timed_out};
use crate::session::retry::Retry;
use crate::store::{Created, Entry, NewEntry, Replaced, SessionStore};

/// Ends sessions that travel in cookies, by the time they began.
///
/// One record in any [`SessionStore`], shared by all servers, says "alice's sessions that began
/// before noon are over". Each process keeps it in memory and reads it again when it is older than
/// the [staleness](RevocationsBuilder::staleness) that you choose, so a revocation is in force
/// everywhere at most that much later. It takes 22 bytes for every principal whose sessions were
/// revoked, for as long as you [keep](RevocationsBuilder::kept) them.
///
/// **Cost**: at most one store command per staleness interval and process, however many requests
/// there are, and none for requests without a valid cookie. While the store does not answer, it is
/// asked once a second at most. When the last answer is older than the staleness, sessions are an
/// error (503, or as [`on_outage`](crate::SessionLayer::on_outage) says), because it is not known
/// whether they are revoked.
///
/// A revocation holds as long as the store keeps the record. Use a store that does not evict.
///
/// ```
/// use cloakroom::store::MemoryStore;
/// use cloakroom::{CookieSessions, Key, Revocations, Revoke, SessionLayer};
/// use std::time::SystemTime;
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
/// # runtime.block_on(async {
/// let revocations = Revocations::new(MemoryStore::new()); // for several servers, a shared store
/// let cookie = CookieSessions::signed().revocations(revocations.clone());
/// let layer = SessionLayer::new(cookie, Key::generate()?);
/// # let _ = layer;
///
/// // In a handler, when alice has changed her password:
/// revocations.revoke_before(Revoke::Principal("alice"), SystemTime::now()).await?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct Revocations(Arc<Inner>);

struct Inner {
    store: Arc<dyn SessionStore>,
    staleness: Duration,
    kept: Duration,
    clock: Clock,
    known: Mutex<Known>,
    /// Held by the one request of this process that asks the store, or the one revocation that
    /// writes.
    asking: tokio::sync::Mutex<()>,
}

/// The record as this process knows it.
#[derive(Clone, Default)]
struct Known {
    /// The last answer, and when it was asked for.
    list: Option<(Arc<List>, Instant)>,
    /// The last failure since.
    failure: Option<(SessionError, Instant)>,
}

impl Revocations {
    /// Creates revocations kept in `store`, with the defaults of the [builder](Self::builder).
    ///
    /// ```
    /// use cloakroom::{Revocations, store::MemoryStore};
    ///
    /// let revocations = Revocations::new(MemoryStore::new());
    /// assert!(format!("{revocations:?}").contains("staleness: 10s"));
    /// ```
    pub fn new(store: impl SessionStore) -> Self {
        Self::builder(store).build()
    }

    /// Starts from the defaults.
    ///
    /// ```
    /// use cloakroom::{Revocations, store::MemoryStore};
    /// use std::time::Duration;
    ///
    /// let revocations = Revocations::builder(MemoryStore::new())
    ///     .staleness(Duration::from_secs(30))
    ///     .kept(Duration::from_secs(24 * 60 * 60)) // sessions of this app live for 12 hours
    ///     .build();
    /// assert!(format!("{revocations:?}").contains("staleness: 30s"));
    /// ```
    pub fn builder(store: impl SessionStore) -> RevocationsBuilder {
        RevocationsBuilder {
            store: Arc::new(store),
            staleness: Duration::from_secs(10),
            kept: Duration::from_secs(400 * 24 * 60 * 60),
            clock: Clock::system(),
        }
    }

    /// Ends the sessions that began before `time`.
    ///
    /// A session begins with its last [`log_in`](crate::Session::log_in), or, where nobody is logged
    /// in, with its first change or last [`renew`](crate::Session::renew). So a handler that revokes
    /// those before now and then logs the principal in anew keeps its own session; a change of password
    /// is such a handler. A renewal alone does not keep it.
    ///
    /// The revocation is in force in this process at once, and in others within their staleness. An
    /// earlier time than one that was given before changes nothing.
    ///
    /// # Errors
    ///
    /// When the store did not confirm it within five seconds. Then it may be in force, and repeating
    /// it does no harm. [`TooLarge`](StoreErrorKind::TooLarge) means that the record does not fit into
    /// the store any more, because so many principals have been revoked; [`Revoke::All`] empties it.
    ///
    /// ```
    /// use cloakroom::{Revocations, Revoke, store::MemoryStore};
    /// use std::time::SystemTime;
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    /// # runtime.block_on(async {
    /// let revocations = Revocations::new(MemoryStore::new());
    /// assert!(revocations.revoke_before(Revoke::All, SystemTime::now()).await.is_ok());
    /// # });
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn revoke_before(
        &self,
        whose: Revoke<'_>,
        time: SystemTime,
    ) -> Result<(), SessionError> {
        let deadline = Instant::now() + WRITE_TIMEOUT;
        let mut retry = Retry::new(entropy::operating_system, deadline);
        while !self.try_revoke_in_turn(whose, time.into(), deadline).await? {
            // Another revocation was quicker, or the answer was lost: read the record again.
            if !retry.pause().await {
                return Err(SessionError::Unconfirmed(None));
            }
        }
        tracing::info!(all = matches!(whose, Revoke::All), "sessions revoked");
        Ok(())
    }

    /// Tries once; returns whether it is done. Holds `asking` meanwhile: otherwise a request that read
    /// the record just before this write could replace the newer list by the older one that it read.
    async fn try_revoke_in_turn(
        &self,
        whose: Revoke<'_>,
        before: Timestamp,
        deadline: Instant,
    ) -> Result<bool, SessionError> {
        let limit = TimeLimit { command: WRITE_TIMEOUT, deadline: Some(deadline) };
        let asking = limit.wait(self.0.asking.lock()).await;
        let _asking = asking.ok_or_else(|| timed_out(StoreErrorKind::Unavailable))?;
        let asked = Instant::now();
        let written = self.try_revoke(whose, before, deadline).await?;
        if let Some(list) = written {
            self.remember(list, asked);
            return Ok(true);
        }
        Ok(false)
    }

    /// Reads the record and writes it with the revocation in it; `None` when another one was quicker
    /// or the answer was lost, and it should be tried again.
    async fn try_revoke(
        &self,
        whose: Revoke<'_>,
        before: Timestamp,
        deadline: Instant,
    ) -> Result<Option<List>, SessionError> {
        let Inner { store, clock, kept, .. } = &*self.0;
        let limit = TimeLimit { command: COMMAND_TIMEOUT, deadline: Some(deadline) };
        let found = limit.run(StoreErrorKind::Unavailable, store.load(&KEY)).await?;
        let mut list = decode(found.as_ref())?;
        if list.contains(whose, before) {
            return Ok(Some(list));
        }
        let now = clock.now();
        list.add(whose, before, now.saturating_sub(*kept));
        let entry = NewEntry::new(
            CommitId::draw(entropy::operating_system)?,
            now.saturating_add(*kept),
            list.encode(),
        )
        .last_word();
        let lost = StoreErrorKind::Indeterminate;
        let written = match found {
            None => {
                let created = limit.run(lost, store.create(&KEY, &entry)).await;
                created.map(|created| matches!(created, Created::Done(_)))
            }
            Some(Entry { version, .. }) => {
                let write = store.replace(&KEY, &version, &entry);
                let replaced = limit.run(lost, write).await;
                replaced.map(|replaced| matches!(replaced, Replaced::Done(_)))
            }
        };
        match written {
            Ok(done) => Ok(done.then_some(list)),
            Err(error) if error.kind() == lost => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns whether a session is revoked, as far as it can be known within the staleness.
    pub(super) async fn revoked(
        &self,
        record: &Record,
        limit: TimeLimit,
    ) -> Result<bool, SessionError> {
        let list = match self.known(Instant::now()) {
            Some(known) => known?,
            None => self.ask(limit).await?,
        };
        Ok(list.revokes(record))
    }

    /// Returns the list, or the failure to read it, if it is fresh enough for a request that came at
    /// `came`.
    fn known(&self, came: Instant) -> Option<Result<Arc<List>, SessionError>> {
        let record = self.known_record();
        let fresh = |at, limit| came.checked_duration_since(at).is_none_or(|age| age < limit);
        match &*record {
            Known { list: Some((list, at)), .. } if fresh(*at, self.0.staleness) => {
                Some(Ok(Arc::clone(list)))
            }
            Known { failure: Some((error, at)), .. } if fresh(*at, ASK_AGAIN_AFTER) => {
                Some(Err(error.clone()))
            }
            _ => None,
        }
    }

    async fn ask(&self, limit: TimeLimit) -> Result<Arc<List>, SessionError> {
        let start = Instant::now();
        let deadline = Some(limit.deadline.unwrap_or(start + limit.command));
        let limit = TimeLimit { deadline, ..limit };
        let asking = limit.wait(self.0.asking.lock()).await;
        let _asking = asking.ok_or_else(|| timed_out(StoreErrorKind::Unavailable))?;
        // A request that stood in line before this one may have asked after this one came.
        if let Some(known) = self.known(start) {
            return known;
        }
        let asked = Instant::now();
        let loaded = limit.run(StoreErrorKind::Unavailable, self.0.store.load(&KEY)).await;
        match loaded.map_err(SessionError::from).and_then(|entry| decode(entry.as_ref())) {
            Ok(list) => Ok(self.remember(list, asked)),
            Err(error) => {
                self.known_record().failure = Some((error.clone(), Instant::now()));
                Err(error)
            }
        }
    }

    /// Replaces what this process knows of the record. The caller holds `asking`, so `list` was asked
    /// for later than what was known.
    fn remember(&self, list: List, asked: Instant) -> Arc<List> {
        let list = Arc::new(list);
        *self.known_record() = Known { list: Some((Arc::clone(&list), asked)), failure: None };
        list
    }

    fn known_record(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock().ignore_poison()
    }
}

/// The record's key: the SHA-256 of `cloakroom revocations`, which no session has.
const KEY: StoreKey = StoreKey::from_bytes([
    0xb3, 0xf5, 0xce, 0x6c, 0x4e, 0x30, 0xa0, 0xa3, 0xc3, 0xed, 0xee, 0x94, 0xf7, 0x5d, 0xdb, 0x12,
    0xd5, 0x5b, 0xc2, 0x97, 0xa8, 0xb6, 0x82, 0x90, 0xfc, 0x22, 0xca, 0x6f, 0x85, 0x11, 0x65, 0xd2,
]);

/// One store command of a revocation; requests have the layer's
/// [`command_timeout`](crate::SessionLayer::command_timeout).
const COMMAND_TIMEOUT: Duration = Duration::from_secs(2);
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);
/// The pause before a store that did not answer is asked again.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(1);

fn decode(entry: Option<&Entry>) -> Result<List, SessionError> {
    entry.map_or_else(|| Ok(List::default()), |entry| List::decode(&entry.bytes))
}

impl fmt::Debug for Revocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revocations")
            .field("store", &self.0.store)
            .field("staleness", &self.0.staleness)
            .finish_non_exhaustive()
    }
}

/// Chooses how [`Revocations`] work.
#[derive(Clone, Debug)]
#[must_use]
pub struct RevocationsBuilder {
    store: Arc<dyn SessionStore>,
    staleness: Duration,
    kept: Duration,
    clock: Clock,
}

impl RevocationsBuilder {
    /// Sets how old a process's copy of the record may be: the longest that a revoked session goes on
    /// on other servers.
    ///
    /// Zero asks the store for every request. Default 10 seconds: one store command in ten seconds is
    /// nothing to any store, and a person needs about ten seconds to reach for the other device.
    ///
    /// ```
    /// use cloakroom::{Revocations, store::MemoryStore};
    /// use std::time::Duration;
    ///
    /// let builder = Revocations::builder(MemoryStore::new());
    /// let revocations = builder.staleness(Duration::from_secs(30)).build();
    /// assert!(format!("{revocations:?}").contains("staleness: 30s"));
    /// ```
    pub fn staleness(mut self, staleness: Duration) -> Self {
        self.staleness = staleness;
        self
    }

    /// Sets how long a revocation is kept: at least as long as any session lives, "remember me"
    /// included. Default 400 days, the longest that browsers keep a cookie.
    ///
    /// ```
    /// use cloakroom::{Revocations, store::MemoryStore};
    /// use std::time::Duration;
    ///
    /// let twelve_hours = Duration::from_secs(12 * 60 * 60);
    /// let builder = Revocations::builder(MemoryStore::new()).kept(twelve_hours);
    /// assert!(format!("{builder:?}").contains("kept: 43200s"));
    /// ```
    pub fn kept(mut self, kept: Duration) -> Self {
        self.kept = kept;
        self
    }

    /// Sets where the time is read. Default: the system's clock.
    ///
    /// ```
    /// use cloakroom::{ManualClock, Revocations, Timestamp, store::MemoryStore};
    ///
    /// let clock = ManualClock::at(Timestamp::from_millis(0));
    /// let builder = Revocations::builder(MemoryStore::new()).clock(clock);
    /// assert!(format!("{builder:?}").contains("ManualClock"));
    /// ```
    pub fn clock(mut self, clock: impl Into<Clock>) -> Self {
        self.clock = clock.into();
        self
    }

    /// Creates the revocations. Clones of them share what they know of the record.
    ///
    /// ```
    /// use cloakroom::{CookieSessions, Revocations, store::MemoryStore};
    ///
    /// let revocations = Revocations::builder(MemoryStore::new()).build();
    /// let sessions = CookieSessions::signed().revocations(revocations.clone());
    /// assert!(format!("{sessions:?}").contains("Revocations"));
    /// ```
    pub fn build(self) -> Revocations {
        let Self { store, staleness, kept, clock } = self;
        Revocations(Arc::new(Inner {
            store,
            staleness,
            kept,
            clock,
            known: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
        }))
    }
}
