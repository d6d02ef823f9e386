//! `docs/dependencies.md` has every dependency of the library, with the features that bring it, the crates below it
//! and a reason; and how many crates each feature adds.
//!
//! ```text
//! UPDATE_DOCS=1 cargo test --test dependencies    # writes all but the reasons anew
//! ```
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/dependencies.md");
/// The text in a new row until somebody gives the reason.
const NO_REASON: &str = "?";

/// The lines of a section of the manifest.
fn section<'a>(manifest: &'a str, head: &str) -> impl Iterator<Item = &'a str> {
    let begin = format!("\n[{head}]\n");
    let rest = manifest.split_once(&begin).map_or("", |(_, rest)| rest);
    rest.lines().take_while(|line| !line.starts_with('['))
}

/// The names in front of `=`.
fn names<'a>(lines: impl Iterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    let lines = lines.filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| Some(line.split_once(" = ")?.0))
}

fn dependencies(manifest: &str) -> BTreeSet<&str> {
    let everywhere = names(section(manifest, "dependencies"));
    everywhere.chain(names(section(manifest, "target.'cfg(unix)'.dependencies"))).collect()
}

/// The features that switch on each optional dependency by its name.
fn switches(manifest: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut switches = BTreeMap::<_, Vec<_>>::new();
    for line in section(manifest, "features").filter(|line| !line.starts_with('#')) {
        let Some((feature, list)) = line.split_once(" = ") else { continue };
        for dependency in list.split("\"dep:").skip(1) {
            switches.entry(dependency.split('"').next().unwrap()).or_default().push(feature);
        }
    }
    switches
}

/// A crate and its version.
type Crate = (String, String);

/// What `cargo tree` says that a user of the library compiles: each crate with its depth.
fn tree(arguments: &[&str]) -> Vec<(usize, Crate)> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let done = Command::new(cargo)
        .args(["tree", "--locked", "--offline", "-p", "cloakroom", "-e", "normal"])
        .args(["--prefix", "depth", "--no-dedupe", "--target", "x86_64-unknown-linux-gnu"])
        .args(arguments)
        .current_dir(ROOT)
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let text = String::from_utf8(done.stdout).unwrap();
    text.lines().filter_map(parsed).collect()
}

/// Reads a line such as `2serde v1.0.229`.
fn parsed(line: &str) -> Option<(usize, Crate)> {
    let digits = line.find(|c: char| !c.is_ascii_digit())?;
    let mut words = line[digits..].split(' ');
    let found = (words.next()?.to_owned(), words.next()?.to_owned());
    Some((line[..digits].parse().ok()?, found))
}

/// The crates below each dependency, one that several of them need at each.
fn below(tree: &[(usize, Crate)]) -> BTreeMap<&str, BTreeSet<&Crate>> {
    let (mut below, mut current) = (BTreeMap::<&str, BTreeSet<&Crate>>::new(), "");
    for (depth, found) in tree {
        match depth {
            0 => {}
            1 => {
                current = &found.0;
                below.entry(current).or_default();
            }
            _ => drop(below.get_mut(current).map(|crates| crates.insert(found))),
        }
    }
    below
}

fn count(arguments: &[&str]) -> usize {
    let tree = tree(arguments);
    let below_the_library = tree.iter().filter(|(depth, _)| *depth > 0);
    below_the_library.map(|(_, found)| found).collect::<BTreeSet<_>>().len()
}

/// The reasons that the page has, by dependency.
fn reasons(page: &str) -> BTreeMap<&str, &str> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |"));
    let cells = rows.map(|row| row.split(" | ").collect::<Vec<_>>());
    let of_four = cells.filter(|cells| cells.len() == 4);
    of_four.map(|cells| (cells[0].trim_end_matches('`'), cells[3])).collect()
}

fn table(manifest: &str, page: &str, tree: &[(usize, Crate)]) -> String {
    let (switches, below, reasons) = (switches(manifest), below(tree), reasons(page));
    let mut table =
        "| dependency | features | crates below it | why |\n|---|---|---|---|\n".to_owned();
    for dependency in dependencies(manifest) {
        let features = switches.get(dependency).map(|features| {
            features.iter().map(|feature| format!("`{feature}`")).collect::<Vec<_>>().join(", ")
        });
        let features = features.unwrap_or_else(|| "always".to_owned());
        let below = below.get(dependency).map_or(0, BTreeSet::len);
        let reason = reasons.get(dependency).unwrap_or(&NO_REASON);
        table += &format!("| `{dependency}` | {features} | {below} | {reason} |\n");
    }
    table
}

