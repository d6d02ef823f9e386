//! The login example without a store: nobody can list sessions, but those of a user can be revoked.

use cloakroom_testing::examples::Member;
use cloakroom_testing::fleet::Fleet;
use serde_json::json;

const FEATURES: &str = "axum,private";

async fn log_in(fleet: &Fleet, user: &str, password: &str) -> Member {
    Member::logged_in(fleet.url(0), user, password).await
}

async fn alice(fleet: &Fleet) -> Member {
    log_in(fleet, "alice", "wonderland").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_logs_in_keeps_a_note_and_logs_out() {
    for store in ["cookie:", "private-cookie:"] {
        let fleet = Fleet::of("login", 2, store, FEATURES, &[]).await;
        let mut visitor = Member::at(fleet.url(0));
        visitor.post("/api/note", json!({"text": "milk"})).await;
        let before = visitor.me().await["csrf"].as_str().unwrap().to_owned();
        assert_eq!(visitor.log_in("alice", "wrong").await.status, 401);
        assert_eq!(visitor.log_in("alice", "wonderland").await.status, 200);
        let mut elsewhere = visitor.moved_to(fleet.url(1));
        let me = elsewhere.me().await;
        assert_eq!((&me["user"], &me["handle"]), (&json!("alice"), &json!(null)));
        assert_eq!(elsewhere.get("/api/note").await.json(), json!({"note": "milk"}));
        visitor.visitor.headers.insert("x-csrf-token", before.parse().unwrap());
        let refused = visitor.visitor.post("/api/note", json!({"text": "eggs"})).await;
        assert_eq!(refused.status, 403, "a token from before the login");
        assert_eq!(visitor.post("/api/flash", json!({"text": "hello"})).await.status, 204);
        assert_eq!(visitor.get("/api/flash").await.json(), json!(["hello"]));
        assert_eq!(visitor.get("/api/flash").await.json(), json!([]));
        assert!(visitor.get("/api/ttl").await.json()["seconds"].is_u64());
        assert_eq!(visitor.post("/api/logout", json!(null)).await.status, 204);
        assert_eq!(visitor.visitor.cookie, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_cannot_be_listed_and_can_be_ended() {
    let fleet = Fleet::of("login", 1, "cookie:", FEATURES, &[]).await;
    let (mut here, mut there) = (alice(&fleet).await, alice(&fleet).await);
    let mut root = log_in(&fleet, "root", "toor-toor").await;
    for (member, method, path) in [
        (&here, "GET", "/api/devices"),
        (&there, "DELETE", "/api/devices/0000000000000000"),
        (&there, "DELETE", "/api/devices/no-handle"),
        (&root, "GET", "/api/admin/users/alice/sessions"),
        (&root, "POST", "/api/admin/users/alice/ban"),
        (&root, "GET", "/admin"),
    ] {
        let reply = member.clone().change(method, path, json!(null)).await;
        assert_eq!(reply.status, 501, "{path}: {reply:?}");
        assert!(reply.body.contains("cannot be listed"), "{path}: {reply:?}");
    }
    let page = here.get("/").await;
    assert!(page.status == 200 && page.body.contains("cannot be listed"), "{page:?}");

    let reply = here.post("/api/devices/end-others", json!(null)).await;
    assert_eq!((reply.status.as_u16(), reply.json()), (200, json!({"ended": null})));
    assert_eq!((here.user().await, there.user().await), (json!("alice"), json!(null)));
    let mut later = alice(&fleet).await;
    let reply = root.delete("/api/admin/users/alice/sessions").await;
    assert_eq!((reply.status.as_u16(), reply.json()), (200, json!({"ended": null})));
    for member in [&mut here, &mut later] {
        assert_eq!(member.user().await, json!(null));
    }
    assert_eq!(root.user().await, "root");
    assert_eq!(alice(&fleet).await.user().await, "alice", "a later login works");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_ends_the_other_sessions() {
    let fleet = Fleet::of("login", 1, "cookie:", FEATURES, &[]).await;
    let (mut here, mut there) = (alice(&fleet).await, alice(&fleet).await);
    let change = json!({"old": "wonderland", "new": "looking-glass"});
    assert_eq!(here.post("/api/password", change).await.status, 204);
    assert_eq!((here.user().await, there.user().await), (json!("alice"), json!(null)));
}
