//! An app without a network, and a visitor who uses it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Method, Request, StatusCode, header};
use axum::routing::{delete, get, post};
use axum::{Router, body};
use cloakroom::{Field, LazySession, Session, SessionError, SessionLayer};
use tower::ServiceExt;

use super::Kind;
use crate::shopper::Jar;

const COUNT: Field<u64> = Field::new("count");
const PADDING: Field<String> = Field::new("padding");
/// The answer of a read that finds no session.
const NONE: &str = "none";

/// Makes the app. Each session has so many bytes beside its counter.
pub(super) fn app(sessions: SessionLayer, bytes: usize) -> Router {
    let padding: String = std::iter::repeat_with(fastrand::alphanumeric).take(bytes).collect();
    Router::new()
        .route("/", get(read))
        .route("/begin", post(begin))
        .route("/write", post(write))
        .route("/login", post(login))
        .route("/", delete(leave))
        .layer(sessions)
        .with_state(Arc::new(padding))
}

async fn begin(State(padding): State<Arc<String>>, session: Session) -> Result<(), SessionError> {
    session.insert(PADDING, &padding)?;
    session.insert(COUNT, &0)
}

async fn read(session: Session) -> Result<String, SessionError> {
    Ok(session.get(COUNT)?.map_or(NONE.to_owned(), |count| count.to_string()))
}

async fn write(session: Session) -> Result<(), SessionError> {
    session.update(COUNT, |count| *count += 1)
}

async fn login(session: Session) -> Result<(), SessionError> {
    session.log_in("compare").await
}

async fn leave(session: LazySession) -> Result<(), SessionError> {
    session.destroy().await
}

/// A visitor with a browser's cookies, who knows how many changes were acknowledged.
#[derive(Debug)]
pub(super) struct Visitor {
    app: Router,
    pub(super) jar: Jar,
    pub(super) acknowledged: u64,
}

/// The store was too slow, so nothing is known of the session.
pub(super) struct NoAnswer;

impl Visitor {
    pub(super) fn new(app: Router) -> Self {
        Self { app, jar: Jar::default(), acknowledged: 0 }
    }

    pub(super) async fn begin(&mut self) -> StatusCode {
        self.send(Method::POST, "/begin").await.0
    }

    /// Sends a request and returns whether it was acknowledged.
    pub(super) async fn ask(&mut self, kind: Kind) -> bool {
        let (method, path) = match kind {
            Kind::Read => (Method::GET, "/"),
            Kind::Write => (Method::POST, "/write"),
            Kind::Login => (Method::POST, "/login"),
        };
        let is_acknowledged = self.send(method, path).await.0 == StatusCode::OK;
        self.acknowledged += u64::from(is_acknowledged && kind == Kind::Write);
        is_acknowledged
    }

    /// Returns the counter of the session, or `None` if the visitor has no session.
    pub(super) async fn count(&mut self) -> Result<Option<u64>, NoAnswer> {
        match self.send(Method::GET, "/").await {
            (StatusCode::OK, text) => Ok(text.parse().ok()),
            _ => Err(NoAnswer),
        }
    }

    pub(super) async fn leave(&mut self) -> bool {
        self.send(Method::DELETE, "/").await.0 == StatusCode::OK
    }

    async fn send(&mut self, method: Method, path: &str) -> (StatusCode, String) {
        let request = Request::builder().method(method).uri(path);
        let request = request.header(header::COOKIE, self.jar.header()).body(Body::empty());
        // The parts are ours, and the router's error type has no values.
        let Ok(request) = request else { return (StatusCode::BAD_REQUEST, String::new()) };
        let Ok(response) = self.app.clone().oneshot(request).await;
        self.jar.absorb(response.headers());
        let status = response.status();
        let text = body::to_bytes(response.into_body(), 1024).await.unwrap_or_default();
        (status, String::from_utf8_lossy(&text).into_owned())
    }
}
