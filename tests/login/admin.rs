//! The administrator's calls.

use cloakroom_testing::examples::Member;
use serde_json::json;

use crate::{alice, is_status, login, mallory, root};

const SESSIONS: &str = "/api/admin/users/alice/sessions";
const BAN: &str = "/api/admin/users/alice/ban";

#[tokio::test]
async fn an_administrator_sees_and_ends_the_sessions_of_a_user() {
    let server = login(&[]);
    let (mut root, mut mallory) = (root(&server).await, mallory(&server).await);
    let mut devices = [alice(&server).await, alice(&server).await];
    let listed = root.get(SESSIONS).await.json();
    assert_eq!(listed.as_array().unwrap().len(), 2);
    for device in listed.as_array().unwrap() {
        assert_eq!(device["current"], false);
    }
    assert_eq!(root.delete(SESSIONS).await.json(), json!({"ended": 2}));
    for device in &mut devices {
        assert_eq!(device.user().await, json!(null));
    }
    assert_eq!(root.get(SESSIONS).await.json(), json!([]));
    assert_eq!(root.delete(SESSIONS).await.json(), json!({"ended": 0}));
    assert_eq!(mallory.user().await, "mallory");
    assert_eq!(root.get("/api/admin/users/nobody/sessions").await.json(), json!([]));
    assert_eq!(root.delete("/api/admin/users/root/sessions").await.json(), json!({"ended": 1}));
    assert_eq!(root.user().await, json!(null), "the administrator too");
}

#[tokio::test]
async fn a_ban_takes_effect_in_sessions_that_exist() {
    let server = login(&[]);
    let mut root = root(&server).await;
    let mut devices = [alice(&server).await, alice(&server).await];
    devices[0].post("/api/note", json!({"text": "milk"})).await;
    assert_eq!(root.post(BAN, json!(null)).await.json(), json!({"edited": 2}));
    for device in &mut devices {
        let me = device.me().await;
        assert_eq!((&me["user"], &me["role"]), (&json!("alice"), &json!("banned")));
        is_status(&device.get("/api/devices").await, 403);
        is_status(&device.post("/api/devices/end-others", json!(null)).await, 403);
        assert!(device.get("/").await.body.contains(r#"id="banned""#));
    }
    assert_eq!(devices[0].get("/api/note").await.json(), json!({"note": "milk"}));
    is_status(&devices[0].post("/api/logout", json!(null)).await, 204);
    assert_eq!(alice(&server).await.me().await["role"], "user", "the account has its rights");
}

#[tokio::test]
async fn everybody_else_is_refused() {
    let server = login(&[]);
    let mut victim = alice(&server).await;
    for mut other in [Member::at(&server.url), mallory(&server).await, victim.clone()] {
        is_status(&other.get(SESSIONS).await, 403);
        is_status(&other.delete(SESSIONS).await, 403);
        is_status(&other.post(BAN, json!(null)).await, 403);
        is_status(&other.get("/admin").await, 403);
    }
    assert_eq!(victim.me().await["role"], "user");
    // An administrator who is banned is none any more.
    let mut banned = root(&server).await;
    let mut root = root(&server).await;
    let reply = root.post("/api/admin/users/root/ban", json!(null)).await;
    assert_eq!(reply.json(), json!({"edited": 2}));
    is_status(&banned.get(SESSIONS).await, 403);
}
