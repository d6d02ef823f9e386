//! Compares the SQLite store with SQLite by hand, on the same file: the same statements on threads of
//! their own, with the same commits of what waits. The result is how long the store takes, in multiples of
//! that. The lanes take turns in short rounds, and the median of the ratios counts. Times are wall-clock
//! times, because most of a write is waiting for the disk.
//!
//! `SQLITE_BENCH` is the folder, or else the machine's temporary one. `--million` fills a database with a
//! million expired sessions instead, and prints how long 64 writers wait beside the sweep and without it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use cloakroom::store::{SessionStore, SqliteStore, Version};
use cloakroom::{ManualClock, Timestamp};
use cloakroom_benches::is_quick;
use cloakroom_benches::sessions::{entry_of, key_of, record_with};
use cloakroom_benches::sqlite_bare::{Bare, Statement, Write};
use cloakroom_benches::sqlite_sweep::million;
use cloakroom_benches::sweeping::is_million;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const HOUR: Duration = Duration::from_secs(3_600);

fn main() {
    let place = std::env::var_os("SQLITE_BENCH").map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = place.join(format!("cloakroom-bench-{}", std::process::id()));
    std::fs::create_dir(&folder).expect("a folder");
    let path = folder.join("sessions.db");
    let runtime = Builder::new_multi_thread().enable_all().build().expect("a runtime");
    if is_million() {
        million(&runtime, &path);
    } else {
        compare(&runtime, &path);
    }
    drop(runtime);
    std::fs::remove_dir_all(folder).expect("the folder can be removed");
}

async fn open(path: &Path, clock: &ManualClock) -> SqliteStore {
    let options = SqliteStore::builder().clock(clock.clone()).sweep_every(None);
    options.command_timeout(Duration::from_secs(60)).open(path).await.expect("a store")
}

/// Both sides, and the sessions that they write in turns.
struct Sides {
    store: SqliteStore,
    bare: Bare,
    record: Bytes,
    sessions: usize,
    /// The version of each session, which is the number of its last write.
    versions: Vec<AtomicUsize>,
    next: AtomicUsize,
}

#[derive(Clone, Copy)]
enum Command {
    Load,
    Create,
    Replace,
    Touch,
}

fn compare(runtime: &Runtime, path: &Path) {
    let (sessions, rounds) = if is_quick() { (200, 3) } else { (20_000, 15) };
    let clock = ManualClock::at(NOW);
    let store = runtime.block_on(open(path, &clock));
    let record = record_with(2_048);
    runtime.block_on(fill(&store, &record, 0..sessions, NOW.saturating_add(HOUR)));
    let versions = (0..sessions).map(AtomicUsize::new).collect();
    let next = AtomicUsize::new(sessions);
    let bare = Bare::open(path);
    let sides = Arc::new(Sides { store, bare, record, sessions, versions, next });
    println!("{sessions} sessions of 2 KB; the store, in multiples of SQLite by hand\n");
    println!("command   tasks  multiple   by hand, a second");
    for (name, command) in [
        ("load", Command::Load),
        ("create", Command::Create),
        ("replace", Command::Replace),
        ("touch", Command::Touch),
    ] {
        for tasks in [1, 64] {
            let batch = match is_quick() {
                true => 8,
                false => {
                    if tasks == 1 {
                        200
                    } else {
                        40
                    }
                }
            };
            let mut lanes = [Vec::new(), Vec::new()];
            for round in 0..=rounds {
                let [hand, ours] = [false, true]
                    .map(|ours| runtime.block_on(sides.clone().batch(command, ours, tasks, batch)));
                // The first round warms up.
                if round > 0 {
                    lanes[0].push(ours / hand);
                    lanes[1].push(hand / (tasks * batch) as f64);
                }
            }
            let [multiple, seconds] = lanes.map(median);
            println!("{name:<9} {tasks:>5}  {multiple:>8.2}   {:>9.0}", seconds.recip());
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

async fn fill(
    store: &SqliteStore,
    record: &Bytes,
    numbers: std::ops::Range<usize>,
    until: Timestamp,
) {
    let next = Arc::new(AtomicUsize::new(numbers.start));
    let mut tasks = JoinSet::new();
    for _ in 0..64 {
        let (store, record, next, end) = (store.clone(), record.clone(), next.clone(), numbers.end);
        tasks.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= end {
                    return;
                }
                let entry = entry_of(number, &record, until);
                store.create(&key_of(number), &entry).await.expect("there is room");
            }
        });
    }
    tasks.join_all().await;
}

impl Sides {
    /// Returns the seconds that `tasks` tasks take for `batch` commands each.
    async fn batch(
        self: Arc<Self>,
        command: Command,
        ours: bool,
        tasks: usize,
        batch: usize,
    ) -> f64 {
        let start = Instant::now();
        let mut running = JoinSet::new();
        for task in 0..tasks {
            let sides = self.clone();
            running.spawn(async move {
                for turn in 0..batch {
                    // Each task has sessions of its own.
                    let session = (turn * 7_919 % (sides.sessions / tasks)) * tasks + task;
                    sides.once(command, ours, session).await;
                }
            });
        }
        running.join_all().await;
        start.elapsed().as_secs_f64()
    }

    async fn once(&self, command: Command, ours: bool, session: usize) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let session = if matches!(command, Command::Create) { number } else { session };
        let key = key_of(session);
        let expected =
            self.versions.get(session).map_or(0, |version| version.load(Ordering::Relaxed));
        let deadline = NOW.saturating_add(HOUR + Duration::from_millis(number as u64));
        let new = entry_of(number, &self.record, deadline);
        let statement = match command {
            Command::Load if ours => {
                self.store.load(&key).await.expect("a load").expect("a session");
                return;
            }
            Command::Load => {
                self.bare.load(*key.as_bytes()).await;
                return;
            }
            Command::Create => Statement::Create,
            Command::Replace => Statement::Replace,
            Command::Touch => Statement::Touch,
        };
        let old = entry_of(expected, b"", NOW).commit;
        match (ours, command) {
            (false, _) => {
                let (expected, version) = (*old.as_bytes(), *new.commit.as_bytes());
                let deadline = deadline.as_millis() as i64;
                let (key, bytes) = (*key.as_bytes(), new.bytes);
                self.bare.write(Write { statement, key, expected, version, deadline, bytes }).await;
            }
            (true, Command::Touch) => {
                self.store.touch(&key, &old.into(), deadline).await.expect("a touch");
            }
            (true, Command::Replace) => {
                let replaced = self.store.replace(&key, &old.into(), &new).await;
                assert_eq!(replaced.expect("a replace"), done(new.commit.into()));
            }
            (true, _) => drop(self.store.create(&key, &new).await.expect("a create")),
        }
        if matches!(command, Command::Replace) {
            self.versions[session].store(number, Ordering::Relaxed);
        }
    }
}

fn done(version: Version) -> cloakroom::store::Replaced {
    cloakroom::store::Replaced::Done(version)
}
