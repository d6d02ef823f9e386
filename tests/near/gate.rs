//! A store whose answers a test holds back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use cloakroom::Timestamp;
use cloakroom::store::{
    Created, Entry, MemoryStore, NewEntry, Replaced, SessionStore, StoreError, StoreErrorKind,
    StoreKey, Touched, Version,
};
use tokio::sync::watch;

/// Carries every command out at once. While a gate is closed, the answers of its commands wait there.
#[derive(Clone, Debug)]
pub(crate) struct Gated {
    inner: MemoryStore,
    breaks_loads: Arc<AtomicBool>,
    pub(crate) loads: Gate,
    pub(crate) writes: Gate,
}

#[derive(Clone, Debug)]
pub(crate) struct Gate {
    door: watch::Sender<Door>,
    waiting: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct Door {
    is_open: bool,
    /// The answers that have come since the gate was closed.
    came: usize,
    let_go: Vec<usize>,
}

impl Gated {
    pub(crate) fn new(inner: MemoryStore) -> Self {
        Self { inner, breaks_loads: Arc::default(), loads: Gate::new(), writes: Gate::new() }
    }

    /// Sets whether loads fail.
    pub(crate) fn break_loads(&self, breaks: bool) {
        self.breaks_loads.store(breaks, Ordering::SeqCst);
    }
}

impl Gate {
    fn new() -> Self {
        let door = Door { is_open: true, came: 0, let_go: Vec::new() };
        Self { door: watch::Sender::new(door), waiting: Arc::default() }
    }

    pub(crate) fn close(&self) {
        self.door.send_replace(Door { is_open: false, came: 0, let_go: Vec::new() });
    }

    pub(crate) fn open(&self) {
        self.door.send_modify(|door| door.is_open = true);
    }

    /// Lets one answer go, by its place among those that have come since the gate was closed.
    pub(crate) fn let_go(&self, place: usize) {
        self.door.send_modify(|door| door.let_go.push(place));
    }

    /// Returns how many answers wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    async fn pass<T>(&self, answer: T) -> T {
        let mut place = 0;
        self.door.send_modify(|door| {
            place = door.came;
            door.came += 1;
        });
        let _waits = Waits::at(self);
        let mut door = self.door.subscribe();
        let may_go = |door: &Door| door.is_open || door.let_go.contains(&place);
        door.wait_for(may_go).await.unwrap();
        answer
    }
}

/// Counts an answer that waits, until it goes or its command is dropped.
struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn at(gate: &'a Gate) -> Self {
        gate.waiting.fetch_add(1, Ordering::SeqCst);
        Self(&gate.waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl SessionStore for Gated {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        let answer = match self.breaks_loads.load(Ordering::SeqCst) {
            true => Err(StoreError::new(StoreErrorKind::Unavailable, "the test has broken it")),
            false => self.inner.load(key).await,
        };
        self.loads.pass(answer).await
    }

    async fn create(&self, key: &StoreKey, entry: &NewEntry) -> Result<Created, StoreError> {
        self.writes.pass(self.inner.create(key, entry).await).await
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        entry: &NewEntry,
    ) -> Result<Replaced, StoreError> {
        self.writes.pass(self.inner.replace(key, expected, entry).await).await
    }

    async fn touch(
        &self,
        key: &StoreKey,
        expected: &Version,
        deadline: Timestamp,
    ) -> Result<Touched, StoreError> {
        self.writes.pass(self.inner.touch(key, expected, deadline).await).await
    }

    async fn delete(&self, key: &StoreKey) -> Result<(), StoreError> {
        self.writes.pass(self.inner.delete(key).await).await
    }
}
