//! A client that keeps cookies as a browser does.

use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, Uri};
use tower::Service;

use super::response::TestResponse;
use crate::browser::{CookieJar, visit};
use crate::error::SessionError;
use crate::middleware::SessionLayer;
use crate::session::Session;

/// A visitor of an app, with a browser's cookies.
///
/// The app is any tower service that can be cloned: an axum `Router`, or what a layer makes of a
/// `service_fn`. Nothing goes over a network. Each request gets the cookies that belong to its path, and
/// the cookies of the response are kept.
///
/// Clones share the cookies: they are tabs of one browser, whose requests may overlap.
/// [`copy`](Self::copy) is another browser with the same cookies, such as that of a thief.
///
/// # As in a browser
///
/// * A cookie is replaced or removed only by one with the same name, path and domain; `Max-Age=0` and an
///   `Expires` in the past remove it. A removal with another path leaves it, as in a browser.
/// * `Path` decides which requests get a cookie.
/// * Cookies whose name begins with `__Host-` or `__Secure-` are dropped without the attributes that the
///   prefix demands, and cookies over 4,096 bytes always.
/// * The visitor speaks HTTPS, unless you say [`plain_http`](Self::plain_http): then `Secure` cookies are
///   neither kept nor sent. (Browsers make an exception for `localhost`; this one does not.)
///
/// # Not modelled
///
/// * There is one host, and it belongs to every `Domain` that it names. Nothing checks that your domain is
///   right.
/// * There are no other sites, and no scripts: `SameSite`, `HttpOnly` and `Partitioned` have no effect.
/// * Tickets in a [header](crate::SessionLayer::header): only cookies are kept. Copy the header of a response into
///   the next request with [`send`](Self::send).
/// * Time: a cookie with a `Max-Age` is kept until something removes it. Sessions expire on the server.
/// * Redirects are not followed, and pages load no images or scripts. No header is added but `Cookie` (and
///   a form's `Content-Type`): `Host`, `Origin` and the rest are yours to set, with [`send`](Self::send).
///
/// ```
/// # #[cfg(feature = "axum")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use axum::{Router, routing::get};
/// use cloakroom::testing::TestVisitor;
/// use cloakroom::{Field, Key, Session, SessionError, SessionLayer, store::MemoryStore};
///
/// const VISITS: Field<u32> = Field::new("visits");
///
/// async fn count(session: Session) -> Result<String, SessionError> {
///     session.update(VISITS, |visits| *visits += 1)?;
///     Ok(format!("{:?}", session.get(VISITS)?))
/// }
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
/// # runtime.block_on(async {
/// let sessions = SessionLayer::new(MemoryStore::new(), Key::generate()?);
/// let visitor = TestVisitor::new(Router::new().route("/", get(count)).layer(sessions));
/// assert_eq!(visitor.get("/").await.text().await, "Some(1)");
/// assert_eq!(visitor.get("/").await.text().await, "Some(2)");
/// assert!(visitor.cookie("__Host-id").is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })
/// # }
/// # #[cfg(not(feature = "axum"))]
/// # fn main() {}
/// ```
#[derive(Clone)]
pub struct TestVisitor<S> {
    app: S,
    pub(super) jar: CookieJar,
}

impl<S> TestVisitor<S> {
    /// Creates a visitor of `app` without cookies. A test that only uses
    /// [`with_session`](Self::with_session) needs no app: `TestVisitor::new(())`.
    ///
    /// ```
    /// use cloakroom::testing::TestVisitor;
    ///
    /// assert!(TestVisitor::new(()).cookies().is_empty());
    /// ```
    pub fn new(app: S) -> Self {
        Self { app, jar: CookieJar::default() }
    }

    /// Lets the browser speak plain HTTP, where it neither keeps nor sends `Secure` cookies: a login that
    /// works over HTTPS is then lost at the next click.
    ///
    /// ```
    /// use cloakroom::testing::TestVisitor;
    /// use cloakroom::{Key, SessionLayer, store::MemoryStore};
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    /// # runtime.block_on(async {
    /// let layer = SessionLayer::new(MemoryStore::new(), Key::generate()?);
    /// let visitor = TestVisitor::new(()).plain_http();
    /// visitor.with_session(&layer, async |session| session.log_in("ada").await).await?;
    /// assert!(visitor.cookies().is_empty()); // the layer's cookie is `Secure`
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn plain_http(mut self) -> Self {
        self.jar.plain_http = true;
        self
    }

