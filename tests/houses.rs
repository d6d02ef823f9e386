//! The house rules, read from the sources: arrows between files only go down, features gate whole
//! modules, and functions stay short.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// From the ground up. On the two lowest floors a room also sees the rooms to its left.
const FLOORS: [&[&str]; 7] = [
    &["clock", "entropy", "error", "keys"],
    &["id", "record", "cookie"],
    &["store"],
    &[
        "store::memory",
        "store::authorities",
        "store::conformance",
        "store::dynamodb",
        "store::file",
        "store::memcached",
        "store::redis",
        "session",
    ],
    &["middleware"],
    &["extract", "connect"],
    &["guide", "lib"],
];
const LONGEST_FUNCTION: usize = 60;

/// The modules of the exported macros, by name.
type Macros = BTreeMap<String, String>;

struct Source {
    /// The module's path, such as `session::commit::renew`.
    module: String,
    text: String,
}

/// A place in the house: floor, and room on it.
type Place = (usize, usize);

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(Source::read(&root, &path));
            }
        }
    }
    found
}

impl Source {
    fn read(root: &Path, path: &Path) -> Self {
        let relative = path.strip_prefix(root).unwrap().with_extension("");
        let names: Vec<_> = relative.iter().map(|name| name.to_str().unwrap()).collect();
        let module = names.join("::");
        let module = module.strip_suffix("::mod").unwrap_or(&module).to_owned();
        Self { module, text: fs::read_to_string(path).unwrap() }
    }

    fn is_test(&self) -> bool {
        self.module.split("::").any(|name| name == "tests" || name == "simulation")
    }

    /// Without comments and without its unit tests.
    fn code(&self) -> String {
        let code = self.text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// The modules that this one names by `crate::` or `super::`.
    fn arrows(&self) -> BTreeSet<String> {
        let code = self.code();
        let mut arrows = BTreeSet::new();
        for (at, _) in code.match_indices("crate::") {
            // What a macro names with `$crate::` is the business of the crate that calls it.
            if !code[..at].ends_with('$') {
                arrows.extend(branches(&code[at + "crate::".len()..]));
            }
        }
        for (at, _) in code.match_indices("super::") {
            if code[..at].ends_with("super::") {
                continue;
            }
            let mut rest = &code[at..];
            let mut base: Vec<_> = self.module.split("::").collect();
            while let Some(further) = rest.strip_prefix("super::") {
                base.pop();
                rest = further;
            }
            let base = base.join("::");
            arrows.extend(branches(rest).into_iter().map(|name| match base.as_str() {
                "" => name,
                base => format!("{base}::{name}"),
            }));
        }
        arrows
    }
}

/// The paths that begin here: one, or those between braces.
fn branches(text: &str) -> Vec<String> {
    let Some(inside) = text.strip_prefix('{') else { return vec![path(text)] };
    let mut depth = 1;
    let mut starts = vec![0];
    for (at, character) in inside.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => starts.push(at + 1),
            _ => {}
        }
        if depth == 0 {
            let names = starts.iter().map(|&start| path(inside[start..at].trim()));
            return names.filter(|name| !name.is_empty()).collect();
        }
    }
    panic!("an open brace: {text}");
}

fn path(text: &str) -> String {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
    text[..end.unwrap_or(text.len())].trim_end_matches(':').to_owned()
}

/// Where a module lives; names that are no module are what `lib.rs` re-exports.
fn place(module: &str) -> Place {
    let rooms = FLOORS.iter().enumerate().flat_map(|(floor, rooms)| {
        rooms.iter().enumerate().map(move |(at, room)| ((floor, at), *room))
    });
    let fits = |room: &str| module == room || module.starts_with(&format!("{room}::"));
    let best = rooms.filter(|(_, room)| fits(room)).max_by_key(|(_, room)| room.len());
    best.map_or((FLOORS.len() - 1, 0), |(place, _)| place)
}

fn folder(module: &str) -> &str {
    module.split("::").next().unwrap_or(module)
}

fn goes_down(from: &str, to: &str) -> bool {
    let (here, there) = (place(from), place(to));
    folder(from) == folder(to) || there.0 < here.0 || (here.0 <= 1 && there < here)
}

