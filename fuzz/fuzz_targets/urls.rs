//! URLs of stores. No error shows a part of a login, however it is written.
#![no_main]

use arbitrary::Arbitrary;
use cloakroom::connect;
use libfuzzer_sys::fuzz_target;

/// No text of ours contains it.
const SECRET: &str = "Quetzal7Xz";

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    scheme: u8,
    before: &'a str,
    /// The secret is a user's password or an option with one, with these beside it.
    within: (&'a str, &'a str),
    at: bool,
    host: &'a str,
    options: &'a str,
    in_option: bool,
}

const SCHEMES: [&str; 12] = [
    "redis://",
    "rediss://",
    "redis-cluster:",
    "redis-sentinel://",
    "postgres://",
    "mysql://",
    "dynamodb://",
    "memory:",
    "cookie:",
    "sqlite:",
    "",
    "reddis://",
];

fuzz_target!(|input: Input<'_>| {
    let scheme = SCHEMES[usize::from(input.scheme) % SCHEMES.len()];
    let (head, tail) = input.within;
    let url = match input.in_option {
        true => format!(
            "{scheme}{}?sentinel_password={head}{SECRET}{tail}&{}",
            input.host, input.options
        ),
        false => {
            let at = if input.at { "@" } else { "" };
            format!(
                "{scheme}{}:{head}{SECRET}{tail}{at}{}?{}",
                input.before, input.host, input.options
            )
        }
    };
    // Without an `@`, what follows the user's colon is a port or a path, which errors may show.
    if !input.at && !input.in_option {
        let _ = cloakroom::fuzzing::url(&url);
        return;
    }
    if let Err(shown) = cloakroom::fuzzing::url(&url) {
        assert!(!shown.contains(SECRET), "{url}: {shown}");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    if let (Ok(runtime), false) = (runtime, opens_something(&url))
        && let Err(error) = runtime.block_on(connect(&url))
    {
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(SECRET), "{url}: {shown}");
    }
});

/// Of this build, these would make files or ask a server.
fn opens_something(url: &str) -> bool {
    let url = url.to_ascii_lowercase();
    ["file:", "efs:", "memcached", "redis"].iter().any(|scheme| url.starts_with(scheme))
}
