//! The public options of a store, and opening it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::error::SqliteError;
use super::options::{LARGEST_ENTRY, Options, SqliteSynchronous};
use super::place::Place;
use super::prepare::prepare;
use super::store::SqliteStore;
use crate::clock::Clock;
use crate::error::StoreError;

/// The longest that the disk, or another process that is opening the file too, may take.
const OPEN_TIMEOUT: Duration = Duration::from_secs(30);

/// Opens a [`SqliteStore`] with other options than the default ones.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = std::env::temp_dir().join(format!("cloakroom-sql-builder-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// use cloakroom::store::SqliteStore;
///
/// let path = folder.join("sessions.db");
/// let store = SqliteStore::builder().readers(4).sweep_every(None).open(&path).await?;
/// assert!(path.exists() && format!("{store:?}").contains("readers: 4"));
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct SqliteStoreBuilder {
    options: Options,
}

// They stand beside the builder, because the store's own file is below it.
impl SqliteStore {
    /// Opens the store in this file with the default options. See [`SqliteStoreBuilder::open`].
    ///
    /// # Errors
    ///
    /// Those of [`SqliteStoreBuilder::open`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use cloakroom::store::{SqliteStore, StoreErrorKind};
    ///
    /// let error = SqliteStore::open("/not-mounted/sessions.db").await.unwrap_err();
    /// assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    /// # }
    /// ```
    pub async fn open(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        Self::builder().open(path).await
    }

    /// Returns a builder with the default options.
    ///
    /// ```
    /// use cloakroom::store::SqliteStore;
    ///
    /// let builder = SqliteStore::builder().sweep_every(None);
    /// assert!(format!("{builder:?}").contains("sweep_every: None"));
    /// ```
    pub fn builder() -> SqliteStoreBuilder {
        SqliteStoreBuilder::default()
    }
}

impl SqliteStoreBuilder {
    /// Sets the clock that decides which sessions have expired.
    ///
    /// Default: the system's clock. Tests set a [`ManualClock`](crate::ManualClock).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use std::time::Duration;
    /// # use cloakroom::{ManualClock, Timestamp};
    /// # use cloakroom::store::{CommitId, NewEntry, SessionStore, SqliteStore, StoreKey};
    /// # let folder = std::env::temp_dir().join(format!("cloakroom-sql-clock-{}", std::process::id()));
    /// # std::fs::create_dir_all(&folder)?;
    /// let clock = ManualClock::at(Timestamp::from_millis(0));
    /// let store = SqliteStore::builder().clock(clock.clone()).open(folder.join("s.db")).await?;
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

    /// Sets when a commit is acknowledged. All processes that share the file should have the same.
    ///
    /// Default: [`SqliteSynchronous::Full`], because a logout that was acknowledged must not be undone
    /// by a power cut.
    ///
    /// ```
    /// use cloakroom::store::{SqliteStore, SqliteSynchronous};
    ///
    /// let builder = SqliteStore::builder().synchronous(SqliteSynchronous::Normal);
    /// assert!(format!("{builder:?}").contains("Normal"));
    /// ```
    pub fn synchronous(mut self, synchronous: SqliteSynchronous) -> Self {
        self.options.synchronous = synchronous;
        self
    }

    /// Sets the most bytes that an entry may have; more is
    /// [`TooLarge`](crate::store::StoreErrorKind::TooLarge). At most 16 MiB.
    ///
    /// Default: 1 MiB, which is also the layer's limit for a session. A large entry holds up the writes
    /// behind it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use cloakroom::Timestamp;
    /// # use cloakroom::store::{CommitId, NewEntry, SessionStore, SqliteStore, StoreErrorKind, StoreKey};
    /// # let folder = std::env::temp_dir().join(format!("cloakroom-sql-most-{}", std::process::id()));
    /// # std::fs::create_dir_all(&folder)?;
    /// let store = SqliteStore::builder().max_entry_bytes(3).open(folder.join("s.db")).await?;
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

    /// Sets the number of threads that read, at least one.
    ///
    /// Default: two, so that one goes on while the other waits for the disk. More help where the sessions do not fit into the machine's memory.
    ///
    /// ```
    /// use cloakroom::store::SqliteStore;
    ///
    /// let builder = SqliteStore::builder().readers(0);
    /// assert!(format!("{builder:?}").contains("readers: 1"));
    /// ```
    pub fn readers(mut self, readers: usize) -> Self {
        self.options.readers = readers.max(1);
        self
    }

