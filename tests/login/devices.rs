//! The page of devices: a user sees and ends their own sessions, and nobody else's.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use cloakroom_testing::examples::{HeldLogin, Member, Reply};
use http::header::{SET_COOKIE, USER_AGENT};
use serde_json::json;

use crate::{alice, is_status, login, mallory};

#[tokio::test]
async fn a_user_sees_and_ends_their_own_devices() {
    let server = login(&[]);
    let (mut phone, mut laptop) = (Member::at(&server.url), alice(&server).await);
    phone.visitor.headers.insert(USER_AGENT, "Phone/1 <b>".parse().unwrap());
    is_status(&phone.log_in("alice", "wonderland").await, 200);
    let devices = laptop.get("/api/devices").await.json();
    let devices = devices.as_array().unwrap();
    assert_eq!(devices.len(), 2);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    for device in devices {
        let is_mine = device["handle"] == laptop.handle().await.as_str();
        assert_eq!(device["current"], is_mine);
        assert_eq!(device["agent"], if is_mine { "unknown" } else { "Phone/1 <b>" });
        for time in ["since", "last_used"] {
            assert!(now.abs_diff(device[time].as_u64().unwrap()) < 60, "{device}");
        }
    }
    let theirs = phone.handle().await;
    is_status(&laptop.delete(&format!("/api/devices/{theirs}")).await, 204);
    is_status(&laptop.delete(&format!("/api/devices/{theirs}")).await, 404);
    assert_eq!((phone.user().await, laptop.user().await), (json!(null), json!("alice")));
    let mine = laptop.handle().await;
    assert_eq!(laptop.devices().await, [&*mine]);
    is_status(&laptop.delete(&format!("/api/devices/{mine}")).await, 204);
    assert_eq!(laptop.user().await, json!(null));
}

#[tokio::test]
async fn nobody_ends_the_sessions_of_somebody_else() {
    let server = login(&[]);
    let (mut alice, mut mallory) = (alice(&server).await, mallory(&server).await);
    let handle = alice.handle().await;
    is_status(&mallory.delete(&format!("/api/devices/{handle}")).await, 404);
    let reply = mallory.post("/api/devices/end-others", json!(null)).await;
    assert_eq!(reply.json(), json!({"ended": 0}));
    assert_eq!(alice.user().await, "alice");
    let mut nobody = Member::at(&server.url);
    is_status(&nobody.get("/api/devices").await, 401);
    is_status(&nobody.delete(&format!("/api/devices/{handle}")).await, 401);
    is_status(&nobody.post("/api/devices/end-others", json!(null)).await, 401);
    let change = json!({"old": "wonderland", "new": "looking-glass"});
    is_status(&nobody.post("/api/password", change).await, 401);
    assert_eq!(alice.user().await, "alice");
}

#[tokio::test]
async fn a_user_logs_out_everywhere_else() {
    let server = login(&[]);
    let mut here = alice(&server).await;
    let mut others = [alice(&server).await, alice(&server).await];
    let cookie = here.visitor.cookie.clone();
    let reply = here.post("/api/devices/end-others", json!(null)).await;
    assert_eq!((reply.json(), reply.header(SET_COOKIE)), (json!({"ended": 2}), None));
    for other in &mut others {
        assert_eq!(other.user().await, json!(null));
    }
    assert_eq!((here.user().await, &here.visitor.cookie), (json!("alice"), &cookie));
}

#[tokio::test]
async fn a_new_password_logs_the_others_out_and_changes_the_id() {
    let server = login(&[]);
    let (mut here, mut other) = (alice(&server).await, alice(&server).await);
    here.post("/api/note", json!({"text": "milk"})).await;
    let wrong = json!({"old": "wrong", "new": "looking-glass"});
    is_status(&here.post("/api/password", wrong).await, 401);
    assert_eq!(other.user().await, "alice", "nothing has happened");

    let (mut thief, handle) = (here.clone(), here.handle().await);
    let change = json!({"old": "wonderland", "new": "looking-glass"});
    is_status(&here.post("/api/password", change.clone()).await, 204);
    assert_eq!((other.user().await, thief.user().await), (json!(null), json!(null)));
    assert_eq!((here.user().await, here.handle().await), (json!("alice"), handle));
    assert_eq!(here.get("/api/note").await.json(), json!({"note": "milk"}));
    is_status(&here.post("/api/password", change).await, 401);
    let mut later = Member::at(&server.url);
    is_status(&later.log_in("alice", "wonderland").await, 401);
    is_status(&later.log_in("alice", "looking-glass").await, 200);
}

/// A thief who knows the old password has sent a login before the owner changes it.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_with_the_old_password_that_is_under_way_is_refused() {
    let mut attempt = 1;
    let reply = loop {
        if let Some(reply) = a_login_during_a_change_of_the_password(attempt).await {
            break reply;
        }
        attempt += 1;
        assert!(attempt <= 5, "no login was under way during the change");
    };
    assert_eq!((reply.status.as_u16(), reply.header(SET_COOKIE)), (409, None), "{reply:?}");
}

/// Returns the answer to a login that was under way during the change; `None` if it perhaps was not.
async fn a_login_during_a_change_of_the_password(attempt: u32) -> Option<Reply> {
    let server = login(&[]);
    let mut owner = alice(&server).await;
    let held = HeldLogin::begin(Member::at(&server.url), attempt).await;
    let change = json!({"old": "wonderland", "new": "looking-glass"});
    let begun = Instant::now();
    is_status(&owner.post("/api/password", change).await, 204);
    let done = Instant::now();
    let reply = held.answer(begun, done).await;
    assert_eq!(owner.devices().await.len(), 1);
    reply
}
