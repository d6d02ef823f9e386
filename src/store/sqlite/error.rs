//! Errors of the database, and the kind of store error that each becomes.

use std::io;
use std::time::Duration;

use rusqlite::ErrorCode;

use crate::error::StoreErrorKind;
use crate::id::StoreKey;

/// An error of the database. No variant holds a value of a session, and a session is named by its fingerprint alone:
/// all values are bound to the statements, so SQLite's texts do not contain them either.
#[derive(Debug, thiserror::Error)]
pub(super) enum SqliteError {
    #[error("cannot {action}{}", advise(source))]
    Sql { action: &'static str, source: rusqlite::Error },
    #[error("cannot {action}")]
    Io { action: &'static str, source: io::Error },
    #[error("{0}")]
    Unusable(&'static str),
    #[error(
        "it is on the network file system `{0}`: SQLite needs locks and memory that all users of the \
         file share, so put it on a local disk, or use another store"
    )]
    OnNetwork(String),
    #[error(
        "a newer release has made it: its schema has version {found}, this release knows {known}"
    )]
    Newer { found: i64, known: i64 },
    #[error("waited {0:?} in vain: the disk is slow, or another process holds the database's lock")]
    TimedOut(Duration),
    #[error("the command was handed to the database and not confirmed within {0:?}")]
    Unanswered(Duration),
    #[error("too many commands wait for the database")]
    QueueFull,
    #[error("the thread that serves the database has ended")]
    Ended,
    #[error("its file is gone: put it back, or restart the app to begin with a new one")]
    Missing,
    #[error("its file was moved or replaced during the commit")]
    Moved,
    #[error("its connection failed under another command, and is opened anew")]
    Reopening,
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

/// A row that is not an entry of this release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("session {key} is damaged: {damage}")]
    Damaged { key: StoreKey, damage: &'static str },
    #[error("session {key} has format {format}, a newer format than this release reads")]
    Newer { key: StoreKey, format: i64 },
}

impl SqliteError {
    pub(super) fn sql(action: &'static str, source: rusqlite::Error) -> Self {
        Self::Sql { action, source }
    }

    /// Returns the kind of an error that proves that nothing was changed.
    pub(super) fn kind(&self) -> StoreErrorKind {
        match self {
            Self::Sql { source, .. } => kind_of(source),
            Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::PermissionDenied => StoreErrorKind::Denied,
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    StoreErrorKind::Unavailable
                }
                _ => StoreErrorKind::Misconfigured,
            },
            Self::Unusable(_) | Self::OnNetwork(_) | Self::Newer { .. } => {
                StoreErrorKind::Misconfigured
            }
            Self::Unanswered(_) | Self::Moved => StoreErrorKind::Indeterminate,
            Self::TimedOut(_) | Self::QueueFull | Self::Ended | Self::Missing | Self::Reopening => {
                StoreErrorKind::Unavailable
            }
            Self::Unreadable(Unreadable::Damaged { .. }) => StoreErrorKind::Corrupt,
            Self::Unreadable(Unreadable::Newer { .. }) => StoreErrorKind::NewerFormat,
        }
    }

    /// Returns whether another connection held a lock for too long. The connection is in order.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self, Self::Sql { source, .. } if is_busy(source))
    }
}

fn kind_of(error: &rusqlite::Error) -> StoreErrorKind {
    use ErrorCode as Code;
    match error.sqlite_error_code() {
        Some(Code::PermissionDenied | Code::AuthorizationForStatementDenied) => {
            StoreErrorKind::Denied
        }
        Some(Code::DatabaseCorrupt) => StoreErrorKind::Corrupt,
        Some(Code::TooBig) => StoreErrorKind::TooLarge,
        Some(
            Code::DatabaseBusy
            | Code::DatabaseLocked
            | Code::DiskFull
            | Code::FileLockingProtocolFailed
            | Code::OperationAborted
            | Code::OperationInterrupted
            | Code::OutOfMemory
            | Code::SystemIoFailure,
        ) => StoreErrorKind::Unavailable,
        // A table that is missing or has another form, a file that is no database or cannot be opened or
        // written: an administrator has to look at it.
        _ => StoreErrorKind::Misconfigured,
    }
}

pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// Returns whether a failed COMMIT proves that nothing of its transaction is or will be applied.
///
/// A full disk does: the frame that ends a transaction is written last, so it is not in the log. After
/// any other error (a failed `fsync` in particular) it may be there, and a process that opens the
/// database after a crash would apply it.
pub(super) fn commit_was_refused(error: &rusqlite::Error) -> bool {
    is_busy(error) || error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}

/// Returns whether the connection may be used on after this error.
pub(super) fn leaves_connection_sound(error: &rusqlite::Error) -> bool {
    let sound = [ErrorCode::DiskFull, ErrorCode::ConstraintViolation, ErrorCode::TooBig];
    is_busy(error) || error.sqlite_error_code().is_some_and(|code| sound.contains(&code))
}

/// Returns the hint that goes with an error which an administrator can remedy.
fn advise(error: &rusqlite::Error) -> &'static str {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => " (free some space; removing sessions needs space too)",
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly) => {
            " (this process's user needs to read and write the file and its folder, \
             on a file system that is mounted read-write)"
        }
        Some(ErrorCode::NotADatabase) => " (it is not a SQLite database, or it is encrypted)",
        Some(ErrorCode::DatabaseCorrupt) => " (restore it from a backup)",
        _ => "",
    }
}

/// Adds what was being done to an error.
pub(super) trait During<T> {
    fn during(self, action: &'static str) -> Result<T, SqliteError>;
}

impl<T> During<T> for rusqlite::Result<T> {
    fn during(self, action: &'static str) -> Result<T, SqliteError> {
        self.map_err(|source| SqliteError::sql(action, source))
    }
}

impl<T> During<T> for io::Result<T> {
    fn during(self, action: &'static str) -> Result<T, SqliteError> {
        self.map_err(|source| SqliteError::Io { action, source })
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    fn failed(code: std::ffi::c_int) -> rusqlite::Error {
        rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)
    }

    #[test]
    fn a_commit_that_met_a_full_disk_was_refused_and_one_that_met_an_io_error_is_in_doubt() {
        for code in [ffi::SQLITE_FULL, ffi::SQLITE_BUSY, ffi::SQLITE_BUSY_SNAPSHOT] {
            assert!(commit_was_refused(&failed(code)), "{code}");
        }
        for code in [ffi::SQLITE_IOERR, ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_NOMEM] {
            assert!(!commit_was_refused(&failed(code)), "{code}");
        }
    }

    #[test]
    fn errors_have_the_documented_kinds() {
        use StoreErrorKind::{Corrupt, Denied, Misconfigured, TooLarge, Unavailable};
        for (code, kind) in [
            (ffi::SQLITE_FULL, Unavailable),
            (ffi::SQLITE_BUSY, Unavailable),
            (ffi::SQLITE_IOERR_READ, Unavailable),
            (ffi::SQLITE_NOMEM, Unavailable),
            (ffi::SQLITE_READONLY, Misconfigured),
            (ffi::SQLITE_CANTOPEN, Misconfigured),
            (ffi::SQLITE_NOTADB, Misconfigured),
            (ffi::SQLITE_ERROR, Misconfigured),
            (ffi::SQLITE_CORRUPT, Corrupt),
            (ffi::SQLITE_PERM, Denied),
            (ffi::SQLITE_TOOBIG, TooLarge),
        ] {
            assert_eq!(
                Err::<(), _>(failed(code)).during("test").unwrap_err().kind(),
                kind,
                "{code}"
            );
        }
    }
}
