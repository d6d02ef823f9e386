//! The README's table of lost updates is what the races give, here and now.
//!
//! ```text
//! UPDATE_DOCS=1 cargo test -p cloakroom-benches --test lost_updates    # writes it anew
//! ```
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;

use cloakroom_benches::races::{self, LEADING};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const BEGIN: &str = "<!-- races -->\n";
const END: &str = "<!-- end of races -->";

#[test]
fn cloakroom_loses_nothing_and_the_readme_says_what_the_races_give() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_time().build().unwrap();
    let races = runtime.block_on(races::run());
    for race in &races {
        assert_eq!(race.cloakroom.wrong, 0, "{race:?}");
        assert!(race.cloakroom.of > 0, "{race:?}: nothing was acknowledged");
        assert!(race.leading.wrong > 0, "{race:?}: the README says otherwise");
    }
    let path = format!("{ROOT}/README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).unwrap();
    let (there, after) = rest.split_once(END).unwrap();
    let measured = races::table(&races);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(path, format!("{before}{BEGIN}{measured}{END}{after}")).unwrap();
    } else {
        assert_eq!(there, measured, "UPDATE_DOCS=1 writes it anew");
    }
}

#[test]
fn the_version_that_is_named_is_the_one_that_runs() {
    let lock = fs::read_to_string(format!("{ROOT}/Cargo.lock")).unwrap();
    assert!(lock.contains(&format!("name = \"tower-sessions\"\nversion = \"{LEADING}\"\n")));
}
