//! The same app under this library's layer, under a hand-written one, and under tower-sessions, all
//! over Redis.

use std::hint::black_box;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use cloakroom::store::RedisStore;
use cloakroom::{Key, Session, SessionError, SessionLayer};
use fred::clients::Client;
use http::header::COOKIE;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use tower::Service;

use crate::crew::Job;
use crate::redis_handwritten::{Handwritten, HandwrittenLayer};
use crate::redis_jobs::flush;
use crate::redis_tower_sessions::FredStore;
use crate::traffic::{Cookie, cookie_of};

const VALUE: &str = "value";
const SIZE: usize = 512;
const SECRET: &[u8; 64] = &[7; 64];

/// The body of all answers but those of `/peek`.
const BODY: &str = "ok";

/// Returns the app with this library.
///
/// # Panics
///
/// If the system has no random bytes.
pub fn cloakroom(store: RedisStore) -> Router {
    let peek = async |session: Session| {
        Ok::<_, SessionError>(session.get::<String>(VALUE)?.unwrap_or_default())
    };
    let read = async |session: Session| {
        black_box(session.get::<String>(VALUE)?);
        Ok::<_, SessionError>(BODY)
    };
    let write = |letter: &'static str| {
        let value: &str = letter.repeat(SIZE).leak();
        async move |session: Session| {
            session.insert(VALUE, black_box(value))?;
            Ok::<_, SessionError>(BODY)
        }
    };
    Router::new()
        .route("/peek", get(peek))
        .route("/read", get(read))
        .route("/write/a", get(write("a")))
        .route("/write/b", get(write("b")))
        .layer(SessionLayer::new(store, Key::generate().expect("the system has random bytes")))
}

/// Returns the app with a signed layer without the promises.
pub fn handwritten(client: Client) -> Router {
    let peek = async |session: Handwritten| session.get(VALUE).unwrap_or_default();
    let read = async |session: Handwritten| {
        black_box(session.get(VALUE));
        BODY
    };
    let write = |letter: &'static str| {
        let value: &str = letter.repeat(SIZE).leak();
        async move |session: Handwritten| {
            session.insert(VALUE, black_box(value));
            BODY
        }
    };
    Router::new()
        .route("/peek", get(peek))
        .route("/read", get(read))
        .route("/write/a", get(write("a")))
        .route("/write/b", get(write("b")))
        .layer(HandwrittenLayer::new(client, SECRET))
}

/// Returns the app with tower-sessions and signed cookies.
pub fn tower_sessions(client: Client) -> Router {
    use tower_sessions::cookie::{Key, time::Duration};
    use tower_sessions::{Expiry, Session, SessionManagerLayer};

    let peek = async |session: Session| {
        Ok::<_, StatusCode>(session.get::<String>(VALUE).await.map_err(broken)?.unwrap_or_default())
    };
    let read = async |session: Session| {
        black_box(session.get::<String>(VALUE).await.map_err(broken)?);
        Ok::<_, StatusCode>(BODY)
    };
    let write = |letter: &'static str| {
        let value: &str = letter.repeat(SIZE).leak();
        async move |session: Session| {
            session.insert(VALUE, black_box(value)).await.map_err(broken)?;
            Ok::<_, StatusCode>(BODY)
        }
    };
    let layer = SessionManagerLayer::new(FredStore::new(client))
        .with_expiry(Expiry::OnInactivity(Duration::minutes(30)))
        .with_signed(Key::from(SECRET));
    Router::new()
        .route("/peek", get(peek))
        .route("/read", get(read))
        .route("/write/a", get(write("a")))
        .route("/write/b", get(write("b")))
        .layer(layer)
}

fn broken(_: tower_sessions::session::Error) -> StatusCode {
    StatusCode::INTERNAL_SERVER_ERROR
}

/// A visitor who requests the paths in turn.
#[derive(Debug)]
pub struct Visitor {
    app: Router,
    cookie: Cookie,
    paths: &'static [&'static str],
    asked: usize,
}

impl Visitor {
    /// Creates a visitor who only reads.
    pub const READS: &'static [&'static str] = &["/read"];
    /// Creates a visitor who changes the value with every request, because an equal value is not
    /// written.
    pub const WRITES: &'static [&'static str] = &["/write/b", "/write/a"];

    /// Creates a visitor with a session, and checks that the session keeps what is written.
    ///
    /// # Panics
    ///
    /// If the session does not keep it.
    pub async fn new(mut app: Router, paths: &'static [&'static str]) -> Self {
        let cookie = checked_session(&mut app).await;
        Self { app, cookie, paths, asked: 0 }
    }
}

impl Job for Visitor {
    async fn once(&mut self) {
        let path = self.paths[self.asked % self.paths.len()];
        self.asked += 1;
        let (_, body) = answer(&mut self.app, path, &self.cookie).await;
        assert_eq!(body, BODY);
    }
}

/// A visitor without a cookie, who gets a new session with every request.
#[derive(Debug)]
pub struct Newcomer {
    app: Router,
    client: Client,
}

impl Newcomer {
    /// Creates the job, and checks that a session keeps what is written. The job uses the client to
    /// empty its database.
    ///
    /// # Panics
    ///
    /// If the session does not keep it.
    pub async fn new(mut app: Router, client: Client) -> Self {
        checked_session(&mut app).await;
        Self { app, client }
    }
}

impl Job for Newcomer {
    async fn once(&mut self) {
        let (cookie, body) = answer(&mut self.app, "/write/a", &None).await;
        assert!(cookie.is_some(), "a new session has a cookie");
        assert_eq!(body, BODY);
    }

    async fn tidy(&mut self) {
        flush(&self.client).await;
    }
}

/// Creates a session, checks that it keeps what is written, and returns its cookie.
async fn checked_session(app: &mut Router) -> Cookie {
    let mut cookie = None;
    for letter in ["b", "a"] {
        let (given, _) = answer(app, &format!("/write/{letter}"), &cookie).await;
        cookie = cookie.or(given);
        let (_, found) = answer(app, "/peek", &cookie).await;
        assert_eq!(found, letter.repeat(SIZE), "a write is kept");
    }
    cookie
}

/// Returns the cookie that the answer sets, and the body.
async fn answer(app: &mut Router, path: &str, cookie: &Cookie) -> (Cookie, String) {
    let mut request = Request::builder().uri(path).body(Body::empty()).expect("a fixed path");
    if let Some(cookie) = cookie {
        request.headers_mut().insert(COOKIE, cookie.clone());
    }
    let response = match app.call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    let cookie = cookie_of(&response);
    let body = response.into_body().collect().await.expect("a body in memory").to_bytes();
    (cookie, String::from_utf8_lossy(&body).into_owned())
}
