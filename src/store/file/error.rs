//! What can go wrong with files, and what it means for the command that met it.

use std::io;
use std::time::Duration;

use rustix::io::Errno;

use super::format::Damage;
use crate::error::{StoreError, StoreErrorKind};
use crate::id::StoreKey;

#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error("cannot {step}: {source}")]
    Io { step: &'static str, source: io::Error },
    #[error("session {key} is unreadable: {damage}")]
    Damaged { key: StoreKey, damage: Damage },
    #[error("no {what} within {waited:?}")]
    Busy { what: &'static str, waited: Duration },
    #[error(
        "the lock was held for {0:?}, after which the server may have given it to somebody else"
    )]
    HeldTooLong(Duration),
    #[error("the session expired while it was being changed")]
    Expired,
    #[error("what is found under the session's name was removed already, again and again")]
    Unsettled,
    #[error("the work on the files did not end")]
    Lost(#[source] tokio::task::JoinError),
    #[error("{root} {problem}")]
    Root { root: String, problem: &'static str },
}

impl FileError {
    /// It came before anything was published: the command was not applied.
    ///
    /// A folder that refuses now did not when the store was opened, so that is an outage too.
    pub(super) fn unavailable(self) -> StoreError {
        StoreError::new(StoreErrorKind::Unavailable, self)
    }

    /// It came when something was to be published. A RENAME or LINK that was sent again after the
    /// server restarted can answer that the file is not there, or is, although it was carried out.
    pub(super) fn unknown(self) -> StoreError {
        StoreError::new(StoreErrorKind::Indeterminate, self)
    }

    /// It came when the store was opened.
    pub(super) fn at_open(self) -> StoreError {
        let kind = match &self {
            Self::Root { .. } => StoreErrorKind::Misconfigured,
            Self::Io { source, .. } => kind_at_open(source),
            _ => StoreErrorKind::Unavailable,
        };
        StoreError::new(kind, self)
    }
}

fn kind_at_open(error: &io::Error) -> StoreErrorKind {
    match Errno::from_io_error(error) {
        Some(Errno::ACCESS | Errno::PERM) => StoreErrorKind::Denied,
        Some(
            Errno::ROFS
            | Errno::NOENT
            | Errno::NOTDIR
            | Errno::OPNOTSUPP
            | Errno::NOSYS
            | Errno::INVAL
            | Errno::MLINK
            | Errno::LOOP
            | Errno::NAMETOOLONG,
        ) => StoreErrorKind::Misconfigured,
        _ => StoreErrorKind::Unavailable,
    }
}

/// A file of this key that is not one of ours. One of a newer release may be readable for another
/// server during a roll-out, and nothing may ever replace it, so that is no corruption.
pub(super) fn damaged(key: &StoreKey, damage: Damage) -> StoreError {
    let kind = match damage {
        Damage::Newer(_) => StoreErrorKind::Unavailable,
        _ => StoreErrorKind::Corrupt,
    };
    StoreError::new(kind, FileError::Damaged { key: *key, damage })
}

/// Says what was being done when it failed.
pub(super) trait During<T> {
    fn during(self, step: &'static str) -> Result<T, FileError>;
}

impl<T> During<T> for io::Result<T> {
    fn during(self, step: &'static str) -> Result<T, FileError> {
        self.map_err(|source| FileError::Io { step, source })
    }
}

pub(super) fn is_absent(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

/// The file was removed on the server while this client had it open. NFS says so in two ways: the
/// handle is stale, or what was opened through it is no longer open (EBADF, which no descriptor of
/// ours can be otherwise).
pub(super) fn is_gone(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::STALE | Errno::BADF))
}
