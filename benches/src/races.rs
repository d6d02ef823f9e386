//! Requests of one session that overlap: what is lost, and what comes back, under this library and
//! under the crate that most axum apps use.
//!
//! Nothing is left to chance. A handler loads its session and then waits until every other request
//! of the race has loaded it too, or until the logout has been answered. So the figures are the
//! same in each run, and say what happens when requests overlap, not how often they do.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::routing::get;
use http::{Response, StatusCode};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::traffic::{Cookie, call, cookie_of, request};

/// The version of tower-sessions in `Cargo.lock`.
pub const LEADING: &str = "0.15.0";

/// Parallel requests of one session in the first two races.
const REQUESTS: usize = 100;
/// Sessions, one after the other, in the last two.
const SESSIONS: usize = 20;

/// A counter that every visitor has.
const COUNTER: &str = "counter";

/// How often something went wrong, out of how often it could have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// How often it went wrong.
    pub wrong: usize,
    /// How often it could have.
    pub of: usize,
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.wrong, self.of)
    }
}

/// The result of one race.
#[derive(Clone, Copy, Debug)]
pub struct Race {
    /// The race, and what counts as wrong in it.
    pub name: &'static str,
    /// This library, on its memory store.
    pub cloakroom: Count,
    /// tower-sessions, on its memory store.
    pub leading: Count,
}

/// Runs every race under both crates.
pub async fn run() -> [Race; 4] {
    [
        Race {
            name: "100 requests at once each add 1 to a counter: additions lost",
            cloakroom: additions_lost(cloakroom).await,
            leading: additions_lost(leading).await,
        },
        Race {
            name: "100 requests at once each store a key of their own: keys lost",
            cloakroom: keys_lost(cloakroom).await,
            leading: keys_lost(leading).await,
        },
        Race {
            name: "a logout while a request is under way: sessions that live on",
            cloakroom: survivors(cloakroom, "/logout").await,
            leading: survivors(leading, "/logout").await,
        },
        Race {
            name: "a login while a request is under way: old ids that still work",
            cloakroom: survivors(cloakroom, "/login").await,
            leading: survivors(leading, "/login").await,
        },
    ]
}

/// The races as a Markdown table.
pub fn table(races: &[Race]) -> String {
    let head = format!("| race | cloakroom | tower-sessions {LEADING} |\n|---|---|---|\n");
    let row = |race: &Race| format!("| {} | {} | {} |\n", race.name, race.cloakroom, race.leading);
    head + &races.iter().map(row).collect::<String>()
}

/// Where a handler waits between loading its session and changing it: twice, so that whoever waits
/// with it can do something in between.
type Meeting = Arc<Barrier>;
type App = fn(Meeting) -> Router;

async fn meet(meeting: &Barrier) {
    meeting.wait().await;
    meeting.wait().await;
}

fn cloakroom(meeting: Meeting) -> Router {
    use cloakroom::store::MemoryStore;
    use cloakroom::{Key, LazySession, Session, SessionError, SessionLayer};

    let here = meeting.clone();
    let add = async move |session: Session| {
        meet(&meeting).await;
        session.update(COUNTER, |counter: &mut u32| *counter += 1)
    };
    let store = async move |session: Session, Path(key): Path<String>| {
        meet(&here).await;
        session.insert(&key, &1)
    };
    let login = async |session: Session| session.log_in("alice").await;
    let logout = async |lazy: LazySession| lazy.destroy().await;
    let peek = async |session: Session, Path(key): Path<String>| {
        Ok::<_, SessionError>(session.get::<u32>(&key)?.unwrap_or_default().to_string())
    };
    let key = Key::generate().expect("the system has random bytes");
    Router::new()
        .route("/new", get(async |session: Session| session.insert(COUNTER, &1)))
        .route("/add", get(add))
        .route("/store/{key}", get(store))
        .route("/login", get(login))
        .route("/logout", get(logout))
        .route("/peek/{key}", get(peek))
        .layer(SessionLayer::new(MemoryStore::new(), key))
}

