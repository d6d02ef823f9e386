//! Describes the machine.

use std::collections::BTreeMap;
use std::fs;
use std::thread;

use crate::results::Machine;

const LOCK: &str = include_str!("../../../Cargo.lock");
const UNKNOWN: &str = "unknown";

pub(crate) fn describe() -> Machine {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let memory = field(&read("/proc/meminfo"), "MemTotal", ':');
    let kilobytes = memory.and_then(|text| text.strip_suffix(" kB")?.trim().parse::<u64>().ok());
    Machine {
        system: field(&read("/etc/os-release"), "PRETTY_NAME", '=').unwrap_or(UNKNOWN.into()),
        processor: field(&read("/proc/cpuinfo"), "model name", ':').unwrap_or(UNKNOWN.into()),
        cores: thread::available_parallelism().map_or(1, usize::from),
        memory_bytes: kilobytes.unwrap_or_default() * 1024,
        versions: BTreeMap::from([("cloakroom".into(), locked("cloakroom"))]),
        build: if cfg!(debug_assertions) { "debug" } else { "release" }.into(),
    }
}

/// Returns the value of a line `name = "value"` or `name : value`.
fn field(text: &str, name: &str, separator: char) -> Option<String> {
    let fields = text.lines().filter_map(|line| line.split_once(separator));
    let mut values = fields.filter(|(known, _)| known.trim() == name);
    values.next().map(|(_, value)| value.trim().trim_matches('"').to_owned())
}

/// Returns the version of a package that this was built with.
pub(crate) fn locked(package: &str) -> String {
    let entry = format!("name = \"{package}\"\n");
    let after = LOCK.split_once(&entry).map_or("", |(_, after)| after);
    field(after.lines().next().unwrap_or_default(), "version", '=').unwrap_or(UNKNOWN.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_cores_memory_and_versions() {
        let machine = describe();
        assert!(machine.cores > 0 && machine.memory_bytes > 1 << 20, "{machine:?}");
        assert_ne!(machine.system, UNKNOWN);
        assert!(machine.versions["cloakroom"].starts_with(|c: char| c.is_ascii_digit()));
        assert!(locked("dynoxide-rs").starts_with("3."));
        assert_eq!(locked("no-such-package"), UNKNOWN);
    }
}
