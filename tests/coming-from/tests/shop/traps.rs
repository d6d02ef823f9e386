//! The page's traps, each tried on cloakroom, and on tower-sessions where the page says what that does.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use cloakroom::store::{
    Created, Entry, MemoryStore, NewEntry, Replaced, StoreError, StoreErrorKind, StoreKey, Touched,
    Version, async_trait,
};
use cloakroom::{
    CookieOptions, Key, LazySession, ManualClock, Session, SessionError, SessionLayer, Timestamp,
};
use tower_sessions::cookie::time;
use tower_sessions::{Expiry, SessionManagerLayer, session};

use crate::browser::Browser;
use crate::old_store::OldStore;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

type Old = tower_sessions::Session;

fn layer() -> SessionLayer {
    SessionLayer::new(MemoryStore::new(), Key::generate().unwrap())
}

/// A layer whose clock the test moves.
fn layer_and_clock() -> (SessionLayer, ManualClock) {
    let clock = ManualClock::at(Timestamp::from_millis(1_700_000_000_000));
    let store = MemoryStore::builder().clock(clock.clone()).build();
    (SessionLayer::new(store, Key::generate().unwrap()).clock(clock.clone()), clock)
}

/// Routes that every test here uses, on cloakroom.
fn here(layer: SessionLayer, more: Router) -> Browser {
    let name = async |session: Session| {
        Ok::<_, SessionError>(session.get::<String>("name")?.unwrap_or_default())
    };
    let routes = more
        .route("/begin", get(async |session: Session| session.insert("name", "Ada")))
        .route("/name", get(name));
    Browser::new(&routes.layer(layer))
}

/// The same routes on tower-sessions.
fn there(layer: SessionManagerLayer<OldStore>, more: Router) -> Browser {
    let begin = async |session: Old| session.insert("name", "Ada").await.map_err(failed);
    let name = async |session: Old| {
        session.get::<String>("name").await.map(Option::unwrap_or_default).map_err(failed)
    };
    let routes = more.route("/begin", get(begin)).route("/name", get(name));
    Browser::new(&routes.layer(layer))
}

fn failed(_: session::Error) -> StatusCode {
    StatusCode::INTERNAL_SERVER_ERROR
}

async fn name(browser: &mut Browser) -> String {
    browser.get("/name").await.body
}

#[tokio::test]
async fn an_idle_timeout_of_days_needs_a_longer_lifetime() {
    for (lifetime, after_a_day) in [(None, ""), (Some(90 * DAY), "Ada")] {
        let (layer, clock) = layer_and_clock();
        let layer = layer.idle_timeout(30 * DAY);
        let layer = lifetime.map_or(layer.clone(), |lifetime| layer.absolute_lifetime(lifetime));
        let mut ada = here(layer, Router::new());
        ada.get("/begin").await;
        clock.advance(11 * HOUR);
        assert_eq!(name(&mut ada).await, "Ada");
        clock.advance(13 * HOUR);
        assert_eq!(name(&mut ada).await, after_a_day);
    }
}

#[tokio::test]
async fn the_cookie_outlives_the_browser_there_with_an_expiry_and_here_if_asked_to() {
    let old = SessionManagerLayer::new(OldStore::default())
        .with_expiry(Expiry::OnInactivity(time::Duration::days(30)));
    let page = there(old, Router::new()).get("/begin").await;
    assert!(page.set_cookies()[0].contains("Max-Age=2592000"), "{page:?}");

    let cookie = CookieOptions::builder().persistent().build().unwrap();
    let persistent = layer().absolute_lifetime(30 * DAY).cookie(cookie);
    let page = here(persistent, Router::new()).get("/begin").await;
    assert!(page.set_cookies()[0].contains("Max-Age=2592000"), "{page:?}");

    let remember = async |session: Session| {
        session.insert("name", "Ada")?;
        session.remember(30 * DAY, 30 * DAY)
    };
    let routes = Router::new().route("/remember", get(remember));
    let mut ada = here(layer().idle_timeout(30 * DAY), routes);
    let page = ada.get("/begin").await;
    assert!(!page.set_cookies()[0].contains("Max-Age"), "{page:?}");
    let page = ada.get("/remember").await;
    assert!(page.set_cookies()[0].contains("Max-Age=2592000"), "{page:?}");
}

