//! IAM by URL. The credentials come from the machine: here from the environment of a child process.

use std::error::Error;
use std::process::Command;

use cloakroom::{Clock, connect};

use super::{CACHE, KEY_ID, SECRET, USER};
use cloakroom_testing::redis::{Flavour, Tls};

const URL: &str = "CLOAKROOM_TEST_URL";
const SESSION: &str = "a/session+token=";

/// Opens this URL in a child process that has these AWS variables and no others, no profiles, and no
/// instance metadata service. Returns what the process printed.
fn open(url: &str, variables: &[(&str, &str)]) -> String {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "--include-ignored", "--nocapture"]);
    child.arg("iam::url::the_url_takes_the_machines_credentials");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
        child.env_remove(name);
    }
    let none = ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"].map(|name| (name, "/dev/null"));
    child.envs(none).env("AWS_EC2_METADATA_DISABLED", "true").env(URL, url);
    let output = child.envs(variables.iter().copied()).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    assert!(!said.contains(SECRET) && !said.contains("X-Amz-Signature"), "{said}");
    said
}

/// Opens the URL; runs in the child process.
async fn opened(url: &str) -> String {
    let Err(error) = connect(url).await else { return "open".to_owned() };
    let mut text = format!("{error} {error:?}");
    let mut cause: Option<&dyn Error> = error.source();
    while let Some(error) = cause {
        text += &format!(" {error} {error:?}");
        cause = error.source();
    }
    format!("not open: {text}")
}

const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", KEY_ID), ("AWS_SECRET_ACCESS_KEY", SECRET)];

/// Returns the tokens of the next two minutes, made by the script. The child process signs by the
/// system's clock, so any of them may be its own.
fn tokens(kind: &str, session: Option<&str>) -> Vec<String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/src/golden/iam-tokens.py");
    let now = Clock::system().now().as_millis().to_string();
    let mut python = Command::new("python3");
    python.args([script, &now, "120", CACHE, USER, kind]).envs(KEYS);
    python.env_remove("AWS_SESSION_TOKEN");
    python.envs(session.map(|session| ("AWS_SESSION_TOKEN", session)));
    let output = python.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn expect_any(server: &Tls, tokens: &[String]) {
    let passwords: Vec<_> = tokens.iter().map(|token| format!(">{token}")).collect();
    let user = ["ACL", "SETUSER", USER, "reset", "on", "~cloakroom:*", "+@all"];
    let words = user.into_iter().chain(passwords.iter().map(String::as_str));
    server.ask(&words.collect::<Vec<_>>()).ok();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn the_url_takes_the_machines_credentials() {
    if let Ok(url) = std::env::var(URL) {
        return println!("{}", opened(&url).await);
    }
    let server = Tls::start(Flavour::Redis7, "cloakroom:");
    let place = format!("rediss://{USER}@localhost:{}", server.port);
    let url = format!("{place}?ca={}&iam={CACHE}", server.ca_file().display());

    expect_any(&server, &tokens("nodes", None));
    let of_nodes = format!("{url}&region=eu-west-1");
    let said = open(&of_nodes, &KEYS);
    assert!(said.lines().any(|line| line.ends_with("open")), "{said}");
    assert!(open(&format!("{of_nodes}&serverless=true"), &KEYS).contains("not open"));

    expect_any(&server, &tokens("serverless", Some(SESSION)));
    let variables = [("AWS_REGION", "eu-west-1"), ("AWS_SESSION_TOKEN", SESSION)];
    let said = open(&format!("{url}&serverless=true"), &[&KEYS[..], &variables].concat());
    assert!(said.lines().any(|line| line.ends_with(" open") || line == "open"), "{said}");

    let said = open(&of_nodes, &[]);
    assert!(said.contains("no AWS credentials") && said.contains("misconfigured"), "{said}");
    let said = open(&url, &KEYS);
    assert!(said.contains("`iam` goes with a `region`"), "{said}");
}

/// In a child process too: where a URL is right so far, the machine's credentials are asked for next,
/// and a test must not use those.
#[test]
fn the_error_for_a_wrong_url_names_the_mistake() {
    for (url, text) in [
        ("rediss://host?iam=c&region=r", "`iam` goes with a user"),
        ("rediss://u:p@host?iam=c&region=r", "without a password"),
        ("rediss://u@host?iam=c&region=r&serverless=maybe", "must be `true` or `false`"),
        ("rediss://u@host?region=r", "there is no option `region`"),
        ("redis://u@host?iam=c&region=r", "over TLS only"),
        ("rediss-cluster://u@a,b?iam=c.example&region=r", "the name of the cache"),
    ] {
        let said = open(url, &KEYS);
        assert!(said.contains(text), "{url}: {said}");
    }
}
