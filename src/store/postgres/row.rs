//! A session as a row of the table.
//!
//! ```text
//! key       bytea   32 bytes
//! version   bytea   8 bytes: the commit's id
//!                   9 to 32 bytes: a newer format, whose number is the first of them
//! deadline  bigint  milliseconds since 1970
//! bytes     bytea   the bytes of the entry
//! ```
//!
//! A later format gives its rows a longer version, whatever its other columns hold. Any other length is
//! damage.

use bytes::Bytes;
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use crate::clock::Timestamp;
use crate::error::StoreErrorKind;
use crate::store::entry::{Entry, Version};
use crate::store::failure::Failure;

pub(super) const VERSION_LEN: usize = 8;

/// The reason why a row is not an entry that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotAnEntry {
    Foreign,
    /// A newer release has written it. Nothing may replace or delete it.
    Newer(u8),
}

impl From<NotAnEntry> for Failure {
    fn from(reason: NotAnEntry) -> Self {
        match reason {
            NotAnEntry::Foreign => Self::not_applied(
                StoreErrorKind::Corrupt,
                "the row under the key of a session is not an entry of this library",
            ),
            NotAnEntry::Newer(format) => Self::not_applied(
                StoreErrorKind::NewerFormat,
                format!("its format {format} is newer than this release reads; update this server"),
            ),
        }
    }
}

pub(super) fn version(bytes: &[u8]) -> Result<Version, NotAnEntry> {
    match bytes {
        [number, rest @ ..] if (VERSION_LEN..Version::MAX_BYTES).contains(&rest.len()) => {
            Err(NotAnEntry::Newer(*number))
        }
        bytes if bytes.len() == VERSION_LEN => Version::new(bytes).ok_or(NotAnEntry::Foreign),
        _ => Err(NotAnEntry::Foreign),
    }
}

fn deadline(millis: i64) -> Result<Timestamp, NotAnEntry> {
    let millis = u64::try_from(millis).map_err(|_| NotAnEntry::Foreign)?;
    let deadline = Timestamp::from_millis(millis);
    if deadline.as_millis() == millis { Ok(deadline) } else { Err(NotAnEntry::Foreign) }
}

/// Reads the columns `version` and `deadline`.
pub(super) fn head(row: &Row) -> Result<(Version, Timestamp), Failure> {
    let version = version(column(row, "version")?)?;
    Ok((version, deadline(column(row, "deadline")?)?))
}

/// Reads the columns `version`, `deadline` and `bytes`.
pub(super) fn entry(row: &Row) -> Result<Entry, Failure> {
    let (version, deadline) = head(row)?;
    let bytes: &[u8] = column(row, "bytes")?;
    Ok(Entry::new(version, deadline, Bytes::copy_from_slice(bytes)))
}

/// Reads a column. An error says which one, and nothing of what is in it.
pub(super) fn column<'a, T: FromSql<'a>>(row: &'a Row, name: &str) -> Result<T, Failure> {
    row.try_get(name).map_err(|error| Failure::not_applied(StoreErrorKind::Corrupt, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_the_version_tells_the_formats_apart() {
        assert_eq!(version(&[7; 8]), Version::new(&[7; 8]).ok_or(NotAnEntry::Foreign));
        for length in 9..=32 {
            assert_eq!(version(&vec![2; length]), Err(NotAnEntry::Newer(2)), "{length}");
        }
        for length in (0..8).chain([33, 1000]) {
            assert_eq!(version(&vec![2; length]), Err(NotAnEntry::Foreign), "{length}");
        }
    }

    #[test]
    fn a_deadline_that_no_moment_has_is_damage() {
        for millis in [i64::MIN, -1, 1 << 48, i64::MAX] {
            assert_eq!(deadline(millis), Err(NotAnEntry::Foreign), "{millis}");
        }
        for millis in [0, 1, (1 << 48) - 1] {
            assert_eq!(deadline(millis).map(|at| at.as_millis() as i64), Ok(millis));
        }
    }
}
