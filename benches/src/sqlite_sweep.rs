//! A SQLite file with many expired sessions.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use cloakroom::Clock;
use cloakroom::store::SqliteStore;
use rusqlite::{Connection, params};
use tokio::runtime::Runtime;

use crate::sessions::record_with;
use crate::sweeping::{compare, expired_key, sessions};

/// Fills a file with expired sessions and sweeps them beside writers.
///
/// SQLite has one lock for all writes, and does not say how long anybody waited for it. So another connection, as
/// another process has one, takes it every few milliseconds and measures.
///
/// # Panics
///
/// If SQLite fails.
pub fn million(runtime: &Runtime, path: &Path) {
    let store = runtime.block_on(async {
        let options = SqliteStore::builder().sweep_every(None);
        options.command_timeout(Duration::from_secs(60)).open(path).await.expect("a store")
    });
    let record = record_with(2_048);
    let connection = Connection::open(path).expect("a database");
    let expired = Clock::system().now().saturating_sub(Duration::from_secs(3_600)).as_millis();
    let expired = i64::try_from(expired).expect("48 bits");
    fill(&connection, &record, expired).expect("a database with sessions");
    let size = std::fs::metadata(path).expect("a file").len() / (1 << 20);
    println!("{} expired sessions of 2 KB in a file of {size} MB", sessions());
    let connection = Mutex::new(connection);
    let removed = || {
        let left = "SELECT count(*) FROM cloakroom WHERE format = 1 AND deadline = ?1";
        let connection = connection.lock().expect("nobody panics with it");
        let left: i64 = connection.query_row(left, [expired], |row| row.get(0)).expect("a count");
        sessions() as u64 - u64::try_from(left).expect("a count")
    };
    let other = OtherProcess::start(path);
    let longest = || format!("{:.1} ms", other.longest_wait().as_secs_f64() * 1e3);
    runtime.block_on(compare(store, record, removed, longest));
}

fn fill(connection: &Connection, record: &[u8], expired: i64) -> rusqlite::Result<()> {
    connection.execute_batch("PRAGMA synchronous = OFF; PRAGMA cache_size = -200000")?;
    let mut insert = connection.prepare(
        "INSERT INTO cloakroom (key, format, version, deadline, bytes) VALUES (?1, 1, ?2, ?3, ?4)",
    )?;
    let mut keys: Vec<_> =
        (0..sessions()).map(|number| (*expired_key(number).as_bytes(), number)).collect();
    // In the order of the keys, which fills one page of the index after the other.
    keys.sort_unstable();
    for keys in keys.chunks(1_000) {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        for (key, number) in keys {
            let version = (*number as u64).to_be_bytes();
            insert.execute(params![key, version, expired, record])?;
        }
        connection.execute_batch("COMMIT")?;
    }
    Ok(())
}

/// Takes the lock again and again, as another process does that writes now and then.
struct OtherProcess {
    longest: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl OtherProcess {
    fn start(path: &Path) -> Self {
        let longest = Arc::new(AtomicU64::new(0));
        let is_over = Arc::new(AtomicBool::new(false));
        let connection = Connection::open(path).expect("a database");
        // It asks as often as the store does.
        let asks_again = |_| {
            thread::sleep(Duration::from_micros(600));
            true
        };
        connection.busy_handler(Some(asks_again)).expect("a handler");
        let (measured, ends) = (longest.clone(), is_over.clone());
        let thread = thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                let begun = Instant::now();
                connection.execute_batch("BEGIN IMMEDIATE").expect("the lock");
                let waited = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
                connection.execute_batch("ROLLBACK").expect("the end");
                measured.fetch_max(waited, Ordering::Relaxed);
                thread::sleep(Duration::from_millis(5));
            }
        });
        Self { longest, is_over, thread: Some(thread) }
    }

    /// Returns the longest wait since the last call.
    fn longest_wait(&self) -> Duration {
        Duration::from_micros(self.longest.swap(0, Ordering::Relaxed))
    }
}

impl Drop for OtherProcess {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
