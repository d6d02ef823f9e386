//! The import graph of `src/`.
//!
//! A path counts as an import of the file that *defines* what it names. The checker follows
//! re-exports (`pub use child::X` in a `mod.rs`) to that file, so a file does not import its parent
//! by naming a sibling through it. A `mod child;` line is not an import.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{ROOT, Source};

/// The files that each file imports, by module.
pub(crate) type Graph = BTreeMap<String, BTreeSet<String>>;

type Names = Vec<String>;

/// The parts of a file that say what it imports.
#[derive(Default)]
struct File {
    /// The paths behind each name that a `use` brings into the file. Builds with different
    /// features may give one name several.
    uses: BTreeMap<String, Vec<Names>>,
    globs: Vec<Names>,
    /// All paths: those in `use` and those in the code.
    paths: Vec<Names>,
    /// The items that the file defines.
    items: BTreeSet<String>,
}

struct Files {
    files: BTreeMap<String, File>,
    /// The modules of the exported macros. Code names all of them as if they stood in `lib.rs`.
    macros: BTreeMap<String, String>,
}

/// Reads the imports of all `sources`. Files of unit tests are left out.
pub(crate) fn graph(sources: &[Source]) -> Graph {
    let mut files = Files { files: BTreeMap::new(), macros: BTreeMap::new() };
    for source in sources.iter().filter(|source| !source.is_unit_tests()) {
        let file = File::parse(&source.module, &source.tokens());
        for name in exported_macros(&source.text) {
            files.macros.insert(name, source.module.clone());
        }
        files.files.insert(source.module.clone(), file);
    }
    files.files.keys().map(|module| (module.clone(), files.imports(module))).collect()
}

fn exported_macros(text: &str) -> Vec<String> {
    let definitions = text.split("#[macro_export]\nmacro_rules! ").skip(1);
    let name = |text: &str| text.split(' ').next().unwrap_or_default().to_owned();
    definitions.map(name).collect()
}

impl File {
    fn parse(module: &str, tokens: &[&str]) -> Self {
        let mut file = Self::default();
        // The modules inside the file that the current token is in, with their depth of braces.
        let mut inline: Vec<usize> = Vec::new();
        let (mut depth, mut at) = (0, 0);
        while at < tokens.len() {
            let after = tokens.get(at + 1).copied().unwrap_or_default();
            let mut next = at + 1;
            match tokens[at] {
                "{" => depth += 1,
                "}" => {
                    depth -= 1;
                    inline.pop_if(|opened| *opened == depth);
                }
                "mod" if tokens.get(at + 2) == Some(&"{") => inline.push(depth),
                "struct" | "enum" | "union" | "trait" | "type" | "fn" | "const" | "static" => {
                    file.items.insert(after.to_owned());
                }
                // In a type, `use<…>` names what an `impl Trait` captures.
                "use" if after != "<" => {
                    let end = tokens[at..].iter().position(|token| *token == ";");
                    next = at + end.unwrap_or(tokens.len() - at);
                    file.parse_use(module, inline.len(), &[], &tokens[at + 1..next]);
                }
                first if after == "::" && is_name(first) && begins_a_path(&tokens[..at]) => {
                    let path = path(&tokens[at..]);
                    next = at + 2 * path.len() - 1;
                    file.paths.push(absolute(module, inline.len(), path));
                }
                _ => {}
            }
            at = next;
        }
        file
    }

