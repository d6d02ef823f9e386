//! `docs/coming-from.md` shows these sources and no others.
//!
//! ```text
//! UPDATE_DOCS=1 cargo test -p coming-from-tests page    # writes its blocks anew
//! ```

use std::fs;
use std::process::Command;

use crate::races::REQUESTS;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/coming-from.md");
const BEFORE: &str = "tests/coming-from/src/before.rs";
const AFTER: &str = "tests/coming-from/src/after.rs";

fn read(path: &str) -> String {
    fs::read_to_string(format!("{ROOT}/{path}")).unwrap()
}

/// The page, with its blocks written anew if that is asked for.
fn page() -> String {
    let mut page = fs::read_to_string(PAGE).unwrap();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        for (marker, content) in [("difference", difference()), ("whole", read(CARRY))] {
            let (at, end) = block(&page, marker);
            page.replace_range(at..end, &content);
        }
        fs::write(PAGE, &page).unwrap();
    }
    page
}

const CARRY: &str = "tests/coming-from/src/carry.rs";

/// Where the content of the block is that follows the comment `<!-- the marker of … -->`.
fn block(page: &str, marker: &str) -> (usize, usize) {
    let comment = page.find(&format!("<!-- the {marker} of ")).expect("the comment");
    let fence = comment + page[comment..].find("```").unwrap();
    let at = fence + page[fence..].find('\n').unwrap() + 1;
    (at, at + page[at..].find("```").unwrap())
}

fn difference() -> String {
    let diff = Command::new("diff")
        .args(["-U3", "--label", "before.rs", "--label", "after.rs", BEFORE, AFTER])
        .current_dir(ROOT)
        .output()
        .unwrap();
    String::from_utf8(diff.stdout).unwrap()
}

/// Applies a unified diff. Every line that it keeps or removes must be where it says.
fn apply(diff: &str, before: &str) -> String {
    let old: Vec<&str> = before.lines().collect();
    let (mut new, mut next) = (Vec::new(), 0);
    for line in diff.lines().skip(2) {
        if let Some(hunk) = line.strip_prefix("@@ -") {
            let first = hunk.split([',', ' ']).next().unwrap().parse::<usize>().unwrap() - 1;
            new.extend(&old[next..first]);
            next = first;
            continue;
        }
        // The renderers of Markdown keep the blank that begins an empty line; editors may not.
        let (sign, text) = line.split_at_checked(1).unwrap_or((" ", ""));
        if sign != "+" {
            assert_eq!(old[next], text, "line {} of {BEFORE}", next + 1);
            next += 1;
        }
        if sign != "-" {
            new.push(text);
        }
    }
    new.extend(&old[next..]);
    new.join("\n") + "\n"
}

#[test]
fn the_pages_difference_turns_one_shop_into_the_other() {
    let page = page();
    let (at, end) = block(&page, "difference");
    assert_eq!(apply(&page[at..end], &read(BEFORE)), read(AFTER), "UPDATE_DOCS=1 writes it anew");
}

#[test]
fn the_page_shows_the_middleware_as_it_is() {
    let page = page();
    let (at, end) = block(&page, "whole");
    assert_eq!(page[at..end], read(CARRY), "UPDATE_DOCS=1 writes it anew");
}

#[test]
fn every_part_of_a_file_on_the_page_is_in_that_file() {
    let page = page();
    let mut parts = 0;
    for part in page.split("<!-- a part of ").skip(1) {
        let (path, rest) = part.split_once(" -->").unwrap();
        let code = rest.split("```").nth(1).unwrap().split_once('\n').unwrap().1;
        assert!(read(path).contains(code), "{path}: {code}");
        parts += 1;
    }
    assert!(parts > 0);
}

#[test]
fn every_block_of_code_that_rustdoc_does_not_run_has_its_file() {
    let page = page();
    let not_run = page.matches("```rs").count() + page.matches("```diff").count();
    let with_file = page.matches("<!-- the ").count() + page.matches("<!-- a part of ").count();
    assert_eq!(not_run, with_file);
}

#[test]
fn the_pages_figures_are_those_of_the_races() {
    let row = format!("| {REQUESTS} requests at once each put one thing into the cart, ");
    let page = page();
    let row = page.lines().find(|line| line.starts_with(&row)).unwrap();
    assert!(row.ends_with(&format!(" | {} | 0 |", REQUESTS - 1)), "{row}");
}
