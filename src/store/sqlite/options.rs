//! The options of a SQLite store, as every other file of this folder reads them.
//!
//! [`SqliteStoreBuilder`](super::SqliteStoreBuilder) fills them in. It stands at the top of the folder,
//! because it also opens the store; the files in between need the values and not the builder.

use std::time::Duration;

use crate::clock::Clock;

/// The largest limit that the builder accepts for one session. An entry is in memory several times
/// while it is written.
pub(super) const LARGEST_ENTRY: usize = 16 << 20;

/// The moment at which a commit is acknowledged.
///
/// ```
/// use cloakroom::store::SqliteSynchronous;
///
/// assert_eq!(SqliteSynchronous::default(), SqliteSynchronous::Full);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum SqliteSynchronous {
    /// When it is on stable storage: the log is synchronised (`fsync`) at every commit. What was
    /// acknowledged survives a power cut. This is the default.
    #[default]
    Full,
    /// When the operating system has it. The process may be killed at any instruction, but **a power
    /// cut, or a crash of the operating system, may lose the last commits that were acknowledged**: a
    /// logout among them did not happen. The database stays consistent.
    Normal,
}

impl SqliteSynchronous {
    /// Returns the value of SQLite's pragma `synchronous`.
    pub(super) fn pragma(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Normal => "NORMAL",
        }
    }
}

/// The options of one store.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) clock: Clock,
    pub(super) synchronous: SqliteSynchronous,
    pub(super) max_entry_bytes: usize,
    pub(super) readers: usize,
    pub(super) command_timeout: Duration,
    pub(super) sweep_every: Option<Duration>,
}

impl Default for Options {
    /// The builder's methods say why each default is what it is.
    fn default() -> Self {
        Self {
            clock: Clock::system(),
            synchronous: SqliteSynchronous::default(),
            max_entry_bytes: 1 << 20,
            readers: 2,
            command_timeout: Duration::from_millis(1_500),
            sweep_every: Some(Duration::from_secs(60)),
        }
    }
}
