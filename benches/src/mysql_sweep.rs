//! A MariaDB server with many expired sessions.

use std::fmt::Write;
use std::time::Duration;

use cloakroom::Clock;
use cloakroom_testing::mariadb::{Server, TABLE};
use tokio::runtime::Runtime;

use crate::mysql_jobs::store;
use crate::sessions::record_with;
use crate::sweeping::{compare, sessions};

/// Fills a table with expired sessions and sweeps them beside writers. The server counts the waits for the locks of
/// rows, and knows the longest.
///
/// # Panics
///
/// If the server fails.
pub fn million(runtime: &Runtime, connections: usize) {
    let server = Server::with(&[
        "--innodb-flush-log-at-trx-commit=1",
        "--innodb-buffer-pool-size=512M",
        "--innodb-log-file-size=1G",
    ]);
    let record = record_with(2_048);
    let store = runtime.block_on(store(&server, connections));
    let expired = Clock::system().now().saturating_sub(Duration::from_secs(3_600)).as_millis();
    let mut bytes = String::new();
    record.iter().for_each(|byte| write!(bytes, "{byte:02X}").expect("a string"));
    // In the order of the keys, which fills one page after the other.
    server.sql(&format!(
        "INSERT INTO {TABLE} SELECT k, UNHEX(LPAD(HEX(n), 16, '0')), {expired}, X'{bytes}' FROM \
         (SELECT UNHEX(SHA2(seq, 256)) AS k, seq AS n FROM seq_0_to_{} ORDER BY k LIMIT {}) AS s",
        sessions() - 1,
        sessions()
    ));
    println!("{} expired sessions of 2 KB", sessions());
    let removed = || server.status("Handler_delete");
    let longest = || format!("{} ms", server.status("Innodb_row_lock_time_max"));
    runtime.block_on(compare(store, record, removed, longest));
}
