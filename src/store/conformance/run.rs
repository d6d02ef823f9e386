//! Runs laws: one, or all of them.

use std::pin::Pin;
use std::time::Duration;

use super::harness::{Damage, Harness};
use super::sentences::ATOMIC;
use super::violation::{Verdict, Violation};
use super::{cancellation, concurrency, damage, entries, expiry, limits, replacing, touching};

/// The longest time for one law. No store should need a hundredth of it, also on a machine that is busy with
/// other things, so a law that has not ended by then never will.
const LONGEST_LAW: Duration = Duration::from_secs(300);

/// Runs one law to its end on a runtime of its own, so that tests need not bring one.
///
/// # Panics
///
/// When the law is broken, with the [`Violation`] as the message.
///
/// ```
/// # use cloakroom::store::conformance::Harness;
/// # use cloakroom::store::{MemoryStore, SessionStore};
/// # struct Memory(cloakroom::ManualClock, MemoryStore);
/// # impl Memory {
/// #     fn new() -> Self {
/// #         let clock = cloakroom::ManualClock::at(cloakroom::Timestamp::from_millis(1 << 40));
/// #         Self(clock.clone(), MemoryStore::builder().clock(clock).build())
/// #     }
/// # }
/// # #[cloakroom::store::async_trait]
/// # impl Harness for Memory {
/// #     async fn open(&self) -> std::sync::Arc<dyn SessionStore> { std::sync::Arc::new(self.1.clone()) }
/// #     fn now(&self) -> cloakroom::Timestamp { self.0.now() }
/// #     async fn advance(&self, by: std::time::Duration) { self.0.advance(by) }
/// #     fn max_entry_bytes(&self) -> Option<usize> { None }
/// # }
/// use cloakroom::store::conformance::{check, versions_never_repeat};
///
/// check(async { versions_never_repeat(&Memory::new()).await });
/// ```
#[expect(clippy::panic, reason = "that is how a test fails")]
pub fn check(law: impl Future<Output = Verdict>) {
    // Several threads, because a store that is not atomic may look so on one.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .unwrap_or_else(|error| panic!("the runtime for the law could not be built: {error}"));
    if let Err(violation) = runtime.block_on(within_time(law)) {
        panic!("{violation}");
    }
}

/// Runs every law except those of damage, one after the other, and returns how each went, by name.
///
/// Needs a tokio runtime with time enabled. A store that passes under
/// [`store_conformance!`](crate::store_conformance) passes here too; this is for reports, and for
/// tests of the laws themselves.
///
/// ```
/// # use cloakroom::store::conformance::Harness;
/// # use cloakroom::store::{MemoryStore, SessionStore};
/// # struct Memory(cloakroom::ManualClock, MemoryStore);
/// # impl Memory {
/// #     fn new() -> Self {
/// #         let clock = cloakroom::ManualClock::at(cloakroom::Timestamp::from_millis(1 << 40));
/// #         Self(clock.clone(), MemoryStore::builder().clock(clock).build())
/// #     }
/// # }
/// # #[cloakroom::store::async_trait]
/// # impl Harness for Memory {
/// #     async fn open(&self) -> std::sync::Arc<dyn SessionStore> { std::sync::Arc::new(self.1.clone()) }
/// #     fn now(&self) -> cloakroom::Timestamp { self.0.now() }
/// #     async fn advance(&self, by: std::time::Duration) { self.0.advance(by) }
/// #     fn max_entry_bytes(&self) -> Option<usize> { None }
/// # }
/// use cloakroom::store::conformance::run_all;
///
/// # #[tokio::main]
/// # async fn main() {
/// for (law, verdict) in run_all(&Memory::new()).await {
///     assert!(verdict.is_ok(), "{law}: {verdict:?}");
/// }
/// # }
/// ```
pub async fn run_all(harness: &dyn Harness) -> Vec<(&'static str, Verdict)> {
    run_in_turn(crate::__store_laws!([crate::store::conformance::run::list_laws] harness)).await
}

/// Runs the laws of damage, as [`run_all`] does the others.
///
/// ```no_run
/// use cloakroom::store::conformance::{Damage, run_damage};
///
/// # async fn report(harness: &dyn Damage) {
/// let reports = run_damage(harness).await;
/// assert!(reports.iter().all(|(_, verdict)| verdict.is_ok()), "{reports:?}");
/// # }
/// ```
pub async fn run_damage(harness: &dyn Damage) -> Vec<(&'static str, Verdict)> {
    run_in_turn(crate::__store_damage_laws!([crate::store::conformance::run::list_laws] harness))
        .await
}

type BoxedLaw<'h> = Pin<Box<dyn Future<Output = Verdict> + Send + 'h>>;

async fn run_in_turn(laws: Vec<(&'static str, BoxedLaw<'_>)>) -> Vec<(&'static str, Verdict)> {
    let mut reports = Vec::with_capacity(laws.len());
    for (name, law) in laws {
        reports.push((name, within_time(law).await));
    }
    reports
}

async fn within_time(law: impl Future<Output = Verdict>) -> Verdict {
    tokio::time::timeout(LONGEST_LAW, law).await.unwrap_or_else(|_| {
        Err(Violation::new(ATOMIC, format_args!("a command gave no answer within {LONGEST_LAW:?}")))
    })
}

macro_rules! list_laws {
    ([$harness:ident] $($module:ident: $($law:ident)+;)+) => {
        vec![$($((stringify!($law), Box::pin($module::$law($harness)) as BoxedLaw<'_>)),+),+]
    };
}
use list_laws;
