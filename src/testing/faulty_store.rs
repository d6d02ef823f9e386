//! A store that fails on demand.

use std::future::pending;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::command::Commands;
use super::fault::{Boxed, Fault};
use super::script::{Next, Script};
use crate::clock::Timestamp;
use crate::events::CommandKind;
use crate::poison::IgnorePoison;
use crate::store::{
    Created, Entry, LoadedNear, NearLoad, NewEntry, Replaced, SessionStore, StoreError,
    StoreErrorKind, StoreKey, Touched, Version,
};

/// A store around another one that fails on demand: what does the app do in an outage, when the store is
/// slow, when an answer is lost?
///
/// It passes every command to the store inside until a test sets a [`Fault`]. Clones share the faults, so
/// give one to the layer and keep one. Commands meet, in this order:
///
/// 1. the faults of [`next`](Self::next) and [`nth`](Self::nth), each once, in the order in which they
///    were set;
/// 2. the rule that [`always`](Self::always) or [`outage`](Self::outage) has set last for this command;
/// 3. no fault.
///
/// A request that reads its session makes one `Load`. One that writes makes a `Create` for a new visitor, or
/// else a `Load` and a `Replace`; a login makes all three. [The promises](crate::guide::promises) have the
/// rest.
///
/// ```
/// # #[cfg(feature = "axum")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use axum::{Router, response::{Html, IntoResponse}, routing::get};
/// use cloakroom::testing::{FaultyStore, TestVisitor};
/// use cloakroom::{Key, Session, SessionLayer, store::MemoryStore};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
/// # runtime.block_on(async {
/// let store = FaultyStore::new(MemoryStore::new());
/// let sessions = SessionLayer::new(store.clone(), Key::generate()?)
///     .on_error(|_, _| Html("We are back in a moment.").into_response());
/// let app = Router::new()
///     .route("/", get(async |session: Session| session.insert("visited", &true)))
///     .layer(sessions);
///
/// let visitor = TestVisitor::new(app);
/// store.outage();
/// let response = visitor.get("/").await;
/// assert_eq!(response.status(), 503);
/// assert_eq!(response.text().await, "We are back in a moment.");
///
/// store.clear_faults();
/// assert_eq!(visitor.get("/").await.status(), 200);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })
/// # }
/// # #[cfg(not(feature = "axum"))]
/// # fn main() {}
/// ```
#[derive(Clone, Debug)]
pub struct FaultyStore {
    inner: Arc<dyn SessionStore>,
    script: Arc<Mutex<Script>>,
    late: Arc<LateCommands>,
}

/// The commands that wait to be delivered.
#[derive(Default)]
struct LateCommands(Mutex<Vec<Boxed<()>>>);

impl FaultyStore {
    /// Wraps `inner`, without a fault.
    ///
    /// ```
    /// use cloakroom::testing::FaultyStore;
    /// use cloakroom::{Key, SessionLayer, store::MemoryStore};
    ///
    /// let store = FaultyStore::new(MemoryStore::new());
    /// let layer = SessionLayer::new(store.clone(), Key::generate()?);
    /// assert!(format!("{layer:?}").contains("FaultyStore"));
    /// # Ok::<(), cloakroom::KeyError>(())
    /// ```
    pub fn new(inner: impl SessionStore) -> Self {
        Self { inner: Arc::new(inner), script: Arc::default(), late: Arc::default() }
    }