#[tokio::test]
async fn the_defaults_of_the_cookies() {
    let page =
        there(SessionManagerLayer::new(OldStore::default()), Router::new()).get("/begin").await;
    let attributes = |cookie: &str| cookie.split_once(';').unwrap().1.to_owned();
    assert!(page.set_cookies()[0].starts_with("id="));
    let there = attributes(page.set_cookies()[0]);
    assert_eq!(there, " HttpOnly; SameSite=Strict; Secure; Path=/");
    let page = here(layer(), Router::new()).get("/begin").await;
    assert!(page.set_cookies()[0].starts_with("__Host-id="));
    assert_eq!(attributes(page.set_cookies()[0]), there.replace("Strict", "Lax"));
    let record = Old::new(None, std::sync::Arc::new(OldStore::default()), None);
    let days = record.expiry_age().whole_days() + 1;
    assert_eq!(days, 14, "two weeks from now");
}

#[tokio::test]
async fn a_read_is_use_here_and_not_there() {
    let store = OldStore::default();
    let mut ada = there(SessionManagerLayer::new(store.clone()), Router::new());
    ada.get("/begin").await;
    store.take_commands();
    assert!(ada.get("/name").await.set_cookies().is_empty());
    assert_eq!(store.take_commands(), 1, "a load, and nothing that moves the expiry");

    let (layer, clock) = layer_and_clock();
    let mut ada = here(layer, Router::new());
    ada.get("/begin").await;
    for _ in 0..6 {
        clock.advance(20 * MINUTE);
        assert_eq!(name(&mut ada).await, "Ada");
    }
    clock.advance(31 * MINUTE);
    assert_eq!(name(&mut ada).await, "");
}

#[tokio::test]
async fn a_longer_life_of_one_session_lasts_here_and_ends_with_the_next_change_there() {
    let old = SessionManagerLayer::new(OldStore::default())
        .with_expiry(Expiry::OnInactivity(time::Duration::minutes(10)));
    let long = async |session: Old| {
        session.set_expiry(Some(Expiry::OnInactivity(time::Duration::days(30))));
        session.insert("name", "Bob").await.map_err(failed)
    };
    let mut bob = there(old, Router::new().route("/long", get(long)));
    let page = bob.get("/long").await;
    assert!(page.set_cookies()[0].contains("Max-Age=2592000"), "{page:?}");
    let page = bob.get("/begin").await;
    assert!(page.set_cookies()[0].contains("Max-Age=600"), "{page:?}");

    let (layer, clock) = layer_and_clock();
    let remember = async |session: Session| session.remember(30 * DAY, 90 * DAY);
    let change = async |session: Session| session.insert("more", &1);
    let routes = Router::new().route("/remember", get(remember)).route("/change", get(change));
    let mut ada = here(layer, routes);
    for path in ["/begin", "/remember", "/change"] {
        assert_eq!(ada.get(path).await.status, StatusCode::OK);
    }
    clock.advance(20 * DAY);
    assert_eq!(name(&mut ada).await, "Ada");
}

#[tokio::test]
async fn a_failed_request_changes_nothing_here_and_loses_the_session_there() {
    let cycle = async |session: Old| {
        session.cycle_id().await.map_err(failed)?;
        Err::<(), _>(StatusCode::INTERNAL_SERVER_ERROR)
    };
    let old = SessionManagerLayer::new(OldStore::default());
    let mut ada = there(old, Router::new().route("/fails", get(cycle)));
    ada.get("/begin").await;
    ada.get("/fails").await;
    assert_eq!(name(&mut ada).await, "", "the old record is deleted and the new one not stored");

    let renew = async |session: Session| {
        session.insert("name", "Bob")?;
        session.renew()?;
        Ok::<_, SessionError>(StatusCode::INTERNAL_SERVER_ERROR)
    };
    let too_slow = async |session: Session| {
        session.insert("name", "Bob")?;
        Ok::<_, SessionError>(StatusCode::REQUEST_TIMEOUT)
    };
    let routes = Router::new().route("/fails", get(renew)).route("/slow", get(too_slow));
    let mut ada = here(layer(), routes);
    for path in ["/begin", "/fails", "/slow"] {
        ada.get(path).await;
        assert_eq!(name(&mut ada).await, "Ada", "{path}");
    }
}

/// A store that cannot be reached.
#[derive(Debug)]
struct Out;

fn out<T>() -> Result<T, StoreError> {
    Err(StoreError::new(StoreErrorKind::Unavailable, "connection refused"))
}

#[async_trait]
impl cloakroom::store::SessionStore for Out {
    async fn load(&self, _: &StoreKey) -> Result<Option<Entry>, StoreError> {
        out()
    }

    async fn create(&self, _: &StoreKey, _: &NewEntry) -> Result<Created, StoreError> {
        out()
    }

    async fn replace(
        &self,
        _: &StoreKey,
        _: &Version,
        _: &NewEntry,
    ) -> Result<Replaced, StoreError> {
        out()
    }

    async fn touch(&self, _: &StoreKey, _: &Version, _: Timestamp) -> Result<Touched, StoreError> {
        out()
    }

