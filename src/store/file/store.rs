//! The store and its commands.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::command_runner::CommandRunner;
use super::error::{CommandError, FileError};
use super::folder::UnlockedRead;
use super::locked_session::LockedSession;
use super::sweeper::{self, Swept};
use crate::abort_on_drop::AbortOnDrop;
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::id::StoreKey;
use crate::store::{Created, Entry, NewEntry, Replaced, SessionStore, Touched, Version};

/// Keeps sessions as files in a folder that servers share.
///
/// The folder belongs to the store alone. It must exist: a folder that is missing usually means that
/// a mount is missing, and creating it would put the sessions on the wrong disk. Its file system needs
/// hard links, atomic renames, and a `flock` that holds on all hosts. EFS and NFSv4.1 have them, unless
/// they are mounted with `local_lock`.
///
/// Open the store inside the tokio runtime that serves the requests. All file work runs on threads of
/// its blocking pool. A runtime that is dropped waits for those threads; if the mount may be frozen
/// then, end the runtime with `shutdown_timeout`.
///
/// Clones are handles on one store: they share its locks, workers and sweeper.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use cloakroom::store::{FileStore, SessionStore, StoreKey};
///
/// let folder = std::env::temp_dir().join(format!("sessions-{}", std::process::id()));
/// std::fs::create_dir(&folder)?;
/// let store = FileStore::open(&folder).await?;
/// assert!(store.load(&StoreKey::from_bytes([7; 32])).await?.is_none());
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct FileStore {
    runner: Arc<CommandRunner>,
    /// Ends with the last clone.
    _sweeping: Option<Arc<AbortOnDrop<()>>>,
}

impl FileStore {
    /// Wraps an open folder, and starts the sweeper if the options ask for it.
    pub(super) fn new(runner: CommandRunner) -> Self {
        let runner = Arc::new(runner);
        let interval = runner.options.sweep_every;
        let sweeping = interval.map(|interval| sweeper::start(&runner, interval));
        Self { runner, _sweeping: sweeping.map(Arc::new) }
    }

    /// Goes through all sessions once, and removes those that expired more than a minute ago.
    ///
    /// It also moves sessions that it cannot read to `damaged/`, removes them from there after 30 days,
    /// and removes files that killed processes left more than an hour ago. It reads the first 64 bytes of each file,
    /// takes the locks only of sessions that have to go, and pauses for three quarters of the time.
    ///
    /// Any number of servers may sweep at once, and the sweep may be cancelled at any time. A file that
    /// cannot be swept does not end the sweep; it is counted in [`Swept`]. You need not call this unless
    /// you have switched [`FileStoreBuilder::sweep_every`](super::FileStoreBuilder::sweep_every) off.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](crate::store::StoreErrorKind::Unavailable) in an outage: the sessions cannot be
    /// listed or read. What was removed until then stays removed.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use std::time::Duration;
    /// # use cloakroom::{ManualClock, Timestamp};
    /// # use cloakroom::store::{CommitId, FileStore, NewEntry, SessionStore, StoreKey};
    /// # let folder = std::env::temp_dir().join(format!("cloakroom-sweep-{}", std::process::id()));
    /// # std::fs::create_dir_all(&folder)?;
    /// let clock = ManualClock::at(Timestamp::from_millis(0));
    /// let store = FileStore::builder(&folder).clock(clock.clone()).open().await?;
    /// let in_a_minute = clock.now().saturating_add(Duration::from_secs(60));
    /// let entry = NewEntry::new(CommitId::from_bytes([1; 8]), in_a_minute, "a coat");
    /// store.create(&StoreKey::from_bytes([7; 32]), &entry).await?;
    ///
    /// clock.advance(Duration::from_secs(180));
    /// assert_eq!(store.sweep().await?.removed, 1);
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn sweep(&self) -> Result<Swept, StoreError> {
        sweeper::sweep(&self.runner).await
    }