    /// Applies `fault` to the next of these commands. Several faults meet one command each, in turn.
    ///
    /// One fault is not always an error for the app: a new session whose `Create` is `Unavailable` is written
    /// again at once. Use [`always`](Self::always) for a store that stays away.
    ///
    /// ```
    /// use cloakroom::store::StoreErrorKind::Denied;
    /// use cloakroom::testing::{Fault, FaultyStore, CommandKind::Create, TestSession};
    /// use cloakroom::{Key, SessionLayer, store::MemoryStore};
    ///
    /// let store = FaultyStore::new(MemoryStore::new());
    /// let layer = SessionLayer::new(store.clone(), Key::generate()?);
    /// store.next(Create, Fault::Fail(Denied));
    ///
    /// let mut session = TestSession::in_layer(&layer);
    /// session.insert("name", "Ada")?;
    /// assert_eq!(session.commit_now().unwrap_err().status(), 500);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn next(&self, commands: impl Into<Commands>, fault: Fault) {
        self.nth(commands, 1, fault);
    }

    /// Applies `fault` to the `n`th of these commands from now, where 1 is the next one, as 0 is too.
    ///
    /// ```
    /// use cloakroom::store::StoreErrorKind::Unavailable;
    /// use cloakroom::testing::{Commands, Fault, FaultyStore, TestSession};
    /// use cloakroom::{Key, SessionLayer, store::MemoryStore};
    ///
    /// let store = FaultyStore::new(MemoryStore::new());
    /// let layer = SessionLayer::new(store.clone(), Key::generate()?);
    /// let mut session = TestSession::in_layer(&layer).with_value("visits", &1);
    ///
    /// store.nth(Commands::All, 2, Fault::Fail(Unavailable)); // the request has loaded already
    /// session.insert("visits", &2)?;
    /// assert!(session.commit_now().is_err()); // its write passes, and the load after it does not
    /// assert!(store.is_spent());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn nth(&self, commands: impl Into<Commands>, n: usize, fault: Fault) {
        self.script().push_once(commands.into(), n.saturating_sub(1), fault);
    }

    /// Applies `rule` to every one of these commands, once the faults of [`next`](Self::next) and
    /// [`nth`](Self::nth) are used up. A later rule takes the place of an earlier one for its commands.
    ///
    /// The rule makes a fault for each command, so it may count them or draw lots.
    ///
    /// ```
    /// use cloakroom::testing::{Fault, FaultyStore, CommandKind::Load, TestVisitor};
    /// use cloakroom::{Key, SessionLayer, store::MemoryStore};
    /// use std::time::Duration;
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    /// # runtime.block_on(async {
    /// let store = FaultyStore::new(MemoryStore::new());
    /// let layer = SessionLayer::new(store.clone(), Key::generate()?);
    /// let visitor = TestVisitor::new(());
    /// visitor.with_session(&layer, async |session| session.insert("name", "Ada")).await?;
    ///
    /// store.always(Load, || Fault::Delay(Duration::from_millis(20)));
    /// let began = std::time::Instant::now();
    /// visitor.with_session(&layer, async |session| session.get::<String>("name")).await?;
    /// assert!(began.elapsed() >= Duration::from_millis(20));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn always(
        &self,
        commands: impl Into<Commands>,
        rule: impl Fn() -> Fault + Send + Sync + 'static,
    ) {
        self.script().push_rule(commands.into(), Arc::new(rule));
    }

    /// Lets every command fail with [`Unavailable`](StoreErrorKind::Unavailable) until
    /// [`clear_faults`](Self::clear_faults), as a store that cannot be reached. The sessions stay.
    ///
    /// ```
    /// use cloakroom::testing::{FaultyStore, TestVisitor};
    /// use cloakroom::{Key, SessionLayer, store::MemoryStore};
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    /// # runtime.block_on(async {
    /// let store = FaultyStore::new(MemoryStore::new());
    /// let layer = SessionLayer::new(store.clone(), Key::generate()?);
    /// store.outage();
    /// let visitor = TestVisitor::new(());
    /// let login = visitor.with_session(&layer, async |session| session.log_in("ada").await).await;
    /// assert!(login.is_err_and(|error| error.is_outage()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn outage(&self) {
        self.always(Commands::All, || Fault::Fail(StoreErrorKind::Unavailable));
    }

    /// Removes all faults and rules. Commands that met [`Fault::Late`] still wait to be
    /// [delivered](Self::deliver).
    ///
    /// ```
    /// use cloakroom::store::MemoryStore;
    /// use cloakroom::testing::{Commands, Fault, FaultyStore};
    ///
    /// let store = FaultyStore::new(MemoryStore::new());
    /// store.next(Commands::All, Fault::Hang);
    /// store.clear_faults();
    /// assert!(store.is_spent());
    /// ```
    pub fn clear_faults(&self) {
        let faults = std::mem::take(&mut *self.script());
        // Dropped after the lock is left: an action may own anything.
        drop(faults);
    }

    /// Returns whether every fault of [`next`](Self::next) and [`nth`](Self::nth) has met its command: a
    /// test whose fault never happened has tested nothing.
    ///
    /// ```
    /// use cloakroom::store::MemoryStore;
    /// use cloakroom::testing::{Fault, FaultyStore, CommandKind};
    ///
    /// let store = FaultyStore::new(MemoryStore::new());
    /// assert!(store.is_spent());
    /// store.next(CommandKind::Touch, Fault::Hang);
    /// assert!(!store.is_spent());
    /// ```
    pub fn is_spent(&self) -> bool {
        self.script().is_spent()
    }

    /// Carries out the commands that met [`Fault::Late`], in their order.
    ///
    /// # Panics
    ///
    /// If no command is waiting: then the test did not do what it says.
    ///
    /// ```
    /// use cloakroom::testing::{Fault, FaultyStore, CommandKind::Replace, TestVisitor};
    /// use cloakroom::{Key, SessionLayer, store::MemoryStore};
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    /// # runtime.block_on(async {
    /// let store = FaultyStore::new(MemoryStore::new());
    /// let layer = SessionLayer::new(store.clone(), Key::generate()?);
    /// let visitor = TestVisitor::new(());
    /// visitor.with_session(&layer, async |session| session.insert("visits", &1)).await?;
    ///
    /// store.next(Replace, Fault::Late);
    /// visitor.with_session(&layer, async |session| session.insert("visits", &2)).await?;
    /// store.deliver().await; // the first attempt arrives after the second, and changes nothing
    /// let visits = visitor.with_session(&layer, async |session| session.get("visits")).await?;
    /// assert_eq!(visits, Some(2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn deliver(&self) {
        let late = std::mem::take(&mut *self.late.0.lock().ignore_poison());
        assert!(!late.is_empty(), "no command of this store is late");
        for command in late {
            command.await;
        }
    }

    fn script(&self) -> std::sync::MutexGuard<'_, Script> {
        self.script.lock().ignore_poison()
    }

    fn fault(&self, command: CommandKind) -> Fault {
        let next = self.script().next(command);
        match next {
            Next::Fault(fault) => fault,
            Next::Rule(rule) => rule(),
        }
    }

    async fn suffer<T: Send + 'static>(
        &self,
        command: CommandKind,
        operation: Boxed<Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        match self.fault(command) {
            Fault::Pass => operation.await,
            Fault::Delay(time) => {
                tokio::time::sleep(time).await;
                operation.await
            }
            Fault::Fail(kind) => Err(StoreError::new(kind, "the test has set this fault")),
            Fault::Hang => pending().await,
            Fault::LoseReply => {
                let _ = operation.await;
                Err(lost())
            }
            Fault::LoseRequest => Err(lost()),
            Fault::Late => {
                let late = Box::pin(async move { drop(operation.await) });
                self.late.0.lock().ignore_poison().push(late);
                Err(lost())
            }
            Fault::After(action) => {
                action.run().await;
                operation.await
            }
        }
    }
}

