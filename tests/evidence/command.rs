//! A command of the page: what it runs, and what is wrong with it.

use super::repository::{Kind, Repository};

/// Flags that only choose how cargo builds.
const BUILDS: [&str; 6] = [
    "--all-features",
    "--workspace",
    "--locked",
    "--offline",
    "--release",
    "--no-default-features",
];
/// The options of test programs, which stand behind `--`.
const RUNS: [&str; 4] = ["--include-ignored", "--ignored", "--nocapture", "--exact"];
/// Where the tests stand that a macro stamps for every store.
const SHARED: &str = "testing/src/";

/// A call of cargo, in parts.
#[derive(Debug, Default)]
pub(crate) struct Call<'a> {
    verb: &'a str,
    package: Option<&'a str>,
    targets: Vec<(Kind, &'a str)>,
    is_lib: bool,
    is_doc: bool,
    has_all_features: bool,
    runs_ignored: bool,
    filters: Vec<&'a str>,
    /// Arguments of the program that is run.
    arguments: Vec<&'a str>,
}

/// Returns whether this code on the page is a command.
pub(crate) fn is_command(code: &str) -> bool {
    let mut words = code.split(' ').skip_while(|word| is_assignment(word));
    let first = words.next().unwrap_or_default();
    first == "cargo" || first == ".ci/run" || first.starts_with("scripts/")
}

fn is_assignment(word: &str) -> bool {
    let name = word.split_once('=').map_or("", |(name, _)| name);
    !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == '_')
}

/// Returns what is wrong with a command.
pub(crate) fn fault(command: &str, repository: &Repository) -> Option<String> {
    let (set, words): (Vec<_>, Vec<_>) = command.split(' ').partition(|word| is_assignment(word));
    for name in set.iter().filter_map(|word| word.split('=').next()) {
        let read = format!("\"{name}\"");
        if !repository.under("").any(|(path, text)| path.ends_with(".rs") && text.contains(&read)) {
            return Some(format!("nothing reads {name}"));
        }
    }
    match words.as_slice() {
        ["cargo", "tree", ..] => None,
        ["cargo", call @ ..] => match Call::parse(call) {
            Ok(call) => call.fault(repository),
            Err(fault) => Some(fault),
        },
        [script, arguments @ ..] => script_fault(script, arguments, repository),
        [] => Some("nothing is run".to_owned()),
    }
}

/// Each option stands in the script, and so does the name of what it is run for, or a file has it.
fn script_fault(script: &str, arguments: &[&str], repository: &Repository) -> Option<String> {
    let Some(text) = repository.text(script) else { return Some(format!("there is no {script}")) };
    let is_word = |word: &&&str| word.parse::<u32>().is_err();
    for argument in arguments.iter().filter(is_word) {
        let is_file =
            repository.under("").any(|(path, _)| path.ends_with(&format!("/{argument}.rs")));
        if !text.contains(argument) && !is_file {
            return Some(format!("{script} knows no {argument}"));
        }
    }
    None
}

