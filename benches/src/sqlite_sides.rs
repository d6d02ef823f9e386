//! The SQLite store and its two contenders, each with a database of its own.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use cloakroom::store::{Created, Replaced, SessionStore, SqliteStore, Touched};
use cloakroom::{ManualClock, Timestamp};
use tokio::task::JoinSet;

use crate::sessions::{entry_of, key_of};
use crate::sqlite_bare::{Bare, Statement, Write};
use crate::sqlite_plain::Plain;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const HOUR: Duration = Duration::from_secs(3_600);

/// One side of the comparison, and the sessions that it reads and writes.
#[derive(Debug)]
pub struct Side {
    driver: Driver,
    record: Bytes,
    /// The version of each session, which is the number of its last write.
    versions: Vec<AtomicUsize>,
    next: AtomicUsize,
}

#[derive(Debug)]
enum Driver {
    Store(SqliteStore),
    ByHand(Bare),
    Plain(Plain),
}

/// A command, which each side carries out in its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Reads a session.
    Load,
    /// Writes a new session.
    Create,
    /// Writes over a session.
    Replace,
    /// Moves the deadline of a session.
    Touch,
}

impl Side {
    /// Returns the store, with so many sessions in a database at `path`.
    ///
    /// # Panics
    ///
    /// If SQLite fails.
    pub async fn store(path: &Path, record: &Bytes, sessions: usize) -> Arc<Self> {
        let store = filled(path, record, sessions).await;
        Self::new(Driver::Store(store), record, sessions)
    }

    /// Returns SQLite by hand, with commits of what waits together.
    ///
    /// # Panics
    ///
    /// If SQLite fails.
    pub async fn by_hand(path: &Path, record: &Bytes, sessions: usize) -> Arc<Self> {
        drop(filled(path, record, sessions).await);
        Self::new(Driver::ByHand(Bare::open(path)), record, sessions)
    }

    /// Returns the bare driver.
    ///
    /// # Panics
    ///
    /// If SQLite fails.
    pub async fn plain(path: &Path, record: &Bytes, sessions: usize) -> Arc<Self> {
        drop(filled(path, record, sessions).await);
        Self::new(Driver::Plain(Plain::open(path)), record, sessions)
    }

    fn new(driver: Driver, record: &Bytes, sessions: usize) -> Arc<Self> {
        let versions = (0..sessions).map(AtomicUsize::new).collect();
        let next = AtomicUsize::new(sessions);
        Arc::new(Self { driver, record: record.clone(), versions, next })
    }

    /// Returns the seconds that one command takes while `tasks` tasks give `batch` commands each.
    ///
    /// # Panics
    ///
    /// If SQLite fails.
    pub async fn seconds(self: &Arc<Self>, command: Command, tasks: usize, batch: usize) -> f64 {
        let start = Instant::now();
        let mut running = JoinSet::new();
        for task in 0..tasks {
            let side = self.clone();
            running.spawn(async move {
                for turn in 0..batch {
                    // Each task has sessions of its own.
                    let session = (turn * 7_919 % (side.versions.len() / tasks)) * tasks + task;
                    side.once(command, session).await;
                }
            });
        }
        running.join_all().await;
        start.elapsed().as_secs_f64() / (tasks * batch) as f64
    }

    async fn once(&self, command: Command, session: usize) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let session = if command == Command::Create { number } else { session };
        let expected =
            self.versions.get(session).map_or(0, |version| version.load(Ordering::Relaxed));
        match &self.driver {
            Driver::Store(store) => self.on_store(store, command, session, expected, number).await,
            Driver::ByHand(hand) => match self.write(command, session, expected, number) {
                Some(write) => hand.write(write).await,
                None => drop(hand.load(*key_of(session).as_bytes()).await),
            },
            Driver::Plain(plain) => match self.write(command, session, expected, number) {
                Some(write) => plain.write(write).await,
                None => drop(plain.load(*key_of(session).as_bytes()).await),
            },
        }
        if command == Command::Replace {
            self.versions[session].store(number, Ordering::Relaxed);
        }
    }

    async fn on_store(
        &self,
        store: &SqliteStore,
        command: Command,
        session: usize,
        expected: usize,
        number: usize,
    ) {
        let key = key_of(session);
        let new = entry_of(number, &self.record, deadline(number));
        let old = entry_of(expected, b"", NOW).commit.into();
        match command {
            Command::Load => {
                store.load(&key).await.expect("a load").expect("a session");
            }
            Command::Create => {
                let created = store.create(&key, &new).await.expect("a create");
                assert_eq!(created, Created::Done(new.commit.into()));
            }
            Command::Replace => {
                let replaced = store.replace(&key, &old, &new).await.expect("a replace");
                assert_eq!(replaced, Replaced::Done(new.commit.into()));
            }
            Command::Touch => {
                let touched = store.touch(&key, &old, new.deadline).await.expect("a touch");
                assert_eq!(touched, Touched::Done);
            }
        }
    }

    /// Returns the same change for a contender, or `None` for a load.
    fn write(
        &self,
        command: Command,
        session: usize,
        expected: usize,
        number: usize,
    ) -> Option<Write> {
        let statement = match command {
            Command::Load => return None,
            Command::Create => Statement::Create,
            Command::Replace => Statement::Replace,
            Command::Touch => Statement::Touch,
        };
        let new = entry_of(number, &self.record, deadline(number));
        Some(Write {
            statement,
            key: *key_of(session).as_bytes(),
            expected: *entry_of(expected, b"", NOW).commit.as_bytes(),
            version: *new.commit.as_bytes(),
            deadline: i64::try_from(new.deadline.as_millis()).expect("48 bits"),
            bytes: new.bytes,
        })
    }
}

fn deadline(number: usize) -> Timestamp {
    NOW.saturating_add(HOUR + Duration::from_millis(number as u64))
}

/// Makes a database with so many sessions.
async fn filled(path: &Path, record: &Bytes, sessions: usize) -> SqliteStore {
    let options = SqliteStore::builder().clock(ManualClock::at(NOW)).sweep_every(None);
    let options = options.command_timeout(Duration::from_secs(60));
    let store = options.open(path).await.expect("a store");
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..64 {
        let (store, record, next) = (store.clone(), record.clone(), next.clone());
        tasks.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= sessions {
                    return;
                }
                let entry = entry_of(number, &record, NOW.saturating_add(HOUR));
                store.create(&key_of(number), &entry).await.expect("there is room");
            }
        });
    }
    tasks.join_all().await;
    store
}
