//! The contract of [`SessionStore`] as tests, for everybody who writes a store.
//!
//! Every sentence of the contract has at least one *law* here: an async function that tries the
//! store and answers `Ok` or the [`Violation`] it met, which names the sentence. Say in a
//! [`Harness`] how to reach the store and how time passes; [`store_conformance!`] then stamps one
//! `#[test]` per law, so that a failure has a name:
//!
//! ```
//! use cloakroom::store::conformance::Harness;
//! use cloakroom::store::{MemoryStore, SessionStore};
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
//! #[async_trait::async_trait]
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
//! // One law by hand: `check` brings the runtime.
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
//! *Never repeated* and *failover* take a broken network or a broken server; a store's own tests
//! have to bring those. And laws that race find a race often, not always: run them many times.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{SessionStore, StoreKey};
use crate::clock::Timestamp;

mod cancellation;
mod concurrency;
mod contract;
mod damage;
mod entries;
mod expiry;
mod limits;
mod replacing;
mod stamp;
mod touching;
mod trial;

/// How the laws reach a store, and how time passes for it.
///
/// See the [module](self) for an example.
#[async_trait]
pub trait Harness: Send + Sync {
    /// Another handle onto the same entries, as another server of the app would have.
    ///
    /// A store that is shared within the process gives a clone; one that is reached over a network
    /// or a file system opens a new connection, which is the stronger test.
    async fn open(&self) -> Arc<dyn SessionStore>;

    /// The present moment, as the store sees it.
    fn now(&self) -> Timestamp;

    /// Lets at least this much time pass: moves the clock that the store reads, or really waits.
    async fn advance(&self, by: Duration);

    /// The most bytes of an entry that the store takes.
    ///
    /// There is no default, because a limit that is forgotten is not tested: with `None` the laws
    /// write 4 MiB.
    fn max_entry_bytes(&self) -> Option<usize>;

    /// By how much the store may round a deadline up, at most one second. It never rounds down,
    /// which would end sessions early.
    ///
    /// Default: not at all.
    fn resolution(&self) -> Duration {
        Duration::ZERO
    }
}

/// A [`Harness`] that can damage what the store keeps.
///
/// Of its own, because not every store can meet damage: what is in this process's memory is what
/// was put there. Stores that read bytes from elsewhere have it, and stamp the laws of damage with
/// `store_conformance!(harness, damage)`.
#[async_trait]
pub trait Damage: Harness {
    /// Makes the entry under this key one that the store cannot have written (cut off, bits
    /// changed, another program's).
    async fn corrupt(&self, key: &StoreKey);
}

/// What a law answers.
pub type Verdict = Result<(), Violation>;

/// A sentence of the contract that a store broke.
#[derive(Clone, Debug)]
pub struct Violation {
    sentence: &'static str,
    found: String,
}

impl Violation {
    /// The sentence, as it stands in the documentation of [`SessionStore`].
    pub fn sentence(&self) -> &'static str {
        self.sentence
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the store contract says: \"{}\" But {}.", self.sentence, self.found)
    }
}

impl std::error::Error for Violation {}

/// A law that is not decided by then will not be; no store should need a tenth of it.
const LONGEST_LAW: Duration = Duration::from_secs(60);

/// Runs one law to its end on a runtime of the kit's own, so that tests need not bring one.
///
/// # Panics
///
/// When the law is broken, with the [`Violation`] as the message.
#[expect(clippy::panic, reason = "that is how a test fails")]
pub fn check(law: impl Future<Output = Verdict>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .unwrap_or_else(|error| panic!("the kit's runtime: {error}"));
    if let Err(violation) = runtime.block_on(in_time(law)) {
        panic!("{violation}");
    }
}

/// Tries every law but those of damage, one after the other, and tells how each went, by name.
///
/// Needs a tokio runtime with time enabled. A store that passes under
/// [`store_conformance!`] passes here too; this is for reports, and for tests of the kit.
pub async fn run_all(harness: &dyn Harness) -> Vec<(&'static str, Verdict)> {
    in_turn(crate::__store_laws!([crate::store::conformance::listed] harness)).await
}

/// Tries the laws of damage, as [`run_all`] does the others.
pub async fn run_damage(harness: &dyn Damage) -> Vec<(&'static str, Verdict)> {
    in_turn(crate::__store_damage_laws!([crate::store::conformance::listed] harness)).await
}

type Trying<'h> = Pin<Box<dyn Future<Output = Verdict> + Send + 'h>>;

async fn in_turn(laws: Vec<(&'static str, Trying<'_>)>) -> Vec<(&'static str, Verdict)> {
    let mut reports = Vec::with_capacity(laws.len());
    for (name, law) in laws {
        reports.push((name, in_time(law).await));
    }
    reports
}

async fn in_time(law: impl Future<Output = Verdict>) -> Verdict {
    tokio::time::timeout(LONGEST_LAW, law).await.unwrap_or_else(|_| {
        Err(Violation {
            sentence: contract::ATOMIC,
            found: format!("some command gave no answer within {LONGEST_LAW:?}"),
        })
    })
}

macro_rules! listed {
    ([$harness:ident] $($module:ident: $($law:ident)+;)+) => {
        vec![$($((stringify!($law), Box::pin($law($harness)) as Trying<'_>)),+),+]
    };
}
use listed;

/// A law that is missing from the lists is unreachable, and the compiler says so.
macro_rules! publish {
    ([] $($module:ident: $($law:ident)+;)+) => {
        $(pub use $module::{$($law),+};)+
    };
}
use publish;

crate::__store_laws!([crate::store::conformance::publish]);
crate::__store_damage_laws!([crate::store::conformance::publish]);

#[doc(inline)]
pub use crate::store_conformance;