fn lost() -> StoreError {
    StoreError::new(StoreErrorKind::Indeterminate, "the test has lost the answer")
}

#[async_trait]
impl SessionStore for FaultyStore {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        let (inner, key) = (Arc::clone(&self.inner), *key);
        self.suffer(CommandKind::Load, Box::pin(async move { inner.load(&key).await })).await
    }

    async fn create(&self, key: &StoreKey, entry: &NewEntry) -> Result<Created, StoreError> {
        let (inner, key, entry) = (Arc::clone(&self.inner), *key, entry.clone());
        let operation = async move { inner.create(&key, &entry).await };
        self.suffer(CommandKind::Create, Box::pin(operation)).await
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        entry: &NewEntry,
    ) -> Result<Replaced, StoreError> {
        let (inner, key, entry) = (Arc::clone(&self.inner), *key, entry.clone());
        let expected = *expected;
        let operation = async move { inner.replace(&key, &expected, &entry).await };
        self.suffer(CommandKind::Replace, Box::pin(operation)).await
    }

    async fn touch(
        &self,
        key: &StoreKey,
        expected: &Version,
        deadline: Timestamp,
    ) -> Result<Touched, StoreError> {
        let (inner, key, expected) = (Arc::clone(&self.inner), *key, *expected);
        let operation = async move { inner.touch(&key, &expected, deadline).await };
        self.suffer(CommandKind::Touch, Box::pin(operation)).await
    }

    async fn delete(&self, key: &StoreKey) -> Result<(), StoreError> {
        let (inner, key) = (Arc::clone(&self.inner), *key);
        self.suffer(CommandKind::Delete, Box::pin(async move { inner.delete(&key).await })).await
    }

    /// A look that may be answered from memory meets the faults of loads.
    fn load_near<'a>(&'a self, key: &'a StoreKey) -> Option<NearLoad<'a>> {
        // Where the store has no such memory, the library calls `load`.
        drop(self.inner.load_near(key)?);
        let (inner, key) = (Arc::clone(&self.inner), *key);
        let operation = async move {
            match inner.load_near(&key) {
                Some(near) => near.await,
                None => inner.load(&key).await.map(LoadedNear::Fresh),
            }
        };
        Some(Box::pin(self.suffer(CommandKind::Load, Box::pin(operation))))
    }

    fn may_evict(&self) -> bool {
        self.inner.may_evict()
    }

    fn is_moving(&self) -> bool {
        self.inner.is_moving()
    }
}

impl std::fmt::Debug for LateCommands {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} late commands", self.0.lock().ignore_poison().len())
    }
}
