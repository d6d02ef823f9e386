//! The answer of a law.

use std::fmt;

/// The answer of a law.
pub type Verdict = Result<(), Violation>;

/// A sentence of the contract that a store broke.
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
/// #     fn max_entry_bytes(&self) -> Option<usize> { Some(100) }
/// # }
/// use cloakroom::store::conformance::the_limit_is_exact_and_nothing_is_cut;
///
/// # #[tokio::main]
/// # async fn main() {
/// // This harness says that the store takes 100 bytes and no more, which is not true.
/// let violation = the_limit_is_exact_and_nothing_is_cut(&Memory::new()).await.unwrap_err();
/// assert!(violation.to_string().contains("Over the limit is TooLarge"));
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Violation {
    sentence: &'static str,
    found: String,
}

impl Violation {
    /// Creates a violation. `found` tells what the store did instead.
    pub(super) fn new(sentence: &'static str, found: impl fmt::Display) -> Self {
        Self { sentence, found: found.to_string() }
    }

    /// Returns the sentence as it stands in the documentation of
    /// [`SessionStore`](crate::store::SessionStore), without its markup.
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
    /// #     fn max_entry_bytes(&self) -> Option<usize> { Some(100) }
    /// # }
    /// use cloakroom::store::conformance::the_limit_is_exact_and_nothing_is_cut;
    ///
    /// # #[tokio::main]
    /// # async fn main() {
    /// let violation = the_limit_is_exact_and_nothing_is_cut(&Memory::new()).await.unwrap_err();
    /// assert!(violation.sentence().starts_with("Over the limit is TooLarge"));
    /// # }
    /// ```
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
