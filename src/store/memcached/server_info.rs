//! The facts that a server tells about itself when a connection is opened.

use sha2::{Digest, Sha256};

use super::entry::RunId;

/// memcached's default (`-I`), for a server that does not tell its own.
const DEFAULT_MAX_ITEM_BYTES: usize = 1 << 20;
/// The largest item that memcached can be told to take. A server that tells more is not believed.
const MAX_ITEM_BYTES: usize = 1 << 30;
/// Before 1.6.18 an `mg` that finds nothing does not repeat the opaque.
const OLDEST_VERSION: [u32; 3] = [1, 6, 18];

#[derive(Debug, PartialEq, Eq)]
pub(super) struct ServerInfo {
    /// Differs between two servers, and between two runs of one server.
    pub(super) run_id: RunId,
    pub(super) max_item_bytes: usize,
    /// The reason why this server cannot be used, if there is one.
    pub(super) problem: Option<&'static str>,
}

impl ServerInfo {
    /// Parses the answers to `stats` and `stats settings`. `node` identifies the server.
    pub(super) fn parse(node: &str, stats: &str, settings: &str) -> Self {
        let max_item_bytes = find(settings, "item_size_max").and_then(|text| text.parse().ok());
        let problem = if parse_version(stats).is_some_and(|version| version < OLDEST_VERSION) {
            Some("memcached 1.6.18 or later is needed")
        } else if find(settings, "cas_enabled") == Some("no") {
            // Without compare-and-set no replace could ever succeed.
            Some("memcached runs without CAS (`-C`, or ElastiCache's `cas_disabled`)")
        } else {
            None
        };
        Self {
            run_id: run_id(node, stats),
            max_item_bytes: max_item_bytes.unwrap_or(DEFAULT_MAX_ITEM_BYTES).min(MAX_ITEM_BYTES),
            problem,
        }
    }
}

/// Hashes the node, the process id and the moment when the server was started.
///
/// The process id alone would not do: in a container it is 1 after every restart.
fn run_id(node: &str, stats: &str) -> RunId {
    let number = |name| find(stats, name).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    let started = number("time").wrapping_sub(number("uptime"));
    let digest = Sha256::digest(format!("{node} {} {started}", number("pid")));
    let mut run_id = RunId::default();
    run_id.copy_from_slice(&digest[..8]);
    run_id
}

fn parse_version(stats: &str) -> Option<[u32; 3]> {
    let mut parts = find(stats, "version")?.splitn(3, '.').map(|part| {
        let digits = part.split(|c: char| !c.is_ascii_digit()).next();
        digits.and_then(|digits| digits.parse::<u32>().ok())
    });
    Some([parts.next()??, parts.next()??, parts.next()??])
}

/// Returns the value in the line `STAT name value`.
fn find<'a>(stats: &'a str, name: &str) -> Option<&'a str> {
    let named = |line: &'a str| line.strip_prefix("STAT ")?.strip_prefix(name)?.strip_prefix(' ');
    stats.lines().find_map(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_id(port: u16, pid: u32, uptime: u32, time: u32) -> RunId {
        let stats = format!("STAT pid {pid}\nSTAT uptime {uptime}\nSTAT time {time}\n");
        ServerInfo::parse(&format!("host:{port}"), &stats, "").run_id
    }

    #[test]
    fn the_run_id_stays_the_same_until_the_server_restarts() {
        let first = run_id(1, 7, 10, 1_000);
        assert_eq!(first, run_id(1, 7, 500, 1_490));
        for other in [run_id(2, 7, 10, 1_000), run_id(1, 8, 10, 1_000), run_id(1, 7, 1, 1_490)] {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn the_largest_item_is_the_one_that_the_server_tells() {
        let settings = "STAT item_size_max_x 5\nSTAT item_size_max 2048\n";
        assert_eq!(ServerInfo::parse("host", "", settings).max_item_bytes, 2_048);
        assert_eq!(ServerInfo::parse("host", "", "").max_item_bytes, 1 << 20);
        let boast = format!("STAT item_size_max {}\n", usize::MAX);
        assert_eq!(ServerInfo::parse("host", "", &boast).max_item_bytes, 1 << 30);
    }

    #[test]
    fn an_old_server_and_one_without_cas_have_a_problem() {
        let problem = |version: &str, cas: &str| {
            let stats = format!("STAT version {version}\n");
            ServerInfo::parse("host", &stats, &format!("STAT cas_enabled {cas}\n")).problem
        };
        assert_eq!(problem("1.6.18", "yes"), None);
        assert_eq!(problem("1.10.2-beta", "yes"), None);
        assert!(problem("1.6.17", "yes").is_some_and(|problem| problem.contains("1.6.18")));
        assert!(problem("1.6.18", "no").is_some_and(|problem| problem.contains("CAS")));
    }
}
