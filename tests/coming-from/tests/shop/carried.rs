//! Visitors who have a session when the servers are replaced.

use std::collections::HashMap;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use cloakroom::store::MemoryStore;
use cloakroom::{CookieOptions, Key, Session, SessionError, SessionLayer};
use coming_from_tests::{after, before, carry};
use tokio::task::JoinSet;
use tower_sessions::session::{Id, Record};
use tower_sessions::{SessionManagerLayer, SessionStore};

use crate::browser::Browser;
use crate::old_store::OldStore;
use crate::slow::{SlowAfter, SlowBefore};

/// The shop before, the shop with both layers, and the stores.
struct RollOut {
    before: Router,
    both: Router,
    old: OldStore,
    new: MemoryStore,
}

impl RollOut {
    fn new() -> Self {
        let (old, new) = (OldStore::default(), MemoryStore::new());
        let layer = SessionLayer::new(new.clone(), Key::generate().unwrap());
        let leave = async |session: Session| session.log_out_keeping_data();
        let routes = after::routes()
            .route("/fails", post(StatusCode::INTERNAL_SERVER_ERROR))
            .route("/leave", post(leave));
        let both = carry::both(routes, SessionManagerLayer::new(old.clone()), layer);
        Self { before: before::app(old.clone()), both, old, new }
    }

    /// Ada, who has logged in and filled her cart before, and comes back after.
    async fn ada(&self) -> Browser {
        let mut ada = Browser::new(&self.before);
        ada.post("/cart/apple").await;
        ada.log_in("ada", "sesame").await;
        assert!(ada.home().await.starts_with("visit 1,"));
        self.old.take_commands();
        ada.now_at(&self.both)
    }
}

const CARRIED: &str = r#"visit 2, user Some("ada"), cart ["apple"]"#;

fn id_of(browser: &Browser) -> Id {
    browser.jar["id"].parse().unwrap()
}

#[tokio::test]
async fn a_visitor_keeps_cart_login_and_counter_and_the_old_session_ends_at_the_second_request() {
    let roll_out = RollOut::new();
    let mut ada = roll_out.ada().await;
    let old_id = id_of(&ada);
    assert!(ada.home().await.starts_with(CARRIED));
    assert_eq!(ada.jar.keys().collect::<Vec<_>>(), ["__Host-id", "id"]);
    assert_eq!(roll_out.old.take_commands(), 1, "it is read once");

    assert!(ada.home().await.starts_with("visit 3,"));
    assert_eq!(ada.jar.keys().collect::<Vec<_>>(), ["__Host-id"]);
    assert_eq!(roll_out.old.take_commands(), 1, "it is deleted");
    assert_eq!(roll_out.old.inner.load(&old_id).await.unwrap(), None);

    assert!(ada.home().await.starts_with("visit 4,"));
    assert_eq!(roll_out.old.take_commands(), 0);
}

#[tokio::test]
async fn a_visitor_who_comes_first_now_costs_the_old_store_nothing() {
    let roll_out = RollOut::new();
    let mut bob = Browser::new(&roll_out.both);
    bob.home().await;
    bob.post("/cart/pear").await;
    assert!(!bob.get("/about").await.headers.contains_key("vary"), "no session is loaded");
    assert_eq!(roll_out.old.take_commands(), 0);
    assert_eq!(bob.jar.keys().collect::<Vec<_>>(), ["__Host-id"]);
}

#[tokio::test]
async fn an_answer_that_is_lost_costs_the_visitor_nothing() {
    let roll_out = RollOut::new();
    let ada = roll_out.ada().await;
    ada.clone().home().await;
    assert!(ada.clone().home().await.starts_with(CARRIED));
}

