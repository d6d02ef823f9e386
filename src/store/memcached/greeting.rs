//! What a server says of itself when it is connected to.

use sha2::{Digest, Sha256};

use super::entry::Process;

/// memcached's default (`-I`), for a server that does not say.
const DEFAULT_MAX_ITEM_BYTES: usize = 1 << 20;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Greeting {
    /// Differs between two servers, and between two lives of one.
    pub(super) process: Process,
    pub(super) max_item_bytes: usize,
    /// Before 1.6.18 an `mg` that finds nothing does not repeat the opaque; without CAS nothing
    /// can be replaced.
    pub(super) problem: Option<&'static str>,
}

impl Greeting {
    /// Of a node, from its answers to `stats` and `stats settings`.
    pub(super) fn of(node: &str, stats: &str, settings: &str) -> Self {
        let number = |name| stat(stats, name).and_then(|text| text.parse::<u64>().ok());
        let started = number("time").unwrap_or(0).wrapping_sub(number("uptime").unwrap_or(0));
        let life = format!("{node} {} {started}", number("pid").unwrap_or(0));
        let digest = Sha256::digest(life);
        let mut process = Process::default();
        process.copy_from_slice(&digest[..8]);
        let most = stat(settings, "item_size_max").and_then(|text| text.parse().ok());
        let version = stat(stats, "version").and_then(|text| {
            let mut parts = text.splitn(3, '.').map(|part| {
                let digits = part.split(|c: char| !c.is_ascii_digit()).next();
                digits.and_then(|digits| digits.parse::<u32>().ok())
            });
            Some([parts.next()??, parts.next()??, parts.next()??])
        });
        let problem = if version.is_some_and(|version| version < [1, 6, 18]) {
            Some("memcached 1.6.18 or later is needed")
        } else if stat(settings, "cas_enabled") == Some("no") {
            Some("memcached is run without CAS (`-C`, or ElastiCache's `cas_disabled`)")
        } else {
            None
        };
        let max_item_bytes = most.unwrap_or(DEFAULT_MAX_ITEM_BYTES);
        Self { process, max_item_bytes, problem }
    }
}

fn stat<'a>(stats: &'a str, name: &str) -> Option<&'a str> {
    let named = |line: &'a str| line.strip_prefix("STAT ")?.strip_prefix(name)?.strip_prefix(' ');
    stats.lines().find_map(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(port: u16, pid: u32, uptime: u32, time: u32) -> Process {
        let stats = format!("STAT pid {pid}\nSTAT uptime {uptime}\nSTAT time {time}\n");
        Greeting::of(&format!("host:{port}"), &stats, "").process
    }

    #[test]
    fn a_process_is_the_same_for_as_long_as_it_lives() {
        let first = process(1, 7, 10, 1_000);
        assert_eq!(first, process(1, 7, 500, 1_490));
        for other in [process(2, 7, 10, 1_000), process(1, 8, 10, 1_000), process(1, 7, 1, 1_490)] {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn the_largest_item_is_what_the_server_says() {
        let settings = "STAT item_size_max_x 5\nSTAT item_size_max 2048\n";
        assert_eq!(Greeting::of("host", "", settings).max_item_bytes, 2_048);
        assert_eq!(Greeting::of("host", "", "").max_item_bytes, 1 << 20);
    }
}
