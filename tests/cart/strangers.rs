//! Clients of other projects with their own cookie jars: curl and Python's.

use std::process::Command;

use crate::{KEYS, cart};

#[test]
fn pythons_own_client_and_cookie_jar_get_along() {
    let server = cart(&[("SESSION_KEYS", KEYS)]);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cart/cart.py");
    let output = Command::new("python3").args([script, &server.url]).output();
    let output = output.expect("this test needs python3 on the PATH");
    let (said, error) = (String::from_utf8_lossy(&output.stdout), output.stderr);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&error));
    assert_eq!(said.trim(), "all is well");
}

#[test]
fn curls_cookie_jar_gets_along() {
    let server = cart(&[]);
    let jar = std::env::temp_dir().join(format!("cloakroom-curl-{}", std::process::id()));
    let curl = |arguments: &[&str], path: &str| {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--max-time", "10", "--cookie"]).arg(&jar);
        curl.arg("--cookie-jar").arg(&jar).args(arguments).arg(format!("{}{path}", server.url));
        let output = curl.output().expect("this test needs curl on the PATH");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    curl(&["--json", r#"{"sku":"apple","qty":2}"#], "/api/items");
    curl(&["--data", "sku=apple&qty=1"], "/cart/add");
    let before = std::fs::read_to_string(&jar).unwrap();
    assert!(before.contains("#HttpOnly_127.0.0.1") && before.contains("__Host-id"), "{before}");
    let page = curl(&["--location", "--data", "user=alice"], "/login");
    assert!(page.contains(r#"id="count">3<"#) && page.contains(r#"id="user">alice<"#), "{page}");
    assert_ne!(std::fs::read_to_string(&jar).unwrap(), before, "a login changes the id");
    curl(&["--request", "POST"], "/api/logout");
    assert!(!std::fs::read_to_string(&jar).unwrap().contains("__Host-id"));
    assert!(curl(&[], "/api/session").contains(r#""count":0"#));
    std::fs::remove_file(&jar).unwrap();
}
