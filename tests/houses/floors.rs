//! The floors: imports only go down.

use crate::house::STORES;
use crate::imports::Graph;
use crate::source::{ROOT, Source};

/// Floors of all folders, as in [`FLOORS`](crate::house::FLOORS).
pub(crate) type Plan<'a> = &'a [(&'a str, &'a [&'a str])];

/// Returns every import that does not go down.
pub(crate) fn wrong_imports(graph: &Graph, plan: Plan<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (from, to) in pairs(graph) {
        let folder = shared_folder(from, to);
        if to == folder {
            wrong.push(format!("{from} imports {to}, the file of the folder it stands in"));
        } else if from != folder {
            let (here, there) = (room(folder, from), room(folder, to));
            let down = floor(plan, folder, there) < floor(plan, folder, here);
            if !down || floor(plan, folder, there).is_none() {
                wrong.push(format!("{from} imports {to}, but {there} is not below {here}"));
            }
        }
    }
    wrong
}

/// Returns every import of a store by another store, or by the core, which knows only the trait.
pub(crate) fn wrong_uses_of_stores(graph: &Graph) -> Vec<String> {
    let may_import = |from: &str, store| {
        let knows_all =
            ["store", "connect", "documentation", "fuzzing", "simulation", "testing", ROOT];
        let from_room = if from.starts_with("store::") { from } else { room(ROOT, from) };
        knows_all.contains(&from_room) || store_of(from) == Some(store)
    };
    let wrong = pairs(graph)
        .filter(|(from, to)| store_of(to).is_some_and(|store| !may_import(from, store)));
    wrong.map(|(from, to)| format!("{from} imports the store {to}")).collect()
}

/// Returns the store that the file belongs to.
fn store_of(module: &str) -> Option<&str> {
    let store = module.strip_prefix("store::")?.split("::").next()?;
    STORES.split(' ').find(|name| *name == store)
}

/// Returns every file that has no floor.
pub(crate) fn unlisted(modules: &[&str], plan: Plan<'_>) -> Vec<String> {
    let is_unlisted = |module: &&&str| {
        let folder = module.rsplit_once("::").map_or(ROOT, |(folder, _)| folder);
        **module != ROOT && floor(plan, folder, room(folder, module)).is_none()
    };
    modules.iter().filter(is_unlisted).map(|module| format!("{module} has no floor")).collect()
}

/// Returns every place of the plan where no file is.
pub(crate) fn vacant(modules: &[&str], plan: Plan<'_>) -> Vec<String> {
    let mut vacant = Vec::new();
    for (folder, floors) in plan {
        for name in floors.iter().flat_map(|floor| floor.split(' ')) {
            let module =
                if *folder == ROOT { name.to_owned() } else { format!("{folder}::{name}") };
            if !modules.contains(&&*module) {
                vacant.push(format!("there is no {module}"));
            }
        }
    }
    vacant
}

/// Returns every file of unit tests that is not listed, and every one that its parent does not
/// declare for tests only.
pub(crate) fn wrong_unit_tests(sources: &[Source], listed: &[&str]) -> Vec<String> {
    let mut wrong = Vec::new();
    for tests in sources.iter().filter(|source| source.is_unit_tests()) {
        let parent = tests.module.rsplit_once("::").map_or(ROOT, |(parent, _)| parent);
        let declares = |source: &Source| {
            let lines: Vec<_> = source.text.lines().collect();
            let is_gate =
                |line: &str| line == "#[cfg(test)]" || line.starts_with("#[cfg(all(test, ");
            let gated = lines.windows(2).any(|pair| is_gate(pair[0]) && pair[1] == "mod tests;");
            source.module == parent && gated
        };
        if !listed.contains(&parent) {
            wrong.push(format!("{} is not listed", tests.module));
        }
        if !sources.iter().any(declares) {
            wrong.push(format!("{} is not for tests only", tests.module));
        }
    }
    wrong
}

fn pairs(graph: &Graph) -> impl Iterator<Item = (&str, &str)> {
    graph.iter().flat_map(|(from, imports)| imports.iter().map(move |to| (&**from, &**to)))
}

/// Returns the innermost folder that holds both files.
fn shared_folder<'a>(a: &'a str, b: &str) -> &'a str {
    let mut end = 0;
    for (at, _) in a.match_indices("::").chain([(a.len(), "")]) {
        let folder = &a[..at];
        if b == folder || b.starts_with(&format!("{folder}::")) {
            end = at;
        }
    }
    if end == 0 { ROOT } else { &a[..end] }
}

/// Returns the file or subfolder of `folder` that `module` is, or is in.
fn room<'a>(folder: &str, module: &'a str) -> &'a str {
    let inside = match folder {
        ROOT => module,
        _ => module[folder.len()..].trim_start_matches("::"),
    };
    inside.split("::").next().unwrap_or(inside)
}