#[tokio::test]
async fn a_handler_that_fails_does_not_keep_the_visitor_from_being_carried() {
    let roll_out = RollOut::new();
    let mut ada = roll_out.ada().await;
    assert_eq!(ada.post("/fails").await.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(ada.jar.contains_key("__Host-id"));
    assert!(ada.home().await.starts_with(CARRIED));
}

#[tokio::test]
async fn a_logout_is_final_also_as_the_first_request() {
    for requests_before in 0..3 {
        let roll_out = RollOut::new();
        let mut ada = roll_out.ada().await;
        let mut copy = ada.clone();
        for _ in 0..requests_before {
            ada.home().await;
        }
        assert_eq!(ada.post("/logout").await.status, StatusCode::SEE_OTHER);
        assert!(ada.jar.is_empty(), "{:?}", ada.jar);
        for browser in [&mut ada, &mut copy] {
            assert!(browser.home().await.starts_with("visit 1, user None, cart []"));
        }
    }
}

/// The old cookie of a browser that was closed meanwhile, which the new one does not outlive.
#[tokio::test]
async fn a_logout_that_keeps_the_data_is_final_also_as_the_first_request() {
    for requests_before in 0..2 {
        let roll_out = RollOut::new();
        let mut ada = roll_out.ada().await;
        let mut copy = ada.clone();
        for _ in 0..requests_before {
            ada.home().await;
        }
        assert_eq!(ada.post("/leave").await.status, StatusCode::OK);
        assert!(ada.home().await.contains(r#"user None, cart ["apple"]"#));
        assert!(copy.home().await.starts_with("visit 1, user None, cart []"));
    }
}

#[tokio::test]
async fn a_value_of_another_type_locks_nobody_out() {
    let roll_out = RollOut::new();
    let mut ada = roll_out.ada().await;
    let mut record = roll_out.old.inner.load(&id_of(&ada)).await.unwrap().unwrap();
    record.data.insert("cart".into(), 7.into());
    roll_out.old.inner.save(&record).await.unwrap();
    assert!(ada.home().await.starts_with(r#"visit 2, user Some("ada"), cart []"#));
}

/// The page's warning: an old server does not know the new sessions.
#[tokio::test]
async fn a_visitor_who_returns_to_an_old_server_is_logged_in_there_until_the_second_request() {
    let roll_out = RollOut::new();
    let mut ada = roll_out.ada().await;
    ada.home().await;
    let mut at_old = ada.now_at(&roll_out.before);
    assert!(at_old.home().await.contains(r#"user Some("ada")"#));
    ada.home().await;
    let mut at_old = ada.now_at(&roll_out.before);
    assert!(at_old.home().await.contains("user None"));
}

#[tokio::test]
async fn a_cookie_without_a_session_is_removed() {
    let roll_out = RollOut::new();
    for value in [Id::default().to_string(), "not an id".into()] {
        let mut eve = Browser::new(&roll_out.both);
        eve.jar.insert("id".into(), value);
        assert!(eve.home().await.starts_with("visit 1, user None"));
        assert_eq!(eve.jar.keys().collect::<Vec<_>>(), ["__Host-id"]);
    }
}

/// The page's warning about old cookies with a prefix, which browsers remove by a `Secure` cookie only.
#[tokio::test]
async fn the_old_layer_removes_its_cookie_without_secure() {
    let roll_out = RollOut::new();
    let mut ada = roll_out.ada().await;
    ada.home().await;
    let page = ada.get("/").await;
    let cookies = page.set_cookies();
    let removal = cookies.iter().find(|cookie| cookie.starts_with("id=")).unwrap();
    assert!(!removal.contains("Secure"), "{removal}");
}

#[tokio::test]
async fn while_the_old_store_is_out_nobody_loses_a_session() {
    let roll_out = RollOut::new();
    let (mut ada, mut bob) = (roll_out.ada().await, Browser::new(&roll_out.both));
    roll_out.old.set_out(true);
    assert_eq!(ada.get("/").await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ada.jar.keys().collect::<Vec<_>>(), ["id"]);
    assert!(bob.home().await.starts_with("visit 1,"), "others are served");
    assert_eq!(roll_out.new.len(), 1);
    roll_out.old.set_out(false);
    assert!(ada.home().await.starts_with(CARRIED));
}

/// A page that is open when the servers are replaced may send several requests at once. Each carries the
/// visitor over; the browser keeps the cookie that comes last, and the login is in every one.
#[tokio::test(start_paused = true)]
async fn parallel_first_requests_all_see_the_login() {
    let old = SlowBefore::default();
    let layer = SessionLayer::new(SlowAfter::default(), Key::generate().unwrap());
    let both = carry::both(after::routes(), SessionManagerLayer::new(old.clone()), layer);
    let mut ada = Browser::new(&before::app(old));
    ada.log_in("ada", "sesame").await;
    let ada = ada.now_at(&both);
    let mut tabs = JoinSet::new();
    for _ in 0..8 {
        let mut tab = ada.clone();
        tabs.spawn(async move {
            assert!(tab.home().await.contains(r#"user Some("ada")"#));
            assert!(tab.home().await.contains(r#"user Some("ada")"#), "the next page of this tab");
        });
    }
    tabs.join_all().await;
}

/// The page's warning: with one name for both cookies, the old layer takes the new one for a broken one of
/// its own, and removes it.
#[tokio::test]
async fn with_one_name_for_both_cookies_nobody_stays_logged_in() {
    let old = OldStore::default();
    let cookie = CookieOptions::builder().name("id").build().unwrap();
    let layer = SessionLayer::new(MemoryStore::new(), Key::generate().unwrap()).cookie(cookie);
    let both = carry::both(after::routes(), SessionManagerLayer::new(old.clone()), layer);
    let mut ada = Browser::new(&before::app(old));
    ada.log_in("ada", "sesame").await;
    let mut ada = ada.now_at(&both);
    ada.home().await;
    assert!(ada.home().await.contains(r#"user Some("ada")"#));
    assert!(ada.jar.is_empty(), "the second answer removed the cookie: {:?}", ada.jar);
}

/// The page's warning: whole records cannot be copied, because JSON does not tell the types.
#[tokio::test]
async fn a_value_is_copied_by_its_type() {
    let prices = HashMap::from([(1_u32, "apple".to_owned())]);
    let mut record = Record {
        id: Id::default(),
        data: Default::default(),
        expiry_date: tower_sessions::cookie::time::OffsetDateTime::now_utc(),
    };
    record.data.insert("prices".into(), serde_json::to_value(&prices).unwrap());
    let layer = SessionLayer::new(MemoryStore::new(), Key::generate().unwrap());
    let copies = async move |session: Session| {
        session.insert("as JSON", &record.data["prices"])?;
        let typed: HashMap<u32, String> =
            serde_json::from_value(record.data["prices"].clone()).unwrap();
        session.insert("by its type", &typed)?;
        assert!(session.get::<HashMap<u32, String>>("as JSON").is_err());
        assert_eq!(session.get("by its type")?, Some(prices.clone()));
        Ok::<_, SessionError>("copied")
    };
    let mut ada = Browser::new(&Router::new().route("/", get(copies)).layer(layer));
    assert_eq!(ada.home().await, "copied");
}
