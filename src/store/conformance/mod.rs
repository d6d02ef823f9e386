//! The contract of [`SessionStore`](crate::store::SessionStore) as tests, for everybody who writes a
//! store.
//!
//! Every sentence of the contract has at least one *law* here: an async function that tries the store
//! and returns `Ok` or the [`Violation`] it met, which names the sentence. Write a [`Harness`] that
//! tells how to reach the store and how time passes; [`store_conformance!`] then makes one `#[test]`
//! per law, so that a failure has a name:
//!
//! ```
//! use cloakroom::store::conformance::Harness;
//! use cloakroom::store::{MemoryStore, SessionStore, async_trait};
//! use cloakroom::{ManualClock, Timestamp};
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! struct Memory {
//!     clock: ManualClock,
//!     store: MemoryStore,
//! }
//!
//! impl Memory {
//!     fn new() -> Self {
//!         let clock = ManualClock::at(Timestamp::from_millis(1_700_000_000_000));
//!         Self { store: MemoryStore::builder().clock(clock.clone()).build(), clock }
//!     }
//! }
//!
//! #[async_trait]
//! impl Harness for Memory {
//!     async fn open(&self) -> Arc<dyn SessionStore> {
//!         Arc::new(self.store.clone())
//!     }
//!     fn now(&self) -> Timestamp {
//!         self.clock.now()
//!     }
//!     async fn advance(&self, by: Duration) {
//!         self.clock.advance(by);
//!     }
//!     fn max_entry_bytes(&self) -> Option<usize> {
//!         None
//!     }
//! }
//!
//! // One #[test] per law, each with a harness of its own.
//! cloakroom::store_conformance!(Memory::new());
//! # fn main() {
//! // One law by hand: `check` brings the runtime with it.
//! use cloakroom::store::conformance::{check, replace_after_delete_does_not_resurrect};
//! check(async { replace_after_delete_does_not_resurrect(&Memory::new()).await });
//! # }
//! ```
//!
//! # Against a real server
//!
//! The laws use random keys and leave the entries of others alone; nothing is ever flushed, and
//! many runs may share one server. What they leave behind expires within two hours, except for a
//! few entries that prove that far deadlines are kept. No law waits longer than two seconds for
//! something to expire. A server whose clock ticks in seconds says so with
//! [`Harness::resolution`].
//!
//! # What is not a law
//!
//! *Never repeated* and *failover* need a broken network or a broken server, which a store's own tests
//! have to bring. And laws about races find a race often, not always: run them many times.

mod cancellation;
mod concurrency;
mod damage;
mod entries;
mod expiry;
mod harness;
mod limits;
mod macros;
mod replacing;
mod run;
mod sentences;
mod touching;
mod trial;
mod violation;

#[doc(inline)]
pub use crate::store_conformance;
pub use harness::{Damage, Harness};
pub use run::{check, run_all, run_damage};
pub use violation::{Verdict, Violation};

/// Exports every law. A law that is missing from the lists is never used, and the compiler says so.
macro_rules! publish {
    ([] $($module:ident: $($law:ident)+;)+) => {
        $(pub use $module::{$($law),+};)+
    };
}
use publish;

crate::__store_laws!([crate::store::conformance::publish]);
crate::__store_damage_laws!([crate::store::conformance::publish]);
