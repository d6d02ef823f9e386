//! Errors of file operations, and the kind of store error that each becomes.
//!
//! [`FileError`] says what failed. [`CommandError`] adds what that means for the command that met
//! it, which only the place of the failure can tell. The [`StoreError`] that leaves the store also
//! names the store's folder.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;

use super::format::Damage;
use super::owner::Exposure;
use crate::error::{StoreError, StoreErrorKind};
use crate::id::StoreKey;

/// A file operation that failed. No variant holds a file's contents, and a session is named by its
/// fingerprint alone.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error("cannot {action}{}", advise(source))]
    Io { action: &'static str, source: io::Error },
    #[error("session {key} is unreadable: {damage}")]
    Damaged { key: StoreKey, damage: Damage },
    #[error("waited {waited:?} in vain for {what}")]
    TimedOut { what: &'static str, waited: Duration },
    #[error(
        "the session's lock was held for {0:?}; an NFS server may have given it to another host, \
         so the change was not made"
    )]
    LockHeldTooLong(Duration),
    #[error("the session expired while it was being changed, so the change was not made")]
    Expired,
    #[error("the session's file was removed or replaced each time that it was opened")]
    Unsettled,
    #[error("the file operation panicked, or the runtime is shutting down")]
    Lost(#[source] tokio::task::JoinError),
    #[error("{0}")]
    Unusable(&'static str),
    #[error("{path} cannot be trusted, because {exposure}: {}", exposure.remedy())]
    Exposed { path: String, exposure: Exposure },
}

/// Returns the hint that goes with an operating-system error which an administrator can remedy.
///
/// The error itself is the source of [`FileError::Io`], so its own text is not repeated here.
fn advise(error: &io::Error) -> &'static str {
    match Errno::from_io_error(error) {
        Some(Errno::ACCESS | Errno::PERM) => {
            " (this process's user needs read, write and search permission in the folder)"
        }
        Some(Errno::NOSPC | Errno::DQUOT) => " (free some space or raise the quota)",
        Some(Errno::ROFS) => " (mount the file system read-write)",
        Some(Errno::NOENT | Errno::STALE) => " (is the file system still mounted?)",
        Some(Errno::NOLCK | Errno::OPNOTSUPP | Errno::NOSYS) => {
            " (the file system needs hard links, atomic renames and `flock`)"
        }
        Some(Errno::MFILE | Errno::NFILE) => " (raise the limit on open files)",
        _ => "",
    }
}

impl FileError {
    /// For an error before anything was published: the command was not applied.
    ///
    /// This holds for permissions too. A folder that refuses now did not refuse when the store was
    /// opened, so that is an outage (503) and not `Denied` (500).
    pub(super) fn not_applied(self) -> CommandError {
        CommandError { kind: StoreErrorKind::Unavailable, error: self }
    }

    /// For an error of the publishing step: the command may have been applied.
    ///
    /// An error there proves nothing. An NFS client repeats a RENAME or LINK after the server
    /// restarted, and the repetition of one that was carried out answers that the file is missing,
    /// or that it exists.
    pub(super) fn maybe_applied(self) -> CommandError {
        CommandError { kind: StoreErrorKind::Indeterminate, error: self }
    }

    /// For an error while the store was being opened.
    pub(super) fn at_open(self) -> CommandError {
        let kind = match &self {
            Self::Unusable(_) | Self::Exposed { .. } => StoreErrorKind::Misconfigured,
            Self::Io { source, .. } => kind_at_open(source),
            _ => StoreErrorKind::Unavailable,
        };
        CommandError { kind, error: self }
    }

    /// For a session's file that the store cannot have written as it is.
    ///
    /// A file of a newer release is not `Corrupt`: during a roll-out another server can read it, so the
    /// request may succeed there, and nothing may replace the file.
    pub(super) fn damaged(key: &StoreKey, damage: Damage) -> CommandError {
        let kind = match damage {
            Damage::Newer(_) => StoreErrorKind::NewerFormat,
            _ => StoreErrorKind::Corrupt,
        };
        CommandError { kind, error: Self::Damaged { key: *key, damage } }
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

/// A failed command: what went wrong, and whether the command was applied.
#[derive(Debug)]
pub(super) struct CommandError {
    pub(super) kind: StoreErrorKind,
    pub(super) error: FileError,
}

impl CommandError {
    /// Turns it into the error that leaves the store, which names the store's folder.
    pub(super) fn in_folder(self, root: &Path) -> StoreError {
        StoreError::new(self.kind, InFolder { root: root.to_owned(), error: self.error })
    }
}

/// Adds the folder to an error's text. An app may have several stores, and the text of an
/// operating-system error names no file.
#[derive(Debug)]
struct InFolder {
    root: PathBuf,
    error: FileError,
}

impl fmt::Display for InFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "session folder {}: {}", self.root.display(), self.error)
    }
}

impl Error for InFolder {
    /// Skips the [`FileError`], whose text `Display` has printed already.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}

/// Says what was being done when an operation failed.
pub(super) trait During<T> {
    /// `action` follows the word "cannot".
    fn during(self, action: &'static str) -> Result<T, FileError>;
}

impl<T> During<T> for io::Result<T> {
    fn during(self, action: &'static str) -> Result<T, FileError> {
        self.map_err(|source| FileError::Io { action, source })
    }
}

pub(super) fn is_absent(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

/// Whether the file was removed on the server while this client had it open.
///
/// NFS reports that in two ways: the handle is stale, or the server no longer knows the open file
/// (EBADF, which cannot mean a closed descriptor here, because the descriptors are owned).
pub(super) fn was_removed(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::STALE | Errno::BADF))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_folder_the_action_and_the_remedy() {
        let full = io::Error::from(Errno::NOSPC);
        let failed: Result<(), _> = Err(full).during("write a session");
        let error = failed.unwrap_err().not_applied().in_folder(Path::new("/mnt/efs"));
        let source = error.source().unwrap();
        assert_eq!(
            source.to_string(),
            "session folder /mnt/efs: cannot write a session (free some space or raise the quota)"
        );
        assert!(source.source().unwrap().to_string().contains("os error 28"));
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    }

    #[test]
    fn an_error_about_a_session_shows_no_more_than_its_fingerprint() {
        let key = StoreKey::from_bytes([0xab; 32]);
        let error = FileError::damaged(&key, Damage::Hash).in_folder(Path::new("/r"));
        let text = error.source().unwrap().to_string();
        assert!(text.contains("session abababab is unreadable"), "{text}");
        assert!(!format!("{error:?}").contains(&"ab".repeat(5)), "{error:?}");
    }
}
