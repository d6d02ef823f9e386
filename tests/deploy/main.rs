//! The templates of `docs/deploy` against each other, against the guides and the code, and under linters; and the
//! script that replaces signing keys, against a program in place of the AWS CLI.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[cfg(unix)]
mod rotation;
mod templates;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
#[ignore = "needs the linters that scripts/install-tools installs"]
fn the_linters_accept_the_templates() {
    let output = Command::new(root().join("scripts/check-deploy")).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    println!("{text}");
    assert!(output.status.success(), "{text}");
    // It says what ran.
    let ran: Vec<_> = text.lines().filter(|line| line.starts_with("ran: ")).collect();
    assert_eq!(ran.len(), 4, "{text}");
    assert!(ran[3].contains("erraform"), "{text}"); // it has run, or the files are those of a run
}

/// Returns the Terraform files, sorted by name.
fn terraform_files() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("docs/deploy/terraform")).unwrap();
    let mut files: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "tf"))
        .collect();
    files.sort();
    assert!(files.len() > 10, "{files:?}");
    files
}

/// Returns both templates as (name, text).
fn both() -> [(&'static str, String); 2] {
    let terraform = terraform_files().into_iter().map(|path| fs::read_to_string(path).unwrap());
    [
        ("CloudFormation", read("docs/deploy/cloudformation.yaml")),
        ("Terraform", terraform.collect()),
    ]
}
