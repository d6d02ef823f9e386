//! Reads a row as an entry, and makes the parameters of statements.
//!
//! ```text
//! key | version: commit, 8 bytes | deadline: milliseconds since 1970 | bytes
//! ```
//!
//! The commit's id is the version. A newer format will have a longer version, whose first byte is the
//! format's number, 2 or more: then no `WHERE version = ?` of this release finds the row.

use mysql_async::{Row, Value};

use super::failure::Failed;
use crate::clock::Timestamp;
use crate::error::StoreErrorKind;
use crate::id::StoreKey;
use crate::store::entry::{Entry, Version};

/// The length of a version in bytes.
pub(super) const VERSION_LEN: usize = 8;
/// The latest deadline, in milliseconds.
pub(super) const LATEST: u64 = Timestamp::MAX.as_millis();

const FIRST_NEWER_FORMAT: u8 = 2;

/// Reads `version, deadline, bytes`. The entry may be live or not.
pub(super) fn decode(mut row: Row) -> Result<Entry, Failed> {
    let version = take_bytes(&mut row, 0).unwrap_or_default();
    if let Some(format) = newer_format(&version) {
        let text = format!("the row has format {format}, a newer format than this release reads");
        return Err(Failed::not_applied(StoreErrorKind::NewerFormat, text));
    }
    let deadline = take_deadline(&mut row, 1);
    let bytes = take_bytes(&mut row, 2);
    let version = if version.len() == VERSION_LEN { Version::new(&version) } else { None };
    match (version, deadline, bytes) {
        (Some(version), Some(deadline), Some(bytes)) => Ok(Entry::new(version, deadline, bytes)),
        _ => Err(corrupt()),
    }
}

/// Returns whether this is the row by which a read-only server answers a load: all its columns are null.
pub(super) fn says_read_only(row: &Row) -> bool {
    row.len() == 3 && (0..3).all(|column| row.as_ref(column) == Some(&Value::NULL))
}

/// A row that the sweeper looks at.
pub(super) struct Walked {
    pub(super) key: Vec<u8>,
    /// `None` for a row that is not ours to remove.
    pub(super) deadline: Option<Timestamp>,
}

/// Reads `key, deadline, LENGTH(version)`.
pub(super) fn decode_walked(mut row: Row) -> Result<Walked, Failed> {
    let key = take_bytes(&mut row, 0).ok_or_else(corrupt)?;
    let is_ours =
        matches!(row.take_opt::<u64, _>(2), Some(Ok(length)) if length == VERSION_LEN as u64);
    let deadline = take_deadline(&mut row, 1).filter(|_| is_ours && key.len() == 32);
    Ok(Walked { key, deadline })
}

fn corrupt() -> Failed {
    Failed::not_applied(StoreErrorKind::Corrupt, "the row cannot have been written by this store")
}

fn newer_format(version: &[u8]) -> Option<u8> {
    let format = *version.first()?;
    (version.len() > VERSION_LEN && format >= FIRST_NEWER_FORMAT).then_some(format)
}

fn take_bytes(row: &mut Row, column: usize) -> Option<Vec<u8>> {
    match row.take::<Value, _>(column)? {
        Value::Bytes(bytes) => Some(bytes),
        _ => None,
    }
}

fn take_deadline(row: &mut Row, column: usize) -> Option<Timestamp> {
    let millis = match row.take::<Value, _>(column)? {
        Value::Int(millis) => u64::try_from(millis).ok()?,
        Value::UInt(millis) => millis,
        _ => return None,
    };
    (millis <= LATEST).then(|| Timestamp::from_millis(millis))
}

pub(super) fn key_value(key: &StoreKey) -> Value {
    Value::Bytes(key.as_bytes().to_vec())
}

pub(super) fn version_value(version: &Version) -> Value {
    Value::Bytes(version.as_bytes().to_vec())
}

pub(super) fn time_value(time: Timestamp) -> Value {
    Value::UInt(time.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_longer_version_is_a_newer_format_and_any_other_length_is_damage() {
        for (version, format) in [
            (&[2; 9][..], Some(2)),
            (&[255; 32], Some(255)),
            (&[1; 9], None),
            (&[2; 8], None),
            (&[2; 7], None),
            (&[], None),
        ] {
            assert_eq!(newer_format(version), format, "{version:?}");
        }
    }
}
