//! The two stores as one.

use std::sync::Arc;

use async_trait::async_trait;

use super::format::{inside_another, refuse_ours};
use super::new_store::NewStore;
use super::old_store::OldStore;
use super::pair::{Pair, Shared, Step};
use crate::clock::{Clock, Timestamp};
use crate::entropy::Entropy;
use crate::error::StoreError;
use crate::id::StoreKey;
use crate::store::contract::SessionStore;
use crate::store::entry::{Created, Entry, NewEntry, Replaced, Touched, Version};

/// Two stores as one, while an app changes from the first to the second and keeps running.
///
/// A session counts where the old store says so: there, or behind a *fence*, a short note in the old store that
/// leads to the new one. The servers of an app change in three roll-outs: from the old store alone to
/// [`old_first`](Self::old_first), from there to [`new_first`](Self::new_first), and at last to the new
/// store alone. Servers of two neighbouring steps may run side by side. [The guide](crate::guide::moving) has the
/// waiting times between the roll-outs; who keeps to them logs nobody out.
///
/// Neither of the two stores may be a `Moving` itself: every command of such a one answers
/// [`Misconfigured`](crate::store::StoreErrorKind::Misconfigured). Nor does it take entries that begin with the
/// bytes `C1 FF`, with which fences begin; sessions never do.
///
/// ```
/// use cloakroom::store::{MemoryStore, Moving};
/// use cloakroom::{Key, SessionLayer};
///
/// let (redis, dynamodb) = (MemoryStore::new(), MemoryStore::new());
/// let layer = SessionLayer::new(Moving::old_first(redis, dynamodb), Key::generate()?);
/// # let _ = layer;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Moving<F, T> {
    from: F,
    to: T,
    shared: Arc<Shared>,
}

impl<F: SessionStore, T: SessionStore> Moving<F, T> {
    /// Reads the old store first and creates sessions there. It knows the sessions that servers of the next
    /// step have moved.
    ///
    /// ```
    /// use cloakroom::Timestamp;
    /// use cloakroom::store::{CommitId, MemoryStore, Moving, NewEntry, SessionStore, StoreKey};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloakroom::store::StoreError> {
    /// let (from, to, key) = (MemoryStore::new(), MemoryStore::new(), StoreKey::from_bytes([7; 32]));
    /// let store = Moving::old_first(from.clone(), to.clone());
    /// store.create(&key, &NewEntry::new(CommitId::from_bytes([1; 8]), Timestamp::MAX, "a coat")).await?;
    /// assert_eq!((from.len(), to.len()), (1, 0));
    /// # Ok(())
    /// # }
    /// ```
    pub fn old_first(from: F, to: T) -> Self {
        Self { from, to, shared: Arc::new(Shared::new(Step::OldFirst)) }
    }

    /// Reads the new store first, creates sessions there, and moves the others at their next change.
    ///
    /// ```
    /// use cloakroom::Timestamp;
    /// use cloakroom::store::{CommitId, MemoryStore, Moving, NewEntry, SessionStore, StoreKey};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloakroom::store::StoreError> {
    /// let (from, to, key) = (MemoryStore::new(), MemoryStore::new(), StoreKey::from_bytes([7; 32]));
    /// let entry = |commit, bytes| NewEntry::new(CommitId::from_bytes([commit; 8]), Timestamp::MAX, bytes);
    /// from.create(&key, &entry(1, "a coat")).await?;
    ///
    /// let store = Moving::new_first(from, to.clone());
    /// let found = store.load(&key).await?.expect("it is in the old store");
    /// store.replace(&key, &found.version, &entry(2, "a coat and a hat")).await?;
    /// assert_eq!(to.load(&key).await?.expect("it has moved").bytes, "a coat and a hat");
    /// # Ok(())
    /// # }
    /// ```
    pub fn new_first(from: F, to: T) -> Self {
        Self { from, to, shared: Arc::new(Shared::new(Step::NewFirst)) }
    }

    /// Reads the time from `clock`. The two stores have clocks of their own, which should agree with it.
    ///
    /// Default: the system's clock.
    ///
    /// ```
    /// use cloakroom::store::{MemoryStore, Moving};
    /// use cloakroom::{ManualClock, Timestamp};
    ///
    /// let clock = ManualClock::at(Timestamp::from_millis(1_000));
    /// let memory = || MemoryStore::builder().clock(clock.clone()).build();
    /// let store = Moving::old_first(memory(), memory()).clock(clock.clone());
    /// # let _ = store;
    /// ```
    #[must_use]
    pub fn clock(self, clock: impl Into<Clock>) -> Self {
        let clock = clock.into();
        self.with(|shared| shared.clock = clock)
    }

