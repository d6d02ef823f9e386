//! The faults that a command of a store can meet.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use crate::store::StoreErrorKind;

pub(super) type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A fault that one command of a [`FaultyStore`](crate::testing::FaultyStore) meets.
///
/// | fault | the command is applied | the caller learns |
/// |---|---|---|
/// | `Pass`, `Delay`, `After` | yes | the answer |
/// | `Fail` | no | an error of this kind |
/// | `Hang` | no | nothing, until its own time is over |
/// | `LoseReply` | yes | that it cannot be known |
/// | `LoseRequest` | no | that it cannot be known |
/// | `Late` | when [`deliver`](crate::testing::FaultyStore::deliver) is called | that it cannot be known |
///
/// After the last three the library finds out what became of the command by asking again.
///
/// ```
/// use cloakroom::testing::{Fault, FaultyStore, CommandKind::Create};
/// use cloakroom::{Key, SessionError, SessionLayer, store::MemoryStore};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
/// # runtime.block_on(async {
/// let store = FaultyStore::new(MemoryStore::new());
/// let layer = SessionLayer::new(store.clone(), Key::generate()?);
/// store.next(Create, Fault::LoseReply);
/// let visitor = cloakroom::testing::TestVisitor::new(());
/// visitor.with_session(&layer, async |session| session.insert("name", "Ada")).await?;
///
/// // The library has written the session again, under another id.
/// let name: Option<String> = visitor.with_session(&layer, async |session| session.get("name")).await?;
/// assert_eq!(name.as_deref(), Some("Ada"));
/// assert!(store.is_spent());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Fault {
    /// None: the command is carried out.
    Pass,
    /// The command is carried out after this time, which tokio's clock measures.
    Delay(Duration),
    /// The command fails with an error of this kind and is not applied.
    ///
    /// [`Unavailable`](StoreErrorKind::Unavailable) is what a store says that cannot be reached.
    Fail(StoreErrorKind),
    /// The command is never answered and not applied. The layer gives up after its
    /// [`command_timeout`](crate::SessionLayer::command_timeout).
    Hang,
    /// The command is applied, and its answer is lost.
    LoseReply,
    /// The command is lost, and the caller cannot tell that from a lost answer.
    LoseRequest,
    /// The answer is lost now, and the command is applied when
    /// [`deliver`](crate::testing::FaultyStore::deliver) is called: a write that was held up on its way.
    Late,
    /// Something else happens before the command, such as another request; see [`Fault::after`].
    After(Action),
}

/// Something that happens before a command; [`Fault::after`] makes it.
pub struct Action(Box<dyn FnOnce() -> Boxed<()> + Send>);

impl Fault {
    /// Lets `action` happen first, and then the command: for a race that a test could otherwise only hope
    /// for.
    ///
    /// The store runs the action as a part of the command, within the command's time.
    ///
    /// ```
    /// use cloakroom::testing::{Fault, FaultyStore, CommandKind::Replace, TestVisitor};
    /// use cloakroom::{Key, SessionLayer, store::MemoryStore};
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    /// # runtime.block_on(async {
    /// let store = FaultyStore::new(MemoryStore::new());
    /// let layer = SessionLayer::new(store.clone(), Key::generate()?);
    /// let tab = TestVisitor::new(());
    /// tab.with_session(&layer, async |session| session.insert("visits", &1)).await?;
    ///
    /// // The other tab's request is quicker: it comes between this one's load and its write.
    /// let (other_tab, other_layer) = (tab.clone(), layer.clone());
    /// store.next(Replace, Fault::after(move || async move {
    ///     let insert = async |session: cloakroom::Session| session.insert("visits", &2);
    ///     other_tab.with_session(&other_layer, insert).await.unwrap();
    /// }));
    /// tab.with_session(&layer, async |session| session.update("visits", |visits: &mut u32| *visits += 1)).await?;
    /// let visits = tab.with_session(&layer, async |session| session.get("visits")).await?;
    /// assert_eq!(visits, Some(3));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn after<F>(action: impl FnOnce() -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::After(Action(Box::new(|| Box::pin(action()))))
    }
}

impl Action {
    pub(super) fn run(self) -> Boxed<()> {
        (self.0)()
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Action(..)")
    }
}
