//! Options of a file store.

use std::path::PathBuf;
use std::time::Duration;

use super::{FileStore, open};
use crate::clock::Clock;
use crate::error::StoreError;

/// The most that [`FileStoreBuilder::max_entry_bytes`] can be set to.
pub(super) const LARGEST_ENTRY: usize = 16 << 20;

/// What is made sure before a write is acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Durability {
    /// Nothing: a machine that loses power may lose what it has acknowledged, or find damaged
    /// sessions. Only for a local directory that may be lost. On a network file system it also hides
    /// errors (a full disk), because those are reported when the file is synchronised.
    None,
    /// The file is synchronised (`fsync`) before it is published.
    ///
    /// On NFS, and so on EFS, that is all there is to do: publishing is an operation of the server,
    /// which answers when it is on stable storage. On a local disk a crash of the machine right
    /// after a write may bring the former session back, whole.
    #[default]
    File,
    /// The file and, after publishing, its folder. For a local disk.
    Folder,
}

/// Options of a [`FileStore`].
#[derive(Clone, Debug)]
#[must_use]
pub struct FileStoreBuilder {
    pub(super) root: PathBuf,
    pub(super) clock: Clock,
    pub(super) durability: Durability,
    pub(super) max_entry_bytes: usize,
    pub(super) workers: usize,
    pub(super) command_timeout: Duration,
    pub(super) shared_mount: bool,
    pub(super) sweep_every: Option<Duration>,
}

impl FileStoreBuilder {
    pub(super) fn new(root: PathBuf) -> Self {
        Self {
            root,
            clock: Clock::system(),
            durability: Durability::default(),
            max_entry_bytes: 1 << 20,
            workers: 64,
            command_timeout: Duration::from_millis(1_500),
            shared_mount: true,
            sweep_every: Some(Duration::from_secs(60 * 60)),
        }
    }

    /// The clock that decides what has expired. Default: the system's.
    pub fn clock(mut self, clock: impl Into<Clock>) -> Self {
        self.clock = clock.into();
        self
    }

    /// What is made sure before a write is acknowledged. Default: [`Durability::File`], which on EFS
    /// is everything.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// The most bytes of one session, at most 16 MiB. Default 1 MiB, far more than a session should
    /// be: every request that uses it reads all of it.
    pub fn max_entry_bytes(mut self, bytes: usize) -> Self {
        self.max_entry_bytes = bytes.min(LARGEST_ENTRY);
        self
    }

    /// How many file operations run at once, each on a thread of tokio's blocking pool; at least one.
    /// Default 64, an eighth of that pool: when the mount freezes, so many threads are stuck in it and
    /// the rest stay free.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers.max(1);
        self
    }

    /// How long a command waits for a free worker and for the session's lock, before it fails with
    /// [`Unavailable`](crate::store::StoreErrorKind::Unavailable). Default 1.5 s: less than the
    /// layer's two seconds for a store command, so that what was not begun is answered as not applied.
    pub fn command_timeout(mut self, timeout: Duration) -> Self {
        self.command_timeout = timeout;
        self
    }

    /// Whether other processes of a host may use the same mount (several servers on one machine,
    /// containers that share it), or other programs may open the sessions' files. Default `true`,
    /// because a logout would not be final where that is so and the store does not know.
    ///
    /// An NFS client that is told to replace a file which a process on it has open moves that file
    /// out of the way instead, and the server goes on serving it to hosts that know it by its handle:
    /// they would read the former session for as long as it is open. So a load first asks the server
    /// whether the folder has changed, which is one request more. With `false` it does not; that is
    /// for hosts on which one process alone uses the mount. Writes ask in any case, and on a local
    /// disk there is nothing to ask.
    pub fn shared_mount(mut self, shared: bool) -> Self {
        self.shared_mount = shared;
        self
    }

    /// How often expired sessions are removed; `None` is never, and then somebody has to call
    /// [`FileStore::sweep`]. Default once an hour.
    ///
    /// Of all servers that share the folder one sweeps: the interval is theirs together. The sweep
    /// runs beside the requests, at most a quarter of the time, until the store is dropped.
    pub fn sweep_every(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.sweep_every = interval.into();
        self
    }

    /// Opens the store, and lays the folder out if it is empty.
    ///
    /// Writes, links, renames, locks and removes one small file, so that a folder in which that does
    /// not work is found now and not by a visitor.
    ///
    /// # Errors
    ///
    /// * [`Misconfigured`](crate::store::StoreErrorKind::Misconfigured): the folder is missing (is it
    ///   mounted?), is no folder, is read-only, holds something else, has a newer layout, or its file
    ///   system has no hard links or locks.
    /// * [`Denied`](crate::store::StoreErrorKind::Denied): no permission.
    /// * [`Unavailable`](crate::store::StoreErrorKind::Unavailable): a full disk, an exceeded quota, a
    ///   server that does not answer within 30 seconds.
    pub async fn open(self) -> Result<FileStore, StoreError> {
        open::open(self).await
    }
}
