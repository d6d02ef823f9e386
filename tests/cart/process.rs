//! The cart as a process: its variables, its warnings, its end.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;

use crate::{KEYS, cart};
use cloakroom_testing::examples::Visitor;
use cloakroom_testing::examples::command;

#[test]
fn a_wrong_variable_is_named_and_no_secret_is_shown() {
    for (name, value, says) in [
        ("PORT", "70000", "PORT"),
        ("SESSION_KEYS", "dG9vLXNob3J0LXNlY3JldA", "SESSION_KEYS"),
        ("SESSION_KEYS", &format!("{KEYS},{KEYS}"), "SESSION_KEYS"),
        ("IDLE", "0", "IDLE"),
        ("LIFETIME", "12h", "LIFETIME"),
        ("STORE", "nowhere://user:dG9vLXNob3J0LXNlY3JldA@host", "nowhere:"),
    ] {
        let output = command("cart", &[(name, value)]).stderr(Stdio::piped()).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && error.contains(says), "{name}: {error}");
        assert!(!error.contains("dG9vLXNob3J0LXNlY3JldA") && !error.contains(KEYS), "{error}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_missing_key_is_warned_about() {
    let mut child = command("cart", &[]).stderr(Stdio::piped()).spawn().unwrap();
    let mut warning = [0; 32];
    child.stderr.as_mut().unwrap().read_exact(&mut warning).unwrap();
    assert_eq!(&warning, b"warning: SESSION_KEYS is not set");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_server_finishes_what_it_has_begun() {
    let mut server = cart(&[]);
    let mut visitor = Visitor::to(&server.url);
    let held = tokio::spawn(async move {
        visitor.post("/api/items?hold=1000", json!({"sku": "apple", "qty": 1})).await
    });
    // Nothing outside the server tells that the held request has arrived.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let pid = server.child().id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(held.await.unwrap().json()["count"], 1);
    assert!(server.child().wait().unwrap().success());
}
