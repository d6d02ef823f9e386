//! The public options of a store, and opening it.

use std::path::PathBuf;
use std::time::Duration;

use super::command_runner::CommandRunner;
use super::deadline::CommandDeadline;
use super::options::{Durability, LARGEST_ENTRY, Options};
use super::prepare::prepare_folder;
use super::store::FileStore;
use super::worker_pool::WorkerPool;
use crate::clock::Clock;
use crate::error::StoreError;

/// The longest that the file system may take to answer while the store is being opened.
const OPEN_TIMEOUT: Duration = Duration::from_secs(30);

/// Opens a [`FileStore`] with other options than the default ones.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = std::env::temp_dir().join(format!("cloakroom-builder-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// use cloakroom::store::{Durability, FileStore};
///
/// let store = FileStore::builder(&folder)
///     .durability(Durability::Folder)
///     .sweep_every(None)
///     .open()
///     .await?;
/// assert!(folder.join("cloakroom-store").exists());
/// # drop(store);
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct FileStoreBuilder {
    options: Options,
}

/// Ways to open a store. They stand beside the builder, because the store's own file is below it.
impl FileStore {
    /// Opens the store in this folder with the default options. See [`FileStoreBuilder::open`].
    ///
    /// # Errors
    ///
    /// Those of [`FileStoreBuilder::open`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use cloakroom::store::{FileStore, StoreErrorKind};
    ///
    /// let error = FileStore::open("/not-mounted/sessions").await.unwrap_err();
    /// assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    /// # }
    /// ```
    pub async fn open(root: impl Into<PathBuf>) -> Result<Self, StoreError> {
        Self::builder(root).open().await
    }

    /// Returns a builder for a store in this folder. It starts with the default options.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = std::env::temp_dir().join(format!("cloakroom-of-{}", std::process::id()));
    /// # std::fs::create_dir_all(&folder)?;
    /// use cloakroom::store::FileStore;
    ///
    /// let store = FileStore::builder(&folder).sweep_every(None).open().await?;
    /// assert!(format!("{store:?}").contains("sweep_every: None"));
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder(root: impl Into<PathBuf>) -> FileStoreBuilder {
        FileStoreBuilder { options: Options::new(root.into()) }
    }
}

impl FileStoreBuilder {
    /// Sets the clock that decides which sessions have expired.
    ///
    /// Default: the system's clock. Tests set a [`ManualClock`](crate::ManualClock).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use std::time::Duration;
    /// # use cloakroom::{ManualClock, Timestamp};
    /// # use cloakroom::store::{CommitId, FileStore, NewEntry, SessionStore, StoreKey};
    /// # let folder = std::env::temp_dir().join(format!("cloakroom-clock-{}", std::process::id()));
    /// # std::fs::create_dir_all(&folder)?;
    /// let clock = ManualClock::at(Timestamp::from_millis(0));
    /// let store = FileStore::builder(&folder).clock(clock.clone()).open().await?;
    /// let key = StoreKey::from_bytes([7; 32]);
    /// let in_a_minute = clock.now().saturating_add(Duration::from_secs(60));
    /// store.create(&key, &NewEntry::new(CommitId::from_bytes([1; 8]), in_a_minute, "")).await?;
    /// clock.advance(Duration::from_secs(60));
    /// assert!(store.load(&key).await?.is_none());
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn clock(mut self, clock: impl Into<Clock>) -> Self {
        self.options.clock = clock.into();
        self
    }

    /// Sets how much is on stable storage before a write is acknowledged.
    ///
    /// Default: [`Durability::Full`], so that what was acknowledged survives a crash of the machine,
    /// on a local disk as on EFS.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use cloakroom::store::{Durability, FileStore};
    /// # let folder = std::env::temp_dir().join(format!("cloakroom-durable-{}", std::process::id()));
    /// # std::fs::create_dir_all(&folder)?;
    /// let store = FileStore::builder(&folder).durability(Durability::Folder).open().await?;
    /// assert!(format!("{store:?}").contains("durability: Folder"));
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn durability(mut self, durability: Durability) -> Self {
        self.options.durability = durability;
        self
    }

