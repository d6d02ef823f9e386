//! The source files of `src/`, and their code without comments, texts and unit tests.

use std::fs;
use std::path::Path;

/// The name under which `src/lib.rs` appears in the import graph.
pub(crate) const ROOT: &str = "lib";

/// One source file.
pub(crate) struct Source {
    /// The path of the module that the file holds, such as `store::redis::entry`.
    pub(crate) module: String,
    /// The file as it is on disk.
    pub(crate) text: String,
}

impl Source {
    /// Reads every file below `src/`.
    pub(crate) fn read_all() -> Vec<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut sources = Vec::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    sources.push(Self::read(&root, &path));
                }
            }
        }
        // An empty list would pass every check.
        assert!(sources.len() > 30, "only {} sources were found", sources.len());
        sources
    }

    fn read(root: &Path, path: &Path) -> Self {
        let relative = path.strip_prefix(root).unwrap().with_extension("");
        let names: Vec<_> = relative.iter().map(|name| name.to_str().unwrap()).collect();
        let module = names.join("::");
        let module = module.strip_suffix("::mod").unwrap_or(&module).to_owned();
        Self { module, text: fs::read_to_string(path).unwrap() }
    }

    /// Creates a source that a test of the checker plants.
    pub(crate) fn planted(module: &str, text: &str) -> Self {
        Self { module: module.to_owned(), text: text.to_owned() }
    }

    /// Returns whether the file holds nothing but unit tests.
    pub(crate) fn is_unit_tests(&self) -> bool {
        self.module.split("::").last() == Some("tests")
    }

    /// Returns whether the file is compiled for tests only.
    pub(crate) fn is_test(&self) -> bool {
        self.is_unit_tests() || self.module.split("::").next() == Some("simulation")
    }

    /// Returns the words and signs of the code, without the unit tests at its end.
    pub(crate) fn tokens(&self) -> Vec<&str> {
        let code = self.text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        tokens(code)
    }
}

/// Splits code into identifiers, `::` and single signs. Comments, texts, characters, lifetimes and
/// numbers are left out.
fn tokens(code: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let skipped = skipped_len(rest);
        let length = if skipped > 0 {
            skipped
        } else if is_word(first) {
            rest.find(|c| !is_word(c)).unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        let (token, after) = rest.split_at(length);
        if skipped == 0 && !first.is_whitespace() && !first.is_ascii_digit() {
            tokens.push(token);
        }
        rest = after;
    }
    tokens
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Returns the length of the comment, text, character or lifetime that `rest` begins with, or 0.
fn skipped_len(rest: &str) -> usize {
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return rest.find("*/").map_or(rest.len(), |at| at + 2);
    }
    let prefix = rest.find(|c: char| !"bcr".contains(c)).unwrap_or(rest.len());
    let after_prefix = &rest[prefix..];
    let hashes = after_prefix.len() - after_prefix.trim_start_matches('#').len();
    if rest[..prefix].ends_with('r') && after_prefix[hashes..].starts_with('"') {
        return raw_len(rest, prefix + hashes + 1, hashes);
    }
    if after_prefix.starts_with('"') {
        return prefix + quoted_len(after_prefix);
    }
    if after_prefix.starts_with('\'') {
        return prefix + character_len(after_prefix);
    }
    0
}

fn raw_len(rest: &str, open: usize, hashes: usize) -> usize {
    let end = format!("\"{}", "#".repeat(hashes));
    rest[open..].find(&end).map_or(rest.len(), |at| open + at + end.len())
}

fn quoted_len(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Returns the length of a character such as `'a'` or `'\n'`, or that of a lifetime.
fn character_len(text: &str) -> usize {
    let mut inside = text[1..].chars();
    match inside.next() {
        Some('\\') => text[3..].find('\'').map_or(text.len(), |at| 3 + at + 1),
        Some(c) if inside.next() == Some('\'') => 1 + c.len_utf8() + 1,
        _ => 1 + text[1..].find(|c| !is_word(c)).unwrap_or(text.len() - 1),
    }
}

#[test]
fn comments_texts_and_lifetimes_are_left_out() {
    for (code, expected) in [
        ("a::b /* crate::x */ c // crate::y\nd", "a :: b c d"),
        (r#"f("crate::x \" crate::y", 'c', b'\'', '\u{1F600}')"#, "f ( , , , )"),
        ("r#\"crate::x \" y\"# br\"z\" r", "r"),
        ("fn f<'a>(x: &'a str) -> u8 { 0x1F }", "fn f < > ( x : & str ) - > u8 { }"),
        ("'\"' a", "a"),
    ] {
        assert_eq!(tokens(code).join(" "), expected, "{code}");
    }
}

#[test]
fn the_unit_tests_of_a_file_are_not_its_code() {
    let source = Source::planted("clock", "a\n#[cfg(test)]\nmod tests {\n    b\n}");
    assert_eq!(source.tokens(), ["a"]);
}
