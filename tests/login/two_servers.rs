//! Two servers, two browsers of alice and one of mallory.

use std::fs;

use cloakroom_testing::examples::Member;
use cloakroom_testing::fleet::Fleet;
use cloakroom_testing::processes::Folder;
use serde_json::json;
use tokio::time::{Duration, sleep};

use crate::socket::{ask, closed, open};

/// Alice's first browser ends all her others. The second one's next click, websocket message and held
/// request all find that its session is over. Mallory notices nothing.
#[tokio::test(flavor = "multi_thread")]
async fn ending_the_others_reaches_clicks_sockets_and_held_requests() {
    let mut tries = 0;
    // On a busy machine, the held login may be done before the end, or begin after it.
    while !an_end_meets_a_held_login().await {
        tries += 1;
        assert!(tries < 5, "no held login was refused");
    }
}

/// Returns false if the held login was not under way when the others were ended.
async fn an_end_meets_a_held_login() -> bool {
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

    let mut held = second.clone();
    let login = json!({"user": "alice", "password": "wonderland"});
    let held = tokio::spawn(async move { held.visitor.post("/api/login?hold=5000", login).await });
    // The server is another process, and only its answer tells how far it has come.
    sleep(Duration::from_millis(2_000)).await;
    let reply = first.post("/api/devices/end-others", json!(null)).await;
    assert_eq!(reply.json(), json!({"ended": 1}));

    assert_eq!(second.user().await, json!(null), "the next click");
    assert_eq!(closed(socket), 4401, "the websocket");
    let reply = held.await.unwrap();
    if reply.status == 200 {
        return false;
    }
    assert_eq!((reply.status.as_u16(), reply.header("set-cookie")), (409, None), "{reply:?}");
    assert_eq!(first.user().await, "alice");
    assert_eq!(
        (mallory.user().await, ask(&mut hers)),
        (json!("mallory"), json!({"user": "mallory"}))
    );
    assert_eq!(first.moved_to(east).devices().await.len(), 1);
    true
}
