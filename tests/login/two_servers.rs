//! Two servers, two browsers of alice and one of mallory.

use std::fs;
use std::time::Instant;

use cloakroom_testing::examples::{HeldLogin, Member};
use cloakroom_testing::fleet::Fleet;
use cloakroom_testing::processes::Folder;
use serde_json::json;

use crate::socket::{ask, closed, open};

/// Alice's first browser ends all her others. The second one's next click, websocket message and held
/// request all find that its session is over. Mallory notices nothing.
#[tokio::test(flavor = "multi_thread")]
async fn ending_the_others_reaches_clicks_sockets_and_held_requests() {
    let mut attempt = 1;
    while !an_end_meets_a_held_login(attempt).await {
        attempt += 1;
        assert!(attempt <= 5, "no login was under way during the end");
    }
}

/// Returns false if the held login was perhaps not under way when the others were ended.
async fn an_end_meets_a_held_login(attempt: u32) -> bool {
    let folder = Folder::new();
    let root = folder.join("sessions");
    fs::create_dir(&root).unwrap();
    let store = format!("file://{}?durability=none", root.display());
    let fleet = Fleet::of("login", 2, &store, "file", &[("TIMEOUT", "20")]).await;
    let (west, east) = (fleet.url(0), fleet.url(1));
    let mut first = Member::logged_in(west, "alice", "wonderland").await;
    let mut second = Member::logged_in(east, "alice", "wonderland").await;
    let mut mallory = Member::logged_in(east, "mallory", "password1").await;
    let (mut socket, mut hers) = (open(east, &second).unwrap(), open(east, &mallory).unwrap());
    assert_eq!(ask(&mut socket), json!({"user": "alice"}));

    let held = HeldLogin::begin(second.clone(), attempt).await;
    let begun = Instant::now();
    let reply = first.post("/api/devices/end-others", json!(null)).await;
    let done = Instant::now();
    assert_eq!(reply.json(), json!({"ended": 1}));

    assert_eq!(second.user().await, json!(null), "the next click");
    assert_eq!(closed(socket), 4401, "the websocket");
    let Some(reply) = held.answer(begun, done).await else { return false };
    assert_eq!((reply.status.as_u16(), reply.header("set-cookie")), (409, None), "{reply:?}");
    assert_eq!(first.user().await, "alice");
    assert_eq!(
        (mallory.user().await, ask(&mut hers)),
        (json!("mallory"), json!({"user": "mallory"}))
    );
    assert_eq!(first.moved_to(east).devices().await.len(), 1);
    true
}
