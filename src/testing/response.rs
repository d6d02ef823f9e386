//! A response, and its body as text.

use std::fmt;
use std::future::poll_fn;
use std::ops::Deref;
use std::pin::pin;

use bytes::{Buf, Bytes};
use http::Response;
use http_body::Body;

use crate::error::SessionError;

/// A response to a [`TestVisitor`](crate::testing::TestVisitor).
///
/// It dereferences to the [`http::Response`], for the status, the headers and the extensions. The body has
/// not been read yet, so it may be a stream. [`text`](Self::text) and [`bytes`](Self::bytes) read it to its
/// end.
///
/// ```
/// use cloakroom::testing::TestVisitor;
/// use http::{Request, Response};
/// use std::convert::Infallible;
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
/// # runtime.block_on(async {
/// let echo = tower::service_fn(async |request: Request<String>| {
///     Ok::<_, Infallible>(Response::new(request.into_body()))
/// });
/// let response = TestVisitor::new(echo).post("/", "name=Ada").await;
/// assert_eq!(response.status(), 200);
/// assert_eq!(response.text().await, "name=Ada");
/// # });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TestResponse<B>(Response<B>);

impl<B> TestResponse<B> {
    pub(super) fn new(response: Response<B>) -> Self {
        Self(response)
    }

    /// Returns the response as the app has made it.
    ///
    /// ```
    /// use cloakroom::testing::TestVisitor;
    /// use http::{Request, Response};
    /// use std::convert::Infallible;
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    /// # runtime.block_on(async {
    /// let app = tower::service_fn(async |_: Request<String>| {
    ///     Ok::<_, Infallible>(Response::new(7))
    /// });
    /// let response = TestVisitor::new(app).get("/").await.into_inner();
    /// assert_eq!(response.into_body(), 7);
    /// # });
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn into_inner(self) -> Response<B> {
        self.0
    }

    /// Returns the session's error behind this response, if there is one. A real client sees only the status.
    ///
    /// ```
    /// use cloakroom::testing::{FaultyStore, TestVisitor};
    /// use cloakroom::{Key, LazySession, SessionError, SessionLayer, store::MemoryStore};
    /// use http::{Request, Response};
    /// use tower::Layer;
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    /// # runtime.block_on(async {
    /// let store = FaultyStore::new(MemoryStore::new());
    /// let layer = SessionLayer::new(store.clone(), Key::generate()?);
    /// let app = layer.layer(tower::service_fn(async |request: Request<String>| {
    ///     let lazy = request.extensions().get::<LazySession>().ok_or(SessionError::MissingLayer)?;
    ///     lazy.load().await?.insert("visited", &true)?;
    ///     Ok::<_, SessionError>(Response::new(String::new()))
    /// }));
    /// store.outage();
    /// let response = TestVisitor::new(app).get("/").await;
    /// assert_eq!(response.status(), 503);
    /// assert!(response.session_error().is_some_and(|error| error.is_outage()));
    /// # Ok::<(), cloakroom::KeyError>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn session_error(&self) -> Option<&SessionError> {
        self.0.extensions().get()
    }
}

impl<B> TestResponse<B>
where
    B: Body,
    B::Error: fmt::Debug,
{
    /// Reads the body to its end. One that never ends, such as a stream of events, is read for ever.
    ///
    /// # Panics
    ///
    /// If the body fails.
    ///
    /// ```
    /// use cloakroom::testing::TestVisitor;
    /// use http::{Request, Response};
    /// use std::convert::Infallible;
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    /// # runtime.block_on(async {
    /// let app = tower::service_fn(async |_: Request<String>| {
    ///     Ok::<_, Infallible>(Response::new("page".to_owned()))
    /// });
    /// assert_eq!(TestVisitor::new(app).get("/").await.bytes().await, "page");
    /// # });
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[expect(clippy::panic, reason = "a test whose response breaks off must say so")]
    pub async fn bytes(self) -> Bytes {
        let mut body = pin!(self.0.into_body());
        let mut bytes = Vec::new();
        while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
            let frame =
                frame.unwrap_or_else(|error| panic!("the response's body fails: {error:?}"));
            if let Ok(mut data) = frame.into_data() {
                bytes.extend_from_slice(&data.copy_to_bytes(data.remaining()));
            }
        }
        bytes.into()
    }

    /// Reads the body to its end, as UTF-8. Invalid bytes become U+FFFD.
    ///
    /// # Panics
    ///
    /// As [`bytes`](Self::bytes).
    ///
    /// ```
    /// use cloakroom::testing::TestVisitor;
    /// use http::{Request, Response};
    /// use std::convert::Infallible;
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    /// # runtime.block_on(async {
    /// let app = tower::service_fn(async |request: Request<String>| {
    ///     Ok::<_, Infallible>(Response::new(request.uri().path().to_owned()))
    /// });
    /// assert_eq!(TestVisitor::new(app).get("/cart").await.text().await, "/cart");
    /// # });
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn text(self) -> String {
        String::from_utf8_lossy(&self.bytes().await).into_owned()
    }
}

impl<B> Deref for TestResponse<B> {
    type Target = Response<B>;

    fn deref(&self) -> &Response<B> {
        &self.0
    }
}

impl<B> fmt::Debug for TestResponse<B> {
    /// Shows the status, the headers and the session's error. Of a ticket's header it shows `Sensitive`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestResponse")
            .field("status", &self.status())
            .field("headers", self.headers())
            .field("session_error", &self.session_error())
            .finish_non_exhaustive()
    }
}
