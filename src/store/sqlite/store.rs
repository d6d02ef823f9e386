//! The store and its commands.

use std::fmt;
use std::sync::Arc;
use std::thread;

use async_trait::async_trait;

use super::changes::{Create, Delete, Replace, Touch};
use super::commands::Commands;
use super::error::{During, SqliteError};
use super::options::Options;
use super::place::Place;
use super::queue::Queue;
use super::reader;
use super::sweeper;
use super::writer::Writer;
use crate::abort_on_drop::AbortOnDrop;
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::id::StoreKey;
use crate::store::{Created, Entry, NewEntry, Replaced, SessionStore, Touched, Version};

/// Keeps sessions in a SQLite file, for any number of processes of one machine.
///
/// A commit that it has acknowledged survives a killed process, a crash of the machine and a power cut, if the
/// disk keeps what it has confirmed. See the [guide](crate::guide::sqlite) for what it costs, for
/// backups, and for when to choose another store.
///
/// The folder must exist; the file is made with permissions for its owner alone. Neither may be writable
/// by all users. The file must be on a local disk: the store refuses network file systems, as far as
/// Linux tells. Unix only.
///
/// Open the store inside the tokio runtime that serves the requests. It has threads of its own: one that
/// writes and a few that read. They end after the last clone was dropped. Do not `fork` a process that has
/// opened it.
///
/// Clones are handles on one store: they share its threads and its sweeper.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use cloakroom::store::{SessionStore, SqliteStore, StoreKey};
///
/// let folder = std::env::temp_dir().join(format!("cloakroom-sqlite-{}", std::process::id()));
/// std::fs::create_dir(&folder)?;
/// let store = SqliteStore::open(folder.join("sessions.db")).await?;
/// assert!(store.load(&StoreKey::from_bytes([7; 32])).await?.is_none());
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct SqliteStore {
    /// Ends with the last clone, before the threads do.
    _sweeping: Option<Arc<AbortOnDrop<()>>>,
    shared: Arc<Shared>,
}

/// The part that all clones share.
struct Shared {
    options: Options,
    commands: Commands,
}

impl Drop for Shared {
    /// Ends the threads. They finish what they have begun; the last connection empties the log.
    fn drop(&mut self) {
        self.commands.writes.close();
        self.commands.reads.close();
    }
}

impl SqliteStore {
    /// Starts the threads on a database that is prepared, and the sweeper if the options ask for it.
    pub(super) fn start(place: Place, options: Options) -> Result<Self, SqliteError> {
        let (writes, reads) = (Arc::new(Queue::new()), Arc::new(Queue::new()));
        let timeout = options.command_timeout;
        let commands = Commands { place: place.clone(), timeout, writes, reads };
        // Before the threads: if one cannot be started, dropping it ends the others.
        let shared = Shared { options, commands };
        let Commands { writes, reads, .. } = &shared.commands;
        let writer = Writer::new(place.clone(), shared.options.clone(), writes.clone());
        let closing = CloseAtEnd(writes.clone());
        spawn("cloakroom-write", move || {
            let _closing = closing;
            writer.run();
        })?;
        for _ in 0..shared.options.readers {
            let (place, reads) = (place.clone(), reads.clone());
            let closing = CloseAtEnd(reads.clone());
            spawn("cloakroom-read", move || {
                let _closing = closing;
                reader::run(&place, &reads);
            })?;
        }
        let interval = shared.options.sweep_every;
        let sweeping = interval.map(|interval| sweeper::start(shared.commands.clone(), interval));
        Ok(Self { _sweeping: sweeping.map(Arc::new), shared: Arc::new(shared) })
    }

    /// Removes all sessions that expired more than a minute ago, and gives the space back to the file
    /// system, but for an eighth of the file. Returns the number of sessions removed.
    ///
    /// It removes at most a hundred at a time, between the commands of requests, and pauses for three
    /// quarters of the time. Any number of processes may sweep at once, and the sweep may be cancelled at
    /// any time. You need not call it unless you have switched
    /// [`sweep_every`](super::SqliteStoreBuilder::sweep_every) off.
    ///
    /// A session of a newer format stays, and so does one whose deadline is damaged.
    ///
    /// # Errors
    ///
    /// Those of a write. What was removed until then stays removed.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use std::time::Duration;
    /// # use cloakroom::{ManualClock, Timestamp};
    /// # use cloakroom::store::{CommitId, NewEntry, SessionStore, SqliteStore, StoreKey};
    /// # let folder = std::env::temp_dir().join(format!("cloakroom-sql-sweep-{}", std::process::id()));
    /// # std::fs::create_dir_all(&folder)?;
    /// let clock = ManualClock::at(Timestamp::from_millis(0));
    /// let store = SqliteStore::builder().clock(clock.clone()).open(folder.join("sessions.db")).await?;
    /// let in_a_minute = clock.now().saturating_add(Duration::from_secs(60));
    /// let entry = NewEntry::new(CommitId::from_bytes([1; 8]), in_a_minute, "a coat");
    /// store.create(&StoreKey::from_bytes([7; 32]), &entry).await?;
    ///
    /// clock.advance(Duration::from_secs(180));
    /// assert_eq!(store.sweep().await?, 1);
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn sweep(&self) -> Result<u64, StoreError> {
        sweeper::sweep(&self.shared.commands).await
    }

    fn check_size(&self, entry: &NewEntry) -> Result<(), StoreError> {
        match (entry.bytes.len(), self.shared.options.max_entry_bytes) {
            (size, limit) if size > limit => Err(StoreError::too_large(size, limit)),
            _ => Ok(()),
        }
    }
}

/// Closes a queue when its thread ends, even by a panic: what waits is answered then.
struct CloseAtEnd<J>(Arc<Queue<J>>);

impl<J> Drop for CloseAtEnd<J> {
    fn drop(&mut self) {
        self.0.close();
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), SqliteError> {
    let thread = thread::Builder::new().name(name.to_owned()).spawn(work);
    thread.map(drop).during("start a thread for it")
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shared { options, commands } = &*self.shared;
        let mut shown = f.debug_struct("SqliteStore");
        shown.field("path", &commands.place.path()).field("options", options);
        shown.finish_non_exhaustive()
    }
}

#[async_trait]
impl SessionStore for SqliteStore {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        let entry = self.shared.commands.load(*key).await?;
        // After the read and not before: the session may expire while the command waits.
        let now = self.shared.options.clock.now();
        Ok(entry.filter(|entry| entry.deadline > now))
    }

    async fn create(&self, key: &StoreKey, entry: &NewEntry) -> Result<Created, StoreError> {
        self.check_size(entry)?;
        self.shared.commands.change(Create(*key, entry.clone())).await
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        entry: &NewEntry,
    ) -> Result<Replaced, StoreError> {
        self.check_size(entry)?;
        self.shared.commands.change(Replace(*key, *expected, entry.clone())).await
    }

    async fn touch(
        &self,
        key: &StoreKey,
        expected: &Version,
        deadline: Timestamp,
    ) -> Result<Touched, StoreError> {
        self.shared.commands.change(Touch(*key, *expected, deadline)).await
    }

    async fn delete(&self, key: &StoreKey) -> Result<(), StoreError> {
        self.shared.commands.change(Delete(*key)).await
    }
}
