//! The store in front of the store.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tracing::Instrument;

use super::under_way::{Lead, Loaded, Memory, Turn};
use crate::clock::{Clock, Timestamp};
use crate::error::StoreError;
use crate::id::StoreKey;
use crate::store::contract::{NearLoad, SessionStore};
use crate::store::entry::{Created, Entry, LoadedNear, NewEntry, Replaced, Touched, Version};

/// The longest that a session may be read from memory. A logout leaves a mark for as long, by which a slow request
/// learns that its session is over and not merely lost.
pub(crate) const LONGEST_STALENESS: Duration = Duration::from_secs(60);

/// A look does not wait for a load that is older than this: its answer may never come.
const LONGEST_WAIT: Duration = Duration::from_millis(250);

/// **A logout on another server is seen by the reads of this one up to a [`staleness`](Self::staleness) later.** In
/// return, most reads cost no trip to the store: this server's memory in front of a store that all servers share.
///
/// A request's first look at its session is answered from memory if this server has read or written the session within
/// the staleness. Everything else goes to the store: every write is conditional there, so one that is based on an old
/// read meets the newer entry and is merged with it, or refused. A session that is over cannot be changed, and nothing
/// that was acknowledged is lost. This server reads its own writes at once.
///
/// [`LazySession::load_fresh`](crate::LazySession::load_fresh) and [`Session::reload`](crate::Session::reload) go past
/// the memory, for the pages that must not be late. [The guide](crate::guide::near) has what the servers' visitors see,
/// which promises are weaker, and when this is worth it.
///
/// Layers of one process that share a store should share a `Near`, by its clones: two of them are as two servers.
///
/// ```
/// use cloakroom::store::{MemoryStore, Near};
/// use cloakroom::{Key, SessionLayer};
/// use std::time::Duration;
///
/// let redis = MemoryStore::new(); // or a store that several servers share
/// let store = Near::new(redis).staleness(Duration::from_secs(1));
/// let layer = SessionLayer::new(store, Key::generate()?);
/// # let _ = layer;
/// # Ok::<(), cloakroom::KeyError>(())
/// ```
#[derive(Clone, Debug)]
#[doc(alias("cache", "caching", "CachingSessionStore", "moka"))]
pub struct Near {
    store: Arc<dyn SessionStore>,
    clock: Clock,
    staleness: Duration,
    max_bytes: usize,
    memory: Arc<Memory>,
}

impl Near {
    /// Puts memory in front of `store`. That may be a [`Moving`](crate::store::Moving); a `Near` within a `Moving` would
    /// be of no use.
    ///
    /// ```
    /// use cloakroom::store::{MemoryStore, Near, SessionStore, StoreKey};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloakroom::store::StoreError> {
    /// let store = Near::new(MemoryStore::new());
    /// assert!(store.load(&StoreKey::from_bytes([7; 32])).await?.is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(store: impl SessionStore) -> Self {
        let (staleness, max_bytes) = (Duration::from_secs(1), 64 << 20);
        let memory = Arc::new(Memory::new(max_bytes, staleness));
        Self { store: Arc::new(store), clock: Clock::system(), staleness, max_bytes, memory }
    }

    /// Sets for how long after a load began its answer may be read from memory, at most a minute. Zero turns the
    /// memory off.
    ///
    /// Default: one second. A page and the requests that it causes come within it, and a logout is late by no more
    /// than a slow network makes it.
    ///
    /// ```
    /// use cloakroom::store::{MemoryStore, Near};
    /// use std::time::Duration;
    ///
    /// let store = Near::new(MemoryStore::new()).staleness(Duration::from_secs(5));
    /// assert!(format!("{store:?}").contains("staleness: 5s"));
    /// ```
    #[must_use]
    #[doc(alias("ttl", "time_to_live", "max_age"))]
    pub fn staleness(mut self, staleness: Duration) -> Self {
        self.staleness = staleness.min(LONGEST_STALENESS);
        self.with_empty_memory()
    }

    /// Sets the most memory that is taken, approximately: each entry counts its bytes and 384 more. When it is full,
    /// the entries go that were not read for the longest time.
    ///
    /// Default: 64 MiB, room for 27,000 sessions of 2 KB: as many visitors can send a request within one staleness.
    ///
    /// ```
    /// use cloakroom::store::{MemoryStore, Near};
    ///
    /// let store = Near::new(MemoryStore::new()).max_bytes(256 << 20);
    /// assert!(format!("{store:?}").contains("max_bytes: 268435456"));
    /// ```
    #[must_use]
    #[doc(alias("capacity", "max_capacity"))]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self.with_empty_memory()
    }

    /// Reads the time from `clock`, which decides how old an entry is and whether its deadline has come. Give it the
    /// clock of the store and of the layer.
    ///
    /// Default: the system's clock. If that is set back, entries may be read for longer by as much, as sessions may
    /// live longer.
    ///
    /// ```
    /// use cloakroom::store::{MemoryStore, Near};
    /// use cloakroom::{ManualClock, Timestamp};
    ///
    /// let clock = ManualClock::at(Timestamp::from_millis(1_000));
    /// let memory = MemoryStore::builder().clock(clock.clone()).build();
    /// let store = Near::new(memory).clock(clock.clone());
    /// # let _ = store;
    /// ```
    #[must_use]
    pub fn clock(mut self, clock: impl Into<Clock>) -> Self {
        self.clock = clock.into();
        self.with_empty_memory()
    }

    /// Clones that were made before keep the memory that they share.
    fn with_empty_memory(mut self) -> Self {
        self.memory = Arc::new(Memory::new(self.max_bytes, self.staleness));
        self
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Answers a first look.
    async fn look(&self, key: &StoreKey) -> Result<LoadedNear, StoreError> {
        let now = self.now();
        let held = self.memory.held(key).filter(|held| held.is_good(now, self.staleness));
        if let Some(held) = held {
            return Ok(held.into_answer());
        }
        match self.memory.take_turn(key, now, self.staleness, LONGEST_WAIT) {
            Turn::Held(held) => return Ok(held.into_answer()),
            Turn::Load(lead) => {
                if let Some(loaded) = self.lead(key, lead).await {
                    return loaded.map(LoadedNear::Fresh);
                }
            }
            Turn::Wait(answer) => {
                let as_of = answer.as_of;
                match answer.wait().await {
                    Some(Err(error)) => return Err(error),
                    Some(Ok(Some(entry))) if entry.deadline > self.now() => {
                        return Ok(LoadedNear::Held { entry, as_of });
                    }
                    // Somebody else's look has found nothing, before this one had begun perhaps.
                    Some(Ok(_)) | None => {}
                }
            }
        }
        self.load(key).await.map(LoadedNear::Fresh)
    }

    /// Loads for all looks that come meanwhile. Returns `None` if the load has ended without an answer, as when the
    /// store has panicked.
    ///
    /// Once it has to wait, it is a task of its own: the look that began it may be dropped, or not be polled, and
    /// others wait for its answer. With a store in memory nothing has to wait.
    async fn lead(&self, key: &StoreKey, lead: Lead) -> Option<Loaded> {
        let Lead { command, sender, answer } = lead;
        let (store, key) = (Arc::clone(&self.store), *key);
        let watched = Arc::clone(&sender);
        let load = async move {
            let loaded = store.load(&key).await;
            // Before the answer goes out, so that no look comes between the two and loads again.
            command.loaded(&loaded);
            // Refused where nobody waits any more.
            let _ = sender.send(Some(loaded));
        };
        let mut load = Box::pin(load.in_current_span());
        let polled = poll_fn(|context| Poll::Ready(load.as_mut().poll(context))).await;
        match (polled, Handle::try_current()) {
            (Poll::Ready(()), _) => {}
            (Poll::Pending, Ok(runtime)) => drop(runtime.spawn(while_awaited(load, watched))),
            (Poll::Pending, Err(_)) => load.await,
        }
        answer.wait().await
    }
}

