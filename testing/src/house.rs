//! A layer over a store that counts its commands and can be made to fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use cloakroom::store::{CommitId, Entry, MemoryStore, NewEntry, SessionStore, StoreKey};
use cloakroom::{
    Backend, CookieOptions, CookieSessions, Key, KeyRing, ManualClock, Roster, SessionLayer,
    Timestamp,
};

use crate::patience::patient;
use crate::rosters::{RostersAside, roster_key};
use crate::{Counting, Faulty, Late, Visitor};

pub const MINUTE: Duration = Duration::from_secs(60);
pub const HOUR: Duration = Duration::from_secs(60 * 60);
pub const COOKIE: &str = "__Host-id";

/// A layer over a counting and a faulty store. Its clock stands still until a test sets it.
#[derive(Clone, Debug)]
pub struct House {
    pub clock: ManualClock,
    /// The store below the faulty and the counting one.
    pub store: Arc<dyn SessionStore>,
    memory: Option<MemoryStore>,
    pub faulty: Faulty,
    pub counting: Counting,
    pub key: Key,
    cookie: String,
    pub layer: SessionLayer,
    /// The options of every layer over this store, other servers' included.
    options: fn(SessionLayer) -> SessionLayer,
}

impl House {
    /// Opens a house over a memory store.
    pub fn open() -> Self {
        let clock = clock();
        let memory = MemoryStore::builder().clock(clock.clone()).build();
        let house = Self::over(Arc::new(memory.clone()), clock);
        Self { memory: Some(memory), ..house }
    }

    /// Opens a house over a store that its first command opens. `open` gets the house's clock.
    pub fn opening<S, F>(open: impl Fn(ManualClock) -> F + Send + Sync + 'static) -> Self
    where
        S: SessionStore,
        F: Future<Output = S> + Send + 'static,
    {
        let clock = clock();
        let store_clock = clock.clone();
        let house = Self::over(Arc::new(Late::new(move || open(store_clock.clone()))), clock);
        house.everywhere(patient)
    }

    /// Opens a house over any store that reads this clock.
    pub fn over(store: Arc<dyn SessionStore>, clock: ManualClock) -> Self {
        let faulty = Faulty::new(store.clone());
        let counting = Counting::new(faulty.clone());
        let key = Key::from_bytes(&[7; 32]).unwrap();
        let layer = SessionLayer::new(counting.clone(), key.clone()).clock(clock.clone());
        let (cookie, options) = (COOKIE.into(), std::convert::identity as fn(_) -> _);
        Self { clock, store, memory: None, faulty, counting, key, cookie, layer, options }
    }

    /// Gives these options to the layer, and to those of all other servers over the same store, in place of those before.
    pub fn everywhere(self, options: fn(SessionLayer) -> SessionLayer) -> Self {
        Self { layer: options(self.layer), options, ..self }
    }

    /// Returns the layer of another server: over this store, by these keys.
    pub fn server(&self, store: impl Into<Backend>, keys: impl Into<KeyRing>) -> SessionLayer {
        (self.options)(SessionLayer::new(store, keys).clock(self.clock.clone()))
    }

    /// Opens a house whose sessions travel in their own cookies. Its stores get no command.
    pub fn in_cookies(sessions: CookieSessions) -> Self {
        let house = Self::open();
        let layer = SessionLayer::new(sessions, house.key.clone()).clock(house.clock.clone());
        Self { layer, ..house }
    }

    #[track_caller]
    pub fn memory(&self) -> &MemoryStore {
        self.memory.as_ref().expect("a house over a memory store")
    }

    /// Has a cookie name that no other house has, so that it shares no roster with the houses over the same
    /// store. The layer's other options are the usual ones.
    pub fn apart(self) -> Self {
        static HOUSES: AtomicU64 = AtomicU64::new(0);
        let cookie = format!("__Host-id{}", HOUSES.fetch_add(1, Ordering::Relaxed));
        let layer = self.server(self.counting.clone(), self.key.clone());
        let house = Self { layer, cookie, ..self };
        let options = house.cookie_options();
        house.with(|layer| layer.cookie(options))
    }

    pub fn cookie_options(&self) -> CookieOptions {
        CookieOptions::builder().name(self.cookie.clone()).build().unwrap()
    }

    /// Returns the layer of another server over the same store, which neither counts nor fails.
    pub fn elsewhere(&self) -> SessionLayer {
        self.server(self.store.clone(), self.key.clone()).cookie(self.cookie_options())
    }

    pub fn roster_key(&self, principal: &str) -> StoreKey {
        roster_key(&self.cookie, principal)
    }

    /// Keeps a roster whose commands are neither counted nor made to fail, for tests of everything else.
    pub fn with_a_silent_roster(self) -> Self {
        let store = RostersAside::new(self.counting.clone(), self.store.clone());
        let layer = self.server(store, self.key.clone());
        Self { layer: layer.roster(Roster::default()), ..self }
    }

    /// Changes the layer's options.
    pub fn with(mut self, change: impl FnOnce(SessionLayer) -> SessionLayer) -> Self {
        self.layer = change(self.layer);
        self
    }

    /// Returns a visitor without a cookie.
    pub fn visitor(&self) -> Visitor {
        Visitor::new(self.layer.clone())
    }

    /// Returns a visitor whose session holds `k = 1`. The log does not contain the commands for
    /// that.
    pub async fn guest(&self) -> Visitor {
        let guest = self.visitor();
        let answer = guest.visit(async |session| session.insert("k", &1_u32)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        self.counting.take();
        guest
    }

    /// Returns the entry under the key of the last command.
    pub async fn entry(&self) -> Entry {
        self.store.load(&self.counting.last_key()).await.unwrap().expect("an entry")
    }

    /// Writes other bytes under the key of the last command.
    pub async fn overwrite(&self, bytes: impl Into<Bytes>) -> StoreKey {
        let key = self.counting.last_key();
        let entry = self.entry().await;
        static TAMPERED: AtomicU64 = AtomicU64::new(0);
        let commit = TAMPERED.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let commit = CommitId::from_bytes(commit);
        let new = NewEntry::new(commit, entry.deadline, bytes);
        self.store.replace(&key, &entry.version, &new).await.unwrap();
        key
    }
}

pub fn clock() -> ManualClock {
    ManualClock::at(Timestamp::from_millis(1_800_000_000_000))
}
