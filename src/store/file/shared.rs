//! What all clones of a store share, and how a command gets to its files.

use std::sync::Arc;
use std::time::Duration;

use super::error::{During, FileError};
use super::files::{Files, Glance};
use super::lock::{REST, Tried, Turn};
use super::locked::Locked;
use super::options::FileStoreBuilder;
use super::work::{Patience, Refused, Workers, detached};
use crate::backoff::Backoff;
use crate::entropy;
use crate::error::StoreError;
use crate::id::StoreKey;
use crate::store::NewEntry;

/// Between two tries for a lock that another process has. Short against what a holder does under it
/// on EFS; each try is one request to the server.
const LEAST_PAUSE: Duration = Duration::from_micros(500);
const LONGEST_PAUSE: Duration = Duration::from_millis(16);
const _: () = assert!(LONGEST_PAUSE.as_millis() < REST.as_millis());
const PAUSES: Backoff = Backoff::new(LEAST_PAUSE, LONGEST_PAUSE);
const FREE_LOCK: &str = "free lock of the session";

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: FileStoreBuilder,
    pub(super) files: Arc<Files>,
    pub(super) workers: Workers,
}

impl Shared {
    pub(super) fn new(options: FileStoreBuilder, files: Files, workers: Workers) -> Self {
        Self { options, files: Arc::new(files), workers }
    }

    pub(super) fn check_size(&self, entry: &NewEntry) -> Result<(), StoreError> {
        match (entry.bytes.len(), self.options.max_entry_bytes) {
            (size, limit) if size > limit => Err(StoreError::too_large(size, limit)),
            _ => Ok(()),
        }
    }

    pub(super) async fn glance(&self, key: StoreKey) -> Result<Glance, StoreError> {
        let glanced = self.on_files(move |files| files.glance(&key)).await?;
        glanced.map_err(FileError::unavailable)
    }

    pub(super) async fn create(&self, key: StoreKey, entry: NewEntry) -> Result<bool, StoreError> {
        self.on_files(move |files| files.create(&key, &entry)).await?
    }

    /// Runs a job that needs no lock.
    pub(super) async fn on_files<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Files) -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let files = self.files.clone();
        let done = self.workers.run(self.patience(), move || job(&files)).await;
        done.map_err(refused)
    }

    /// Runs a job under the session's lock. Waiting takes no thread. Dropped while it waits, nothing
    /// has happened; dropped later, the job still runs to its end and gives the lock back.
    ///
    /// It waits in a task of its own: who stands in line without being polled (for a client that has
    /// stopped reading, say) would hold up all behind it, and could not lose its patience.
    pub(super) async fn locked<T: Send + 'static>(
        &self,
        key: StoreKey,
        job: impl FnOnce(&Locked<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (files, workers) = (self.files.clone(), self.workers.clone());
        let waiting = Waiting { files, workers, patience: self.patience(), key };
        detached(waiting.locked(job)).await.map_err(refused)?
    }

    fn patience(&self) -> Patience {
        Patience::begins(self.options.command_timeout)
    }
}

/// A command on its way to its session's lock.
struct Waiting {
    files: Arc<Files>,
    workers: Workers,
    patience: Patience,
    key: StoreKey,
}

impl Waiting {
    async fn locked<T: Send + 'static>(
        self,
        job: impl FnOnce(&Locked<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (patience, key) = (self.patience, self.key);
        let mut waiting = (self.turn().await.map_err(FileError::unavailable)?, job);
        let mut tries = 0;
        loop {
            let files = self.files.clone();
            let attempt = move || attempt(&files, key, waiting.0, waiting.1);
            match self.workers.run(patience, attempt).await.map_err(refused)? {
                Attempt::Done(done) => return done,
                Attempt::Busy(turn, job) => waiting = (turn, job),
            }
            tries += 1;
            let pause = PAUSES.pause(tries, entropy::for_a_pause(entropy::operating_system));
            let sleep = patience.wait(FREE_LOCK, tokio::time::sleep(pause));
            sleep.await.map_err(FileError::unavailable)?;
        }
    }

    async fn turn(&self) -> Result<Turn, FileError> {
        let lines = &self.files.siblings.lines;
        let turn = lines.turn(&self.files.layout, &self.key);
        let mut turn = self.patience.wait("turn at the session's lock", turn).await?;
        if let Some(rest) = turn.rest() {
            self.patience.wait(FREE_LOCK, tokio::time::sleep(rest)).await?;
        }
        Ok(turn)
    }
}

enum Attempt<T, J> {
    Done(Result<T, StoreError>),
    Busy(Turn, J),
}

fn attempt<T, J>(files: &Files, key: StoreKey, turn: Turn, job: J) -> Attempt<T, J>
where
    J: FnOnce(&Locked<'_>) -> Result<T, StoreError>,
{
    match turn.try_hold().during("lock a session") {
        Ok(Tried::Held(held)) => Attempt::Done(job(&Locked::new(files, key, &held))),
        Ok(Tried::Busy(turn)) => Attempt::Busy(turn, job),
        Err(error) => Attempt::Done(Err(error.unavailable())),
    }
}

fn refused(refused: Refused) -> StoreError {
    match refused {
        Refused::NotBegun(error) => error.unavailable(),
        Refused::Lost(error) => error.unknown(),
    }
}
