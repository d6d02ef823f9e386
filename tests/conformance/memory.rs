//! The memory store by itself, behind an `Arc`, and behind an `Arc<dyn SessionStore>`.

use std::sync::Arc;
use std::time::Duration;

use cloakroom::store::conformance::Harness;
use cloakroom::store::{MemoryStore, SessionStore};
use cloakroom::{ManualClock, Timestamp};

/// A store with a clock that the laws move.
struct Memory {
    clock: ManualClock,
    store: MemoryStore,
    wrap: fn(MemoryStore) -> Arc<dyn SessionStore>,
}

impl Memory {
    fn new(wrap: fn(MemoryStore) -> Arc<dyn SessionStore>) -> Self {
        let clock = ManualClock::at(Timestamp::from_millis(1_700_000_000_000));
        Self { store: MemoryStore::builder().clock(clock.clone()).build(), clock, wrap }
    }
}

#[async_trait::async_trait]
impl Harness for Memory {
    async fn open(&self) -> Arc<dyn SessionStore> {
        (self.wrap)(self.store.clone())
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    fn max_entry_bytes(&self) -> Option<usize> {
        None
    }
}

mod as_a_value {
    use super::*;
    cloakroom::store_conformance!(Memory::new(|store| Arc::new(store)));
}

mod as_an_arc {
    use super::*;
    cloakroom::store_conformance!(Memory::new(|store| Arc::new(Arc::new(store))));
}

mod as_an_arc_of_dyn {
    use super::*;
    cloakroom::store_conformance!(Memory::new(|store| {
        let chosen_at_run_time: Arc<dyn SessionStore> = Arc::new(store);
        Arc::new(chosen_at_run_time)
    }));
}
