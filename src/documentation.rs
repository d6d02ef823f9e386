//! Scaffolding for the examples in this crate's documentation; not a public API.
//!
//! The examples show a few lines of a handler. Without this each would have to build a layer, a
//! runtime and a request around them, and nobody would find the lines that matter.

use cookie::Cookie;
use http::{Response, StatusCode};

use crate::browser::{CookieJar, StoredCookie, visit};
use crate::clock::Clock;
use crate::error::SessionError;
use crate::keys::Key;
use crate::middleware::SessionLayer;
use crate::observer::Observer;
use crate::session::{LazySession, Roster, Session, Users};
use crate::store::MemoryStore;

/// A browser in front of a layer over a memory store.
#[derive(Debug)]
pub struct Visitor {
    layer: SessionLayer,
    cookies: CookieJar,
}

impl Default for Visitor {
    fn default() -> Self {
        Self::new()
    }
}

#[expect(clippy::expect_used, reason = "an example that fails must say so")]
impl Visitor {
    /// Somebody without a session.
    pub fn new() -> Self {
        let key = Key::generate().expect("random bytes");
        let store = MemoryStore::builder().clock(Clock::system()).build();
        Self { layer: SessionLayer::new(store, key), cookies: CookieJar::default() }
    }

    /// Somebody without a session, in front of a layer that keeps a roster.
    pub fn with_roster() -> Self {
        let visitor = Self::new();
        Self { layer: visitor.layer.roster(Roster::default()), cookies: CookieJar::default() }
    }

    /// Somebody without a session, in front of a layer with this observer.
    pub fn observed_by(observer: impl Observer) -> Self {
        let visitor = Self::new();
        Self { layer: visitor.layer.observer(observer), cookies: CookieJar::default() }
    }

    /// Somebody without a session, in front of this layer.
    pub fn before(layer: SessionLayer) -> Self {
        Self { layer, cookies: CookieJar::default() }
    }

    /// Brings a cookie of this value from now on, whatever it is.
    pub fn bring(&mut self, value: &str) {
        let cookie = Cookie::new("__Host-id", value.to_owned());
        self.cookies.store(StoredCookie { cookie, path: "/".to_owned() });
    }

    /// Somebody else, in front of the same layer.
    pub fn another(&self) -> Self {
        Self { layer: self.layer.clone(), cookies: CookieJar::default() }
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
        let answer = visit(&self.layer, &self.cookies, async |lazy| handler(lazy).await);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let response = runtime.expect("a runtime").block_on(answer);
        assert_eq!(response.status(), StatusCode::OK, "the session was not stored");
        response.map(|_| ())
    }
}
