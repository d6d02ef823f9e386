//! Visitors who have a session in the old store when the servers are replaced.

use axum::http::StatusCode;
use tower_sessions::SessionStore;
use tower_sessions::cookie::Key;

use crate::browser::Browser;
use crate::old_stores;
use crate::roll_out::{Cookies, RollOut};

/// Makes a test of each function for each store. It runs once for each kind of cookies.
macro_rules! on_every_store {
    ($($name:ident;)*) => {
        mod redis {
            $(#[tokio::test]
            #[ignore = "needs redis-server"]
            async fn $name() {
                let (store, _server) = super::old_stores::on_redis().await;
                super::for_all_cookies!(store, $name);
            })*
        }
        mod postgresql {
            $(#[tokio::test]
            #[ignore = "needs postgresql"]
            async fn $name() {
                let (store, _server) = super::old_stores::on_postgresql().await;
                super::for_all_cookies!(store, $name);
            })*
        }
        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                let (store, _folder) = super::old_stores::on_sqlite().await;
                super::for_all_cookies!(store, $name);
            })*
        }
    };
}

macro_rules! for_all_cookies {
    ($store:ident, $name:ident) => {
        for cookies in super::Cookies::ALL {
            println!("{cookies:?} cookies");
            super::$name(&$store, cookies).await;
        }
    };
}
use for_all_cookies;

on_every_store! {
    a_visitor_keeps_cart_login_and_counter;
    a_logout_is_final_also_as_the_first_request;
    a_copy_of_the_old_cookie_is_good_until_the_second_request;
    an_expired_session_is_not_carried;
    a_cookie_of_another_key_is_not_carried;
}

const CARRIED: &str = r#"visit 2, user Some("ada"), cart ["apple"]"#;
const NOBODY: &str = "visit 1, user None, cart []";

fn names(browser: &Browser) -> Vec<&str> {
    browser.jar.keys().map(String::as_str).collect()
}

async fn a_visitor_keeps_cart_login_and_counter(
    old: &(impl SessionStore + Clone),
    cookies: Cookies,
) {
    let shop = RollOut::new(old, cookies, &Key::generate());
    let mut ada = shop.ada().await;
    let mut copy = ada.now_at(&shop.before);
    assert!(ada.home().await.starts_with(CARRIED));
    assert_eq!(names(&ada), ["__Host-id", "id"]);
    for visit in ["visit 3,", "visit 4,"] {
        assert!(ada.home().await.starts_with(visit));
        assert_eq!(names(&ada), ["__Host-id"]);
    }
    assert!(copy.home().await.starts_with(NOBODY), "the old session is over");
}

async fn a_logout_is_final_also_as_the_first_request(
    old: &(impl SessionStore + Clone),
    cookies: Cookies,
) {
    for requests_before in 0..3 {
        let shop = RollOut::new(old, cookies, &Key::generate());
        let mut ada = shop.ada().await;
        let mut copy = ada.clone();
        for _ in 0..requests_before {
            ada.home().await;
        }
        assert_eq!(ada.post("/logout").await.status, StatusCode::SEE_OTHER);
        assert!(ada.jar.is_empty(), "{:?}", ada.jar);
        for browser in [&mut ada, &mut copy] {
            assert!(browser.home().await.starts_with(NOBODY));
        }
    }
}

/// The page's warning: until then a copy is carried too, into a session that no logout of the visitor reaches.
async fn a_copy_of_the_old_cookie_is_good_until_the_second_request(
    old: &(impl SessionStore + Clone),
    cookies: Cookies,
) {
    let shop = RollOut::new(old, cookies, &Key::generate());
    let mut ada = shop.ada().await;
    let (mut early, mut late) = (ada.clone(), ada.clone());
    ada.home().await;
    assert!(early.home().await.starts_with(CARRIED));
    ada.home().await;
    assert!(late.home().await.starts_with(NOBODY));
    ada.post("/logout").await;
    assert!(early.home().await.contains(r#"user Some("ada")"#));
}

async fn an_expired_session_is_not_carried(old: &(impl SessionStore + Clone), cookies: Cookies) {
    let shop = RollOut::too_late(old, cookies);
    let mut ada = Browser::new(&shop.before);
    ada.post("/cart/apple").await;
    assert_eq!(names(&ada), ["id"]);
    let mut ada = ada.now_at(&shop.both);
    assert!(ada.home().await.starts_with(NOBODY));
    assert_eq!(names(&ada), ["__Host-id"], "the old cookie is removed");
}

/// Whoever knows an id and not the key is nobody, as there. The cookie stays: the old layer takes it for none of
/// its own, and asks the store nothing.
async fn a_cookie_of_another_key_is_not_carried(
    old: &(impl SessionStore + Clone),
    cookies: Cookies,
) {
    if cookies == Cookies::Plain {
        return;
    }
    let theirs = RollOut::new(old, cookies, &Key::generate()).ada().await;
    let shop = RollOut::new(old, cookies, &Key::generate());
    for mut eve in [theirs, RollOut::new(old, Cookies::Plain, &Key::generate()).ada().await] {
        eve = eve.now_at(&shop.both);
        assert!(eve.home().await.starts_with(NOBODY));
        assert_eq!(names(&eve), ["__Host-id", "id"]);
    }
}