    fn check_size(&self, entry: &NewEntry) -> Result<(), StoreError> {
        match (entry.bytes.len(), self.runner.options.max_entry_bytes) {
            (size, limit) if size > limit => Err(StoreError::too_large(size, limit)),
            _ => Ok(()),
        }
    }

    #[cfg(test)]
    pub(super) fn folder(&self) -> &Arc<super::folder::Folder> {
        &self.runner.folder
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore").field("options", &self.runner.options).finish_non_exhaustive()
    }
}

#[async_trait]
impl SessionStore for FileStore {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        let key = *key;
        let read = self
            .runner
            .run(move |folder| folder.read_unlocked(&key).map_err(FileError::not_applied));
        let entry = match read.await? {
            UnlockedRead::Found(entry) => Some(entry),
            UnlockedRead::Uncertain => {
                let entry = self.runner.run_locked(key, |session| session.entry()).await?;
                entry.map(|(entry, _)| entry)
            }
        };
        // After the read and not before: on a slow mount the session may expire meanwhile.
        let now = self.runner.folder.clock.now();
        Ok(entry.filter(|entry| entry.deadline > now))
    }

    async fn create(&self, key: &StoreKey, entry: &NewEntry) -> Result<Created, StoreError> {
        self.check_size(entry)?;
        let (key, new) = (*key, entry.clone());
        if self.runner.run(move |folder| folder.create(&key, &new)).await? {
            return Ok(Created::Done(entry.commit.into()));
        }
        let new = entry.clone();
        self.runner.run_locked(key, move |session| create_over_expired(session, &new)).await
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        entry: &NewEntry,
    ) -> Result<Replaced, StoreError> {
        self.check_size(entry)?;
        let (expected, new) = (*expected, entry.clone());
        let replace = move |session: &LockedSession<'_>| {
            let Some(found) = session.live()? else { return Ok(Replaced::Gone) };
            if found.0.version != expected {
                return Ok(Replaced::Conflict(found.0));
            }
            session.replace(&found, new.commit.as_bytes(), new.deadline, &new.bytes)?;
            Ok(Replaced::Done(new.commit.into()))
        };
        self.runner.run_locked(*key, replace).await
    }

    async fn touch(
        &self,
        key: &StoreKey,
        expected: &Version,
        deadline: Timestamp,
    ) -> Result<Touched, StoreError> {
        let expected = *expected;
        // Rewrites the whole file. Keeping the deadline in the file's times would be cheaper, but
        // neither the hash nor a rename would cover it.
        let touch = move |session: &LockedSession<'_>| {
            let Some(found) = session.live()? else { return Ok(Touched::Gone) };
            let (current, _) = &found;
            match current.version.as_bytes().first_chunk().copied() {
                Some(version) if current.version == expected && deadline > current.deadline => {
                    session.replace(&found, &version, deadline, &current.bytes)?;
                    Ok(Touched::Done)
                }
                _ => Ok(Touched::Skipped),
            }
        };
        self.runner.run_locked(*key, touch).await
    }

    async fn delete(&self, key: &StoreKey) -> Result<(), StoreError> {
        self.runner.run_locked(*key, |session| session.remove()).await
    }
}

/// Creates a session where a file has its name already, which is only allowed if that one has expired.
fn create_over_expired(
    session: &LockedSession<'_>,
    entry: &NewEntry,
) -> Result<Created, CommandError> {
    match session.entry()? {
        Some((found, _)) if found.deadline > session.now() => Ok(Created::Exists),
        Some(expired) => {
            session.replace(&expired, entry.commit.as_bytes(), entry.deadline, &entry.bytes)?;
            Ok(Created::Done(entry.commit.into()))
        }
        // It was deleted meanwhile. If another command links a file first, that session is live.
        None if session.create(entry)? => Ok(Created::Done(entry.commit.into())),
        None => Ok(Created::Exists),
    }
}
