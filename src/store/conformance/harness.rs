//! The way from the laws to a store.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::id::StoreKey;
use crate::store::contract::SessionStore;

/// Tells the laws how to reach a store, and lets time pass for it.
///
/// The [module](crate::store::conformance) has an example.
#[async_trait]
pub trait Harness: Send + Sync {
    /// Opens another handle on the same entries, as another server of the app would have.
    ///
    /// A store that is shared within the process gives a clone. One that is reached over a network or
    /// a file system should open a new connection, which is the stronger test.
    async fn open(&self) -> Arc<dyn SessionStore>;

    /// Returns the current time, as the store sees it.
    fn now(&self) -> Timestamp;

    /// Lets at least this much time pass: moves the clock that the store reads, or really waits.
    async fn advance(&self, by: Duration);

    /// Returns the most bytes of an entry that the store takes, or `None` when it has no limit.
    ///
    /// There is no default, because a limit that is forgotten is not tested: with `None` the laws
    /// write 4 MiB.
    fn max_entry_bytes(&self) -> Option<usize>;

    /// Returns by how much the store may round a deadline up, at most one second. A store never rounds
    /// down, which would end sessions early.
    ///
    /// Default: not at all.
    fn resolution(&self) -> Duration {
        Duration::ZERO
    }
}

/// A [`Harness`] that can damage what the store keeps.
///
/// It is a trait of its own because not every store can be damaged: the memory of this process holds
/// exactly the entries that were put there. A store that reads bytes from elsewhere should have it, and
/// get the laws of damage by `store_conformance!(harness, damage)`.
///
/// ```
/// # use cloakroom::Timestamp;
/// # use cloakroom::store::conformance::Harness;
/// # use cloakroom::store::{MemoryStore, SessionStore};
/// # use std::sync::Arc;
/// # use std::time::Duration;
/// use cloakroom::store::conformance::Damage;
/// use cloakroom::store::{StoreKey, async_trait};
///
/// struct Folder(std::path::PathBuf);
///
/// # #[async_trait]
/// # impl Harness for Folder {
/// #     async fn open(&self) -> Arc<dyn SessionStore> { Arc::new(MemoryStore::new()) }
/// #     fn now(&self) -> Timestamp { cloakroom::Clock::system().now() }
/// #     async fn advance(&self, by: Duration) { tokio::time::sleep(by).await }
/// #     fn max_entry_bytes(&self) -> Option<usize> { None }
/// # }
/// #[async_trait]
/// impl Damage for Folder {
///     async fn corrupt(&self, key: &StoreKey) {
///         let name = format!("{:02x}", key.as_bytes()[0]);
///         std::fs::write(self.0.join(name), "not an entry").expect("the file can be written");
///     }
/// }
/// ```
#[async_trait]
pub trait Damage: Harness {
    /// Makes the entry under this key one that the store cannot have written: cuts it off, changes
    /// bits, or puts another program's bytes in its place.
    async fn corrupt(&self, key: &StoreKey);
}
