//! Requests that another site makes a visitor's browser send.

use http::HeaderValue;
use serde_json::{Value, json};

use crate::{alice, is_status, login, root};
use cloakroom_testing::examples::Member;

/// Every change but the login, with a body that is right.
fn changes() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("POST", "/api/logout", json!(null)),
        ("POST", "/api/note", json!({"text": "planted"})),
        ("POST", "/api/flash", json!({"text": "planted"})),
        ("POST", "/api/password", json!({"old": "toor-toor", "new": "planted!"})),
        ("POST", "/api/devices/end-others", json!(null)),
        ("DELETE", "/api/devices/0000000000000000", json!(null)),
        ("DELETE", "/api/admin/users/alice/sessions", json!(null)),
        ("POST", "/api/admin/users/alice/ban", json!(null)),
    ]
}

const FORMS: [(&str, &str); 8] = [
    ("/logout", ""),
    ("/note", "text=planted"),
    ("/password", "old=toor-toor&new=planted!"),
    ("/devices/end", "handle=0000000000000000"),
    ("/devices/end-others", ""),
    ("/admin/end-all", "user=alice"),
    ("/admin/ban", "user=alice"),
    ("/note", "text=planted&csrf=planted"),
];

async fn nothing_has_happened(member: &mut Member, victim: &mut Member) {
    assert_eq!(member.user().await, "root");
    assert_eq!(member.get("/api/note").await.json(), json!({"note": null}));
    assert_eq!(member.get("/api/flash").await.json(), json!([]));
    assert_eq!(victim.me().await["role"], "user");
}

#[tokio::test]
async fn a_change_without_the_token_of_the_session_is_refused() {
    let server = login(&[]);
    let (mut member, mut victim, mut other) =
        (root(&server).await, alice(&server).await, root(&server).await);
    let theirs = other.me().await["csrf"].as_str().unwrap().to_owned();
    for token in [None, Some(""), Some("planted"), Some(theirs.as_str())] {
        let mut visitor = member.visitor.clone();
        if let Some(token) = token {
            visitor.headers.insert("x-csrf-token", HeaderValue::from_str(token).unwrap());
        }
        for (method, path, body) in changes() {
            let reply = match body {
                Value::Null => visitor.send(method, path, None, "").await,
                body => visitor.post(path, body).await,
            };
            assert_eq!(reply.status, 403, "{method} {path} with {token:?}: {reply:?}");
            assert!(reply.json()["error"].as_str().unwrap().contains("token"), "{reply:?}");
        }
        for (path, form) in FORMS {
            let reply = visitor.submit(path, form).await;
            assert_eq!(reply.status, 403, "{path} with {token:?}");
        }
    }
    nothing_has_happened(&mut member, &mut victim).await;
    assert_eq!(other.user().await, "root");
}

#[tokio::test]
async fn a_token_from_before_the_login_is_refused_after_it() {
    let server = login(&[]);
    let mut member = Member::at(&server.url);
    member.post("/api/note", json!({"text": "milk"})).await;
    let before = member.me().await["csrf"].as_str().unwrap().to_owned();
    let after = member.log_in("alice", "wonderland").await.json();
    let send = async |token: &str| {
        let mut visitor = member.visitor.clone();
        visitor.headers.insert("x-csrf-token", HeaderValue::from_str(token).unwrap());
        visitor.post("/api/note", json!({"text": "eggs"})).await
    };
    is_status(&send(&before).await, 403);
    is_status(&send(after["csrf"].as_str().unwrap()).await, 200);
}

/// Browsers send no cookie with a form of another site, so for the server its visitor has no session.
#[tokio::test]
async fn another_site_can_neither_log_a_visitor_in_nor_begin_a_session() {
    let server = login(&[]);
    let host = server.url.trim_start_matches("http://").to_owned();
    let login = "user=mallory&password=password1";
    for (name, value, status) in [
        ("sec-fetch-site", "cross-site", 403),
        ("sec-fetch-site", "same-site", 403),
        ("sec-fetch-site", "same-origin", 303),
        ("sec-fetch-site", "none", 303),
        ("origin", "http://evil.example", 403),
        ("origin", "null", 403),
        ("origin", &format!("http://{host}.evil.example"), 403),
        ("origin", &server.url, 303),
    ] {
        let mut visitor = Member::at(&server.url).visitor;
        visitor.headers.insert(name, HeaderValue::from_str(value).unwrap());
        for (path, form) in [("/login", login), ("/note", "text=planted")] {
            visitor.cookie = None;
            let reply = visitor.submit(path, form).await;
            assert_eq!(reply.status, status, "{path} with {name}: {value}");
            assert_eq!(visitor.cookie.is_some(), status == 303, "{path} with {name}: {value}");
        }
    }
}
