//! Scaffolding for the examples in this crate's documentation; not a public API.
//!
//! The examples show a few lines of a handler. Without this each would have to build a layer, a
//! runtime and a request around them, and nobody would find the lines that matter.

use std::pin::Pin;
use std::task::{Context, Poll};

use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderValue, Request, Response, StatusCode};
use tower::{Layer, Service};

use crate::clock::Clock;
use crate::error::SessionError;
use crate::keys::Key;
use crate::middleware::SessionLayer;
use crate::observer::Observer;
use crate::session::{LazySession, Roster, Session, Users};
use crate::store::MemoryStore;

/// A browser with one cookie, in front of a layer over a memory store.
#[derive(Debug)]
pub struct Visitor {
    layer: SessionLayer,
    cookie: Option<HeaderValue>,
}

impl Default for Visitor {
    fn default() -> Self {
        Self::new()
    }
}

#[expect(clippy::panic, clippy::expect_used, reason = "an example that fails must say so")]
impl Visitor {
    /// Somebody without a session.
    pub fn new() -> Self {
        let key = Key::generate().expect("random bytes");
        let store = MemoryStore::builder().clock(Clock::system()).build();
        Self { layer: SessionLayer::new(store, key), cookie: None }
    }

    /// Somebody without a session, in front of a layer that keeps a roster.
    pub fn with_roster() -> Self {
        let visitor = Self::new();
        Self { layer: visitor.layer.roster(Roster::default()), cookie: None }
    }

    /// Somebody without a session, in front of a layer with this observer.
    pub fn observed_by(observer: impl Observer) -> Self {
        let visitor = Self::new();
        Self { layer: visitor.layer.observer(observer), cookie: None }
    }

    /// Somebody without a session, in front of this layer.
    pub fn before(layer: SessionLayer) -> Self {
        Self { layer, cookie: None }
    }

    /// Brings a cookie of this value from now on, whatever it is.
    pub fn bring(&mut self, value: &str) {
        self.cookie = HeaderValue::try_from(format!("__Host-id={value}")).ok();
    }

    /// Somebody else, in front of the same layer.
    pub fn another(&self) -> Self {
        Self { layer: self.layer.clone(), cookie: None }
    }

    /// The handle for the sessions of the layer's users.
    pub fn users(&self) -> Users {
        self.layer.users()
    }

    /// Makes a request whose handler is `handler`, and fails if that is answered with an error.
    pub fn visit(
        &mut self,
        handler: impl AsyncFn(Session) -> Result<(), SessionError>,
    ) -> Response<()> {
        self.ask(async |lazy| handler(lazy.load().await?).await)
    }

    /// [`visit`](Self::visit) for a handler that loads the session by itself.
    pub fn ask(
        &mut self,
        handler: impl AsyncFn(LazySession) -> Result<(), SessionError>,
    ) -> Response<()> {
        let mut request = Request::new(());
        if let Some(cookie) = &self.cookie {
            request.headers_mut().insert(COOKIE, cookie.clone());
        }
        let mut service = self.layer.layer(Handler(&handler));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let response = runtime.expect("a runtime").block_on(service.call(request));
        let response = response.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(response.status(), StatusCode::OK, "the session was not stored");
        if let Some(header) = response.headers().get(SET_COOKIE) {
            let pair = header.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
            self.cookie = HeaderValue::from_bytes(pair).ok().filter(|_| !pair.ends_with(b"="));
        }
        response
    }
}

struct Handler<'a, F>(&'a F);

impl<'a, F: AsyncFn(LazySession) -> Result<(), SessionError>> Service<Request<()>>
    for Handler<'a, F>
{
    type Response = Response<()>;
    type Error = SessionError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<()>, SessionError>> + 'a>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), SessionError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        let handler = self.0;
        Box::pin(async move {
            let lazy = request.extensions().get::<LazySession>().cloned();
            handler(lazy.ok_or(SessionError::MissingLayer)?).await.map(|()| Response::new(()))
        })
    }
}