impl<'a> Call<'a> {
    fn parse(words: &[&'a str]) -> Result<Self, String> {
        let (own, behind) = match words.iter().position(|word| *word == "--") {
            Some(at) => (&words[..at], &words[at + 1..]),
            None => (words, &words[words.len()..]),
        };
        let mut call = Self { verb: own.first().copied().unwrap_or_default(), ..Self::default() };
        let mut own = own.iter().skip(1).copied();
        while let Some(word) = own.next() {
            let mut named = || own.next().ok_or_else(|| format!("{word} names nothing"));
            match word {
                "-p" => call.package = Some(named()?),
                "--test" => call.targets.push((Kind::Test, named()?)),
                "--bench" => call.targets.push((Kind::Bench, named()?)),
                "--example" => call.targets.push((Kind::Example, named()?)),
                "--features" => _ = named()?,
                "--lib" => call.is_lib = true,
                "--doc" => call.is_doc = true,
                flag if BUILDS.contains(&flag) => call.has_all_features |= flag == "--all-features",
                flag if flag.starts_with('-') => return Err(format!("{flag} is not known here")),
                filter => call.filters.push(filter),
            }
        }
        if call.verb != "test" {
            call.arguments = behind.to_vec();
        } else if call.filters.len() > 1 {
            return Err("cargo takes one filter, and others behind `--`".to_owned());
        } else {
            call.runs_ignored = behind.iter().any(|word| RUNS[..2].contains(word));
            let (flags, filters): (Vec<_>, Vec<_>) =
                behind.iter().copied().partition(|word| word.starts_with('-'));
            if let Some(flag) = flags.iter().find(|flag| !RUNS.contains(flag)) {
                return Err(format!("{flag} is not known here"));
            }
            call.filters.extend(filters);
        }
        Ok(call)
    }

    fn fault(&self, repository: &Repository) -> Option<String> {
        let Some(folder) = repository.package(self.package.unwrap_or("cloakroom")) else {
            return Some(format!("there is no package {:?}", self.package));
        };
        for (kind, name) in &self.targets {
            let Some(files) = repository.target(folder, *kind, name) else {
                return Some(format!("there is no {kind:?} {name}"));
            };
            let root = repository.text(files[0]).unwrap_or_default();
            let needs_feature =
                |line: &str| line.starts_with("#![cfg(") && line.contains("feature");
            if root.lines().any(needs_feature) && !self.has_all_features {
                return Some(format!("{name} is empty without --all-features"));
            }
        }
        match self.verb {
            "test" => self.test_fault(folder, repository),
            "bench" | "run" => {
                let known = |word: &&str| {
                    let word = word.trim_start_matches('-');
                    repository.under(folder).any(|(_, text)| text.contains(word))
                };
                let unknown = self.arguments.iter().find(|word| !known(word));
                unknown.map(|word| format!("the program knows no {word}"))
            }
            verb => Some(format!("cargo {verb} is not known here")),
        }
    }

    fn test_fault(&self, folder: &str, repository: &Repository) -> Option<String> {
        let files = self.files(folder, repository);
        let uses_shared = files.iter().any(|(_, text)| text.contains("cloakroom_testing"));
        let shared = uses_shared.then(|| repository.under(SHARED)).into_iter().flatten();
        let all: Vec<_> = files.iter().copied().chain(shared).collect();
        for filter in &self.filters {
            if !all.iter().any(|file| has(*file, filter)) {
                return Some(format!("no test is called {filter}"));
            }
        }
        let chosen = |file: &&(&str, &str)| self.filters.iter().any(|filter| has(**file, filter));
        let chosen: Vec<_> = files.iter().filter(chosen).collect();
        let chosen = if chosen.is_empty() { files.iter().collect() } else { chosen };
        let is_ignored = chosen.iter().any(|(_, text)| text.contains("ignore = \"needs"));
        (is_ignored && !self.runs_ignored).then(|| "leaves out tests that are ignored".to_owned())
    }

    /// Returns the files that this runs tests of.
    fn files<'r>(&self, folder: &'r str, repository: &'r Repository) -> Vec<(&'r str, &'r str)> {
        let mut files = Vec::new();
        for (kind, name) in &self.targets {
            let found = repository.target(folder, *kind, name).unwrap_or_default();
            files.extend(found.into_iter().filter_map(|path| Some((path, repository.text(path)?))));
        }
        if self.is_lib {
            let under = if folder.is_empty() { "src/" } else { folder };
            files.extend(repository.under(under).filter(|(path, _)| path.contains("src/")));
        } else if self.targets.is_empty() && !self.is_doc {
            files.extend(repository.under(folder).filter(|(path, _)| path.ends_with(".rs")));
        }
        files
    }
}

/// Returns whether the path of a test in this file may have the filter in it.
fn has((path, text): (&str, &str), filter: &str) -> bool {
    let as_module = path.trim_end_matches(".rs").replace('/', "::");
    as_module.contains(filter) || text.contains(filter)
}

