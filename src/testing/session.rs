//! A session without HTTP, for unit tests of what takes a `&Session`.

use std::convert::Infallible;
use std::fmt;
use std::ops::Deref;
use std::pin::{Pin, pin};
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use http::header::SET_COOKIE;
use http::{HeaderMap, Request, Response, StatusCode};
use serde::Serialize;
use tokio::sync::oneshot;
use tower::Service;
use tower_layer::Layer;

use super::outcome::Outcome;
use crate::browser::{CookieJar, HandlerService};
use crate::error::SessionError;
use crate::id::StoreKey;
use crate::keys::Key;
use crate::middleware::SessionLayer;
use crate::poison::IgnorePoison;
use crate::session::{FieldOf, LazySession, Session};
use crate::store::{MemoryStore, Version};

/// A [`Session`] without HTTP, for unit tests of a function that takes one.
///
/// It dereferences to the session of a request that is under way, so `&test` is a `&Session`.
/// [`commit`](Self::commit) ends that request as the layer does after a handler, tells what became of the
/// session, and begins the next request, which loads the session again. So a test looks at what is stored
/// and not at what the function seemed to do.
///
/// The methods of `Session` that are not async, [`commit_now`](Self::commit_now) and the constructors work
/// in a plain `#[test]` too, where the store is a [`MemoryStore`].
///
/// A `TestSession` that is dropped without a commit is a request that broke off: nothing of it is stored. To
/// look what a function that failed has left, use [`fail`](Self::fail).
///
/// ```
/// use cloakroom::testing::TestSession;
/// use cloakroom::{Field, Session, SessionError};
///
/// const CART: Field<Vec<String>> = Field::new("cart");
///
/// fn add_to_cart(session: &Session, item: &str) -> Result<(), SessionError> {
///     let item = item.to_owned();
///     session.update(CART, move |cart| cart.push(item.clone()))
/// }
///
/// let mut session = TestSession::new().with_value(CART, &vec!["apple".to_owned()]);
/// add_to_cart(&session, "pear")?;
///
/// let outcome = session.commit_now()?;
/// assert_eq!(session.get(CART)?, Some(vec!["apple".to_owned(), "pear".to_owned()]));
/// assert!(!outcome.saved() && !outcome.renewed());
/// # Ok::<(), SessionError>(())
/// ```
pub struct TestSession {
    layer: SessionLayer,
    jar: CookieJar,
    session: Session,
    /// `None` after a commit that could not begin the next request.
    open: Option<OpenRequest>,
}

/// A request whose handler has not returned yet.
struct OpenRequest {
    lazy: LazySession,
    /// Its `Cookie` headers.
    cookies: HeaderMap,
    /// The record as it was when the request began.
    began_as: Option<(StoreKey, Version)>,
    /// Lets the handler return, with this status.
    answer: oneshot::Sender<StatusCode>,
    /// In a lock only to be `Sync`, so that a test may hand `&TestSession` to another thread.
    response: Mutex<Responding>,
}

type Responding = Pin<Box<dyn Future<Output = Result<Response<()>, Infallible>> + Send>>;

impl TestSession {
    /// Begins the first request of a new visitor, over a memory store of its own.
    ///
    /// # Panics
    ///
    /// If the operating system returns no random bytes for a key.
    ///
    /// ```
    /// use cloakroom::testing::TestSession;
    ///
    /// let session = TestSession::new();
    /// assert!(session.is_new());
    /// assert_eq!(session.principal(), None);
    /// ```
    #[expect(clippy::expect_used, reason = "no test can run without random bytes")]
    pub fn new() -> Self {
        let key = Key::generate().expect("the operating system returns no random bytes");
        Self::in_layer(&SessionLayer::new(MemoryStore::new(), key))
    }

