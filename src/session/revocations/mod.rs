//! "Log out everywhere", by the time a session began: one small shared record.

#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod list;
mod shared_list;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::command::TimeLimit;
use crate::clock::Clock;
use crate::error::SessionError;
use crate::record::Record;
use crate::store::SessionStore;
use shared_list::SharedList;

pub use list::Revoke;

/// Ends sessions by the time they began: those of a principal, or everybody's.
///
/// For sessions that travel in cookies it is the only way to end one on the server. For sessions in a store
/// it ends all of them at once, as after a leak of the database or of a key.
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
/// A revocation holds as long as the store keeps the record, so use a store that does not evict. What a
/// process has once seen as revoked stays revoked for it: if the store loses the record, the next process
/// to ask writes it again from what it knows, and warns. What no running process knows is lost.
///
/// ```
/// use cloakroom::store::MemoryStore;
/// use cloakroom::{CookieSessions, Key, Revocations, Revoke, SessionLayer};
/// use std::time::SystemTime;
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
/// # runtime.block_on(async {
/// let revocations = Revocations::new(MemoryStore::new()); // for several servers, a shared store
/// let layer = SessionLayer::new(CookieSessions::signed(), Key::generate()?)
///     .revocations(revocations.clone());
/// # let _ = layer;
///
/// // In a handler, when alice has changed her password:
/// revocations.revoke_before(Revoke::Principal("alice"), SystemTime::now()).await?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct Revocations(SharedList);

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
    /// it does no harm. It is carried out even if this future is dropped after its first poll. [`TooLarge`](crate::store::StoreErrorKind::TooLarge) means that the record does not fit into
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
        self.0.revoke(whose.into(), time.into()).await?;
        tracing::info!(all = matches!(whose, Revoke::All), "sessions revoked");
        Ok(())
    }

    /// Returns whether a session is revoked, as far as it can be known within the staleness.
    pub(super) async fn revoked(
        &self,
        record: &Record,
        limit: TimeLimit,
    ) -> Result<bool, SessionError> {
        self.0.revokes(record, limit).await
    }

    /// Brings what this process knows up to date.
    pub(super) async fn learn(&self, limit: TimeLimit) -> Result<(), SessionError> {
        self.0.current(limit).await.map(|_| ())
    }

    /// Returns whether this process knows already that a session is revoked.
    pub(super) fn know_revoked(&self, record: &Record) -> bool {
        self.0.know_revoked(record)
    }
}

impl fmt::Debug for Revocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revocations")
            .field("store", &self.0.store())
            .field("staleness", &self.0.staleness())
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
    /// use cloakroom::{Key, Revocations, SessionLayer, store::MemoryStore};
    ///
    /// let store = MemoryStore::new();
    /// let revocations = Revocations::builder(store.clone()).build();
    /// let layer = SessionLayer::new(store, Key::generate()?).revocations(revocations);
    /// assert!(format!("{layer:?}").contains("Revocations"));
    /// # Ok::<(), cloakroom::KeyError>(())
    /// ```
    pub fn build(self) -> Revocations {
        let Self { store, staleness, kept, clock } = self;
        Revocations(SharedList::new(store, staleness, kept, clock))
    }
}