/// The same app, as the documentation of tower-sessions writes these handlers.
fn leading(meeting: Meeting) -> Router {
    use tower_sessions::{MemoryStore, Session, SessionManagerLayer};

    let here = meeting.clone();
    let add = async move |session: Session| {
        let counter: u32 = session.get(COUNTER).await.map_err(broken)?.unwrap_or_default();
        meet(&meeting).await;
        session.insert(COUNTER, counter + 1).await.map_err(broken)
    };
    let store = async move |session: Session, Path(key): Path<String>| {
        session.load().await.map_err(broken)?;
        meet(&here).await;
        session.insert(&key, 1).await.map_err(broken)
    };
    let login = async |session: Session| {
        session.cycle_id().await.map_err(broken)?;
        session.insert("user", "alice").await.map_err(broken)
    };
    let logout = async |session: Session| session.flush().await.map_err(broken);
    let peek = async |session: Session, Path(key): Path<String>| {
        let value: Option<u32> = session.get(&key).await.map_err(broken)?;
        Ok::<_, StatusCode>(value.unwrap_or_default().to_string())
    };
    Router::new()
        .route(
            "/new",
            get(async |session: Session| session.insert(COUNTER, 1).await.map_err(broken)),
        )
        .route("/add", get(add))
        .route("/store/{key}", get(store))
        .route("/login", get(login))
        .route("/logout", get(logout))
        .route("/peek/{key}", get(peek))
        .layer(SessionManagerLayer::new(MemoryStore::default()))
}

fn broken(_: tower_sessions::session::Error) -> StatusCode {
    StatusCode::INTERNAL_SERVER_ERROR
}

async fn additions_lost(app: App) -> Count {
    let mut app = app(Arc::new(Barrier::new(REQUESTS)));
    let cookie = new_session(&mut app).await;
    let acknowledged = all_at_once(&app, &cookie, |_| "/add".to_owned()).await.len();
    // The session began with 1.
    let counted = peek(&mut app, &cookie, COUNTER).await - 1;
    Count { wrong: acknowledged - counted, of: acknowledged }
}

async fn keys_lost(app: App) -> Count {
    let mut app = app(Arc::new(Barrier::new(REQUESTS)));
    let cookie = new_session(&mut app).await;
    let acknowledged = all_at_once(&app, &cookie, |at| format!("/store/key{at}")).await;
    let mut wrong = 0;
    for at in &acknowledged {
        wrong += 1 - peek(&mut app, &cookie, &format!("key{at}")).await;
    }
    Count { wrong, of: acknowledged.len() }
}

/// How many sessions still open with the cookie from before `end` (a logout or a login), because a
/// request that had loaded them stored its change after it.
async fn survivors(app: App, end: &'static str) -> Count {
    let meeting = Meeting::new(Barrier::new(2));
    let mut app = app(meeting.clone());
    let mut wrong = 0;
    for _ in 0..SESSIONS {
        let cookie = new_session(&mut app).await;
        let mut slow = app.clone();
        let late = request("/add", &cookie);
        let late = tokio::spawn(async move { call(&mut slow, late).await });
        meeting.wait().await;
        let answer = call(&mut app, request(end, &cookie)).await;
        assert_eq!(answer.status(), StatusCode::OK, "{end}");
        meeting.wait().await;
        late.await.expect("the handler does not panic");
        wrong += usize::from(peek(&mut app, &cookie, COUNTER).await > 0);
    }
    Count { wrong, of: SESSIONS }
}

/// Sends [`REQUESTS`] requests that overlap, and returns the numbers of those that were answered
/// 200.
async fn all_at_once(app: &Router, cookie: &Cookie, path: impl Fn(usize) -> String) -> Vec<usize> {
    let mut requests = JoinSet::new();
    for at in 0..REQUESTS {
        let (mut app, request) = (app.clone(), request(&path(at), cookie));
        requests.spawn(async move { (at, call(&mut app, request).await.status()) });
    }
    let answers = requests.join_all().await.into_iter();
    answers.filter(|(_, status)| *status == StatusCode::OK).map(|(at, _)| at).collect()
}

async fn new_session(app: &mut Router) -> Cookie {
    cookie_of(&call(app, request("/new", &None)).await)
}

async fn peek(app: &mut Router, cookie: &Cookie, key: &str) -> usize {
    let answer: Response<Body> = call(app, request(&format!("/peek/{key}"), cookie)).await;
    let body = axum::body::to_bytes(answer.into_body(), 64).await.expect("a short body");
    str::from_utf8(&body).ok().and_then(|text| text.parse().ok()).expect("a number")
}
