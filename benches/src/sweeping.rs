//! The waits of 64 writers beside a sweep of expired sessions, and without it.

use std::fmt;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cloakroom::store::{
    Created, MysqlStore, PostgresStore, Replaced, SessionStore, SqliteStore, StoreError, StoreKey,
    Version,
};
use cloakroom::{Clock, Timestamp};
use sha2::{Digest, Sha256};
use tokio::task::JoinSet;

use crate::measure::is_quick;
use crate::sessions::{entry_of, key_of};

const WRITERS: usize = 64;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A store that removes expired sessions by a sweep.
pub trait Sweeps: SessionStore + Clone + 'static {
    /// Removes all of them.
    ///
    /// # Errors
    ///
    /// Those of the store.
    fn sweep_all(&self) -> impl Future<Output = Result<u64, StoreError>> + Send;
}

impl Sweeps for PostgresStore {
    async fn sweep_all(&self) -> Result<u64, StoreError> {
        self.sweep().await
    }
}

impl Sweeps for MysqlStore {
    async fn sweep_all(&self) -> Result<u64, StoreError> {
        self.sweep().await
    }
}

impl Sweeps for SqliteStore {
    async fn sweep_all(&self) -> Result<u64, StoreError> {
        self.sweep().await
    }
}

/// Returns whether `--million` is on the command line.
pub fn is_million() -> bool {
    std::env::args().any(|argument| argument == "--million")
}

/// Returns how many sessions have expired: a million, or, with `--quick`, a few.
pub fn sessions() -> usize {
    if is_quick() { 20_000 } else { 1_000_000 }
}

/// Returns the key of expired session `number`, the SHA-256 of the number's digits. A server can compute it.
pub fn expired_key(number: usize) -> StoreKey {
    StoreKey::from_bytes(Sha256::digest(number.to_string()).into())
}

/// Runs the writers alone and then beside the sweep, and prints how long they waited.
///
/// `removed` returns how many rows the server has removed so far, and `longest_lock_wait` describes the longest
/// wait for a lock so far.
///
/// # Panics
///
/// If a command fails.
pub async fn compare<S: Sweeps>(
    store: S,
    record: Bytes,
    removed: impl Fn() -> u64,
    longest_lock_wait: impl Fn() -> String,
) {
    let mut crew = Crew::new(store.clone(), &record).await;
    let alone = crew.work().await;
    println!("64 writers alone:     {}; longest lock wait {}", alone.writes, longest_lock_wait());
    let (before, begun) = (removed(), Instant::now());
    let sweep = tokio::spawn(async move {
        let swept = store.sweep_all().await.expect("a sweep");
        (swept, begun.elapsed())
    });
    let beside = crew.work().await;
    println!("beside a sweep:       {}; longest lock wait {}", beside.writes, longest_lock_wait());
    println!("deletes of what it removes: {}", beside.deletes);
    let (swept, took, end) = match sweep.is_finished() {
        true => {
            let (swept, took) = sweep.await.expect("a sweep");
            (swept, took, "which were all")
        }
        false => {
            sweep.abort();
            (removed() - before - beside.deletes.count(), begun.elapsed(), "and was ended then")
        }
    };
    let rate = swept as f64 / took.as_secs_f64();
    println!("it removed {swept} sessions in {took:.1?} ({rate:.0} a second), {end}");
}

/// The tasks that use the store at the same time.
struct Crew<S> {
    writers: Vec<Writer<S>>,
    deleter: Deleter<S>,
}

/// The waits of one window of time.
struct Window {
    writes: Waits,
    deletes: Waits,
}

impl<S: Sweeps> Crew<S> {
    async fn new(store: S, record: &Bytes) -> Self {
        let mut writers = Vec::with_capacity(WRITERS);
        for number in 0..WRITERS {
            writers.push(Writer::new(store.clone(), number, record.clone()).await);
        }
        Self { writers, deleter: Deleter { store, number: 0 } }
    }

    async fn work(&mut self) -> Window {
        let until = Instant::now() + Duration::from_secs(if is_quick() { 2 } else { 60 });
        let mut tasks = JoinSet::new();
        for writer in &self.writers {
            let mut writer = writer.clone();
            tasks.spawn(async move { (writer.write(until).await, writer) });
        }
        let deletes = self.deleter.delete(until).await;
        let (mut writes, mut writers) = (Vec::new(), Vec::new());
        for (waits, writer) in tasks.join_all().await {
            writes.extend(waits);
            writers.push(writer);
        }
        self.writers = writers;
        Window { writes: Waits::of(writes), deletes: Waits::of(deletes) }
    }
}

/// Replaces a live session of its own, again and again.
#[derive(Clone)]
struct Writer<S> {
    store: S,
    key: StoreKey,
    version: Version,
    commit: usize,
    record: Bytes,
}

impl<S: Sweeps> Writer<S> {
    async fn new(store: S, number: usize, record: Bytes) -> Self {
        let (key, entry) = (key_of(number), entry_of(number, &record, in_a_day()));
        let Ok(Created::Done(version)) = store.create(&key, &entry).await else {
            panic!("a new entry is not created")
        };
        Self { store, key, version, commit: number, record }
    }

    async fn write(&mut self, until: Instant) -> Vec<Duration> {
        let mut waits = Vec::new();
        while Instant::now() < until {
            self.commit += WRITERS;
            let new = entry_of(self.commit, &self.record, in_a_day());
            let begun = Instant::now();
            let replaced = self.store.replace(&self.key, &self.version, &new).await;
            waits.push(begun.elapsed());
            let Ok(Replaced::Done(version)) = replaced else {
                panic!("nobody else writes this one: {replaced:?}")
            };
            self.version = version;
        }
        waits
    }
}

/// Deletes expired sessions all over the table, each once. It may have to wait until the sweep lets one go.
struct Deleter<S> {
    store: S,
    number: usize,
}

impl<S: Sweeps> Deleter<S> {
    async fn delete(&mut self, until: Instant) -> Vec<Duration> {
        let mut waits = Vec::new();
        while Instant::now() < until {
            // A prime that does not divide the number of sessions, so that none comes twice.
            self.number = (self.number + 7_919) % sessions();
            let begun = Instant::now();
            self.store.delete(&expired_key(self.number)).await.expect("a delete");
            waits.push(begun.elapsed());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        waits
    }
}

fn in_a_day() -> Timestamp {
    Clock::system().now().saturating_add(DAY)
}

/// The waits of many commands, the longest last.
struct Waits(Vec<Duration>);

impl Waits {
    fn of(mut waits: Vec<Duration>) -> Self {
        waits.sort();
        Self(waits)
    }

    fn count(&self) -> u64 {
        self.0.len() as u64
    }

    /// Returns the wait that so many of a thousand do not exceed, in milliseconds.
    fn of_thousand(&self, part: usize) -> f64 {
        let last = self.0.len().saturating_sub(1);
        self.0.get(last * part / 1_000).map_or(0.0, |wait| wait.as_secs_f64() * 1e3)
    }
}

impl fmt::Display for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [median, p99, p999, longest] =
            [500, 990, 999, 1_000].map(|part| self.of_thousand(part));
        let count = self.count();
        write!(
            f,
            "{count}, median {median:.1} ms, p99 {p99:.1}, p99.9 {p999:.1}, longest {longest:.1}"
        )
    }
}
