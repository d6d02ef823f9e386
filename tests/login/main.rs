//! The login example as a process, over HTTP.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod admin;
mod csrf;
mod devices;
mod forms;
mod idle;
#[cfg(all(unix, feature = "file"))]
mod outage;
mod process;
mod socket;
#[cfg(all(unix, feature = "file"))]
mod two_servers;

use std::time::{Duration, Instant};

use cloakroom_testing::examples::{Member, Reply, Server};
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, SET_COOKIE, VARY};
use serde_json::json;

const KEYS: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY";
const JSON: Option<&str> = Some("application/json");

fn login(variables: &[(&str, &str)]) -> Server {
    Server::start("login", variables)
}

async fn alice(server: &Server) -> Member {
    Member::logged_in(&server.url, "alice", "wonderland").await
}

async fn mallory(server: &Server) -> Member {
    Member::logged_in(&server.url, "mallory", "password1").await
}

async fn root(server: &Server) -> Member {
    Member::logged_in(&server.url, "root", "toor-toor").await
}

fn is_status(reply: &Reply, status: u16) {
    assert_eq!(reply.status, status, "{reply:?}");
}

#[tokio::test]
async fn a_login_gives_a_new_id_and_keeps_the_note() {
    let server = login(&[("NODE", "west")]);
    let mut visitor = Member::at(&server.url);
    let nobody = json!({"node": "west", "user": null, "role": null, "handle": null, "csrf": null});
    let reply = visitor.get("/api/me").await;
    assert_eq!((reply.json(), reply.header(SET_COOKIE)), (nobody.clone(), None));
    assert_eq!(visitor.get("/api/note").await.json(), json!({"note": null}));

    let reply = visitor.post("/api/note", json!({"text": "milk"})).await;
    assert_eq!((reply.status.as_u16(), reply.json()), (200, json!({"note": "milk"})));
    let anonymous = visitor.me().await;
    assert!(anonymous["csrf"].is_string() && anonymous["user"].is_null());
    let mut thief = visitor.clone();

    let reply = visitor.log_in("alice", "wonderland").await;
    let me = reply.json();
    assert_eq!(
        (&me["user"], &me["role"], &me["node"]),
        (&json!("alice"), &json!("user"), &json!("west"))
    );
    assert!(me["handle"].is_string() && me["csrf"].is_string());
    let cookie = reply.header(SET_COOKIE).unwrap();
    assert!(cookie.starts_with("__Host-id=") && !cookie.contains("Max-Age"), "{cookie}");
    assert_eq!(visitor.get("/api/note").await.json(), json!({"note": "milk"}));
    assert_eq!(thief.me().await, nobody, "the old id opens nothing");
    assert_eq!(root(&server).await.me().await["role"], "admin");

    let mut left_open = visitor.clone();
    let reply = visitor.post("/api/logout", json!(null)).await;
    is_status(&reply, 204);
    assert_eq!(visitor.visitor.cookie, None, "the cookie is removed");
    assert_eq!(left_open.me().await, nobody);
}

#[tokio::test]
async fn another_user_does_not_see_the_note_of_the_one_before() {
    let server = login(&[]);
    let mut member = alice(&server).await;
    member.post("/api/note", json!({"text": "secret"})).await;
    is_status(&member.log_in("alice", "wonderland").await, 200);
    assert_eq!(member.get("/api/note").await.json(), json!({"note": "secret"}));
    is_status(&member.log_in("mallory", "wrong").await, 401);
    assert_eq!((member.user().await, member.devices().await.len()), (json!("alice"), 1));
    is_status(&member.log_in("mallory", "password1").await, 200);
    assert_eq!(member.get("/api/note").await.json(), json!({"note": null}));
    assert_eq!(member.user().await, "mallory");
    assert!(alice(&server).await.devices().await.len() == 1, "the session before is over");
}

