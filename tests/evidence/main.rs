//! `docs/evidence.md` has a row for each promise, each store and each part of the README, and every row
//! names what there is: commands that run the tests they are there for, and figures that are on record.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod command;
mod repository;

use std::path::Path;

use command::{fault, is_command, runs};
use repository::Repository;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const PAGE: &str = "docs/evidence.md";

fn repository() -> Repository {
    Repository::read(Path::new(ROOT))
}

/// Returns the text with each run of white space as one space.
fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The code of a text without fences.
fn in_backticks(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The parts of a page under its headings, fences left out: the heading and what is under it.
fn sections(page: &str) -> Vec<(String, String)> {
    let (mut sections, mut in_fence) = (Vec::<(String, String)>::new(), false);
    for line in page.lines() {
        let is_fence = line.starts_with("```");
        in_fence ^= is_fence;
        if is_fence || in_fence {
            continue;
        }
        match (line.trim_start_matches('#').strip_prefix(' '), sections.last_mut()) {
            (Some(title), _) if line.starts_with('#') => {
                sections.push((title.to_owned(), String::new()));
            }
            (_, Some((_, text))) => text.push_str(&format!("{line}\n")),
            (_, None) => {}
        }
    }
    sections
}

fn section<'a>(sections: &'a [(String, String)], title: &str) -> Option<&'a str> {
    sections.iter().find(|(found, _)| found == title).map(|(_, text)| text.as_str())
}

/// The first cells of the rows of a text's tables, the heads left out.
fn first_cells(text: &str) -> impl Iterator<Item = &str> {
    let mut is_row = false;
    text.lines().filter_map(move |line| {
        let cells = line.strip_prefix("| ");
        is_row = (is_row && cells.is_some()) || line.starts_with("|---");
        cells.filter(|_| is_row)?.split(" | ").next()
    })
}

/// The words between curly quotation marks.
fn quotations(text: &str) -> impl Iterator<Item = &str> {
    text.split('“').skip(1).filter_map(|rest| Some(rest.split_once('”')?.0))
}

/// Returns the faults of the commands and paths that a page names.
fn faults(page: &str, repository: &Repository) -> Vec<String> {
    let text = on_one_line(page);
    let mut faults = Vec::new();
    for code in in_backticks(&text) {
        if is_command(code) {
            faults.extend(fault(code, repository).map(|why| format!("`{code}`: {why}")));
        } else if code.contains('/') && !code.contains(' ') {
            let is_ours = code.split('/').next().is_some_and(|first| repository.has(first));
            if is_ours && !repository.has(code) {
                faults.push(format!("`{code}` is not there"));
            }
        }
    }
    faults
}

/// Returns the figures on record, "`file`: “words”", whose file does not say them.
fn misquoted(page: &str, repository: &Repository) -> Vec<String> {
    let text = on_one_line(page);
    let mut wrong = Vec::new();
    for (before, after) in text.match_indices("`: “").map(|(at, _)| (&text[..at], &text[at..])) {
        let file = before.rsplit('`').next().unwrap_or_default();
        let words = quotations(after).next().unwrap_or_default();
        let there = repository.text(file).is_some_and(|text| on_one_line(text).contains(words));
        if !there || words.is_empty() {
            wrong.push(format!("{file} does not say {words:?}"));
        }
    }
    wrong
}

/// The promises whose proofs the page does not run, with the files that it leaves out.
fn without_evidence(promises: &str, page: &str, repository: &Repository) -> Vec<String> {
    let (page, mut without) = (sections(page), Vec::new());
    for (title, text) in sections(promises) {
        let Some((_, proofs)) = text.split_once("*Proved by*") else { continue };
        let Some(evidence) = section(&page, &title).map(on_one_line) else {
            without.push(title);
            continue;
        };
        let commands: Vec<_> = in_backticks(&evidence).filter(|code| is_command(code)).collect();
        for file in in_backticks(proofs).filter(|code| code.ends_with(".rs")) {
            if !commands.iter().any(|command| runs(command, file, repository)) {
                without.push(format!("{title}: nothing runs {file}"));
            }
        }
        if commands.is_empty() || !evidence.contains("*Not shown.*") {
            without.push(format!("{title}: no command, or nothing is said to be not shown"));
        }
    }
    without
}