    /// Sets the longest time that one command may take, waiting included.
    ///
    /// A write that has not begun by then is withdrawn and is
    /// [`Unavailable`](crate::store::StoreErrorKind::Unavailable): nothing has changed. One whose commit
    /// is under way is [`Indeterminate`](crate::store::StoreErrorKind::Indeterminate).
    ///
    /// Zero is refused by [`open`](Self::open).
    ///
    /// Default: 1.5 s. That is less than the layer's two seconds, so that a command which has not begun
    /// is reported as not applied, and not as one that may have been.
    ///
    /// ```
    /// use cloakroom::store::SqliteStore;
    /// use std::time::Duration;
    ///
    /// let builder = SqliteStore::builder().command_timeout(Duration::from_millis(500));
    /// assert!(format!("{builder:?}").contains("command_timeout: 500ms"));
    /// ```
    pub fn command_timeout(mut self, timeout: Duration) -> Self {
        self.options.command_timeout = timeout;
        self
    }

    /// Sets how often expired sessions are removed, up to half of the interval earlier or later at random.
    /// `None` means never; then somebody has to call [`SqliteStore::sweep`].
    ///
    /// Each process that shares the file sweeps. A sweep that finds nothing is one look into an index. One that
    /// fails is logged as a warning.
    ///
    /// Default: one minute. Expired sessions are never served, so a sweep only frees space.
    ///
    /// ```
    /// use cloakroom::store::SqliteStore;
    /// use std::time::Duration;
    ///
    /// let builder = SqliteStore::builder().sweep_every(Duration::from_secs(600));
    /// assert!(format!("{builder:?}").contains("sweep_every: Some(600s)"));
    /// ```
    pub fn sweep_every(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.options.sweep_every = interval.into();
        self
    }

    /// Opens the store. A file that does not exist is made, with permissions for its owner alone; its
    /// folder must exist. Any number of processes may open it at once.
    ///
    /// # Errors
    ///
    /// The error's source names the file and says what to do.
    ///
    /// * [`Misconfigured`](crate::store::StoreErrorKind::Misconfigured): the folder is missing (is it
    ///   mounted?), is read-only or on a network file system; the file is not a database, is another
    ///   program's or a newer release's; the file or its folder may be written by all users; the
    ///   `command_timeout` is zero.
    /// * [`Denied`](crate::store::StoreErrorKind::Denied): the process lacks a permission.
    /// * [`Corrupt`](crate::store::StoreErrorKind::Corrupt): the database is damaged.
    /// * [`Unavailable`](crate::store::StoreErrorKind::Unavailable): the disk is full, or another process
    ///   holds the database's lock for 30 seconds.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use cloakroom::store::{SqliteStore, StoreErrorKind};
    ///
    /// let error = SqliteStore::builder().open("/not-mounted/sessions.db").await.unwrap_err();
    /// assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    /// assert!(format!("{error:?}").contains("its folder does not exist"));
    /// # }
    /// ```
    pub async fn open(self, path: impl Into<PathBuf>) -> Result<SqliteStore, StoreError> {
        let path = path.into();
        let place = Place::unprepared(&path);
        if let Some(problem) = self.problem() {
            return Err(place.error(SqliteError::Unusable(problem)));
        }
        let give_up_at = Instant::now() + OPEN_TIMEOUT;
        let preparing = tokio::task::spawn_blocking(move || prepare(&path, give_up_at));
        let prepared = match tokio::time::timeout_at(give_up_at.into(), preparing).await {
            Ok(Ok(prepared)) => prepared,
            Ok(Err(_)) => Err(SqliteError::Ended),
            Err(_) => Err(SqliteError::TimedOut(OPEN_TIMEOUT)),
        };
        let started = prepared.and_then(|place| SqliteStore::start(place, self.options));
        started.map_err(|error| place.error(error))
    }

    fn problem(&self) -> Option<&'static str> {
        if self.options.command_timeout.is_zero() {
            Some("the command timeout must be longer than zero")
        } else if self.options.sweep_every.is_some_and(|interval| interval.is_zero()) {
            Some("the time between two sweeps must be longer than zero")
        } else {
            None
        }
    }
}