    /// Begins the first request of a new visitor in this layer, with its store, clock and time-outs. The layer
    /// must have a cookie: a ticket in a [header](crate::SessionLayer::header) is not brought to the next request.
    ///
    /// ```
    /// use cloakroom::testing::TestSession;
    /// use cloakroom::{Key, ManualClock, SessionLayer, Timestamp, store::MemoryStore};
    /// use std::time::Duration;
    ///
    /// let clock = ManualClock::at(Timestamp::from_millis(1_700_000_000_000));
    /// let store = MemoryStore::builder().clock(clock.clone()).build();
    /// let layer = SessionLayer::new(store, Key::generate()?).clock(clock.clone());
    ///
    /// let mut session = TestSession::in_layer(&layer).logged_in_as("ada");
    /// clock.advance(Duration::from_secs(31 * 60));
    /// session.commit_now()?; // the next request finds no session any more
    /// assert_eq!(session.principal(), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[expect(clippy::expect_used, reason = "without a cookie, no store is asked")]
    pub fn in_layer<E>(layer: &SessionLayer<E>) -> Self {
        let layer = layer.without_page();
        let jar = CookieJar::default();
        let (session, open) = now(begin(&layer, &jar)).expect("a session without a cookie");
        Self { layer, jar, session, open: Some(open) }
    }

    /// Stores a value in an earlier request, so that the function under test finds it.
    ///
    /// # Panics
    ///
    /// If the value cannot be stored, or the store does not answer at once, as a server does not.
    ///
    /// ```
    /// use cloakroom::testing::TestSession;
    ///
    /// let session = TestSession::new().with_value("name", "Ada").with_value("visits", &3);
    /// assert_eq!(session.get("name")?, Some("Ada".to_owned()));
    /// assert!(!session.is_new());
    /// # Ok::<(), cloakroom::SessionError>(())
    /// ```
    #[expect(clippy::expect_used, reason = "a test whose session cannot be prepared must say so")]
    #[must_use]
    pub fn with_value<T: Serialize + ?Sized>(mut self, key: impl FieldOf<T>, value: &T) -> Self {
        self.insert(key, value).expect("the value cannot be encoded");
        self.commit_now().expect("the value is not stored");
        self
    }

    /// Logs a principal in, in an earlier request.
    ///
    /// # Panics
    ///
    /// If the login fails, or the store does not answer at once, as a server does not.
    ///
    /// ```
    /// use cloakroom::testing::TestSession;
    ///
    /// let session = TestSession::new().logged_in_as("ada");
    /// assert_eq!(session.principal().as_deref(), Some("ada"));
    /// ```
    #[expect(clippy::expect_used, reason = "a test whose session cannot be prepared must say so")]
    #[must_use]
    pub fn logged_in_as(mut self, principal: impl fmt::Display) -> Self {
        now(self.log_in(principal)).expect("the login is refused");
        self.commit_now().expect("the login is not stored");
        self
    }

    /// Returns the session of the present request, for a function that takes it by value.
    ///
    /// ```
    /// use cloakroom::testing::TestSession;
    /// use cloakroom::{Session, SessionError};
    ///
    /// async fn login(session: Session) -> Result<(), SessionError> {
    ///     session.log_in("ada").await
    /// }
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    /// # runtime.block_on(async {
    /// let test = TestSession::new();
    /// login(test.session()).await?;
    /// assert_eq!(test.principal().as_deref(), Some("ada"));
    /// # Ok::<(), SessionError>(())
    /// # })?;
    /// # Ok::<(), SessionError>(())
    /// ```
    pub fn session(&self) -> Session {
        self.session.clone()
    }

    /// Returns the lazy session of the present request, for a function that takes one. It is loaded already.
    ///
    /// # Panics
    ///
    /// After a [`commit`](Self::commit) that could not load the session of the next request.
    ///
    /// ```
    /// use cloakroom::testing::TestSession;
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    /// # runtime.block_on(async {
    /// let mut session = TestSession::new().logged_in_as("ada");
    /// session.lazy().destroy().await?;
    /// assert!(session.commit().await?.ended());
    /// # Ok::<(), cloakroom::SessionError>(())
    /// # })?;
    /// # Ok::<(), cloakroom::SessionError>(())
    /// ```
    #[expect(clippy::expect_used, reason = "a test that goes on after a failed load must say so")]
    pub fn lazy(&self) -> LazySession {
        self.open.as_ref().expect("the last commit has begun no request").lazy.clone()
    }