    /// Returns another browser with a copy of the present cookies, in front of the same app.
    ///
    /// ```
    /// use cloakroom::testing::TestVisitor;
    /// use cloakroom::{Key, SessionLayer, store::MemoryStore};
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    /// # runtime.block_on(async {
    /// let layer = SessionLayer::new(MemoryStore::new(), Key::generate()?);
    /// let visitor = TestVisitor::new(());
    /// visitor.with_session(&layer, async |session| session.log_in("ada").await).await?;
    ///
    /// let thief = visitor.copy();
    /// visitor.with_session(&layer, async |session| session.destroy().await).await?;
    /// let stolen = thief.with_session(&layer, async |session| Ok(session.principal())).await?;
    /// assert_eq!(stolen, None); // the logout has ended the thief's session too
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn copy(&self) -> Self
    where
        S: Clone,
    {
        let cookies = self.jar.with(|cookies| cookies.clone());
        let jar = CookieJar { cookies: Arc::new(Mutex::new(cookies)), ..self.jar.clone() };
        Self { app: self.app.clone(), jar }
    }

    /// Returns the same browser, which shares its cookies, in front of another app: a second server, or the
    /// same one after a restart.
    ///
    /// ```
    /// use cloakroom::testing::TestVisitor;
    ///
    /// let visitor = TestVisitor::new("one server");
    /// visitor.at("another server").set_cookie("name", "value");
    /// assert_eq!(visitor.cookie("name").as_deref(), Some("value"));
    /// ```
    #[must_use]
    pub fn at<T>(&self, app: T) -> TestVisitor<T> {
        TestVisitor { app, jar: self.jar.clone() }
    }
}

/// # Requests
impl<S> TestVisitor<S> {
    /// Sends a GET request without a body, and returns the response.
    ///
    /// The request's body is a `String`, which axum's routers and everything that is generic over bodies
    /// take. For a service that takes another one, use [`send`](Self::send).
    ///
    /// # Panics
    ///
    /// If `uri` cannot be parsed, or if the service itself returns an error, which no axum `Router` does.
    ///
    /// ```
    /// use cloakroom::testing::TestVisitor;
    /// use http::{Request, Response};
    /// use std::convert::Infallible;
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    /// # runtime.block_on(async {
    /// let app = tower::service_fn(async |request: Request<String>| {
    ///     Ok::<_, Infallible>(Response::new(request.uri().to_string()))
    /// });
    /// assert_eq!(TestVisitor::new(app).get("/cart?page=2").await.body(), "/cart?page=2");
    /// # });
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn get<B>(&self, uri: &str) -> TestResponse<B>
    where
        S: Service<Request<String>, Response = Response<B>> + Clone,
        S::Error: fmt::Debug,
    {
        self.send(request(Method::GET, uri, String::new())).await
    }