#[tokio::test]
async fn a_wrong_password_changes_nothing_and_tells_no_names() {
    let server = login(&[]);
    let mut visitor = Member::at(&server.url);
    let wrong = visitor.log_in("alice", "wrong").await;
    let unknown = visitor.log_in("nobody", "wrong").await;
    for reply in [&wrong, &unknown] {
        is_status(reply, 401);
        assert_eq!(reply.header(SET_COOKIE), None, "no session begins");
    }
    assert_eq!(wrong.body, unknown.body);
    visitor.post("/api/note", json!({"text": "milk"})).await;
    is_status(&visitor.log_in("alice", "wrong").await, 401);
    assert_eq!(visitor.user().await, json!(null));
    assert_eq!(visitor.get("/api/note").await.json(), json!({"note": "milk"}));
    let mut member = alice(&server).await;
    assert_eq!(member.devices().await.len(), 1, "wrong logins are on no list");
}

/// A comparison of one with the other, in turns, because no time of a test machine means anything. On a busy one it
/// takes many turns until both have had the processor for themselves once.
#[tokio::test]
async fn an_unknown_name_is_answered_as_late_as_a_wrong_password() {
    let server = login(&[]);
    let mut visitor = Member::at(&server.url);
    let mut quickest = [Duration::MAX; 2];
    for turn in 1..=80 {
        for (quickest, name) in quickest.iter_mut().zip(["alice", "nobody"]) {
            let began = Instant::now();
            is_status(&visitor.log_in(name, "wrong").await, 401);
            *quickest = began.elapsed().min(*quickest);
        }
        // Without a hash to compare with, the answer would come some twenty times sooner.
        if turn >= 8 && quickest[1] * 3 > quickest[0] {
            return;
        }
    }
    panic!("{quickest:?}");
}

#[tokio::test]
async fn a_remembered_login_outlives_the_browser() {
    let server = login(&[]);
    let mut visitor = Member::at(&server.url);
    let login = json!({"user": "alice", "password": "wonderland", "remember": true});
    let reply = visitor.visitor.post("/api/login", login).await;
    let cookie = reply.header(SET_COOKIE).unwrap();
    assert!(cookie.contains("Max-Age=2592000"), "{cookie}");
    assert!(visitor.get("/api/ttl").await.json()["seconds"].as_u64().unwrap() > 6 * 86_400);
}

#[tokio::test]
async fn messages_are_shown_once() {
    let server = login(&[]);
    let mut visitor = Member::at(&server.url);
    assert_eq!(visitor.get("/api/flash").await.json(), json!([]));
    for text in ["one", "two"] {
        is_status(&visitor.post("/api/flash", json!({"text": text})).await, 204);
    }
    let mut other_tab = visitor.clone();
    assert_eq!(visitor.get("/api/flash").await.json(), json!(["one", "two"]));
    assert_eq!(other_tab.get("/api/flash").await.json(), json!([]));
}

/// Link checkers and previews send `HEAD`, and show nobody what they get.
#[tokio::test]
async fn a_head_request_takes_no_messages() {
    let server = login(&[]);
    let mut visitor = root(&server).await;
    visitor.post("/api/flash", json!({"text": "hello"})).await;
    for path in ["/", "/admin", "/api/flash"] {
        let reply = visitor.visitor.send("HEAD", path, None, "").await;
        assert_eq!((reply.status.as_u16(), reply.body.as_str()), (200, ""), "{path}");
    }
    assert_eq!(visitor.get("/api/flash").await.json(), json!(["hello"]));
}

#[tokio::test]
async fn the_api_keeps_texts_as_they_are() {
    let server = login(&[]);
    let mut visitor = Member::at(&server.url);
    let longest = " ".repeat(500);
    for text in ["", " milk ", "\n\t", &longest] {
        let reply = visitor.post("/api/note", json!({"text": text})).await;
        assert_eq!((reply.status.as_u16(), reply.json()), (200, json!({"note": text})));
        assert_eq!(visitor.get("/api/note").await.json(), json!({"note": text}));
        is_status(&visitor.post("/api/flash", json!({"text": text})).await, 204);
        assert_eq!(visitor.get("/api/flash").await.json(), json!([text]));
    }
}

#[tokio::test]
async fn a_limit_ends_the_oldest_session() {
    let server = login(&[("LIMIT", "2")]);
    let (mut first, mut second) = (alice(&server).await, alice(&server).await);
    let mut third = alice(&server).await;
    let users = [first.user().await, second.user().await, third.user().await];
    assert_eq!(users, [json!(null), json!("alice"), json!("alice")]);
    assert_eq!(third.devices().await.len(), 2);
}