    /// Sets the most bytes that one session may have. Values above 16 MiB mean 16 MiB.
    ///
    /// A larger session is refused with [`TooLarge`](crate::store::StoreErrorKind::TooLarge) before
    /// anything is written.
    ///
    /// Default: 1 MiB, which is far more than a session should have, because every request that uses
    /// the session reads all of it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use cloakroom::Timestamp;
    /// # use cloakroom::store::{CommitId, FileStore, NewEntry, SessionStore, StoreErrorKind, StoreKey};
    /// # let folder = std::env::temp_dir().join(format!("cloakroom-size-{}", std::process::id()));
    /// # std::fs::create_dir_all(&folder)?;
    /// let store = FileStore::builder(&folder).max_entry_bytes(4).open().await?;
    /// let entry = NewEntry::new(CommitId::from_bytes([1; 8]), Timestamp::MAX, "a coat");
    /// let refused = store.create(&StoreKey::from_bytes([7; 32]), &entry).await.unwrap_err();
    /// assert_eq!(refused.kind(), StoreErrorKind::TooLarge);
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn max_entry_bytes(mut self, bytes: usize) -> Self {
        self.options.max_entry_bytes = bytes.min(LARGEST_ENTRY);
        self
    }

    /// Sets how many file operations run at once, each on a thread of tokio's blocking pool. 0 means 1.
    ///
    /// Default: 64, which is an eighth of that pool. When the mount freezes, so many threads are stuck
    /// in it, and the others stay free for the rest of the app.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use cloakroom::store::{FileStore, SessionStore, StoreKey};
    /// # let folder = std::env::temp_dir().join(format!("cloakroom-workers-{}", std::process::id()));
    /// # std::fs::create_dir_all(&folder)?;
    /// let store = FileStore::builder(&folder).workers(0).open().await?;
    /// let (first, second) = (StoreKey::from_bytes([7; 32]), StoreKey::from_bytes([8; 32]));
    /// let (first, second) = tokio::join!(store.load(&first), store.load(&second));
    /// assert!(first?.is_none() && second?.is_none(), "one worker serves both, in turn");
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn workers(mut self, workers: usize) -> Self {
        self.options.workers = workers.max(1);
        self
    }

    /// Sets how long a command waits for a free worker and for the session's lock. Then it fails with
    /// [`Unavailable`](crate::store::StoreErrorKind::Unavailable), and has changed nothing.
    ///
    /// It does not bound the work that follows: a system call on a frozen mount cannot be interrupted.
    /// The layer's own `command_timeout` answers the request then.
    ///
    /// Default: 1.5 s. That is less than the layer's two seconds, so that a command which has not begun
    /// is reported as not applied, and not as one that may have been.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use std::time::Duration;
    /// # use cloakroom::store::{FileStore, SessionStore, StoreErrorKind, StoreKey};
    /// # let folder = std::env::temp_dir().join(format!("cloakroom-timeout-{}", std::process::id()));
    /// # std::fs::create_dir_all(&folder)?;
    /// let timeout = Duration::from_millis(50);
    /// let store = FileStore::builder(&folder).command_timeout(timeout).open().await?;
    /// assert!(format!("{store:?}").contains("command_timeout: 50ms"));
    /// store.delete(&StoreKey::from_bytes([7; 32])).await?; // Nobody else holds the lock.
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn command_timeout(mut self, timeout: Duration) -> Self {
        self.options.command_timeout = timeout;
        self
    }

