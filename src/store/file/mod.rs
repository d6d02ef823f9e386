//! Sessions as files that many servers share: on EFS, on any other NFSv4.1, on a local disk.
//!
//! Reading takes no lock. Every change of what is there (replace, touch, delete, the sweeper's
//! removals) happens under a lock that holds on all hosts, after the file was read again under it,
//! and arrives by a rename: a reader finds the old file or the new one, never a part.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Created, Entry, NewEntry, Replaced, SessionStore, Touched, Version};
use crate::abort_on_drop::AbortOnDrop;
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::id::StoreKey;

mod election;
mod error;
mod files;
mod format;
mod layout;
mod lock;
mod locked;
mod mount;
mod open;
mod options;
mod parked;
mod publish;
mod shared;
mod siblings;
mod sweeper;
mod work;

pub use options::{Durability, FileStoreBuilder};
pub use sweeper::Swept;

use files::Glance;
use shared::Shared;

/// Keeps sessions as files in a folder that servers share. Clones share their locks and workers.
///
/// The folder belongs to the store alone; it must exist, because a folder that is missing is as a
/// rule a mount that is missing. Its file system needs hard links, atomic renames and `flock` that
/// holds on all hosts: EFS and NFSv4.1 have them, if they are not mounted with `local_lock`.
///
/// Open it inside the tokio runtime that serves the requests. All file work is done on threads of
/// its blocking pool. A runtime that is dropped waits for those threads; if the mount may be frozen
/// then, end it with `shutdown_timeout`.
///
/// ```
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
/// # runtime.block_on(async {
/// use cloakroom::store::{FileStore, SessionStore, StoreKey};
///
/// let folder = std::env::temp_dir().join(format!("sessions-{}", std::process::id()));
/// std::fs::create_dir(&folder).unwrap();
/// let store = FileStore::open(&folder).await.unwrap();
/// assert!(store.load(&StoreKey::from_bytes([7; 32])).await.unwrap().is_none());
/// # std::fs::remove_dir_all(&folder).unwrap();
/// # });
/// ```
#[derive(Clone)]
pub struct FileStore {
    shared: Arc<Shared>,
    /// Ends with the last clone.
    _sweeper: Option<Arc<AbortOnDrop<()>>>,
}

impl FileStore {
    /// Opens the store with the default options; see [`FileStoreBuilder::open`].
    ///
    /// # Errors
    ///
    /// What is wrong with the folder.
    pub async fn open(root: impl Into<PathBuf>) -> Result<Self, StoreError> {
        Self::builder(root).open().await
    }

    /// A store with other options.
    pub fn builder(root: impl Into<PathBuf>) -> FileStoreBuilder {
        FileStoreBuilder::new(root.into())
    }

    /// Goes through all sessions once, and removes those that expired more than a minute ago.
    ///
    /// What it cannot read it moves to `damaged/`, and what killed processes have left half-written
    /// for more than an hour it removes. It reads the first 64 bytes of each file, takes the lock only
    /// of sessions that are to go, and does nothing for three quarters of the time. Any number of
    /// servers may do it at once. To cancel it is safe.
    ///
    /// A file that is in its way does not end it; it is counted in [`Swept`].
    ///
    /// # Errors
    ///
    /// An outage: the sessions cannot be listed, or not be read. What was done until then stays done.
    pub async fn sweep(&self) -> Result<Swept, StoreError> {
        sweeper::sweep(&self.shared).await
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore").field("options", &self.shared.options).finish_non_exhaustive()
    }
}

#[async_trait]
impl SessionStore for FileStore {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        let shared = &self.shared;
        let entry = match shared.glance(*key).await? {
            Glance::Entry(entry) => Some(entry),
            Glance::Doubtful => {
                let entry = shared.locked(*key, |session| session.entry()).await?;
                entry.map(|(entry, _)| entry)
            }
        };
        let now = shared.options.clock.now();
        Ok(entry.filter(|entry| entry.deadline > now))
    }

    async fn create(&self, key: &StoreKey, entry: &NewEntry) -> Result<Created, StoreError> {
        self.shared.check_size(entry)?;
        if self.shared.create(*key, entry.clone()).await? {
            return Ok(Created::Done(entry.commit.into()));
        }
        let entry = entry.clone();
        let over_expired = move |session: &locked::Locked<'_>| match session.entry()? {
            Some((there, _)) if there.deadline > session.now() => Ok(Created::Exists),
            Some(expired) => {
                let commit = entry.commit.as_bytes();
                session.replace(&expired, commit, entry.deadline, &entry.bytes)?;
                Ok(Created::Done(entry.commit.into()))
            }
            // Deleted since. Who comes between now and the link has created a live one.
            None if session.create(&entry)? => Ok(Created::Done(entry.commit.into())),
            None => Ok(Created::Exists),
        };
        self.shared.locked(*key, over_expired).await
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        entry: &NewEntry,
    ) -> Result<Replaced, StoreError> {
        self.shared.check_size(entry)?;
        let (expected, entry) = (*expected, entry.clone());
        let replace = move |session: &locked::Locked<'_>| {
            let Some(found) = session.live()? else { return Ok(Replaced::Gone) };
            if found.0.version != expected {
                return Ok(Replaced::Conflict(found.0));
            }
            session.replace(&found, entry.commit.as_bytes(), entry.deadline, &entry.bytes)?;
            Ok(Replaced::Done(entry.commit.into()))
        };
        self.shared.locked(*key, replace).await
    }

    async fn touch(
        &self,
        key: &StoreKey,
        expected: &Version,
        deadline: Timestamp,
    ) -> Result<Touched, StoreError> {
        let expected = *expected;
        let touch = move |session: &locked::Locked<'_>| {
            let Some(found) = session.live()? else { return Ok(Touched::Gone) };
            let (there, _) = &found;
            let version = there.version.as_bytes().first_chunk().copied();
            match version {
                Some(version) if there.version == expected && deadline > there.deadline => {
                    session.replace(&found, &version, deadline, &there.bytes)?;
                    Ok(Touched::Done)
                }
                _ => Ok(Touched::Skipped),
            }
        };
        self.shared.locked(*key, touch).await
    }

    async fn delete(&self, key: &StoreKey) -> Result<(), StoreError> {
        self.shared.locked(*key, |session| session.remove()).await
    }
}
