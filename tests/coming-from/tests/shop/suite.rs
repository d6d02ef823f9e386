//! One suite for both shops: the change of the library changes nothing that a visitor sees.

use axum::Router;
use axum::http::StatusCode;
use cloakroom::Key;
use coming_from_tests::{after, before};

use crate::browser::Browser;

fn shop_before() -> Router {
    before::app(tower_sessions::MemoryStore::default())
}

fn shop_after() -> Router {
    after::app(cloakroom::store::MemoryStore::new(), Key::generate().unwrap())
}

macro_rules! on_both {
    ($($name:ident;)*) => {
        mod was_before {
            $(#[tokio::test] async fn $name() { super::$name(super::shop_before()).await })*
        }
        mod is_after {
            $(#[tokio::test] async fn $name() { super::$name(super::shop_after()).await })*
        }
    };
}

on_both! {
    a_page_without_a_session_sets_no_cookie;
    the_counter_counts_each_visitor_apart;
    the_cart_keeps_what_is_put_into_it;
    a_wrong_password_logs_nobody_in;
    a_login_keeps_the_cart_and_changes_the_cookie;
    a_message_is_shown_once;
    a_logout_empties_the_session_and_removes_the_cookie;
}

async fn a_page_without_a_session_sets_no_cookie(shop: Router) {
    let page = Browser::new(&shop).get("/about").await;
    assert_eq!((page.status, page.body.as_str()), (StatusCode::OK, "A small shop.\n"));
    assert!(page.set_cookies().is_empty(), "{page:?}");
}

async fn the_counter_counts_each_visitor_apart(shop: Router) {
    let (mut ada, mut bob) = (Browser::new(&shop), Browser::new(&shop));
    for visit in ["visit 1,", "visit 2,", "visit 3,"] {
        assert!(ada.home().await.starts_with(visit));
    }
    assert!(bob.home().await.starts_with("visit 1,"));
}

async fn the_cart_keeps_what_is_put_into_it(shop: Router) {
    let mut ada = Browser::new(&shop);
    for item in ["apple", "pear", "apple", "plum"] {
        assert_eq!(ada.post(&format!("/cart/{item}")).await.status, StatusCode::OK);
    }
    assert!(ada.home().await.contains(r#"cart ["apple", "pear", "apple", "plum"]"#));
    assert_eq!(ada.delete("/cart/apple").await.status, StatusCode::OK);
    assert!(ada.home().await.contains(r#"cart ["pear", "plum"]"#));
}

async fn a_wrong_password_logs_nobody_in(shop: Router) {
    let mut ada = Browser::new(&shop);
    assert_eq!(ada.log_in("ada", "guess").await.status, StatusCode::UNAUTHORIZED);
    assert!(ada.home().await.contains("user None"));
}

async fn a_login_keeps_the_cart_and_changes_the_cookie(shop: Router) {
    let mut ada = Browser::new(&shop);
    ada.post("/cart/apple").await;
    let mut before = ada.clone();
    assert_eq!(ada.log_in("ada", "sesame").await.status, StatusCode::SEE_OTHER);
    assert_eq!(ada.jar.len(), 1);
    assert_ne!(ada.jar, before.jar);
    assert!(ada.home().await.contains(r#"user Some("ada"), cart ["apple"]"#));
    let page = before.get("/").await;
    assert!(!page.body.contains("apple"), "the old cookie still works: {page:?}");
}

async fn a_message_is_shown_once(shop: Router) {
    let mut ada = Browser::new(&shop);
    ada.log_in("ada", "sesame").await;
    assert!(ada.home().await.contains(r#"messages ["Welcome!"]"#));
    assert!(ada.home().await.contains("messages []"));
}

async fn a_logout_empties_the_session_and_removes_the_cookie(shop: Router) {
    let mut ada = Browser::new(&shop);
    ada.post("/cart/apple").await;
    ada.log_in("ada", "sesame").await;
    let mut copy = ada.clone();
    assert_eq!(ada.post("/logout").await.status, StatusCode::SEE_OTHER);
    assert!(ada.jar.is_empty(), "{:?}", ada.jar);
    for browser in [&mut ada, &mut copy] {
        assert!(browser.home().await.starts_with("visit 1, user None, cart []"));
    }
}