    /// Sends a POST request with `body` as a form does: its `Content-Type` is
    /// `application/x-www-form-urlencoded`. Everything else, such as JSON, goes with [`send`](Self::send).
    ///
    /// # Panics
    ///
    /// As [`get`](Self::get).
    ///
    /// ```
    /// # #[cfg(feature = "axum")]
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use axum::{Form, Router, routing::post};
    /// use cloakroom::testing::TestVisitor;
    /// use std::collections::HashMap;
    ///
    /// async fn greet(Form(form): Form<HashMap<String, String>>) -> String {
    ///     format!("Hello, {}!", form["name"])
    /// }
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    /// # runtime.block_on(async {
    /// let visitor = TestVisitor::new(Router::new().route("/", post(greet)));
    /// assert_eq!(visitor.post("/", "name=Ada").await.text().await, "Hello, Ada!");
    /// # });
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "axum"))]
    /// # fn main() {}
    /// ```
    pub async fn post<B>(&self, uri: &str, body: impl Into<String>) -> TestResponse<B>
    where
        S: Service<Request<String>, Response = Response<B>> + Clone,
        S::Error: fmt::Debug,
    {
        let mut request = request(Method::POST, uri, body.into());
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(CONTENT_TYPE, form);
        self.send(request).await
    }

    /// Sends any request, with any body, and returns the response as soon as its head is there.
    ///
    /// The visitor's cookies come in a `Cookie` header of their own, behind those that the request has.
    ///
    /// # Panics
    ///
    /// If the service itself returns an error, which no axum `Router` does. [`send_to`](Self::send_to) returns
    /// that error instead.
    ///
    /// ```
    /// use cloakroom::testing::TestVisitor;
    /// use http::{Request, Response};
    /// use std::convert::Infallible;
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    /// # runtime.block_on(async {
    /// let app = tower::service_fn(async |request: Request<Vec<u8>>| {
    ///     Ok::<_, Infallible>(Response::new(request.headers()["content-type"].clone()))
    /// });
    /// let upload = Request::put("/photo").header("content-type", "image/png").body(vec![0, 1, 2])?;
    /// let response = TestVisitor::new(app).send(upload).await;
    /// assert_eq!(response.body(), "image/png");
    /// # Ok::<(), http::Error>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[expect(clippy::panic, reason = "a test whose app breaks off must say so")]
    pub async fn send<A, B>(&self, request: Request<A>) -> TestResponse<B>
    where
        S: Service<Request<A>, Response = Response<B>> + Clone,
        S::Error: fmt::Debug,
    {
        let response = self.send_to(self.app.clone(), request).await;
        response.unwrap_or_else(|error| panic!("the service fails: {error:?}"))
    }

    /// Sends any request to another service than the visitor's app, and returns the service's error if it
    /// returns one.
    ///
    /// # Errors
    ///
    /// The error that the service returns. A response with a status such as 503 is `Ok`.
    ///
    /// ```
    /// use cloakroom::testing::TestVisitor;
    /// use http::{Request, Response};
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    /// # runtime.block_on(async {
    /// let broken = tower::service_fn(async |_: Request<()>| Err::<Response<()>, _>("no upstream"));
    /// let result = TestVisitor::new(()).send_to(broken, Request::new(())).await;
    /// assert_eq!(result.unwrap_err(), "no upstream");
    /// # });
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn send_to<T, A, B>(
        &self,
        mut service: T,
        mut request: Request<A>,
    ) -> Result<TestResponse<B>, T::Error>
    where
        T: Service<Request<A>, Response = Response<B>>,
    {
        let path = request.uri().path().to_owned();
        self.jar.add_to(request.headers_mut(), Some(&path));
        poll_fn(|cx| service.poll_ready(cx)).await?;
        // Boxed: the compiler works out how a future is laid out to a limited depth, and those of an app
        // and a test nest deeply as it is.
        let response = Box::pin(service.call(request)).await?;
        self.jar.keep(response.headers(), &path);
        Ok(TestResponse::new(response))
    }

    /// Opens the visitor's session in `layer`, lets `action` read and change it, and returns what the
    /// action returns: to log in without the login form, or to see what a request has left.
    ///
    /// It is a request through the real layer whose handler is `action`: what it changes is stored, and
    /// the cookie is kept.
    ///
    /// # Errors
    ///
    /// The action's, or that of the commit. Nothing is stored then, except by `save` and `destroy`.
    ///
    /// ```
    /// use cloakroom::testing::TestVisitor;
    /// use cloakroom::{Key, SessionLayer, store::MemoryStore};
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    /// # runtime.block_on(async {
    /// let layer = SessionLayer::new(MemoryStore::new(), Key::generate()?); // the app has a clone
    /// let visitor = TestVisitor::new(());
    /// visitor.with_session(&layer, async |session| session.log_in("ada").await).await?;
    /// let principal = visitor.with_session(&layer, async |session| Ok(session.principal())).await?;
    /// assert_eq!(principal.as_deref(), Some("ada"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn with_session<T, E>(
        &self,
        layer: &SessionLayer<E>,
        action: impl AsyncFnOnce(Session) -> Result<T, SessionError>,
    ) -> Result<T, SessionError> {
        let handler = async |lazy: crate::LazySession| action(lazy.load().await?).await;
        let mut response = visit(&layer.without_page(), &self.jar, handler).await;
        let error = response.extensions_mut().remove();
        // Without a value there always is an error, so the second one is never used.
        response.into_body().ok_or_else(|| error.unwrap_or(SessionError::MissingLayer))
    }
}

impl<S> fmt::Debug for TestVisitor<S> {
    /// Shows the names of the cookies, and no value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestVisitor").field("cookies", &self.jar).finish_non_exhaustive()
    }
}

#[expect(clippy::panic, reason = "a test with a wrong URI must say so")]
fn request(method: Method, uri: &str, body: String) -> Request<String> {
    let parsed = uri.parse::<Uri>();
    let parsed = parsed.unwrap_or_else(|error| panic!("{uri:?} is not a URI: {error}"));
    let mut request = Request::new(body);
    (*request.method_mut(), *request.uri_mut()) = (method, parsed);
    request
}
