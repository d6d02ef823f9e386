//! Settings from the environment, from files, and from an app's configuration file.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use cloakroom::store::MemoryStore;
use cloakroom::{ConfigError, Key, SessionConfig};
use cloakroom_testing::Visitor;

const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY";
const OTHER: &str = "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA";

fn read(variables: &[(&str, &str)]) -> Result<SessionConfig, ConfigError> {
    let variables: BTreeMap<_, _> = variables.iter().copied().collect();
    SessionConfig::from_variables(|name| variables.get(name).map(|text| (*text).to_owned()))
}

fn with(more: &[(&str, &str)]) -> Result<SessionConfig, ConfigError> {
    let needed = [("SESSION_STORE", "memory:"), ("SESSION_KEYS", KEY)];
    read(&[&needed, more].concat())
}

/// A folder of the test, removed with its files when it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let name = Key::generate().unwrap().to_base64url().to_string();
        let folder = std::env::temp_dir().join(format!("cloakroom-config-{name}"));
        std::fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    fn file(&self, name: &str, text: &str) -> String {
        std::fs::write(self.0.join(name), text).unwrap();
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn every_setting_reaches_the_layer() {
    let config = with(&[
        ("SESSION_COOKIE_NAME", "shop"),
        ("SESSION_COOKIE_DOMAIN", "example.org"),
        ("SESSION_COOKIE_PATH", "/shop"),
        ("SESSION_COOKIE_SAME_SITE", "Strict"),
        ("SESSION_COOKIE_INSECURE_PLAIN_HTTP", "true"),
        ("SESSION_COOKIE_PERSISTENT", "true"),
        ("SESSION_IDLE_TIMEOUT", "15m"),
        ("SESSION_ANONYMOUS_IDLE_TIMEOUT", "5m"),
        ("SESSION_ABSOLUTE_LIFETIME", " 8h\n"),
        ("SESSION_COMMAND_TIMEOUT", "700ms"),
        ("SESSION_COMMIT_TIMEOUT", "3s"),
        ("SESSION_MAX_BYTES", "5000"),
    ]);
    let config = config.unwrap();
    let layer = config.layer(config.connect().await.unwrap()).unwrap();
    assert_eq!(
        layer.to_string(),
        "sessions in cookie shop: idle timeout 15m (5m before a login), absolute lifetime 8h"
    );
    let debug = format!("{layer:?}");
    for part in ["command_timeout: 700ms", "commit_timeout: 3s", "max_session_bytes: 5000"] {
        assert!(debug.contains(part), "{debug}");
    }
    let answer = Visitor::new(layer).visit(async |session| session.insert("k", &1)).await;
    let cookie = answer.set_cookies()[0];
    assert!(cookie.starts_with("shop="), "{cookie}");
    for attribute in ["Domain=example.org", "Path=/shop", "SameSite=Strict", "Max-Age=28800"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(!cookie.contains("Secure"), "{cookie}");
}

#[test]
fn what_has_no_default_has_to_be_set() {
    for (variables, missing) in [
        (&[][..], "SESSION_STORE is not set: "),
        (&[("SESSION_KEYS", KEY)], "SESSION_STORE is not set: "),
        (&[("SESSION_STORE", "memory:"), ("SESSION_KEYS", "")], "SESSION_KEYS is not set: "),
        (&[("SESSION_STORE", " \n"), ("SESSION_KEYS", KEY)], "SESSION_STORE is not set: "),
    ] {
        let error = read(variables).unwrap_err();
        assert!(matches!(error, ConfigError::Missing { .. }));
        assert!(error.to_string().starts_with(missing), "{error}");
    }
}

#[test]
fn a_bad_value_is_named_and_not_quoted() {
    for (name, value, problem) in [
        ("SESSION_IDLE_TIMEOUT", "30", "a time must be a whole number"),
        ("SESSION_ABSOLUTE_LIFETIME", "0d", "a time must be a whole number"),
        ("SESSION_COMMIT_TIMEOUT", "secret", "a time must be a whole number"),
        ("SESSION_MAX_BYTES", "1 MiB", "a whole number of bytes"),
        ("SESSION_MAX_BYTES", "0", "1 or more"),
        ("SESSION_COOKIE_SAME_SITE", "loose", "`strict`, `lax` or `none`"),
        ("SESSION_COOKIE_INSECURE_PLAIN_HTTP", "yes", "`true` or `false`"),
        ("SESSION_KEYS_FILE", "/run/keys", "SESSION_KEYS_FILE is set too"),
        ("SESSION_STORE_FILE", "/run/url", "SESSION_STORE_FILE is set too"),
    ] {
        let error = with(&[(name, value)]).unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
        assert!(error.starts_with(name.trim_end_matches("_FILE")), "{error}");
        assert!(value.len() < 3 || !error.contains(value), "{error}");
    }
}

#[tokio::test]
async fn neither_a_key_nor_a_password_is_ever_shown() {
    let url = "redis://shop:hunter2@127.0.0.1:1?prefix=";
    let config = read(&[("SESSION_STORE", url), ("SESSION_KEYS", "hunter2")]).unwrap();
    let keys = config.layer(MemoryStore::new()).unwrap_err();
    assert!(keys.to_string().starts_with("SESSION_KEYS is wrong: a signing key"), "{keys}");
    let connecting = config.connect().await.unwrap_err();
    for text in [
        format!("{config:?}"),
        format!("{config:#?}"),
        format!("{keys:?}"),
        keys.to_string(),
        format!("{connecting:?}"),
        connecting.to_string(),
    ] {
        assert!(!text.contains("hunter2"), "{text}");
    }
}

/// The commonest mistake with these variables.
#[tokio::test]
async fn a_secret_in_the_place_of_a_files_name_is_not_shown() {
    let url = "rediss://shop:hunter2@cache.example:6379";
    let config = read(&[("SESSION_STORE_FILE", url), ("SESSION_KEYS_FILE", KEY)]).unwrap();
    let (keys, store) =
        (config.layer(MemoryStore::new()).unwrap_err(), config.connect().await.unwrap_err());
    let texts = [format!("{keys} {keys:?}"), format!("{store} {store:?}"), format!("{config:?}")];
    for text in texts {
        assert!(!text.contains("hunter2") && !text.contains(KEY), "{text}");
    }
    assert_eq!(store.to_string(), "the file that SESSION_STORE_FILE names cannot be read");
    let unquoted = serde_json::from_str::<SessionConfig>(r#"{ "keys": 1234567890.5 }"#);
    assert!(!unquoted.unwrap_err().to_string().contains("12345"));
}

#[test]
fn a_cookie_that_browsers_refuse_is_an_error() {
    let config = with(&[("SESSION_COOKIE_DOMAIN", "example.org")]).unwrap();
    assert!(matches!(config.layer(MemoryStore::new()), Err(ConfigError::Cookie(_))));
}

/// The two steps of a rotation, with keys in files as secret managers write them.
#[tokio::test]
async fn keys_are_replaced_by_files_without_logging_anybody_out() {
    let folder = Folder::new();
    let store = MemoryStore::new();
    let layer = |text: &str| {
        let file = folder.file("keys", text);
        let config = read(&[("SESSION_STORE", "memory:"), ("SESSION_KEYS_FILE", &file)]).unwrap();
        config.layer(store.clone()).unwrap()
    };
    let visitor = Visitor::new(layer(&format!("{KEY}\n")));
    visitor.visit(async |session| session.insert("k", &1)).await.is_ok();
    for (text, found) in [
        (format!("{KEY}\n{OTHER}\n"), "Some(1)"),
        (format!("{OTHER},{KEY}"), "Some(1)"),
        (format!("\r\n{OTHER}\r\n{KEY}\r\n\r\n"), "Some(1)"),
        (format!("{OTHER}\n"), "None"),
    ] {
        let visitor = visitor.at(&layer(&text));
        let answer = visitor.visit(async |session| session.get::<i32>("k")).await;
        assert_eq!(answer.body, found, "{text:?}");
    }
}

#[tokio::test]
async fn a_url_may_stand_in_a_file() {
    let folder = Folder::new();
    let file = folder.file("url", "memory:?max_sessions=10\n");
    let config = read(&[("SESSION_STORE_FILE", &file), ("SESSION_KEYS", KEY)]).unwrap();
    assert!(format!("{:?}", config.connect().await.unwrap()).contains("MemoryStore"));

    let missing = folder.0.join("none").to_str().unwrap().to_owned();
    let config = read(&[("SESSION_STORE_FILE", &missing), ("SESSION_KEYS_FILE", &missing)]);
    let config = config.unwrap();
    for error in
        [config.connect().await.unwrap_err(), config.layer(MemoryStore::new()).unwrap_err()]
    {
        assert!(error.to_string().ends_with("_FILE names cannot be read"), "{error}");
        assert!(format!("{error:?}").contains("No such file"), "{error:?}");
    }
    let not_text = folder.0.join("bytes");
    std::fs::write(&not_text, [0xff, 0xfe]).unwrap();
    let config = with_keys_file(&not_text);
    assert!(matches!(config.layer(MemoryStore::new()), Err(ConfigError::Unreadable { .. })));
}

fn with_keys_file(path: &Path) -> SessionConfig {
    let path = path.to_str().unwrap();
    read(&[("SESSION_STORE", "memory:"), ("SESSION_KEYS_FILE", path)]).unwrap()
}

#[test]
fn a_configuration_file_has_the_same_settings() {
    let read = |text: &str| serde_json::from_str::<SessionConfig>(text);
    let config = read(
        r#"{ "store": "memory:", "keys": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY",
             "cookie_insecure_plain_http": true, "cookie_name": "id", "max_bytes": 4096,
             "cookie_domain": null, "idle_timeout": "1h" }"#,
    );
    let layer = config.unwrap().layer(MemoryStore::new()).unwrap();
    assert!(layer.to_string().contains("in cookie id: idle timeout 1h"), "{layer}");
    for (text, problem) in [
        ("{}", "store is not set: "),
        (r#"{ "store": "memory:" }"#, "keys is not set: "),
        (r#"{ "stoer": "memory:" }"#, "unknown field `stoer`"),
        (r#"{ "idle_timeout": 30 }"#, "idle_timeout is wrong: a time must be a whole number"),
        (r#"{ "max_bytes": -1 }"#, "max_bytes is wrong: it must be a whole number"),
        (r#"{ "keys": ["a", "b"] }"#, "expected a text"),
        ("[]", "expected the settings of a session layer"),
    ] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
    }
}

/// The variables of this process cannot be set while other tests read them, so it runs itself again.
#[test]
fn the_environment_of_the_process_is_read() {
    if std::env::var_os("SESSION_STORE").is_some() {
        let config = SessionConfig::from_env().unwrap();
        println!("made: {}", config.layer(MemoryStore::new()).unwrap());
        return;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_environment_of_the_process_is_read", "--nocapture"])
        .envs([("SESSION_STORE", "memory:"), ("SESSION_KEYS", KEY), ("SESSION_IDLE_TIMEOUT", "5m")])
        .env("SESSION_MANAGER", "local/desk:@/tmp/.ICE-unix/1")
        .output()
        .unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    assert!(output.contains("made: sessions in cookie __Host-id: idle timeout 5m"), "{output}");
}
