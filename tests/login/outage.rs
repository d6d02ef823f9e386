//! A store that cannot be reached in the middle of a request.

use std::fs;

use cloakroom_testing::examples::Member;
use cloakroom_testing::fleet::Fleet;
use cloakroom_testing::processes::Folder;
use serde_json::json;

use crate::is_status;

/// The session is loaded when the outage begins, so the password is checked, and the others cannot be ended.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_change_that_fails_changes_nothing_and_can_be_repeated() {
    let folder = Folder::new();
    let (root, away) = (folder.join("sessions"), folder.join("away"));
    fs::create_dir(&root).unwrap();
    let store = format!("file://{}?durability=none", root.display());
    let fleet = Fleet::of("login", 1, &store, "file", &[]).await;
    let url = fleet.url(0);
    let mut here = Member::logged_in(url, "alice", "wonderland").await;
    let mut other = Member::logged_in(url, "alice", "wonderland").await;

    let change = json!({"old": "wonderland", "new": "looking-glass"});
    let begun = here.begin_post("/api/password", &change).await;
    fs::rename(&root, &away).unwrap();
    let reply = begun.finish().await;
    is_status(&reply, 503);
    assert!(reply.header("retry-after").is_some(), "{reply:?}");
    fs::rename(&away, &root).unwrap();

    assert_eq!(other.user().await, "alice");
    is_status(&Member::at(url).log_in("alice", "looking-glass").await, 401);
    is_status(&here.post("/api/password", change).await, 204);
    assert_eq!((here.user().await, other.user().await), (json!("alice"), json!(null)));
    is_status(&Member::at(url).log_in("alice", "wonderland").await, 401);
    is_status(&Member::at(url).log_in("alice", "looking-glass").await, 200);
}