/// `macros` says where each exported macro is: all of them are named as if they stood in `lib.rs`.
fn wrong_arrows(source: &Source, macros: &Macros) -> Vec<String> {
    let arrows = source.arrows().into_iter();
    let arrows = arrows.map(|to| macros.get(&to).cloned().unwrap_or(to));
    let wrong = arrows.filter(|to| !goes_down(&source.module, to));
    wrong.map(|to| format!("{} imports {to}", source.module)).collect()
}

/// `#[cfg]` of a feature gates modules, imports and impls, `#[cfg(test)]` any item; neither stands
/// inside a function.
fn wrong_gates(source: &Source) -> Vec<String> {
    let lines: Vec<_> = source.text.lines().collect();
    let mut wrong = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let gate = code.starts_with("#[cfg(");
        let item = gated_item(&lines[at + 1..]);
        let fits = ["mod ", "use ", "impl ", "impl<"].iter().any(|start| item.starts_with(start));
        let right = (fits || code == "#[cfg(test)]") && !is_inside_a_function(&lines[..at], line);
        if !code.starts_with("//") && (code.contains("cfg!(") || (gate && !right)) {
            wrong.push(format!("{}:{}: {code} {item}", source.module, at + 1));
        }
    }
    wrong
}

fn gated_item<'a>(after: &[&'a str]) -> &'a str {
    let mut lines = after.iter().map(|line| line.trim_start());
    let item = lines.find(|line| !line.starts_with('#') && !line.starts_with("//"));
    let item = item.unwrap_or_default();
    item.strip_prefix("pub(crate) ").or(item.strip_prefix("pub ")).unwrap_or(item)
}

/// Relies on rustfmt: what a line is in begins further left.
fn is_inside_a_function(before: &[&str], line: &str) -> bool {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut left = indent(line);
    before.iter().rev().any(|line| {
        let opens = !line.trim().is_empty() && indent(line) < left;
        if opens {
            left = indent(line);
        }
        opens && line.contains("fn ")
    })
}

/// Relies on rustfmt: a function ends where a brace stands below its first letter.
fn long_functions(source: &Source) -> Vec<String> {
    let lines: Vec<_> = source.text.lines().collect();
    let mut long = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let words: Vec<_> = code.split(' ').take(4).collect();
        let qualifiers = ["pub", "pub(crate)", "pub(super)", "async", "const", "unsafe"];
        let is_function = words.iter().find(|word| !qualifiers.contains(word)) == Some(&"fn");
        if !is_function || code.ends_with('}') || code.ends_with(';') {
            continue;
        }
        let indent = &line[..line.len() - code.len()];
        let is_end = |line: &&str| {
            [format!("{indent}}}"), format!("{indent});")].contains(&(**line).to_owned())
        };
        let length = lines[at..].iter().position(is_end).map_or(0, |end| end + 1);
        if length > LONGEST_FUNCTION {
            long.push(format!("{}:{}: {length} lines", source.module, at + 1));
        }
    }
    long
}

fn all(check: impl Fn(&Source) -> Vec<String>, with_tests: bool) -> Vec<String> {
    let sources = sources();
    assert!(sources.len() > 30, "only {} sources were found", sources.len());
    sources.iter().filter(|source| with_tests || !source.is_test()).flat_map(check).collect()
}

const NONE: [&str; 0] = [];

#[test]
fn arrows_only_go_down() {
    let sources = sources();
    let macros = sources.iter().flat_map(|source| {
        let names = source.text.split("macro_rules! ").skip(1).map(path);
        names.map(|name| (name, source.module.clone()))
    });
    let macros: Macros = macros.collect();
    assert_eq!(all(|source| wrong_arrows(source, &macros), false), NONE);
}

#[test]
fn features_gate_modules_and_not_statements() {
    assert_eq!(all(wrong_gates, false), NONE);
}

#[test]
fn functions_have_at_most_sixty_lines() {
    assert_eq!(all(long_functions, true), NONE);
}

#[test]
fn every_room_is_there() {
    let modules: BTreeSet<_> = sources().into_iter().map(|source| source.module).collect();
    for room in FLOORS.concat() {
        assert!(modules.contains(room), "no {room} among {modules:?}");
    }
}

