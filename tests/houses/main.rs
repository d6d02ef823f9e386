//! The house rules, checked in the sources: imports between files only go down and never in a
//! circle, no store knows another, features gate whole modules, and functions and files stay short.
//!
//! `house.rs` is the plan that the rules refer to; a new file has to be entered there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod circles;
mod floors;
mod house;
mod imports;
mod shape;
mod source;

use std::collections::BTreeSet;

use circles::circles;
use floors::{unlisted, vacant, wrong_imports, wrong_unit_tests, wrong_uses_of_stores};
use house::{FLOORS, UNIT_TESTS};
use imports::graph;
use shape::{long_file, long_functions, wrong_gates};
use source::Source;

const NONE: [&str; 0] = [];

#[test]
fn imports_only_go_down() {
    assert_eq!(wrong_imports(&graph(&Source::read_all()), FLOORS), NONE);
}

#[test]
fn no_store_imports_another_and_the_core_imports_none() {
    assert_eq!(wrong_uses_of_stores(&graph(&Source::read_all())), NONE);
}

#[test]
fn imports_make_no_circle() {
    let graph = graph(&Source::read_all());
    let circles = circles(&graph);
    let described: Vec<_> = circles.iter().map(|circle| circle.describe(&graph)).collect();
    assert_eq!(described, NONE);
}

#[test]
fn every_file_has_a_floor_and_every_place_of_the_plan_a_file() {
    let sources = Source::read_all();
    let files = sources.iter().filter(|source| !source.is_unit_tests());
    let modules: Vec<_> = files.map(|source| &*source.module).collect();
    assert_eq!(unlisted(&modules, FLOORS), NONE);
    let folders: BTreeSet<_> = FLOORS.iter().map(|(folder, _)| folder).collect();
    assert_eq!(folders.len(), FLOORS.len(), "a folder is in the plan twice");
    assert_eq!(vacant(&modules, FLOORS), NONE);
}

/// `cargo build` does not compile the selection of files that `scripts/mutants` copies, and a run of that script takes
/// hours. This test sees imports only, and not a call of a method that another file defines.
#[test]
fn the_files_that_are_mutated_import_no_others() {
    let script = std::fs::read_to_string("scripts/mutants").unwrap();
    let list = |name: &str| {
        let line = script.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix("=("));
        line.unwrap().trim_end_matches(')').split(' ').collect::<Vec<_>>()
    };
    let mut copied: Vec<_> = list("floors").into_iter().map(str::to_owned).collect();
    copied.extend(list("session").into_iter().map(|file| format!("session::{file}")));
    copied.push("store::entry".into());
    let is_copied = |module: &str| {
        let inside = |rest: &str| rest.is_empty() || rest.starts_with("::");
        copied.iter().any(|name| module.strip_prefix(&**name).is_some_and(inside))
    };
    let graph = graph(&Source::read_all());
    let of_copied = graph.iter().filter(|(module, _)| is_copied(module));
    let missing: Vec<_> = of_copied
        .flat_map(|(module, imports)| imports.iter().map(move |import| (module, import)))
        .filter(|(_, import)| !is_copied(import))
        .map(|(module, import)| format!("{module} -> {import}"))
        .collect();
    assert_eq!(missing, NONE);
}

#[test]
fn unit_tests_are_listed_and_for_tests_only() {
    assert_eq!(wrong_unit_tests(&Source::read_all(), UNIT_TESTS), NONE);
}

#[test]
fn features_gate_modules_and_not_statements() {
    let sources = Source::read_all();
    let wrong = sources.iter().filter(|source| !source.is_test()).flat_map(wrong_gates);
    assert_eq!(wrong.collect::<Vec<_>>(), NONE);
}

#[test]
fn functions_have_at_most_sixty_lines() {
    let long: Vec<_> = Source::read_all().iter().flat_map(long_functions).collect();
    assert_eq!(long, NONE);
}

#[test]
fn files_have_at_most_450_lines() {
    let long: Vec<_> = Source::read_all().iter().flat_map(long_file).collect();
    assert_eq!(long, NONE);
}

#[test]
fn imports_are_found_in_the_sources() {
    let graph = graph(&Source::read_all());
    let count: usize = graph.values().map(|imports| imports.len()).sum();
    assert!(count > 200, "only {count} imports were found");
    for (from, to) in [
        ("id", "entropy"),
        ("session::settings", "session::backend"),
        ("middleware::carriers", "cookie::attributes"),
        ("lib", "session::lazy"),
    ] {
        assert!(graph[from].contains(to), "{from} -> {to}");
    }
}
