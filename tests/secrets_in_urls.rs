//! No error of `connect` shows anything of a login, however the URL is malformed.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::error::Error;

use cloakroom::{ConnectError, connect};

/// Neither a word of the library nor a part of one.
const CANARY: &str = "hunter2canary";

/// `{S}` stands for a scheme, `{C}` for the canary. Nobody listens on port 1.
const WITHOUT_A_SCHEME: [&str; 24] = [
    "{C}",
    "{C}:",
    "{C}:1",
    "{C}:1/0",
    "{C}:pass",
    "{C}@127.0.0.1:1",
    "{C}:x@127.0.0.1:1",
    "x:{C}@127.0.0.1:1",
    ":{C}@127.0.0.1:1",
    "x:{C}",
    "x:{C}/0",
    "x:y?{C}@127.0.0.1:1",
    "x:y?a={C}@127.0.0.1:1",
    "{C}?x:y@127.0.0.1:1",
    "//{C}@127.0.0.1:1",
    "//x:{C}@127.0.0.1:1",
    "x//y:{C}@127.0.0.1:1",
    "{C}//x@127.0.0.1:1",
    "jdbc:{S}://x:{C}@127.0.0.1:1",
    "jdbc:{S}://127.0.0.1:1?password={C}",
    "URL={S}://x:{C}@127.0.0.1:1",
    " {S}://x:{C}@127.0.0.1:1",
    "'{S}://x:{C}@127.0.0.1:1'",
    "{S}//x:{C}@127.0.0.1:1",
];

/// The same after `{S}:`.
const AFTER_A_SCHEME: [&str; 44] = [
    "{C}@127.0.0.1:1",
    "x:{C}@127.0.0.1:1",
    "/x:{C}@127.0.0.1:1",
    "//{C}@127.0.0.1:1",
    "//{C}:x@127.0.0.1:1",
    "//x:{C}@127.0.0.1:1",
    "//:{C}@127.0.0.1:1",
    "//x:{C}@127.0.0.1:1/7",
    "//x:{C}@127.0.0.1:1/service",
    "//x:{C}@127.0.0.1:1,127.0.0.1:1",
    "//x:{C}@127.0.0.1:1,127.0.0.1:1/service/1",
    "//127.0.0.1:1,x:{C}@127.0.0.1:1",
    "//x:{C}@",
    "//x:{C}@,127.0.0.1:1",
    "//x:{C}@127.0.0.1:port",
    "//x:{C}@127.0.0.1:70000",
    "//x:{C}@[::1",
    "//x:{C}@[::1]x",
    "//[{C}@::1]:1",
    "//[x:{C}]:1",
    "//x:{C}@y@127.0.0.1:1",
    "//x:y@{C}@127.0.0.1:1",
    "//x:{C}/y@127.0.0.1:1",
    "//x:y/{C}@127.0.0.1:1",
    "//x:1/{C}@127.0.0.1:1",
    "//x:y?{C}@127.0.0.1:1",
    "//x:1?{C}@127.0.0.1:1",
    "//x:1?ca={C}@127.0.0.1:1",
    "//127.0.0.1:1?ca={C}@127.0.0.1",
    "//127.0.0.1:1?{C}=x@127.0.0.1",
    "//x:y#{C}@127.0.0.1:1",
    "//x:%ff{C}@127.0.0.1:1",
    "//x:{C}%@127.0.0.1:1",
    "//x:{C} y@127.0.0.1:1",
    "//x:{C}%0d%0a@127.0.0.1:1",
    "//{C}%40127.0.0.1:1",
    "//x%3A{C}%40127.0.0.1:1",
    "//x%3A{C}%40127.0.0.1%3A1",
    "//x:{C}%40127.0.0.1:1",
    "//x:{C}@127.0.0.1:1?timeout_ms=soon",
    "//127.0.0.1:1/s?sentinel_password={C}",
    "//127.0.0.1:1/s?sentinel_password={C}&sentinel_password={C}",
    "//127.0.0.1:1/s?sentinel_password={C}&sentinel_user=%ff",
    "//127.0.0.1:1/s?password={C}",
];

const SCHEMES: [&str; 21] = [
    "memory",
    "redis",
    "rediss",
    "redis-cluster",
    "rediss-cluster",
    "redis-sentinel",
    "rediss-sentinel",
    "redis+unix",
    "memcached",
    "memcacheds",
    "mysql",
    "mariadb",
    "dynamodb",
    "postgres",
    "postgresql",
    "file",
    "sqlite",
    "cookie",
    "private-cookie",
    "moving",
    "unknown",
];

/// Returns everything that an error shows: `Display` and `Debug`, its own and those of its sources.
fn shown(error: &ConnectError) -> String {
    let mut texts = format!("{error} {error:?} {error:#?}");
    let mut cause = error.source();
    while let Some(error) = cause {
        texts += &format!(" {error} {error:?} {error:#?}");
        cause = error.source();
    }
    texts.to_ascii_lowercase()
}

async fn shows_no_secret(url: &str) {
    if let Err(error) = connect(url).await {
        let shown = shown(&error);
        assert!(!shown.contains(CANARY), "{url}: {shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_error_shows_a_login_whatever_is_wrong_with_the_url() {
    let mut attempts = tokio::task::JoinSet::new();
    for scheme in SCHEMES {
        let after = AFTER_A_SCHEME.map(|rest| format!("{{S}}:{rest}"));
        for form in WITHOUT_A_SCHEME.map(str::to_owned).into_iter().chain(after) {
            let url = form.replace("{S}", scheme).replace("{C}", CANARY);
            attempts.spawn(async move { shows_no_secret(&url).await });
        }
    }
    let urls = attempts.len();
    attempts.join_all().await;
    assert_eq!(urls, SCHEMES.len() * (WITHOUT_A_SCHEME.len() + AFTER_A_SCHEME.len()));
}

/// Endpoints of DynamoDB are URLs themselves.
#[tokio::test(flavor = "multi_thread")]
async fn no_error_shows_the_login_in_an_endpoint() {
    for endpoint in [
        "http%3A%2F%2Fx%3A{C}%40127.0.0.1%3A1",
        "http%3A%2F%2F{C}%40127.0.0.1%3A1",
        "x%3A{C}%40127.0.0.1%3A1",
        "{C}%40127.0.0.1",
        "http%3A%2F%2Fx%3A{C}%40",
        "http%3A%2F%2Fx%3A{C}%40%5B",
    ] {
        let endpoint = endpoint.replace("{C}", CANARY);
        let options = format!("region=eu-central-1&timeout_ms=500&endpoint={endpoint}");
        shows_no_secret(&format!("dynamodb://sessions?{options}")).await;
    }
}

/// The URLs of a `moving:` URL's two stores may hold logins, with one more layer of percent-encoding.
#[tokio::test(flavor = "multi_thread")]
async fn no_error_shows_the_login_in_the_url_of_an_inner_store() {
    let encoded =
        |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
    for scheme in ["redis", "postgres", "memcached", "dynamodb", "file", "moving", "unknown"] {
        for form in AFTER_A_SCHEME.map(|rest| format!("{scheme}:{rest}")) {
            let inner = encoded(&form.replace("{C}", CANARY));
            shows_no_secret(&format!("moving:?from={inner}&to=memory:&first=old")).await;
            shows_no_secret(&format!("moving:?from=memory:&to={inner}&first=new")).await;
            shows_no_secret(&format!("moving:?from={inner}")).await;
        }
    }
}