/// The claims of the README without a row: bullets with bold words, sections, and tables, of each of which a row
/// has to quote something. And the quotations that the README does not have.
fn unclaimed(readme: &str, page: &str) -> Vec<String> {
    let page = sections(page);
    let rows = section(&page, "The README").unwrap_or_default();
    let quoted: Vec<_> = first_cells(rows).flat_map(quotations).collect();
    let plain = |text: &str| on_one_line(&text.replace("**", ""));
    let is_quoted = |text: &str| quoted.iter().any(|words| plain(text).contains(words));
    let mut without = Vec::new();
    for (title, text) in sections(readme).iter().skip(1) {
        if !is_quoted(text) {
            without.push(format!("the section {title:?}"));
        }
        let tables = text.split("\n\n").filter(|part| part.contains("\n|---"));
        without.extend(
            tables.filter(|table| !is_quoted(table)).map(|table| format!("the table {table:.40}")),
        );
        if title == "What it promises" {
            let bold =
                text.lines().filter_map(|line| line.strip_prefix("* **")?.split("**").next());
            let bold = bold.filter(|claim| !quoted.contains(claim));
            without.extend(bold.map(|claim| format!("the promise {claim:?}")));
        }
    }
    let readme = plain(readme);
    let invented = quoted.iter().filter(|words| !readme.contains(*words));
    without.extend(invented.map(|words| format!("the README does not say {words:?}")));
    without
}

