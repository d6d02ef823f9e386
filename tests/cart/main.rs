//! The cart example as a process, over HTTP.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod process;
mod strangers;

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cloakroom_testing::examples::{Server, Upload, Visitor};
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, SET_COOKIE, VARY,
};
use serde_json::json;
use sha2::{Digest, Sha256};

const KEYS: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY";
const JSON: Option<&str> = Some("application/json");

fn cart(variables: &[(&str, &str)]) -> Server {
    Server::start("cart", variables)
}

#[tokio::test]
async fn a_cart_lives_through_a_login_and_ends_with_a_logout() {
    let server = cart(&[("NODE", "west")]);
    let mut visitor = Visitor::to(&server.url);
    let empty = json!({"node": "west", "store": "memory", "user": null, "items": {}, "count": 0});

    let reply = visitor.get("/api/session").await;
    assert_eq!((reply.status.as_u16(), reply.json()), (200, empty.clone()));
    assert_eq!(reply.header(SET_COOKIE), None, "reading creates nothing");

    let reply = visitor.post("/api/items", json!({"sku": "apple", "qty": 3})).await;
    assert_eq!((reply.status.as_u16(), &reply.json()["items"]), (200, &json!({"apple": 3})));
    let set_cookie = reply.header(SET_COOKIE).unwrap();
    assert!(set_cookie.starts_with("__Host-id="), "{set_cookie}");
    for attribute in ["; Secure", "; HttpOnly", "; SameSite=Lax", "; Path=/"] {
        assert!(set_cookie.contains(attribute), "{attribute} in {set_cookie}");
    }
    visitor.post("/api/items", json!({"sku": "apple", "qty": -1})).await;
    let reply = visitor.post("/api/items", json!({"sku": "pear", "qty": 1})).await;
    assert_eq!(reply.json()["items"], json!({"apple": 2, "pear": 1}));
    assert_eq!(reply.header(SET_COOKIE), None, "the ticket is still good");

    let mut thief = visitor.clone();
    let reply = visitor.post("/api/login", json!({"user": "alice"})).await;
    let mut owned = empty.clone();
    (owned["user"], owned["items"], owned["count"]) =
        (json!("alice"), json!({"apple": 2, "pear": 1}), json!(3));
    assert_eq!((reply.status.as_u16(), reply.json()), (200, owned.clone()));
    assert_ne!(visitor.cookie, thief.cookie, "a login changes the id");
    assert_eq!(thief.get("/api/session").await.json(), empty, "the old id opens nothing");

    let reply = visitor.post("/api/login", json!({"user": "bob"})).await;
    owned["user"] = json!("bob");
    assert_eq!((reply.status.as_u16(), reply.json()), (200, owned), "the cart is the browser's");

    let reply = visitor.send("DELETE", "/api/items/pear", None, "").await;
    assert_eq!((reply.status.as_u16(), &reply.json()["items"]), (200, &json!({"apple": 2})));
    let reply = visitor.post("/api/items", json!({"sku": "apple", "qty": -5})).await;
    assert_eq!((&reply.json()["items"], &reply.json()["count"]), (&json!({}), &json!(0)));

    let mut left_open = visitor.clone();
    let reply = visitor.send("POST", "/api/logout", None, "").await;
    assert_eq!((reply.status.as_u16(), reply.body.as_str()), (204, ""));
    assert_eq!(visitor.cookie, None, "the cookie is removed");
    assert_eq!(left_open.get("/api/session").await.json(), empty, "the session is over");
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_parallel_additions_all_count() {
    let server = cart(&[]);
    let mut visitor = Visitor::to(&server.url);
    for round in 1..=20_u64 {
        // The first request is sent alone. Without a ticket, each one would begin its own session.
        let rest = if round == 1 {
            visitor.post("/api/items", json!({"sku": "plum", "qty": 1})).await;
            63
        } else {
            64
        };
        let additions: Vec<_> = (0..rest)
            .map(|_| {
                let mut visitor = visitor.clone();
                tokio::spawn(async move {
                    visitor.post("/api/items", json!({"sku": "plum", "qty": 1})).await
                })
            })
            .collect();
        for addition in additions {
            assert_eq!(addition.await.unwrap().status, 200);
        }
        let now = visitor.get("/api/session").await.json();
        assert_eq!(now["items"], json!({"plum": round * 64}), "after round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_held_over_a_logout_is_refused_and_brings_nothing_back() {
    let server = cart(&[]);
    let mut visitor = Visitor::to(&server.url);
    visitor.post("/api/items", json!({"sku": "apple", "qty": 1})).await;
    let (add, login) = (json!({"sku": "pear", "qty": 1}), json!({"user": "mallory"}));
    let add = Upload::begin(&server.url, &visitor, "/api/items", &add).await;
    let login = Upload::begin(&server.url, &visitor, "/api/login", &login).await;
    let mut left_open = visitor.clone();
    let reply = visitor.send("POST", "/api/logout", None, "").await;
    assert_eq!(reply.status, 204);

    let late = add.finish().await;
    assert_eq!((late.status.as_u16(), late.header(SET_COOKIE)), (409, None));
    assert!(late.json()["error"].is_string());
    // A login begins a session of its own, with nothing of the one that is over.
    let login = login.finish().await;
    assert_eq!((login.status.as_u16(), &login.json()["items"]), (200, &json!({})));
    let after = left_open.get("/api/session").await.json();
    assert_eq!((&after["items"], &after["user"]), (&json!({}), &json!(null)));
}

#[tokio::test]
async fn bad_input_is_answered_with_a_reason() {
    let server = cart(&[]);
    let mut visitor = Visitor::to(&server.url);
    let long = "a".repeat(65);
    let cases: &[(&str, &str, Option<&str>, String)] = &[
        ("POST", "/api/items", JSON, "{".into()),
        ("POST", "/api/items", JSON, String::new()),
        ("POST", "/api/items", JSON, "[]".into()),
        ("POST", "/api/items", JSON, r#"{"sku":"apple"}"#.into()),
        ("POST", "/api/items", JSON, r#"{"qty":1}"#.into()),
        ("POST", "/api/items", JSON, r#"{"sku":"apple","qty":1.5}"#.into()),
        ("POST", "/api/items", JSON, r#"{"sku":"apple","qty":"1"}"#.into()),
        ("POST", "/api/items", JSON, r#"{"sku":"apple","qty":9223372036854775808}"#.into()),
        ("POST", "/api/items", JSON, r#"{"sku":7,"qty":1}"#.into()),
        ("POST", "/api/items", JSON, r#"{"sku":"","qty":1}"#.into()),
        ("POST", "/api/items", JSON, r#"{"sku":"..","qty":1}"#.into()),
        ("POST", "/api/items", JSON, r#"{"sku":"a/b","qty":1}"#.into()),
        ("POST", "/api/items", JSON, r#"{"sku":"<b>","qty":1}"#.into()),
        ("POST", "/api/items", JSON, "{\"sku\":\"a\\u0000\",\"qty\":1}".into()),
        ("POST", "/api/items", JSON, r#"{"sku":"äpfel","qty":1}"#.into()),
        ("POST", "/api/items", JSON, format!(r#"{{"sku":"{long}","qty":1}}"#)),
        ("POST", "/api/items", Some("text/plain"), r#"{"sku":"apple","qty":1}"#.into()),
        ("POST", "/api/items", None, r#"{"sku":"apple","qty":1}"#.into()),
        ("POST", "/api/items?hold=soon", JSON, r#"{"sku":"apple","qty":1}"#.into()),
        ("POST", "/api/items?hold=-1", JSON, r#"{"sku":"apple","qty":1}"#.into()),
        ("DELETE", "/api/items/%ff", None, String::new()),
        ("DELETE", "/api/items/a%20b", None, String::new()),
        ("DELETE", "/api/items/apple?hold=x", None, String::new()),
        ("POST", "/api/login", JSON, r#"{"user":""}"#.into()),
        ("POST", "/api/login", JSON, r#"{"user":"  "}"#.into()),
        ("POST", "/api/login", JSON, r#"{"user":null}"#.into()),
        ("POST", "/api/login", JSON, r#"{"user":"a\nb"}"#.into()),
        ("POST", "/api/login", JSON, format!(r#"{{"user":"{long}"}}"#)),
        ("POST", "/api/logout?hold=x", None, String::new()),
    ];
    for (method, path, kind, body) in cases {
        let reply = visitor.send(method, path, *kind, body.clone()).await;
        assert_eq!(reply.status, 400, "{method} {path} {body}: {reply:?}");
        assert_eq!(reply.header(CONTENT_TYPE), JSON);
        assert!(reply.json()["error"].as_str().is_some_and(|reason| !reason.is_empty()));
        assert_eq!(reply.header(SET_COOKIE), None, "{method} {path} {body}");
    }
    let too_much = format!(r#"{{"sku":"apple","qty":1,"x":"{}"}}"#, "x".repeat(20_000));
    assert_eq!(visitor.send("POST", "/api/items", JSON, too_much).await.status, 413);
    let reply = visitor.submit("/cart/add", "sku=%3Cb%3E&qty=1").await;
    assert_eq!((reply.status.as_u16(), reply.body.contains("<b>")), (400, false));
}

#[tokio::test]
async fn absurd_quantities_stop_at_the_ends() {
    let server = cart(&[]);
    let mut visitor = Visitor::to(&server.url);
    let reply = visitor.post("/api/items", json!({"sku": "fig", "qty": i64::MIN})).await;
    assert_eq!((reply.status.as_u16(), reply.header(SET_COOKIE)), (200, None));
    for _ in 0..2 {
        let reply = visitor.post("/api/items", json!({"sku": "fig", "qty": i64::MAX})).await;
        assert_eq!(reply.json()["count"], u32::MAX);
    }
    visitor.post("/api/items", json!({"sku": "pear", "qty": u32::MAX})).await;
    let page = visitor.get("/").await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains(&(u64::from(u32::MAX) * 2).to_string()));
    let reply = visitor.post("/api/items", json!({"sku": "fig", "qty": i64::MIN})).await;
    assert_eq!(reply.json()["items"], json!({"pear": u32::MAX}));
}

#[tokio::test]
async fn two_nodes_that_share_only_their_keys_share_no_carts() {
    let west = cart(&[("NODE", "west"), ("SESSION_KEYS", KEYS)]);
    let east = cart(&[("NODE", "east"), ("SESSION_KEYS", KEYS)]);
    let mut at_west = Visitor::to(&west.url);
    at_west.post("/api/items", json!({"sku": "apple", "qty": 1})).await;

    let mut at_east = Visitor::to(&east.url);
    at_east.cookie = at_west.cookie.clone();
    let reply = at_east.get("/api/session").await;
    assert_eq!((&reply.json()["node"], &reply.json()["count"]), (&json!("east"), &json!(0)));
    assert_eq!(reply.header(SET_COOKIE), None, "a ticket of the west is left alone");
    at_east.post("/api/items", json!({"sku": "pear", "qty": 1})).await;
    assert_ne!(at_east.cookie, at_west.cookie, "an id is never created twice");
    let at_west = at_west.get("/api/session").await.json();
    assert_eq!(at_west["items"], json!({"apple": 1}));
}

#[tokio::test]
async fn a_forged_cookie_is_a_new_visitor() {
    let (server, elsewhere) = (cart(&[("SESSION_KEYS", KEYS)]), cart(&[]));
    let mut owner = Visitor::to(&server.url);
    owner.post("/api/items", json!({"sku": "apple", "qty": 1})).await;
    let good = owner.cookie.clone().unwrap();
    let mut stranger = Visitor::to(&elsewhere.url);
    stranger.post("/api/items", json!({"sku": "apple", "qty": 1})).await;

    let last = if good.ends_with('A') { 'B' } else { 'A' };
    let forged = [
        stranger.cookie.unwrap(),
        format!("{}{last}", &good[..good.len() - 1]),
        good[..good.len() - 1].to_owned(),
        format!("{good}A"),
        good.replacen("__Host-id", "__host-id", 1),
        good.replacen("__Host-id", "id", 1),
        "__Host-id=".into(),
        "__Host-id".into(),
        "=;;=\u{9};__Host-id=%00".into(),
        format!("__Host-id={}", "A".repeat(4000)),
    ];
    for forgery in forged {
        let mut forger = Visitor::to(&server.url);
        forger.cookie = Some(forgery.clone());
        let reply = forger.get("/api/session").await;
        assert_eq!((reply.status.as_u16(), &reply.json()["count"]), (200, &json!(0)), "{forgery}");
        assert_eq!(reply.header(SET_COOKIE), None, "{forgery}");
        forger.post("/api/items", json!({"sku": "pear", "qty": 1})).await;
        let cookie = forger.cookie.clone().unwrap();
        assert!(cookie != forgery && cookie != good, "{forgery} was adopted");
        let reply = forger.get("/api/session").await;
        assert_eq!(reply.json()["items"], json!({"pear": 1}), "{forgery}");
    }
    assert_eq!(owner.get("/api/session").await.json()["items"], json!({"apple": 1}));
}

#[tokio::test]
async fn the_page_works_by_forms_and_is_never_kept() {
    let server = cart(&[("NODE", "<west & \"co\">")]);
    let mut visitor = Visitor::to(&server.url);
    let reply = visitor.get("/").await;
    assert_eq!((reply.status.as_u16(), reply.header(SET_COOKIE)), (200, None));
    for (path, form) in [
        ("/cart/add", "sku=apple&qty=2"),
        ("/cart/add", "sku=not-in-the-catalogue&qty=1"),
        ("/cart/add", "sku=pear&qty=1"),
        ("/cart/remove", "sku=pear"),
        ("/login", "user=%3Cscript%3Ealert(1)%3C%2Fscript%3E"),
    ] {
        let reply = visitor.submit(path, form).await;
        assert_eq!((reply.status.as_u16(), reply.header(LOCATION)), (303, Some("/")), "{path}");
    }
    let page = visitor.get("/").await;
    assert_eq!(page.header(CACHE_CONTROL), Some("no-store"));
    assert!(page.header(VARY).unwrap().eq_ignore_ascii_case("cookie"));
    assert!(page.body.contains("&lt;west &amp; &quot;co&quot;&gt;"), "{}", page.body);
    assert!(page.body.contains("&lt;script&gt;alert(1)") && !page.body.contains("<script"));
    assert!(page.body.contains(r#"data-sku="apple""#) && page.body.contains("<output>2<"));
    assert!(page.body.contains(r#"data-sku="not-in-the-catalogue""#));
    assert!(!page.body.contains(r#"data-sku="pear""#));

    let (_, style) = page.body.split_once("<style>").unwrap();
    let (style, _) = style.split_once("</style>").unwrap();
    let hash = STANDARD.encode(Sha256::digest(style));
    let policy = page.header(CONTENT_SECURITY_POLICY).unwrap();
    assert!(policy.starts_with("default-src 'none'") && policy.contains(&hash), "{policy}");

    assert_eq!(visitor.submit("/logout", "").await.status, 303);
    assert_eq!(visitor.cookie, None);
    assert!(visitor.get("/").await.body.contains(r#"id="count">0<"#));
}

#[tokio::test]
async fn what_needs_no_session_touches_none() {
    let server = cart(&[]);
    let mut visitor = Visitor::to(&server.url);
    visitor.post("/api/items", json!({"sku": "apple", "qty": 1})).await;
    let reply = visitor.get("/healthz").await;
    assert_eq!((reply.status.as_u16(), reply.body.as_str()), (200, "ok"));
    assert_eq!((reply.header(VARY), reply.header(SET_COOKIE)), (None, None));
    let reply = visitor.send("HEAD", "/", None, "").await;
    assert_eq!((reply.status.as_u16(), reply.body.as_str()), (200, ""));
    let reply = visitor.get("/api/nowhere").await;
    assert_eq!((reply.status.as_u16(), reply.header(CONTENT_TYPE)), (404, JSON));
    assert!(reply.json()["error"].is_string());
    assert!(visitor.get("/nowhere").await.body.contains("<h1>Not Found</h1>"));
    let reply = visitor.send("PUT", "/api/items", None, "").await;
    assert_eq!((reply.status.as_u16(), reply.header(ALLOW)), (405, Some("POST")));
}

#[tokio::test]
async fn both_timeouts_can_be_set() {
    for variable in ["IDLE", "LIFETIME"] {
        let server = cart(&[(variable, "1")]);
        let mut visitor = Visitor::to(&server.url);
        let reply = visitor.post("/api/items", json!({"sku": "apple", "qty": 1})).await;
        assert_eq!(reply.status, 200);
        // The server is another process, and its clock cannot be set.
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        assert_eq!(visitor.get("/api/session").await.json()["count"], 0, "{variable}");
    }
    let forever = u64::MAX.to_string();
    let server = cart(&[("IDLE", &forever), ("LIFETIME", &forever)]);
    let mut visitor = Visitor::to(&server.url);
    visitor.post("/api/items", json!({"sku": "apple", "qty": 1})).await;
    assert_eq!(visitor.get("/api/session").await.json()["count"], 1);
    assert_eq!(visitor.get("/").await.status, 200);
}