    /// Ends the request as the layer does after a handler that succeeded, and begins the next one.
    ///
    /// After it this is the session of the next request, loaded with the cookies that the response has
    /// brought. Clones that the function under test has kept are handles that have outlived their request.
    ///
    /// It loads up to two sessions after the commit: the next request's, and the old one for the outcome.
    /// Count them when you set faults for `Load`.
    ///
    /// # Errors
    ///
    /// The commit's: what the client would have got instead of the handler's response. Or else that of the
    /// load of the next request. After the latter, the next `commit` tries to load again.
    ///
    /// ```
    /// use cloakroom::testing::TestSession;
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    /// # runtime.block_on(async {
    /// let mut session = TestSession::new().with_value("cart", &["apple"]);
    /// session.log_in("ada").await?;
    ///
    /// let outcome = session.commit().await?;
    /// assert!(outcome.renewed()); // the login has changed the id
    /// assert!(session.contains("cart")?);
    /// # Ok::<(), cloakroom::SessionError>(())
    /// # })?;
    /// # Ok::<(), cloakroom::SessionError>(())
    /// ```
    pub async fn commit(&mut self) -> Result<Outcome, SessionError> {
        self.answer(StatusCode::OK).await
    }

    /// [`commit`](Self::commit) for a plain `#[test]`, which cannot wait.
    ///
    /// # Errors
    ///
    /// As [`commit`](Self::commit).
    ///
    /// # Panics
    ///
    /// If the store does not answer at once, as a server does not. A [`MemoryStore`] does. A
    /// [fault](crate::testing::FaultyStore) may have the library wait before it tries again.
    ///
    /// ```
    /// use cloakroom::testing::TestSession;
    ///
    /// let mut session = TestSession::new();
    /// session.insert("name", "Ada")?;
    /// session.commit_now()?;
    /// assert_eq!(session.get("name")?, Some("Ada".to_owned()));
    /// # Ok::<(), cloakroom::SessionError>(())
    /// ```
    pub fn commit_now(&mut self) -> Result<Outcome, SessionError> {
        now(self.commit())
    }

    /// Ends the request as the layer does after a handler that failed (500), and begins the next one: what
    /// was changed is not stored, except by [`save`](Session::save) and [`destroy`](Session::destroy).
    ///
    /// # Errors
    ///
    /// That of the load of the next request.
    ///
    /// ```
    /// use cloakroom::testing::TestSession;
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    /// # runtime.block_on(async {
    /// let mut session = TestSession::new().with_value("name", "Ada");
    /// session.insert("name", "Bob")?;
    /// session.fail().await?;
    /// assert_eq!(session.get("name")?, Some("Ada".to_owned()));
    /// # Ok::<(), cloakroom::SessionError>(())
    /// # })?;
    /// # Ok::<(), cloakroom::SessionError>(())
    /// ```
    pub async fn fail(&mut self) -> Result<Outcome, SessionError> {
        self.answer(StatusCode::INTERNAL_SERVER_ERROR).await
    }

    async fn answer(&mut self, status: StatusCode) -> Result<Outcome, SessionError> {
        let ended = match self.open.take() {
            Some(open) => Some(self.end(open, status).await),
            None => None,
        };
        let (session, open) = match (begin(&self.layer, &self.jar).await, &ended) {
            (Ok(next), _) => next,
            (Err(_), Some(Ended { error: Some(error), .. })) => return Err(error.clone()),
            (Err(error), _) => return Err(error),
        };
        (self.session, self.open) = (session, Some(open));
        let Some(ended) = ended else { return Ok(Outcome::default()) };
        if let Some(error) = ended.error {
            return Err(error);
        }
        let mut outcome = ended.outcome;
        if let Some(cookies) = ended.cookies {
            let fate = look_again(&self.layer, cookies).await?;
            outcome.renewed = fate == Fate::Moved;
            // A cookie that holds its session is good for ever, but the browser has forgotten it.
            outcome.ended =
                fate == Fate::Over || (fate == Fate::Unchanged && self.session.is_new());
        }
        Ok(outcome)
    }