/// The features in the README's table of stores that are in no row of the page.
fn unproved_stores(readme: &str, page: &str) -> Vec<String> {
    let (readme, page) = (sections(readme), sections(page));
    let rows = section(&page, "Each store").unwrap_or_default();
    let proved: Vec<_> = first_cells(rows).flat_map(in_backticks).collect();
    let choice = section(&readme, "Choose a store").unwrap_or_default();
    let table =
        choice.split("\n\n").find(|part| part.contains("feature and URL")).unwrap_or_default();
    let cells = table.lines().filter_map(|line| line.split(" | ").nth(1)?.split_once("; "));
    let features = cells.filter_map(|(feature, _)| in_backticks(feature).next());
    features
        .filter(|feature| *feature != "private" && !proved.contains(feature))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_promise_and_every_claim_has_a_row_and_every_row_names_what_there_is() {
    let repository = repository();
    let text = |path| repository.text(path).unwrap();
    let (page, readme) = (text(PAGE), text("README.md"));
    let none: [&str; 0] = [];
    assert_eq!(without_evidence(text("docs/promises.md"), page, &repository), none);
    assert_eq!(unclaimed(readme, page), none);
    assert_eq!(unproved_stores(readme, page), none);
    assert_eq!(faults(page, &repository), none);
    assert_eq!(misquoted(page, &repository), none);
    let commands = on_one_line(page);
    let commands = in_backticks(&commands).filter(|code| is_command(code)).count();
    assert!(commands > 100, "only {commands} commands");
}

/// The number of a list's elements, which stands in its type.
fn length(source: &str, name: &str) -> u32 {
    let (_, rest) = source.split_once(&format!("const {name}: [Self; ")).unwrap();
    rest.split(']').next().unwrap().parse().unwrap()
}

/// The tests that a macro of this name stamps: the lines of names in it.
fn stamped(lists: &str, name: &str) -> usize {
    let (_, rest) = lists.split_once(&format!("macro_rules! {name} {{")).unwrap();
    let own = rest.split("\n}\n").next().unwrap();
    let is_name = |line: &&str| {
        let name = line.trim().trim_end_matches(';');
        name.contains('_')
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    own.lines().filter(is_name).count()
}

#[test]
fn the_counts_on_the_page_are_those_of_the_sources() {
    let repository = repository();
    let lists = repository.text("testing/src/promises/lists.rs").unwrap();
    let wrong = repository.text("src/simulation/store_fault.rs").unwrap();
    let planted = repository.text("scripts/planted-faults").unwrap();
    let counted = format!(
        "Counted by that test: {} tests of the promises that run on every store, {} more in memory, and {} on a stopped clock; \
         {} wrong stores that the simulation has to catch, and {} whose faults the library makes up for; {} planted faults; \
         {} fuzz targets.",
        stamped(lists, "__promises"),
        stamped(lists, "__promises_in_memory"),
        stamped(lists, "__promises_with_a_stopped_clock"),
        length(wrong, "BREAKING"),
        length(wrong, "TOLERATED"),
        planted
            .lines()
            .filter(|line| line.starts_with("    \"") && line.ends_with("\": ["))
            .count(),
        repository.under("fuzz/fuzz_targets/").count(),
    );
    let page = on_one_line(repository.text(PAGE).unwrap());
    assert!(page.contains(&counted), "the page should say: {counted}");
}

/// A repository of three files, for what follows.
fn small() -> Repository {
    Repository::of(&[
        ("Cargo.toml", "[package]\nname = \"cloakroom\"\n"),
        ("tests/kept.rs", "fn p1_it_is_kept() {}"),
        ("docs/speed.md", "It took 5 ms\non one machine."),
    ])
}

const PROMISES: &str = "# Promises\n\n## P1. Kept\n\nIt is.\n\n*Proved by* `tests/kept.rs`.\n";

#[test]
fn a_promise_without_a_command_for_its_proof_is_noticed() {
    let check = |page: &str| without_evidence(PROMISES, page, &small());
    let row =
        "## P1. Kept\n\n| command | shows |\n|---|---|\n| `cargo test --test kept p1_` | it |\n\n";
    assert!(check(&format!("{row}*Not shown.* More.\n")).is_empty());
    assert_eq!(check(row).len(), 1, "it says nothing of what is not shown");
    assert_eq!(check("## P2. Kept\n"), ["P1. Kept"]);
    let other = row.replace("kept p1_", "kept p2_") + "*Not shown.* More.\n";
    assert_eq!(check(&other), ["P1. Kept: nothing runs tests/kept.rs"]);
}

#[test]
fn a_claim_of_the_readme_without_a_row_is_noticed() {
    let readme = "# It\n\n## What it promises\n\n* **Kept.** Always.\n\n| race | lost |\n|---|---|\n| one | 0 |\n";
    let check = |rows: &str| {
        unclaimed(readme, &format!("## The README\n\n| says | by |\n|---|---|\n{rows}"))
    };
    let both = "| “Kept.” | x |\n| “one” | x |\n";
    assert!(check(both).is_empty());
    assert_eq!(check("| “one” | x |\n"), ["the promise \"Kept.\""]);
    assert_eq!(check("| “Kept.” | x |\n").len(), 1, "the table");
    assert_eq!(check(&format!("{both}| “Lost.” | x |\n")), ["the README does not say \"Lost.\""]);
    assert_eq!(check("").len(), 3, "the section, too");
}

#[test]
fn a_store_without_a_row_is_noticed() {
    let readme = "## Choose a store\n\n| store | feature and URL | more |\n|---|---|---|\n\
                  | memory | always there; `memory:` | x |\n| Redis | `redis`; `redis://…` | x |\n";
    let page =
        |name| format!("## Each store\n\n| store | command |\n|---|---|\n| `{name}` | x |\n");
    assert!(unproved_stores(readme, &page("redis")).is_empty());
    assert_eq!(unproved_stores(readme, &page("file")), ["redis"]);
}

#[test]
fn a_figure_that_is_not_on_record_is_noticed() {
    let check = |page: &str| misquoted(page, &small());
    assert!(check("`docs/speed.md`: “5 ms on one\nmachine”").is_empty());
    assert_eq!(check("`docs/speed.md`: “4 ms”"), ["docs/speed.md does not say \"4 ms\""]);
    assert_eq!(check("`docs/none.md`: “5 ms”").len(), 1);
}

#[test]
fn a_path_that_is_not_there_is_noticed() {
    let check = |page: &str| faults(page, &small());
    assert!(check("`tests/kept.rs`, `docs/`, `text/html` and `cargo test --test kept`").is_empty());
    assert_eq!(check("`tests/lost.rs`"), ["`tests/lost.rs` is not there"]);
    assert_eq!(check("`cargo test --test lost`").len(), 1);
}