#[tokio::test]
async fn bad_input_is_answered_with_a_reason() {
    let server = login(&[]);
    let mut member = alice(&server).await;
    let token = member.me().await["csrf"].as_str().unwrap().parse().unwrap();
    member.visitor.headers.insert("x-csrf-token", token);
    let long = "a".repeat(600);
    let cases: &[(&str, &str, Option<&str>, String)] = &[
        ("POST", "/api/login", JSON, "{".into()),
        ("POST", "/api/login", JSON, r#"{"user":"alice"}"#.into()),
        ("POST", "/api/login", JSON, r#"{"user":"","password":"x"}"#.into()),
        ("POST", "/api/login", JSON, r#"{"user":"a\nb","password":"x"}"#.into()),
        ("POST", "/api/login", JSON, r#"{"user":"a","password":1}"#.into()),
        ("POST", "/api/login", JSON, r#"{"user":"a","password":"x","remember":7}"#.into()),
        ("POST", "/api/login", None, r#"{"user":"alice","password":"wonderland"}"#.into()),
        ("POST", "/api/login?hold=soon", JSON, r#"{"user":"a","password":"x"}"#.into()),
        ("POST", "/api/note", JSON, "[]".into()),
        ("POST", "/api/note", JSON, format!(r#"{{"text":"{long}"}}"#)),
        ("POST", "/api/note", JSON, format!(r#"{{"text":"{}"}}"#, " ".repeat(501))),
        ("POST", "/api/flash", JSON, r#"{"text":null}"#.into()),
        ("POST", "/api/password", JSON, r#"{"old":"wonderland"}"#.into()),
        ("POST", "/api/password", JSON, r#"{"old":"wonderland","new":"short"}"#.into()),
        ("POST", "/api/password", JSON, format!(r#"{{"old":"wonderland","new":"{long}"}}"#)),
        ("DELETE", "/api/devices/%ff", None, String::new()),
    ];
    for (method, path, kind, body) in cases {
        let reply = member.visitor.send(method, path, *kind, body.clone()).await;
        assert_eq!(reply.status, 400, "{method} {path} {body}: {reply:?}");
        assert_eq!(reply.header(CONTENT_TYPE), JSON);
        assert!(reply.json()["error"].as_str().is_some_and(|reason| !reason.is_empty()));
        assert_eq!(reply.header(SET_COOKIE), None, "{method} {path} {body}");
    }
    let too_much = format!(r#"{{"text":"{}"}}"#, "x".repeat(20_000));
    is_status(&member.visitor.send("POST", "/api/note", JSON, too_much).await, 413);
    is_status(&member.delete("/api/devices/no-handle").await, 404);
}

#[tokio::test]
async fn every_response_has_the_headers_that_protect_it() {
    let server = login(&[]);
    let mut member = alice(&server).await;
    let page = member.get("/").await;
    assert_eq!(page.header(CACHE_CONTROL), Some("no-store"));
    assert!(page.header(VARY).unwrap().eq_ignore_ascii_case("cookie"));
    let policy = page.header(CONTENT_SECURITY_POLICY).unwrap();
    assert!(policy.starts_with("default-src 'none'") && policy.ends_with("frame-ancestors 'none'"));
    assert!(!page.body.contains("<script"));
    let frame = member.get("/idle").await;
    assert!(frame.header(CONTENT_SECURITY_POLICY).unwrap().ends_with("frame-ancestors 'self'"));
    let reply = member.get("/healthz").await;
    assert_eq!((reply.body.as_str(), reply.header(VARY)), ("ok", None));
    let reply = member.get("/api/nowhere").await;
    assert_eq!((reply.status.as_u16(), reply.header(CONTENT_TYPE)), (404, JSON));
    assert!(member.get("/nowhere").await.body.contains("<h1>Not Found</h1>"));
    let reply = member.visitor.send("PUT", "/api/logout", None, "").await;
    assert_eq!((reply.status.as_u16(), reply.header(ALLOW)), (405, Some("POST")));
}
