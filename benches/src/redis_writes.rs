//! Counts the write system calls of this process on its connections to the server.
//!
//! Linux counts the calls and their bytes in `/proc/self/io`: those of `write` and `writev`, and
//! fred writes with `writev`. But the runtime writes too: eight bytes, to wake a worker that waits
//! for the connections. The server says how many bytes it has received, so the rest of this
//! process's bytes are the wake-ups', and so their number is known.

use std::fs;

use fred::clients::Client;
use fred::interfaces::ClientLike;
use fred::types::{ClusterHash, CustomCommand};

/// The length of `INFO stats` on the connection, which the server counts as received.
const ASKING: u64 = b"*2\r\n$4\r\nINFO\r\n$5\r\nstats\r\n".len() as u64;

/// The length of a wake-up: one number for an `eventfd`.
const WAKE_UP: u64 = 8;

/// The write calls of this process, and the bytes of those calls.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Written {
    calls: u64,
    bytes: u64,
}

impl Written {
    /// Returns what this process has written, or `None` if the system does not count it.
    fn now() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/self/io").ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        Some(Self { calls: field(text, "syscw")?, bytes: field(text, "wchar")? })
    }
}

/// Asks the server for the bytes that it has received, on a connection of its own.
#[derive(Clone, Debug)]
pub struct WriteCounter(Client);

/// A count that has begun.
#[derive(Debug)]
pub(crate) struct Counting {
    received: u64,
    written: Written,
}

impl WriteCounter {
    /// Creates a counter. Nothing else may use this connection.
    pub fn new(client: Client) -> Self {
        Self(client)
    }

    /// Begins to count, unless the system does not count.
    pub(crate) async fn start(&self) -> Option<Counting> {
        let received = self.received().await?;
        Some(Counting { received, written: Written::now()? })
    }

    /// Returns the calls since `start`. All commands since then have been answered.
    pub(crate) async fn finish(&self, start: Counting) -> Option<u64> {
        let written = Written::now()?;
        let received = self.received().await? - start.received - ASKING;
        let bytes = written.bytes - start.written.bytes;
        Some(calls_on_connections(written.calls - start.written.calls, bytes, received))
    }

    async fn received(&self) -> Option<u64> {
        let command = CustomCommand::new_static("INFO", ClusterHash::FirstKey, false);
        let text: String = self.0.custom(command, vec!["stats"]).await.expect("it answers");
        field(&text, "total_net_input_bytes")
    }
}

fn calls_on_connections(calls: u64, bytes: u64, received: u64) -> u64 {
    calls.saturating_sub(bytes.saturating_sub(received) / WAKE_UP)
}

/// Returns the number in the line `name:number`.
fn field(text: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(found, _)| *found == name)?.1.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_counts_calls_and_bytes() {
        let text = "rchar: 1948\nwchar: 12\nsyscr: 7\nsyscw: 3\nwrite_bytes: 0\n";
        assert_eq!(Written::parse(text), Some(Written { calls: 3, bytes: 12 }));
        assert_eq!(Written::parse("rchar: 1948\n"), None);
    }

    #[test]
    fn wake_ups_are_not_counted() {
        assert_eq!(calls_on_connections(10, 1_000, 1_000), 10);
        assert_eq!(calls_on_connections(15, 1_040, 1_000), 10);
    }
}
