//! The files of the repository, and the targets that cargo makes of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Folders that are not part of the sources, or have nothing that a page can name.
const LEFT_OUT: [&str; 3] = ["target", ".git", "corpus"];

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Test,
    Bench,
    Example,
}

impl Kind {
    /// The folder of such targets, and their name in a manifest.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Test => ("tests", "test"),
            Self::Bench => ("benches", "bench"),
            Self::Example => ("examples", "example"),
        }
    }
}

/// Every file by its path from the root, with its text.
pub(crate) struct Repository {
    files: BTreeMap<String, String>,
}

impl Repository {
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let owned = |(path, text): &(&str, &str)| ((*path).to_owned(), (*text).to_owned());
        Self { files: files.iter().map(owned).collect() }
    }

    pub(crate) fn read(root: &Path) -> Self {
        let (mut files, mut folders) = (BTreeMap::new(), vec![root.to_owned()]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_str().unwrap();
                if LEFT_OUT.contains(&name) {
                    continue;
                }
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let from_root = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                    let text = String::from_utf8(fs::read(&path).unwrap()).unwrap_or_default();
                    files.insert(from_root, text);
                }
            }
        }
        Self { files }
    }

    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// Returns whether there is such a file or folder.
    pub(crate) fn has(&self, path: &str) -> bool {
        let folder = format!("{}/", path.trim_end_matches('/'));
        self.files.contains_key(path) || self.under(&folder).next().is_some()
    }

    /// Returns the paths and texts of all files under a folder, which ends with a slash, or is empty for all.
    pub(crate) fn under<'a, 'b>(
        &'a self,
        folder: &'b str,
    ) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a, 'b> {
        let all = self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()));
        all.filter(move |(path, _)| path.starts_with(folder))
    }

    /// Returns the folder of a package of this workspace, with a slash at its end; that of the root is empty.
    pub(crate) fn package(&self, name: &str) -> Option<&str> {
        let line = format!("name = \"{name}\"");
        let manifests = self.files.iter().filter(|(path, _)| path.ends_with("Cargo.toml"));
        let named = |text: &str| {
            text.lines().find(|text| text.starts_with("name = ")) == Some(line.as_str())
        };
        let mut folders = manifests.filter(|(_, text)| named(text)).map(|(path, _)| path);
        folders.next().and_then(|path| path.strip_suffix("Cargo.toml"))
    }

    /// Returns the files of a target, its root first.
    pub(crate) fn target(&self, folder: &str, kind: Kind, name: &str) -> Option<Vec<&str>> {
        let root = self.declared(folder, kind, name).or_else(|| self.found(folder, kind, name))?;
        let beside = match root.strip_suffix("main.rs") {
            Some(own_folder) => self.under(own_folder).map(|(path, _)| path).collect(),
            // The file of a package whose tests stand in its folder: its modules are beside it.
            None if root.strip_prefix(folder).is_some_and(|path| path.contains('/')) => Vec::new(),
            None => self.under(folder).map(|(path, _)| path).collect::<Vec<_>>(),
        };
        let root = self.files.get_key_value(&root)?.0.as_str();
        let others = beside.into_iter().filter(|path| path.ends_with(".rs") && *path != root);
        Some([root].into_iter().chain(others).collect())
    }

    /// Returns the root of a target that its package's manifest gives a path.
    fn declared(&self, folder: &str, kind: Kind, name: &str) -> Option<String> {
        let manifest = self.text(&format!("{folder}Cargo.toml"))?;
        let sections =
            manifest.split(&format!("[[{}]]\n", kind.names().1)).skip(1).collect::<Vec<_>>();
        let value = |section: &str, key: &str| {
            let own = section.split("\n[").next().unwrap_or_default().to_owned();
            let begin = format!("{key} = \"");
            let line = own.lines().find_map(|line| line.strip_prefix(&begin).map(str::to_owned));
            line.map(|line| line.trim_end_matches('"').to_owned())
        };
        let mut named =
            sections.iter().filter(|section| value(section, "name").as_deref() == Some(name));
        let path = named.find_map(|section| value(section, "path"))?;
        Some(format!("{folder}{path}"))
    }

    /// Returns the root of a target that cargo finds by its place.
    fn found(&self, folder: &str, kind: Kind, name: &str) -> Option<String> {
        let place = kind.names().0;
        let places =
            [format!("{folder}{place}/{name}.rs"), format!("{folder}{place}/{name}/main.rs")];
        places.into_iter().find(|path| self.files.contains_key(path))
    }
}

#[test]
fn targets_are_found_where_cargo_finds_them() {
    let repository = Repository::of(&[
        ("Cargo.toml", "[package]\nname = \"shop\"\n"),
        ("tests/one.rs", ""),
        ("tests/several/main.rs", ""),
        ("tests/several/part.rs", ""),
        (
            "tests/far/Cargo.toml",
            "[package]\nname = \"far\"\n[[test]]\nname = \"near\"\npath = \"near.rs\"\n",
        ),
        ("tests/far/near.rs", ""),
        ("tests/far/beside.rs", ""),
    ]);
    let find = |folder, name| repository.target(folder, Kind::Test, name);
    assert_eq!(find("", "one").unwrap(), ["tests/one.rs"]);
    assert_eq!(find("", "several").unwrap(), ["tests/several/main.rs", "tests/several/part.rs"]);
    assert_eq!(repository.package("far"), Some("tests/far/"));
    assert_eq!(find("tests/far/", "near").unwrap(), ["tests/far/near.rs", "tests/far/beside.rs"]);
    assert_eq!(find("", "near"), None);
    assert_eq!(repository.package("shop"), Some(""));
    assert_eq!(repository.package("none"), None);
    assert!(
        repository.has("tests/several")
            && repository.has("tests/one.rs")
            && !repository.has("tests/on")
    );
}
