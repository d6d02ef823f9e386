//! A PostgreSQL server with many expired sessions.

use std::fmt::Write;
use std::time::Duration;

use cloakroom::Clock;
use cloakroom_testing::postgres::Server;
use tokio::runtime::Runtime;

use crate::postgres_jobs::{TABLE, millis, server, store};
use crate::sessions::record_with;
use crate::sweeping::{compare, sessions};

/// Fills a table with expired sessions and sweeps them beside writers.
///
/// The server logs each wait for a lock that takes longer than `deadlock_timeout`, and how long it was: waits for
/// rows, and for the right to make a table longer.
///
/// # Panics
///
/// If the server fails.
pub fn million(runtime: &Runtime, writes: usize) {
    let server = server(&["log_lock_waits=on", "deadlock_timeout=10ms", "max_wal_size=4GB"]);
    let record = record_with(2_048);
    let store = runtime.block_on(store(&server, writes));
    let expired = millis(Clock::system().now().saturating_sub(Duration::from_secs(3_600)));
    let mut bytes = String::new();
    record.iter().for_each(|byte| write!(bytes, "{byte:02x}").expect("a string"));
    server.sql(&format!(
        "INSERT INTO {TABLE} SELECT sha256(convert_to(n::text, 'UTF8')), int8send(n), {expired}, '\\x{bytes}' \
         FROM generate_series(0, {} - 1) n",
        sessions()
    ));
    server.sql(&format!("VACUUM ANALYZE {TABLE}"));
    server.sql("CHECKPOINT");
    println!("{} expired sessions of 2 KB", sessions());
    let left = format!("SELECT count(*) FROM {TABLE} WHERE deadline = {expired}");
    let removed = || sessions() as u64 - server.sql(&left).parse::<u64>().expect("a number");
    runtime.block_on(compare(store, record, removed, || longest_lock_wait(&server)));
}

/// Reads lines such as `process 7 acquired ShareLock on transaction 5 after 12.345 ms`.
fn longest_lock_wait(server: &Server) -> String {
    let log = server.process.output();
    let waits = log
        .lines()
        .filter(|line| line.contains(" acquired "))
        .filter_map(|line| line.rsplit_once(" after ")?.1.strip_suffix(" ms")?.parse::<f64>().ok());
    match waits.reduce(f64::max) {
        Some(longest) => format!("{longest:.1} ms"),
        None => "under 10 ms".to_owned(),
    }
}