/// Returns whether a command runs tests of this file.
pub(crate) fn runs(command: &str, file: &str, repository: &Repository) -> bool {
    let words: Vec<_> = command.split(' ').skip_while(|word| is_assignment(word)).collect();
    let ["cargo", call @ ..] = words.as_slice() else { return false };
    let Ok(call) = Call::parse(call) else { return false };
    let Some(folder) = repository.package(call.package.unwrap_or("cloakroom")) else {
        return false;
    };
    let Some(text) = repository.text(file) else { return false };
    let files = call.files(folder, repository);
    let is_shared = file.starts_with(SHARED)
        && files.iter().any(|(_, text)| text.contains("cloakroom_testing"));
    let is_own = files.iter().any(|(path, _)| *path == file);
    let is_chosen = call.filters.iter().any(|filter| has((file, text), filter));
    (is_shared || is_own) && (call.filters.is_empty() || is_chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository() -> Repository {
        Repository::of(&[
            ("Cargo.toml", "[package]\nname = \"cloakroom\"\n"),
            ("src/lib.rs", "mod parts;"),
            ("src/parts.rs", "fn a_part_is_whole() {}"),
            ("tests/plain.rs", "use cloakroom_testing::promises; fn it_holds() { var(\"RACES\") }"),
            ("tests/server/main.rs", "#![allow(x)]\n#![cfg(feature = \"server\")]\n"),
            ("tests/server/faults.rs", "#[ignore = \"needs a server\"]\nfn nothing_is_lost() {}"),
            ("testing/src/promises.rs", "fn p5_all_is_kept() {}"),
            ("benches/Cargo.toml", "[package]\nname = \"speed\"\n"),
            ("benches/benches/quick.rs", "\"--check\""),
            ("scripts/long", "--seconds"),
            ("fuzz/fuzz_targets/cookies.rs", ""),
        ])
    }

    fn is_right(command: &str) {
        assert_eq!(fault(command, &repository()), None, "{command}");
    }

    fn is_wrong(command: &str, why: &str) {
        let found = fault(command, &repository()).unwrap_or_default();
        assert!(found.contains(why), "{command}: {found:?} and not {why:?}");
    }

    #[test]
    fn what_is_there_is_right() {
        is_right("cargo test --test plain it_holds");
        is_right("RACES=10000 cargo test --test plain p5_");
        is_right("cargo test --all-features --test server faults -- --include-ignored");
        is_right(
            "cargo test --all-features --test server -- --include-ignored faults nothing_is_lost",
        );
        is_right("cargo test --lib parts");
        is_right("cargo test --features near --lib parts");
        is_right("cargo bench -p speed --bench quick -- --check");
        is_right("scripts/long --seconds 60 cookies");
    }

    #[test]
    fn what_is_not_there_is_wrong() {
        is_wrong("cargo test --test gone", "no Test gone");
        is_wrong("cargo test --test plain it_held", "no test is called it_held");
        is_wrong("cargo test -p other --test plain", "no package");
        is_wrong("cargo bench -p speed --bench slow", "no Bench slow");
        is_wrong("cargo bench -p speed --bench quick -- --cheque", "knows no --cheque");
        is_wrong("cargo test --lib whole_parts", "no test is called whole_parts");
        is_wrong("scripts/short", "there is no scripts/short");
        is_wrong("scripts/long --hours 60", "knows no --hours");
        is_wrong("LAPS=10 cargo test --test plain", "nothing reads LAPS");
    }

    #[test]
    fn a_command_that_would_run_nothing_is_wrong() {
        is_wrong("cargo test --test server -- --include-ignored", "empty without --all-features");
        is_wrong("cargo test --all-features --test server", "leaves out");
        is_wrong("cargo test --test plain it_holds p5_", "one filter");
        is_wrong("cargo test --all-feature --test plain", "--all-feature is not known");
        is_wrong("cargo fly", "cargo fly is not known");
    }

    #[test]
    fn a_command_runs_the_files_of_its_target_that_its_filters_choose() {
        let runs = |command, file| runs(command, file, &repository());
        assert!(runs(
            "cargo test --all-features --test server -- --ignored",
            "tests/server/faults.rs"
        ));
        assert!(runs("cargo test --test plain p5_", "testing/src/promises.rs"));
        assert!(!runs("cargo test --test plain p6_", "testing/src/promises.rs"));
        assert!(!runs("cargo test --test plain", "tests/server/faults.rs"));
        assert!(runs("cargo test --lib", "src/parts.rs"));
        assert!(!runs("scripts/long", "src/parts.rs"));
    }

    #[test]
    fn a_command_begins_with_a_program() {
        assert!(
            is_command("RACES=1 cargo test") && is_command("scripts/test") && is_command(".ci/run")
        );
        assert!(!is_command("tests/evidence") && !is_command("cookies") && !is_command("a = b"));
    }
}
