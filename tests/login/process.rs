//! The login example as a process: environment variables and shutdown.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use cloakroom_testing::examples::{Member, command};
use serde_json::json;

use crate::{KEYS, login};

#[test]
fn a_wrong_variable_is_named_and_no_secret_is_shown() {
    for (name, value, says) in [
        ("PORT", "70000", "PORT"),
        ("SESSION_KEYS", "dG9vLXNob3J0LXNlY3JldA", "SESSION_KEYS"),
        ("IDLE", "0", "IDLE"),
        ("LIFETIME", "12h", "LIFETIME"),
        ("TIMEOUT", "2s", "TIMEOUT"),
        ("LIMIT", "0", "LIMIT"),
        ("STORE", "nowhere://user:dG9vLXNob3J0LXNlY3JldA@host", "nowhere:"),
    ] {
        let output = command("login", &[(name, value)]).stderr(Stdio::piped()).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && error.contains(says), "{name}: {error}");
        assert!(!error.contains("dG9vLXNob3J0LXNlY3JldA") && !error.contains(KEYS), "{error}");
        assert!(output.stdout.is_empty());
    }
}

/// Without a store, the revocations are in the memory of one process.
#[test]
fn a_server_with_sessions_in_cookies_warns_how_far_an_end_reaches() {
    for (store, warns) in [("cookie:", true), ("memory:", false)] {
        let variables = [("STORE", store), ("SESSION_KEYS", KEYS)];
        let mut child = command("login", &variables).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        child.kill().unwrap();
        let error = child.wait_with_output().unwrap().stderr;
        let error = String::from_utf8(error).unwrap();
        assert!(line.starts_with("listening on "), "{line}{error}");
        let warning = error.lines().find(|line| line.starts_with("warning: "));
        assert_eq!(warning.is_some(), warns, "{store} {error}");
        let says_how_far = |text: &str| text.contains("other servers") && text.contains("restart");
        assert!(warning.is_none_or(says_how_far), "{error}");
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_server_finishes_a_login_that_it_has_begun() {
    let mut server = login(&[("SESSION_KEYS", KEYS)]);
    let mut member = Member::at(&server.url);
    let login = json!({"user": "alice", "password": "wonderland"});
    // The server has begun it when it asks for the body, and is told to stop long before the answer.
    let begun = member.begin_post("/api/login?hold=2000", &login).await;
    let pid = server.child().id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(begun.finish().await.json()["user"], "alice");
    assert!(server.child().wait().unwrap().success());
}