/// How many crates each feature with a dependency of its own adds to the library without any.
fn added(manifest: &str) -> String {
    let least = count(&["--no-default-features"]);
    let mut table =
        format!("| features | crates | more than without |\n|---|---|---|\n| none | {least} | |\n");
    for feature in names(section(manifest, "features")).filter(|feature| *feature != "default") {
        let all = count(&["--no-default-features", "--features", feature]);
        if all > least {
            table += &format!("| `{feature}` | {all} | {} |\n", all - least);
        }
    }
    table
}

/// Compares the part of the page between two comments, or writes it.
fn check(page: &str, name: &str, generated: &str) -> String {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
    let (before, rest) = page.split_once(&begin).unwrap();
    let (found, after) = rest.split_once(&end).unwrap();
    if std::env::var_os("UPDATE_DOCS").is_none() {
        assert_eq!(found, generated, "UPDATE_DOCS=1 writes it anew");
    }
    format!("{before}{begin}{generated}{end}{after}")
}

#[test]
fn the_page_has_every_dependency_with_its_features_and_a_reason() {
    let manifest = fs::read_to_string(format!("{ROOT}/Cargo.toml")).unwrap();
    let page = fs::read_to_string(PAGE).unwrap();
    let written =
        check(&page, "dependencies", &table(&manifest, &page, &tree(&["--all-features"])));
    let written = check(&written, "features", &added(&manifest));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(PAGE, &written).unwrap();
    }
    let reasons = reasons(&written);
    assert!(reasons.len() > 40, "{reasons:?}");
    for (dependency, reason) in reasons {
        assert!(reason.len() > 15, "{dependency} has no reason: {reason:?}");
    }
}

#[test]
fn a_dependency_without_a_row_is_noticed() {
    const MANIFEST: &str = "\n[features]\n# one\nfast = [\"dep:two\", \"dep:three\"]\nsure = [\"dep:two\"]\n\n\
                            [dependencies]\n# why\none = \"1\"\ntwo = { version = \"2\", optional = true }\n\n\
                            [target.'cfg(unix)'.dependencies]\nthree = { version = \"3\", optional = true }\n\n\
                            [dev-dependencies]\nfour = \"4\"\n";
    const PAGE: &str =
        "| `one` | always | 7 | To have it. |\n| `two` | `fast` | 0 | To be fast. |\n";
    let tree = ["0shop v1", "1one v1", "2five v5", "3six v6", "2five v5", "1two v2"];
    let tree: Vec<_> = tree.iter().filter_map(|line| parsed(line)).collect();
    let table = table(MANIFEST, PAGE, &tree);
    let rows: Vec<_> = table.lines().skip(2).collect();
    assert_eq!(
        rows,
        [
            "| `one` | always | 2 | To have it. |",
            "| `three` | `fast` | 0 | ? |",
            "| `two` | `fast`, `sure` | 0 | To be fast. |",
        ]
    );
    assert!(NO_REASON.len() < 15, "such a row fails");
}

/// Hashes and ciphers that are broken, by the names of their crates.
const WEAK: [&str; 17] = [
    "blowfish",
    "cast5",
    "des",
    "idea",
    "md2",
    "md4",
    "md5",
    "md-5",
    "rc2",
    "rc4",
    "ripemd",
    "ripemd160",
    "sha-1",
    "sha0",
    "sha1",
    "sha1-checked",
    "sha1_smol",
];

/// The weak crates in a tree, each with the dependencies of the library that bring it.
fn weak(tree: &[(usize, Crate)]) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut found = BTreeMap::<&str, BTreeSet<&str>>::new();
    let mut current = "";
    for (depth, (name, _)) in tree {
        if *depth == 1 {
            current = name;
        }
        if WEAK.contains(&name.as_str()) {
            found.entry(name).or_default().insert(current);
        }
    }
    found
}

/// Two drivers of databases have one: PostgreSQL and MySQL let their operators choose a way to check the client's
/// password that is made of it. That of buckets has MD5 for the check sum that S3 demands of a request which
/// deletes many objects; the store sends none. Nothing of a session ever goes through one of them.
#[test]
fn r62_no_weak_hash_is_below_the_library_but_in_drivers_whose_server_may_ask_for_it() {
    let all = tree(&["--all-features"]);
    assert!(all.iter().any(|(_, (name, _))| name == "sha2"));
    let md5 = ["deadpool-postgres", "object_store", "tokio-postgres", "tokio-postgres-rustls"];
    let expected = [("md-5", md5.into()), ("sha1", ["mysql_async"].into())];
    assert_eq!(weak(&all), BTreeMap::from(expected));
    let others =
        ["axum", "private", "redis", "memcached", "dynamodb", "file", "sqlite", "near", "metrics"];
    let without = tree(&["--no-default-features", "--features", &others.join(",")]);
    assert_eq!(weak(&without), BTreeMap::new());
}