    /// Reads the inside of a `use`, below the `stem` that it shares with others.
    fn parse_use(&mut self, module: &str, inline: usize, stem: &[&str], tree: &[&str]) {
        let open = tree.iter().position(|token| *token == "{");
        let stem_end = open.unwrap_or(tree.len());
        let alias = tree[..stem_end].iter().position(|token| *token == "as");
        let names = &tree[..alias.unwrap_or(stem_end)];
        let mut path: Vec<&str> = stem.to_vec();
        path.extend(names.iter().filter(|token| is_name(token)));
        if let Some(open) = open {
            for branch in branches(&tree[open + 1..tree.len() - 1]) {
                self.parse_use(module, inline, &path, branch);
            }
            return;
        }
        if stem.len() + 1 == path.len() && path.last() == Some(&"self") && !stem.is_empty() {
            path.pop();
        }
        let Some(last) = path.last() else { return };
        let name = alias.map_or(*last, |alias| tree[alias + 1]).to_owned();
        let path = absolute(module, inline, path.iter().map(|name| (*name).to_owned()).collect());
        self.paths.push(path.clone());
        match names.last() {
            Some(&"*") => self.globs.push(path),
            _ => self.uses.entry(name).or_default().push(path),
        }
    }
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Returns whether the name that follows `before` is the first of a path that the code uses.
/// `$crate` belongs to whoever calls the macro, and `pub(in crate::a)` uses nothing of `a`.
fn begins_a_path(before: &[&str]) -> bool {
    let continues = ["::", "$", "."].iter().any(|sign| before.last() == Some(sign));
    !continues && !before.ends_with(&["(", "in"])
}

/// Returns the path that begins here.
fn path(tokens: &[&str]) -> Names {
    let mut path = vec![tokens[0].to_owned()];
    for pair in tokens[1..].chunks_exact(2) {
        if pair[0] != "::" || !is_name(pair[1]) {
            break;
        }
        path.push(pair[1].to_owned());
    }
    path
}

/// Splits the inside of a brace at its own commas.
fn branches<'a, 'b>(tokens: &'b [&'a str]) -> Vec<&'b [&'a str]> {
    let mut depth = 0;
    let branches = tokens.split(|token| {
        match *token {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        depth == 0 && *token == ","
    });
    branches.filter(|branch| !branch.is_empty()).collect()
}

/// Writes `self` and `super` out. The result begins with `crate` unless the first name has to be
/// looked up in the file. `inline` is how many modules of the file itself the path stands in.
fn absolute(module: &str, inline: usize, path: Names) -> Names {
    let ups = path.iter().take_while(|name| *name == "super").count();
    let is_self = path.first().is_some_and(|name| name == "self");
    let beyond_file = match (ups, is_self) {
        (0, false) => return path,
        _ => ups.saturating_sub(inline),
    };
    let mut base: Vec<&str> = module.split("::").filter(|name| *name != ROOT).collect();
    base.truncate(base.len() - beyond_file.min(base.len()));
    let rest = path[ups + usize::from(is_self)..].iter().map(String::as_str);
    ["crate"].into_iter().chain(base).chain(rest).map(str::to_owned).collect()
}

impl Files {
    fn imports(&self, module: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for path in &self.files[module].paths {
            self.resolve(module, path, &mut BTreeSet::new(), &mut found);
        }
        found.remove(module);
        found
    }

    /// Adds the files that define what `path` names in `module`.
    fn resolve(
        &self,
        module: &str,
        path: &[String],
        pending: &mut BTreeSet<(String, String)>,
        found: &mut BTreeSet<String>,
    ) {
        let Some(first) = path.first() else { return };
        if first == "crate" {
            self.descend(ROOT, &path[1..], pending, found);
        } else if self.child(module, first).is_some() || self.files[module].uses.contains_key(first)
        {
            self.descend(module, path, pending, found);
        }
        // Any other first name is a crate, or something that the file itself defines.
    }

    fn descend(
        &self,
        module: &str,
        path: &[String],
        pending: &mut BTreeSet<(String, String)>,
        found: &mut BTreeSet<String>,
    ) {
        let Some((first, rest)) = path.split_first() else {
            found.insert(module.to_owned());
            return;
        };
        if let Some(child) = self.child(module, first) {
            return self.descend(&child, rest, pending, found);
        }
        let file = &self.files[module];
        if let Some(paths) = file.uses.get(first) {
            // `use async_trait::async_trait` would lead here again for ever.
            if pending.insert((module.to_owned(), first.clone())) {
                for path in paths {
                    let path: Names = path.iter().chain(rest).cloned().collect();
                    self.resolve(module, &path, pending, found);
                }
                pending.remove(&(module.to_owned(), first.clone()));
            }
            return;
        }
        let of_macro = self.macros.get(first).filter(|_| module == ROOT);
        let of_glob = file.globs.iter().find_map(|glob| self.defines(module, glob, first));
        found.insert(of_macro.cloned().or(of_glob).unwrap_or_else(|| module.to_owned()));
    }

    fn child(&self, module: &str, name: &str) -> Option<String> {
        let child = if module == ROOT { name.to_owned() } else { format!("{module}::{name}") };
        self.files.contains_key(&child).then_some(child)
    }

    /// Returns the module that `glob` leads to if it defines `name`.
    fn defines(&self, module: &str, glob: &[String], name: &str) -> Option<String> {
        let mut found = BTreeSet::new();
        self.resolve(module, glob, &mut BTreeSet::new(), &mut found);
        found.into_iter().find(|target| self.files[target].items.contains(name))
    }
}