    /// Lets the handler of `open` return, and keeps the cookies of the response.
    async fn end(&self, open: OpenRequest, status: StatusCode) -> Ended {
        let began_as = open.began_as;
        let saved = self.session.stored_as() != began_as && !self.session.is_new();
        // Nobody else has the receiver, which is in the future.
        let _ = open.answer.send(status);
        let Ok(mut response) = open.response.into_inner().ignore_poison().await;
        self.jar.keep(response.headers(), "/");
        let set_cookies = response.headers().get_all(SET_COOKIE).iter().cloned().collect();
        Ended {
            error: response.extensions_mut().remove(),
            cookies: began_as.map(|_| open.cookies),
            outcome: Outcome { saved, set_cookies, ..Outcome::default() },
        }
    }
}

/// A request whose response has come.
struct Ended {
    error: Option<SessionError>,
    /// The cookies that it came with, if they led to a session.
    cookies: Option<HeaderMap>,
    /// As far as it can be known before the session is loaded again.
    outcome: Outcome,
}

/// The place where the cookies of an ended request lead now.
#[derive(PartialEq)]
enum Fate {
    Unchanged,
    Moved,
    Over,
}

/// Begins a request that stays open until it is told to answer, and loads its session.
async fn begin(
    layer: &SessionLayer,
    jar: &CookieJar,
) -> Result<(Session, OpenRequest), SessionError> {
    let mut cookies = HeaderMap::new();
    jar.add_to(&mut cookies, None);
    let (answer, answered) = oneshot::channel();
    let (mut answered, mut lazy) = (Some(answered), None);
    let service = HandlerService(|given: Option<LazySession>| {
        lazy = given;
        let answered = answered.take();
        async move {
            let mut response = Response::new(());
            // Without an answer the test has dropped the request, and this future with it.
            if let Some(answered) = answered
                && let Ok(status) = answered.await
            {
                *response.status_mut() = status;
            }
            Ok(response)
        }
    });
    let response = layer.layer(service).call(request_with(cookies.clone()));
    let lazy = lazy.ok_or(SessionError::MissingLayer)?;
    let session = lazy.load().await?;
    let began_as = session.stored_as();
    let response = Mutex::new(Box::pin(response) as Responding);
    Ok((session, OpenRequest { lazy, cookies, began_as, answer, response }))
}

/// Looks where the session of an earlier request has gone, without using it.
async fn look_again(layer: &SessionLayer, cookies: HeaderMap) -> Result<Fate, SessionError> {
    let mut lazy = None;
    let service = HandlerService(|given: Option<LazySession>| {
        lazy = given;
        async { Ok(Response::new(())) }
    });
    // Dropped with the request at the end: a request that broke off.
    let _response = layer.layer(service).call(request_with(cookies));
    let session = lazy.ok_or(SessionError::MissingLayer)?.peek().await?;
    Ok(match () {
        () if session.has_moved() => Fate::Moved,
        () if session.is_new() => Fate::Over,
        () => Fate::Unchanged,
    })
}

fn request_with(cookies: HeaderMap) -> Request<()> {
    let mut request = Request::new(());
    *request.headers_mut() = cookies;
    request
}

/// Returns what a future has at its first poll. Those of a layer over a memory store have everything.
#[expect(clippy::panic, reason = "a test that has to wait must say so")]
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the store does not answer at once; use `commit().await`"),
    }
}

impl Default for TestSession {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for TestSession {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl fmt::Debug for TestSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TestSession").field(&self.session).finish()
    }
}
