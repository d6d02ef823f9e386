//! How long the session lasts, asked without using it.

use std::time::{Duration, Instant};

use cloakroom_testing::examples::Member;
use serde_json::json;

use crate::{alice, login};

/// The longest between two uses of a session whose idle timeout is two seconds. A use may leave the deadline as it is
/// while a tenth of the timeout has passed.
const LONGEST_GAP: Duration = Duration::from_millis(1_500);

#[tokio::test]
async fn asking_how_long_the_session_lasts_does_not_keep_it_alive() {
    for _ in 0..10 {
        if only_uses_keep_a_session_alive().await {
            return;
        }
    }
    panic!("each time a use came so late that its session may have ended");
}

/// Asks and uses two sessions for longer than the idle timeout. Returns false if a use came so late, as on a busy
/// machine, that nothing can be said.
async fn only_uses_keep_a_session_alive() -> bool {
    let server = login(&[("IDLE", "2")]);
    let mut nobody = Member::at(&server.url);
    assert_eq!(nobody.get("/api/ttl").await.json(), json!({"seconds": null}));
    let mut asking = alice(&server).await;
    let mut begun = Instant::now();
    let mut using = alice(&server).await;
    // The server is another process, and its clock cannot be set.
    for round in 0..12 {
        tokio::time::sleep(Duration::from_millis(250)).await;
        let previous = std::mem::replace(&mut begun, Instant::now());
        let user = using.user().await;
        if previous.elapsed() > LONGEST_GAP {
            return false;
        }
        assert_eq!(user, "alice", "round {round}");
        asking.get("/api/ttl").await;
        asking.get("/idle").await;
    }
    let reply = asking.get("/api/ttl").await;
    assert_eq!(reply.json(), json!({"seconds": null}));
    assert!(asking.get("/idle").await.body.contains("Your session has ended."));
    assert_eq!(asking.user().await, json!(null));
    true
}

#[tokio::test]
async fn the_banner_warns_when_little_is_left() {
    for (idle, says, loads_again) in [
        ("1800", "lasts 30 more minutes", r#"content="30""#),
        ("50", "ends in 4", r#"content="5""#),
        ("7", "Stay logged in", r#"content="1""#),
    ] {
        let server = login(&[("IDLE", idle)]);
        let mut member = alice(&server).await;
        let frame = member.get("/idle").await.body;
        assert!(frame.contains(says) && frame.contains(loads_again), "{idle}: {frame}");
        assert!(member.get("/").await.body.contains(r#"src="/idle""#));
    }
}