    #[allow(dead_code, reason = "only the simulation replays random bytes")]
    #[must_use]
    pub(crate) fn entropy(self, entropy: Entropy) -> Self {
        self.with(|shared| shared.entropy = entropy)
    }

    /// Moves the entry under this key as it is, for a copy of all entries in the background. Returns whether
    /// nothing under the key is left to move.
    ///
    /// `false` is no failure. The entry stays in the old store if it ends within two minutes, if the new
    /// store does not answer or does not take an entry so large, if somebody else is changing or moving it, and always
    /// with [`old_first`](Self::old_first): servers without the new store may be running. If whoever was moving
    /// it has died, the next call moves it.
    ///
    /// # Errors
    ///
    /// Those of the two stores. The entry counts, in one store or the other, whatever the error is.
    ///
    /// ```
    /// use cloakroom::Timestamp;
    /// use cloakroom::store::{CommitId, MemoryStore, Moving, NewEntry, SessionStore, StoreKey};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloakroom::store::StoreError> {
    /// let (from, to, key) = (MemoryStore::new(), MemoryStore::new(), StoreKey::from_bytes([7; 32]));
    /// from.create(&key, &NewEntry::new(CommitId::from_bytes([1; 8]), Timestamp::MAX, "a coat")).await?;
    ///
    /// assert!(Moving::new_first(from, to.clone()).advance(&key).await?);
    /// assert_eq!(to.load(&key).await?.expect("it has moved").bytes, "a coat");
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias("copy", "migrate"))]
    pub async fn advance(&self, key: &StoreKey) -> Result<bool, StoreError> {
        self.pair()?.advance(key).await
    }

    /// Returns how many loads the old store has answered in this process. The old store may be left once this
    /// stays at zero on all servers for as long as a session may be idle; the guide says how long exactly.
    /// It is logged too, at most once a minute.
    ///
    /// ```
    /// use cloakroom::store::{MemoryStore, Moving, SessionStore, StoreKey};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloakroom::store::StoreError> {
    /// let store = Moving::new_first(MemoryStore::new(), MemoryStore::new());
    /// assert!(store.load(&StoreKey::from_bytes([7; 32])).await?.is_none());
    /// assert_eq!(store.found_in_old(), 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn found_in_old(&self) -> u64 {
        self.shared.tally.found()
    }

    /// Returns this store with other settings. Clones that were made before keep theirs.
    fn with(self, change: impl FnOnce(&mut Shared)) -> Self {
        let mut shared = Shared::new(self.shared.step);
        shared.clock = self.shared.clock.clone();
        shared.entropy = self.shared.entropy;
        change(&mut shared);
        Self { shared: Arc::new(shared), ..self }
    }

    fn pair(&self) -> Result<Pair<'_>, StoreError> {
        if self.from.is_moving() || self.to.is_moving() {
            return Err(inside_another());
        }
        Ok(Pair { old: OldStore(&self.from), new: NewStore(&self.to), shared: &self.shared })
    }
}

#[async_trait]
impl<F: SessionStore, T: SessionStore> SessionStore for Moving<F, T> {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        self.pair()?.load(key).await
    }

    async fn create(&self, key: &StoreKey, entry: &NewEntry) -> Result<Created, StoreError> {
        refuse_ours(entry)?;
        self.pair()?.create(key, entry).await
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        entry: &NewEntry,
    ) -> Result<Replaced, StoreError> {
        refuse_ours(entry)?;
        self.pair()?.replace(key, expected, entry).await
    }

    async fn touch(
        &self,
        key: &StoreKey,
        expected: &Version,
        deadline: Timestamp,
    ) -> Result<Touched, StoreError> {
        self.pair()?.touch(key, expected, deadline).await
    }

    async fn delete(&self, key: &StoreKey) -> Result<(), StoreError> {
        self.pair()?.delete(key).await
    }

    fn may_evict(&self) -> bool {
        self.from.may_evict() || self.to.may_evict()
    }

    fn is_moving(&self) -> bool {
        true
    }
}