    /// Sets whether other processes of this host use the same mount (several servers on one machine,
    /// containers that share it), or other programs open the sessions' files.
    ///
    /// An NFS client that replaces a file which a process on it has open moves that file out of the way
    /// instead of removing it, and the server goes on serving it to hosts that know it by its handle:
    /// they would read the previous session for as long as it is open. With `true` a load therefore
    /// first asks the server whether the folder has changed, which is one request more. With `false` it
    /// does not. Writes ask in any case, and on a local disk there is nothing to ask.
    ///
    /// Default: `true`. With a wrong `false` a logout would not be final. Set `false` only where one
    /// process alone uses the mount on each host.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use cloakroom::store::FileStore;
    /// # let folder = std::env::temp_dir().join(format!("cloakroom-mount-{}", std::process::id()));
    /// # std::fs::create_dir_all(&folder)?;
    /// let store = FileStore::builder(&folder).shared_mount(false).open().await?;
    /// assert!(format!("{store:?}").contains("shared_mount: false"));
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn shared_mount(mut self, shared: bool) -> Self {
        self.options.shared_mount = shared;
        self
    }

    /// Sets how often expired sessions are removed. `None` means never; then somebody has to call
    /// [`FileStore::sweep`].
    ///
    /// One of the servers that share the folder sweeps, so the interval is one for all of them. The
    /// sweep runs beside the requests, at most a quarter of the time, until the store is dropped. A
    /// sweep that fails is logged as a warning and repeated within a minute.
    ///
    /// Default: one hour. Expired sessions are never served, so a sweep only frees space.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use std::time::Duration;
    /// # use cloakroom::store::FileStore;
    /// # let folder = std::env::temp_dir().join(format!("cloakroom-every-{}", std::process::id()));
    /// # std::fs::create_dir_all(&folder)?;
    /// let often = FileStore::builder(&folder).sweep_every(Duration::from_secs(600)).open().await?;
    /// assert!(format!("{often:?}").contains("sweep_every: Some(600s)"));
    /// let never = FileStore::builder(&folder).sweep_every(None).open().await?;
    /// assert!(format!("{never:?}").contains("sweep_every: None"));
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn sweep_every(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.options.sweep_every = interval.into();
        self
    }

    /// Opens the store. An empty folder is laid out first; any number of servers may do that at once.
    ///
    /// Opening also writes, links, renames, locks and removes one small file, so that a folder in which
    /// that does not work is found at start-up and not by a visitor.
    ///
    /// # Errors
    ///
    /// The error's source names the folder and says what to do.
    ///
    /// * [`Misconfigured`](crate::store::StoreErrorKind::Misconfigured): the folder is missing (is it
    ///   mounted?), is not a folder, is read-only, holds other files, has a newer layout, or its file
    ///   system has no hard links or no locks; or it, or a folder in it, belongs to another user than
    ///   the files that the store makes, lets other users write, or is a link (the folder itself may be
    ///   named by a link).
    /// * [`Denied`](crate::store::StoreErrorKind::Denied): the process lacks a permission.
    /// * [`Unavailable`](crate::store::StoreErrorKind::Unavailable): the disk is full, a quota is
    ///   exceeded, or the server does not answer within 30 seconds.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use cloakroom::store::{FileStore, StoreErrorKind};
    ///
    /// let error = FileStore::builder("/not-mounted/sessions").open().await.unwrap_err();
    /// assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    /// let source = std::error::Error::source(&error).unwrap().to_string();
    /// assert!(source.starts_with("session folder /not-mounted/sessions: it does not exist."));
    /// # }
    /// ```
    pub async fn open(self) -> Result<FileStore, StoreError> {
        let options = self.options;
        let (workers, deadline) =
            (WorkerPool::new(options.workers), CommandDeadline::after(OPEN_TIMEOUT));
        let for_worker = options.clone();
        let prepared = workers.run(deadline, move || prepare_folder(&for_worker));
        let what = "the file system to answer: is its server reachable?";
        let folder = match deadline.wait_for(what, prepared).await {
            Ok(Ok(prepared)) => prepared,
            Ok(Err(failed)) => Err(failed.error),
            Err(error) => Err(error),
        };
        let folder = folder.map_err(|error| error.at_open().in_folder(&options.root))?;
        Ok(FileStore::new(CommandRunner::new(options, folder, workers)))
    }
}
