//! The same app under each layer. All handlers do the same work and answer with the same body.

use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::routing::get;
use cloakroom::{Backend, Key, Sealing, Session, SessionError, SessionLayer};
use http::StatusCode;

use crate::handwritten::{Handwritten, HandwrittenLayer};
use crate::least::LeastLayer;

/// The body of the answers under `/untouched`, `/read` and `/write`.
pub const BODY: &str = "ok";

const SECRET: &[u8; 64] = &[7; 64];
const VALUE: &str = "value";

/// Three values of one length, taken in turn, so that every write is a change.
#[derive(Clone, Copy, Debug)]
pub struct Values(&'static [String; 3]);

impl Values {
    /// Creates three values of `bytes` bytes.
    pub fn of(bytes: usize) -> Self {
        Self(Box::leak(Box::new(["a", "b", "c"].map(|letter| letter.repeat(bytes)))))
    }

    /// Returns the next value.
    pub fn next(self) -> &'static str {
        static TURN: AtomicUsize = AtomicUsize::new(0);
        black_box(&self.0[TURN.fetch_add(1, Ordering::Relaxed) % 3])
    }
}

/// Returns the app without a layer, as the control.
pub fn bare(values: Values) -> Router {
    let write = async move || {
        values.next();
        BODY
    };
    Router::new()
        .route("/untouched", get(async || BODY))
        .route("/read", get(async || BODY))
        .route("/write", get(write))
}

/// Returns the app with one unused `Arc` in the extensions.
pub fn least(values: Values) -> Router {
    bare(values).layer(LeastLayer)
}

/// Returns the app with this library over `backend`.
pub fn cloakroom(values: Values, backend: impl Into<Backend>) -> Router {
    layered(values, SessionLayer::new(backend, key()))
}

/// Returns the app with our layer, whose values are sealed.
pub fn sealed(values: Values, backend: impl Into<Backend>) -> Router {
    layered(values, SessionLayer::new(backend, key()).sealed(Sealing::Only))
}

fn layered(values: Values, layer: SessionLayer) -> Router {
    let peek = async |session: Session| {
        Ok::<_, SessionError>(session.get::<String>(VALUE)?.unwrap_or_default())
    };
    let read = async |session: Session| {
        black_box(session.get::<String>(VALUE)?);
        Ok::<_, SessionError>(BODY)
    };
    let write = async move |session: Session| {
        session.insert(VALUE, values.next())?;
        Ok::<_, SessionError>(BODY)
    };
    Router::new()
        .route("/untouched", get(async || BODY))
        .route("/read", get(read))
        .route("/write", get(write))
        .route("/peek", get(peek))
        .layer(layer)
}

/// Returns the app with a signed layer without the promises.
pub fn handwritten(values: Values) -> Router {
    let peek = async |session: Handwritten| session.get(VALUE).unwrap_or_default();
    let read = async |session: Handwritten| {
        black_box(session.get(VALUE));
        BODY
    };
    let write = async move |session: Handwritten| {
        session.insert(VALUE, values.next());
        BODY
    };
    Router::new()
        .route("/untouched", get(async || BODY))
        .route("/read", get(read))
        .route("/write", get(write))
        .route("/peek", get(peek))
        .layer(HandwrittenLayer::new(SECRET))
}

/// Returns the app with tower-sessions, which most axum apps use, with signed cookies.
pub fn leading(values: Values) -> Router {
    use tower_sessions::{MemoryStore, Session, SessionManagerLayer, cookie::Key};

    let peek = async |session: Session| {
        Ok::<_, StatusCode>(session.get::<String>(VALUE).await.map_err(broken)?.unwrap_or_default())
    };
    let read = async |session: Session| {
        black_box(session.get::<String>(VALUE).await.map_err(broken)?);
        Ok::<_, StatusCode>(BODY)
    };
    let write = async move |session: Session| {
        session.insert(VALUE, values.next()).await.map_err(broken)?;
        Ok::<_, StatusCode>(BODY)
    };
    Router::new()
        .route("/untouched", get(async || BODY))
        .route("/read", get(read))
        .route("/write", get(write))
        .route("/peek", get(peek))
        .layer(SessionManagerLayer::new(MemoryStore::default()).with_signed(Key::from(SECRET)))
}

fn broken(_: tower_sessions::session::Error) -> StatusCode {
    StatusCode::INTERNAL_SERVER_ERROR
}

fn key() -> Key {
    Key::generate().expect("the system has random bytes")
}
