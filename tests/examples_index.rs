//! Checks that `examples/README.md` lists exactly the examples in its folder.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;

use cloakroom_testing::examples::Server;
use cloakroom_testing::examples::Visitor;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");

/// Returns the examples that cargo finds: `name.rs`, or a folder with a `main.rs`.
fn examples() -> BTreeSet<String> {
    let entries = fs::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap().path());
    let examples = entries.filter(|path| {
        path.extension().is_some_and(|extension| extension == "rs")
            || path.join("main.rs").is_file()
    });
    examples.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

/// Returns the rows of the table as (name, link, command).
fn listed() -> Vec<(String, String, String)> {
    let readme = fs::read_to_string(format!("{FOLDER}/README.md")).unwrap();
    let rows = readme.lines().filter_map(|line| line.strip_prefix("| ["));
    rows.map(|row| {
        let (name, row) = row.split_once("](").unwrap();
        let (link, row) = row.split_once(") |").unwrap();
        let command = row.split('`').nth_back(1).unwrap();
        (name.to_owned(), link.to_owned(), command.to_owned())
    })
    .collect()
}

#[test]
fn every_example_is_listed_and_every_listed_one_exists() {
    let listed = listed();
    let names: BTreeSet<String> = listed.iter().map(|(name, ..)| name.clone()).collect();
    assert_eq!(names.len(), listed.len(), "one is listed twice");
    assert_eq!(names, examples());
    for (name, link, _) in &listed {
        assert!(
            [format!("{name}.rs"), format!("{name}/main.rs")].contains(link),
            "{name} links to {link}"
        );
        assert!(fs::exists(format!("{FOLDER}/{link}")).unwrap(), "{link}");
    }
}

#[test]
fn every_command_runs_its_example_with_the_features_it_needs() {
    for (name, _, command) in listed() {
        let run = format!("cargo run --example {name}");
        let options = command.strip_prefix(&run).unwrap_or_else(|| panic!("{name}: {command}"));
        let mut options = options.split_whitespace();
        let mut features = BTreeSet::from(["axum".to_owned()]);
        while let Some(option) = options.next() {
            match option {
                "--no-default-features" => features.clear(),
                "--features" => features.extend(options.next().map(str::to_owned)),
                _ => panic!("{option} in {command}"),
            }
        }
        let needed = required_features(&name);
        assert!(needed.is_subset(&features), "{name} needs {needed:?}: {command}");
    }
}

/// Reads the manifest by its layout. A TOML parser would be a dependency for this test alone.
fn required_features(example: &str) -> BTreeSet<String> {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let manifest = fs::read_to_string(manifest).unwrap();
    let entry = format!("[[example]]\nname = \"{example}\"\nrequired-features = [");
    let Some((_, list)) = manifest.split_once(&entry) else {
        assert!(!manifest.contains(&format!("name = \"{example}\"")), "{example} is laid out anew");
        return BTreeSet::new();
    };
    let (list, _) = list.split_once(']').unwrap();
    list.split(',').map(|feature| feature.trim().trim_matches('"').to_owned()).collect()
}

#[tokio::test]
async fn the_hyper_example_counts_without_axum() {
    let server = Server::start("hyper", &[]);
    let mut visitor = Visitor::to(&server.url);
    for visits in 1..=3 {
        let reply = visitor.get("/").await;
        assert_eq!(reply.body, format!("Visit number {visits}.\n"));
    }
    assert!(visitor.cookie.as_deref().unwrap().starts_with("__Host-id="));
    assert_eq!(Visitor::to(&server.url).get("/").await.body, "Visit number 1.\n");
    let posted = visitor.post("/", serde_json::json!(null)).await;
    assert_eq!(posted.status, 200);
}