    async fn delete(&self, _: &StoreKey) -> Result<(), StoreError> {
        out()
    }
}

#[tokio::test]
async fn the_argument_session_is_loaded_here_and_lazy_there() {
    let store = OldStore::default();
    let routes = Router::new().route("/unused", get(async |_: Old| "a page"));
    let mut ada = there(SessionManagerLayer::new(store.clone()), routes);
    ada.get("/begin").await;
    store.set_out(true);
    assert_eq!(ada.get("/unused").await.status, StatusCode::OK);

    let routes = Router::new()
        .route("/unused", get(async |_: Session| "a page"))
        .route("/lazy", get(async |_: LazySession| "a page"));
    let key = || Key::from_bytes(&[7; 32]).unwrap();
    let mut ada = here(SessionLayer::new(MemoryStore::new(), key()), Router::new());
    ada.get("/begin").await;
    let out = routes.layer(SessionLayer::new(Out, key()));
    let mut ada = ada.now_at(&out);
    assert_eq!(ada.get("/lazy").await.status, StatusCode::OK);
    let page = ada.get("/unused").await;
    assert_eq!((page.status, page.body.as_str()), (StatusCode::SERVICE_UNAVAILABLE, ""));
    assert!(page.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn clear_logs_out_there_and_not_here() {
    let clear = async |session: Old| session.clear().await;
    let old = SessionManagerLayer::new(OldStore::default());
    let mut ada = there(old, Router::new().route("/clear", get(clear)));
    ada.get("/begin").await;
    ada.get("/clear").await;
    assert_eq!(name(&mut ada).await, "");
    assert_eq!(ada.jar.len(), 1, "the cookie stays, and the record without data");

    let who = async |session: Session| session.principal().unwrap_or_default();
    let routes = Router::new()
        .route("/login", get(async |session: Session| session.log_in("ada").await))
        .route("/clear", get(async |session: Session| session.clear()))
        .route("/who", get(who));
    let mut ada = here(layer(), routes);
    for path in ["/begin", "/login", "/clear"] {
        ada.get(path).await;
    }
    assert_eq!((name(&mut ada).await, ada.get("/who").await.body), (String::new(), "ada".into()));
}

#[tokio::test]
async fn what_delete_has_removed_is_stored_again_there_by_the_next_insert() {
    let delete = async |session: Old| {
        session.get::<String>("name").await.map_err(failed)?;
        session.delete().await.map_err(failed)?;
        session.insert("more", 1).await.map_err(failed)
    };
    let old = SessionManagerLayer::new(OldStore::default());
    let mut ada = there(old, Router::new().route("/delete", get(delete)));
    ada.get("/begin").await;
    ada.get("/delete").await;
    assert_eq!(name(&mut ada).await, "Ada");

    let destroy = async |session: Session| {
        session.get::<String>("name")?;
        session.destroy().await?;
        session.insert("more", &1)
    };
    let mut ada = here(layer(), Router::new().route("/delete", get(destroy)));
    ada.get("/begin").await;
    ada.get("/delete").await;
    assert_eq!(name(&mut ada).await, "", "a new session, with what came after");
    assert_eq!(ada.jar.len(), 1);
}

/// A handler that reads, lets another request change the value, and inserts.
fn overtaken() -> Router {
    let get_and_insert = async |session: Session| {
        let count: u32 = session.get("count")?.unwrap_or_default();
        tokio::time::sleep(Duration::from_millis(20)).await;
        session.insert("count", &(count + 1))?;
        Ok::<_, SessionError>("counted")
    };
    Router::new()
        .route("/slow", get(get_and_insert))
        .route("/set", get(async |session: Session| session.insert("count", &7)))
}

#[tokio::test(start_paused = true)]
async fn get_and_insert_answer_409_with_an_empty_body_or_the_apps_page() {
    let page = |error: &SessionError, _: &axum::http::request::Parts| {
        Html(format!("Please try again: {error}")).into_response()
    };
    let (plain, written) = (layer(), layer().on_error(page));
    let begin = || overtaken().route("/begin", get(async |s: Session| s.insert("name", "Ada")));
    let apps = [begin().layer(plain), begin().layer(written)];
    for (app, is_written) in apps.iter().zip([false, true]) {
        let mut ada = Browser::new(app);
        ada.get("/begin").await;
        let mut tab = ada.clone();
        let slow = tokio::spawn(async move { tab.get("/slow").await });
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert_eq!(ada.get("/set").await.status, StatusCode::OK);
        let slow = slow.await.unwrap();
        assert_eq!(slow.status, StatusCode::CONFLICT);
        assert_eq!(slow.body.starts_with("Please try again: "), is_written, "{slow:?}");
        assert_eq!(slow.body.is_empty(), !is_written, "{slow:?}");
    }
}

#[tokio::test]
async fn the_cookie_from_before_a_login_reads_nothing_and_changes_nothing() {
    let routes =
        Router::new().route("/login", get(async |session: Session| session.log_in("ada").await));
    let mut ada = here(layer(), routes);
    ada.get("/begin").await;
    let mut before = ada.clone();
    ada.get("/login").await;
    assert_eq!(name(&mut before).await, "");
    assert_eq!(before.get("/begin").await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn a_user_under_a_key_of_the_apps_own_keeps_the_id() {
    let routes = Router::new()
        .route("/by-hand", get(async |session: Session| session.insert("user", "ada")))
        .route("/login", get(async |session: Session| session.log_in("ada").await))
        .route("/renew", get(async |session: Session| session.renew()));
    let mut ada = here(layer(), routes);
    assert!(ada.get("/renew").await.set_cookies().is_empty(), "there is nothing to renew");
    ada.get("/begin").await;
    assert!(ada.get("/by-hand").await.set_cookies().is_empty());
    for path in ["/login", "/renew"] {
        assert_eq!(ada.get(path).await.set_cookies().len(), 1, "{path}");
    }
}

#[tokio::test]
async fn save_without_changes_stores_nothing_here_and_a_record_there() {
    let store = OldStore::default();
    let save = async |session: Old| session.save().await.map_err(failed);
    let mut ada =
        there(SessionManagerLayer::new(store.clone()), Router::new().route("/save", get(save)));
    assert!(ada.get("/save").await.set_cookies().is_empty(), "a record that nobody has the id of");
    assert_eq!(store.take_commands(), 1);

    let store = MemoryStore::new();
    let layer = SessionLayer::new(store.clone(), Key::generate().unwrap());
    let save = async |session: Session| session.save().await;
    let mut ada = here(layer, Router::new().route("/save", get(save)));
    assert_eq!(ada.get("/save").await.status, StatusCode::OK);
    assert_eq!(store.len(), 0);
}

#[tokio::test]
async fn a_page_that_reads_its_session_is_not_for_caches_here() {
    let mut ada = there(SessionManagerLayer::new(OldStore::default()), Router::new());
    ada.get("/begin").await;
    assert!(!ada.get("/name").await.headers.contains_key("cache-control"));

    let mut ada = here(layer(), Router::new());
    assert_eq!(ada.get("/begin").await.headers["cache-control"], "no-store");
    let page = ada.get("/name").await;
    assert_eq!(page.headers["cache-control"], "private, no-cache");
    assert_eq!(page.headers["vary"].to_str().unwrap().to_lowercase(), "cookie");
}

#[tokio::test]
async fn a_key_of_the_process_ends_every_session_with_the_process() {
    let store = MemoryStore::new();
    let start = || SessionLayer::new(store.clone(), Key::generate().unwrap());
    let mut ada = here(start(), Router::new());
    ada.get("/begin").await;
    let restarted = Router::new()
        .route("/name", get(async |session: Session| session.is_new().to_string()))
        .layer(start());
    assert_eq!(name(&mut ada.now_at(&restarted)).await, "true");
}

#[tokio::test]
async fn a_large_session_is_refused() {
    let fill = async |session: Session| session.insert("draft", &"x".repeat(2 << 20));
    let mut ada = here(layer(), Router::new().route("/fill", get(fill)));
    let page = ada.get("/fill").await;
    assert_eq!((page.status, page.body.as_str()), (StatusCode::PAYLOAD_TOO_LARGE, ""));
}

#[tokio::test]
async fn a_value_is_read_by_the_type_that_wrote_it() {
    let values = async |session: Session| {
        session.insert("address", &IpAddr::from([127, 0, 0, 1]))?;
        assert_eq!(session.get::<String>("address")?.as_deref(), Some("127.0.0.1"));
        session.insert("prices", &HashMap::from([(1, "apple"), (2, "pear")]))?;
        assert!(session.get::<HashMap<String, String>>("prices").is_err());
        assert!(session.get::<serde_json::Value>("prices").is_err());
        session.insert("bytes", &vec![1_u8, 2])?;
        let as_json = serde_json::json!([1, 2]);
        assert_eq!(session.get::<serde_json::Value>("bytes")?, Some(as_json));
        assert_eq!(session.get::<Vec<u8>>("bytes")?, Some(vec![1, 2]));
        Ok::<_, SessionError>("read")
    };
    let mut ada = here(layer(), Router::new().route("/values", get(values)));
    assert_eq!(ada.get("/values").await.body, "read");
    let prices = serde_json::to_value(HashMap::from([(1, "apple")])).unwrap();
    let read = serde_json::from_value::<HashMap<String, String>>(prices);
    assert!(read.is_ok(), "there it is JSON");
}