fn floor(plan: Plan<'_>, folder: &str, room: &str) -> Option<usize> {
    let (_, floors) = plan.iter().find(|(name, _)| *name == folder)?;
    floors.iter().position(|floor| floor.split(' ').any(|name| name == room))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imports::graph;

    const NONE: [&str; 0] = [];
    const PLAN: Plan<'_> = &[
        ("lib", &["clock error", "record", "store", "session", "middleware", "connect"]),
        ("record", &["fields", "compact"]),
        ("store", &["contract", "memory redis"]),
        ("store::redis", &["entry failure", "connection"]),
        ("session", &["found state", "slot", "kept in_cookie", "backend"]),
        ("session::kept", &["load", "renew"]),
    ];
    /// The files of the planted house. Each child is declared and re-exported by its folder.
    const FILES: &[&str] = &[
        "clock",
        "error",
        "record",
        "record::fields",
        "record::compact",
        "store",
        "store::contract",
        "store::memory",
        "store::redis",
        "store::redis::entry",
        "store::redis::failure",
        "store::redis::connection",
        "session",
        "session::found",
        "session::state",
        "session::slot",
        "session::kept",
        "session::kept::load",
        "session::kept::renew",
        "session::in_cookie",
        "session::backend",
        "middleware",
        "connect",
    ];

    /// Plants `text` into `module` of a house whose folders re-export what their files define.
    fn plant(module: &str, text: &str) -> Graph {
        let text_of = |name: &str| match name {
            name if name == module => text,
            "store" => "pub use contract::Version;\npub use redis::RedisStore;",
            "session" => "pub use slot::Slot;\npub use backend::Backend;\npub struct Session;",
            "record" => "pub use fields::Fields;",
            "lib" => "pub use session::Backend;",
            _ => "",
        };
        let files: Vec<_> = FILES.iter().chain(&[ROOT]).collect();
        graph(&files.iter().map(|name| Source::planted(name, text_of(name))).collect::<Vec<_>>())
    }

    fn is_wrong(module: &str, text: &str) -> bool {
        !wrong_imports(&plant(module, text), PLAN).is_empty()
    }

    #[test]
    fn the_planted_house_is_sound() {
        assert_eq!(wrong_imports(&plant("", ""), PLAN), NONE);
    }

    #[test]
    fn an_import_of_a_higher_folder_is_noticed() {
        for (module, text) in [
            ("clock", "use crate::session::Session;"),
            ("clock", "use crate::error::StoreError;"),
            ("clock", "use crate::Backend;"),
            ("clock", "fn f() -> crate::session::Session {}"),
            ("clock", "fn f() { for x in crate::session::all() {} }"),
            ("clock", "use super::session;"),
            ("clock", "mod inside {\n    use super::super::session::Session;\n}"),
            ("record::fields", "use super::super::store::Version;"),
            ("store", "use crate::{\n    clock::Timestamp,\n    session::{Session, Field},\n};"),
            ("store::memory", "pub(in crate::store) fn f() { crate::session::x() }"),
            ("session::slot", "use crate::middleware as m;"),
            ("session", "use crate::clock;\nuse crate::connect::connect;"),
            ("middleware", "use super::connect::connect;"),
        ] {
            assert!(is_wrong(module, text), "{module}: {text}");
        }
    }

    #[test]
    fn an_import_of_a_higher_file_of_the_folder_is_noticed() {
        for (module, text) in [
            ("record::fields", "use super::compact::encode;"),
            ("store::redis::entry", "use super::connection::Connection;"),
            ("store::redis::entry", "use super::failure::Failure;"),
            ("session::found", "use super::Slot;"),
            ("session::found", "use super::super::session::{state::State, Slot};"),
            ("session::slot", "use crate::session::Backend;"),
            ("session::slot", "use crate::Backend;"),
            ("session::kept::load", "use super::renew;"),
            ("session::kept::load", "use super::super::backend::Backend;"),
            ("session::in_cookie", "fn f() { super::kept::load::load() }"),
        ] {
            assert!(is_wrong(module, text), "{module}: {text}");
        }
    }

    #[test]
    fn an_import_of_what_the_parent_defines_is_noticed() {
        for (module, text) in [
            ("session::slot", "use super::Session;"),
            ("session::kept::load", "use super::super::Session;"),
            ("session::kept::load", "use super::Kept;"),
            ("clock", "use super::CRATE_WIDE;"),
        ] {
            assert!(is_wrong(module, text), "{module}: {text}");
        }
    }

    #[test]
    fn an_import_that_goes_down_is_not() {
        for (module, text) in [
            ("record", "use crate::clock::Timestamp;\nuse crate::error::{Error, Kind};"),
            ("record::compact", "use super::Fields;"),
            (
                "store::redis::connection",
                "use super::{entry, failure::Failure};\nfn f() { entry::g() }",
            ),
            ("store::redis::connection", "use crate::store::Version;"),
            ("session::kept::renew", "use super::super::Slot;\nuse super::load::load;"),
            ("session::backend", "use super::{in_cookie::InCookie, kept};\nuse kept::Kept;"),
            (
                "clock",
                "//! See [`Session`](crate::session::Session).\npub(in crate::session) fn f() {}",
            ),
            ("clock", "fn f() -> &'static str { \"crate::session::Session\" }"),
            ("clock", "macro_rules! m { () => { $crate::session::x() } }"),
            ("clock", "#[cfg(test)]\nmod tests {\n    use crate::session::Session;\n}"),
            ("session::kept::tests", "use crate::connect::connect;"),
        ] {
            let wrong = wrong_imports(&plant(module, text), PLAN);
            assert_eq!(wrong, NONE, "{module}: {text}");
        }
    }

    #[test]
    fn a_store_that_is_imported_by_another_or_by_the_core_is_noticed() {
        for (module, text, count) in [
            ("store::memory", "use super::redis::entry::Entry;", 1),
            ("store::memory", "use crate::store::RedisStore;", 1),
            ("store::redis::entry", "use crate::store::memory::MemoryStore;", 1),
            ("session::slot", "use crate::store::memory::MemoryStore;", 1),
            ("store::redis::connection", "use super::entry::Entry;", 0),
            ("connect", "use crate::store::memory::MemoryStore;", 0),
        ] {
            assert_eq!(wrong_uses_of_stores(&plant(module, text)).len(), count, "{module}: {text}");
        }
    }

    #[test]
    fn a_macro_is_where_it_is_defined() {
        let laws = "#[macro_export]\nmacro_rules! laws { () => {} }";
        let call = |module| {
            let sources = [
                Source::planted("lib", ""),
                Source::planted("store", laws),
                Source::planted(module, "crate::laws!();"),
            ];
            wrong_imports(&graph(&sources), PLAN).len()
        };
        assert_eq!((call("session"), call("clock")), (0, 1));
    }

    #[test]
    fn a_file_without_a_floor_and_a_place_without_a_file_are_noticed() {
        let modules = [FILES, &["lib", "store::redis::tls", "poison"]].concat();
        let expected = ["store::redis::tls has no floor", "poison has no floor"];
        assert_eq!(unlisted(&modules, PLAN), expected);
        assert_eq!(vacant(&modules, PLAN), NONE);
        let fewer: Vec<_> = modules.into_iter().filter(|name| *name != "session::slot").collect();
        assert_eq!(vacant(&fewer, PLAN), ["there is no session::slot"]);
    }

    #[test]
    fn unit_tests_that_are_not_listed_or_not_gated_are_noticed() {
        let sources =
            |parent| [Source::planted("record", parent), Source::planted("record::tests", "")];
        let gated = sources("#[cfg(test)]\nmod tests;");
        assert_eq!(wrong_unit_tests(&gated, &["record"]), NONE);
        assert_eq!(wrong_unit_tests(&gated, &[]), ["record::tests is not listed"]);
        let open = sources("mod tests;");
        assert_eq!(wrong_unit_tests(&open, &["record"]), ["record::tests is not for tests only"]);
    }
}