/// Runs a load for as long as somebody waits for its answer. A store that never answers would otherwise fill the
/// memory with loads that everybody has given up.
async fn while_awaited(
    load: impl Future<Output = ()>,
    watched: Arc<watch::Sender<Option<Loaded>>>,
) {
    let (mut load, mut nobody_waits) = (pin!(load), pin!(watched.closed()));
    poll_fn(|context| match load.as_mut().poll(context) {
        Poll::Pending => nobody_waits.as_mut().poll(context),
        done => done,
    })
    .await;
}

#[async_trait]
impl SessionStore for Near {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        let command = self.memory.begin_load(key, self.now());
        let loaded = self.store.load(key).await;
        command.loaded(&loaded);
        loaded
    }

    async fn create(&self, key: &StoreKey, entry: &NewEntry) -> Result<Created, StoreError> {
        let command = self.memory.begin_write(key, self.now());
        let created = self.store.create(key, entry).await;
        if let Ok(Created::Done(version)) = &created {
            command.shows(written(entry, *version));
        }
        created
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        entry: &NewEntry,
    ) -> Result<Replaced, StoreError> {
        let command = self.memory.begin_write(key, self.now());
        let replaced = self.store.replace(key, expected, entry).await;
        match &replaced {
            Ok(Replaced::Done(version)) => command.shows(written(entry, *version)),
            Ok(Replaced::Conflict(there)) => command.shows(there.clone()),
            // Also after an error that says that nothing was applied: of an outage nobody has to learn by old reads.
            Ok(Replaced::Gone) | Err(_) => drop(command),
        }
        replaced
    }

    async fn touch(
        &self,
        key: &StoreKey,
        expected: &Version,
        deadline: Timestamp,
    ) -> Result<Touched, StoreError> {
        let held = self.memory.held(key).filter(|held| held.entry.version == *expected);
        let command = self.memory.begin_write(key, self.now());
        let touched = self.store.touch(key, expected, deadline).await;
        if let (Ok(Touched::Done), Some(held)) = (&touched, held) {
            command.shows(Entry { deadline, ..held.entry });
        }
        touched
    }

    async fn delete(&self, key: &StoreKey) -> Result<(), StoreError> {
        let _command = self.memory.begin_write(key, self.now());
        self.store.delete(key).await
    }

    fn load_near<'a>(&'a self, key: &'a StoreKey) -> Option<NearLoad<'a>> {
        Some(Box::pin(self.look(key)))
    }

    fn may_evict(&self) -> bool {
        self.store.may_evict()
    }

    fn is_moving(&self) -> bool {
        self.store.is_moving()
    }
}

/// The entry that a write has left.
fn written(entry: &NewEntry, version: Version) -> Entry {
    Entry::new(version, entry.deadline, entry.bytes.clone())
}
