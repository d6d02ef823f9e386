//! The cart as a process: environment variables, warnings, shutdown.

use std::io::Read;
use std::net::TcpStream;
use std::process::{Command, Stdio};

use cloakroom_testing::examples::{Upload, Visitor, command};
use cloakroom_testing::processes::wait_until;
use serde_json::json;
use tokio::task::block_in_place;

use crate::{KEYS, cart};

#[test]
fn a_wrong_variable_is_named_and_no_secret_is_shown() {
    for (name, value, says) in [
        ("LISTEN", "everywhere", "LISTEN"),
        ("PORT", "70000", "PORT"),
        ("SESSION_KEYS", "dG9vLXNob3J0LXNlY3JldA", "SESSION_KEYS"),
        ("SESSION_KEYS", &format!("{KEYS},{KEYS}"), "SESSION_KEYS"),
        ("IDLE", "0", "IDLE"),
        ("LIFETIME", "12h", "LIFETIME"),
        ("TIMEOUT", "2s", "TIMEOUT"),
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
    let (visitor, address) = (Visitor::to(&server.url), server.url.replace("http://", ""));
    let apple = json!({"sku": "apple", "qty": 1});
    let held = Upload::begin(&server.url, &visitor, "/api/items?hold=300", &apple).await;
    let pid = server.child().id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let refuses = || TcpStream::connect(&address).is_err();
    block_in_place(|| wait_until("a server that accepts no more connections", refuses));
    let reply = held.finish().await;
    assert_eq!((reply.status.as_u16(), &reply.json()["count"]), (200, &json!(1)));
    assert!(server.child().wait().unwrap().success());
}
