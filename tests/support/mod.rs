//! What the integration tests share: a house with a set clock, visitors who keep their cookies, and
//! stores that count and fail on demand.
#![allow(dead_code, unreachable_pub, unused_imports)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod client;
mod counting;
mod faulty;
mod trace;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use cloakroom::store::{CommitId, Entry, MemoryStore, NewEntry, SessionStore, StoreKey};
use cloakroom::{Key, ManualClock, SessionLayer, Timestamp};

pub use client::{Answer, Handled, Visitor, reply, respond};
pub use counting::{Command, Counting};
pub use faulty::{Fault, Faulty};
pub use trace::Trace;

pub const MINUTE: Duration = Duration::from_secs(60);
pub const HOUR: Duration = Duration::from_secs(60 * 60);
pub const COOKIE: &str = "__Host-id";

/// A layer over a store that counts and can be made to fail, at a time that stands still.
#[derive(Clone, Debug)]
pub struct House {
    pub clock: ManualClock,
    /// Without the counting and the failing.
    pub store: Arc<dyn SessionStore>,
    memory: Option<MemoryStore>,
    pub faulty: Faulty,
    pub counting: Counting,
    pub key: Key,
    pub layer: SessionLayer,
}

impl House {
    /// Over a memory store.
    pub fn open() -> Self {
        let clock = clock();
        let memory = MemoryStore::builder().clock(clock.clone()).build();
        let house = Self::over(Arc::new(memory.clone()), clock);
        Self { memory: Some(memory), ..house }
    }

    /// Over any store that has this clock.
    pub fn over(store: Arc<dyn SessionStore>, clock: ManualClock) -> Self {
        let faulty = Faulty::new(store.clone());
        let counting = Counting::new(faulty.clone());
        let key = Key::from_bytes(&[7; 32]).unwrap();
        let layer = SessionLayer::new(counting.clone(), key.clone()).clock(clock.clone());
        Self { clock, store, memory: None, faulty, counting, key, layer }
    }

    #[track_caller]
    pub fn memory(&self) -> &MemoryStore {
        self.memory.as_ref().expect("a house over a memory store")
    }

    /// With other options.
    pub fn with(mut self, change: impl FnOnce(SessionLayer) -> SessionLayer) -> Self {
        self.layer = change(self.layer);
        self
    }

    /// Somebody without a cookie.
    pub fn visitor(&self) -> Visitor {
        Visitor::new(self.layer.clone())
    }

    /// Somebody whose session holds `k = 1`; the commands of that are forgotten.
    pub async fn guest(&self) -> Visitor {
        let guest = self.visitor();
        let answer = guest.visit(async |session| session.insert("k", &1_u32)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        self.counting.take();
        guest
    }

    /// The entry under the key that the store was asked for last.
    pub async fn entry(&self) -> Entry {
        self.store.load(&self.counting.last_key()).await.unwrap().expect("an entry")
    }

    /// Puts other bytes under the key that the store was asked for last.
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

/// Runs every future to its end, in turns.
pub async fn all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|cx| {
        let mut pending = false;
        for (future, output) in &mut running {
            if output.is_none() {
                match future.as_mut().poll(cx) {
                    Poll::Ready(done) => *output = Some(done),
                    Poll::Pending => pending = true,
                }
            }
        }
        if pending { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    running.into_iter().filter_map(|(_, output)| output).collect()
}

/// Polls `future` at most `polls` times and then drops it, as when a client hangs up.
pub fn hang_up<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = Box::pin(future);
    let mut cx = Context::from_waker(Waker::noop());
    (0..polls).find_map(|_| match future.as_mut().poll(&mut cx) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    })
}

/// Lets everything that was spawned run to its end.
pub async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}