#[test]
fn arrows_are_found_in_the_sources() {
    let sources = sources();
    let arrows: BTreeSet<_> = sources
        .iter()
        .flat_map(|source| source.arrows().into_iter().map(|to| (&*source.module, to)))
        .collect();
    assert!(arrows.len() > 100, "only {} arrows were found", arrows.len());
    for (from, to) in [
        ("store::memory", "store::contract"),
        ("session::commit::renew", "session::commit::Commit"),
        ("middleware::layer", "cookie::CookieOptions"),
    ] {
        assert!(arrows.contains(&(from, to.to_owned())), "{from} -> {to}");
    }
}

fn source(module: &str, text: &str) -> Source {
    Source { module: module.to_owned(), text: text.to_owned() }
}

#[test]
fn an_arrow_that_goes_up_is_noticed() {
    for (module, text) in [
        ("clock", "use crate::session::Session;"),
        ("clock", "use crate::error::StoreError;"),
        ("record", "use crate::cookie::Ticket;"),
        ("record::fields", "use super::super::store::Version;"),
        ("store", "use crate::{\n    clock::Timestamp,\n    session::{Session, Field},\n};"),
        ("store::memory", "fn f() { crate::session::x() }"),
        ("session::load", "use crate::store::memory::MemoryStore;"),
        ("session::load", "use crate::SessionLayer;"),
        ("middleware::layer", "use super::super::connect::connect;"),
        ("connect", "use crate::extract::x;"),
    ] {
        assert_eq!(
            wrong_arrows(&source(module, text), &Macros::new()).len(),
            1,
            "{module}: {text}"
        );
    }
}

#[test]
fn an_arrow_that_goes_down_or_stays_in_its_folder_is_not() {
    for (module, text) in [
        ("error", "use crate::entropy::EntropyError;"),
        ("cookie::ticket", "use crate::id::SessionId;\nuse crate::keys::{KeyRing, Key};"),
        ("session::commit::renew", "use super::super::state::State;\nuse super::{Commit, Step};"),
        ("store::memory", "use super::{Entry, Version};"),
        ("lib", "pub use middleware::SessionLayer;"),
        ("clock", "//! See [`Session`](crate::session::Session)."),
        ("clock", "#[cfg(test)]\nmod tests {\n    use crate::session::Session;\n}"),
    ] {
        assert_eq!(wrong_arrows(&source(module, text), &Macros::new()), NONE, "{module}: {text}");
    }
}

#[test]
fn a_macro_is_where_it_is_defined() {
    let macros = Macros::from([("laws".to_owned(), "store::conformance".to_owned())]);
    let text = "crate::laws!();";
    assert_eq!(wrong_arrows(&source("store::conformance", text), &macros), NONE);
    assert_eq!(wrong_arrows(&source("clock", text), &macros).len(), 1);
}

#[test]
fn a_gate_in_the_wrong_place_is_noticed() {
    for text in [
        "fn f() {\n    #[cfg(feature = \"axum\")]\n    g();\n}",
        "#[cfg(feature = \"axum\")]\nfn f() {}",
        "fn f() {\n    if cfg!(test) {}\n}",
        "impl M {\n    fn f() {\n        if x {\n            #[cfg(test)]\n            g();\n        }\n    }\n}",
    ] {
        assert_eq!(wrong_gates(&source("m", text)).len(), 1, "{text}");
    }
    for text in [
        "#[cfg(test)]\nmod tests;\n#[cfg(unix)]\n#[doc(hidden)]\npub use a::b;\n",
        "impl M {\n    fn f() {}\n\n    #[cfg(test)]\n    fn g() {}\n}",
    ] {
        assert_eq!(wrong_gates(&source("m", text)), NONE, "{text}");
    }
}

#[test]
fn a_long_function_is_noticed() {
    let function = |lines: usize| {
        let body = "        x();\n".repeat(lines);
        source("m", &format!("impl M {{\n    pub(crate) async fn f(&self) {{\n{body}    }}\n}}\n"))
    };
    assert_eq!(long_functions(&function(58)), NONE);
    assert_eq!(long_functions(&function(59)), ["m:2: 61 lines"]);
}
