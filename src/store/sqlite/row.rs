//! A row of the table as an entry, and the statement that finds it.
//!
//! ```text
//! key BLOB (32 bytes) | format INTEGER (1) | version BLOB (8 bytes) | deadline INTEGER (ms) | bytes BLOB
//! ```

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, Statement};

use super::error::Unreadable;
use crate::clock::Timestamp;
use crate::id::StoreKey;
use crate::store::{Entry, Version};

/// The format of a row. A later release that writes other rows gives them a higher number.
pub(super) const FORMAT: i64 = 1;
/// The length of a version: that of a commit id.
pub(super) const VERSION_BYTES: usize = 8;

pub(super) const FIND: &str =
    "SELECT format, version, deadline, bytes FROM cloakroom WHERE key = ?1";

/// The statement that finds the row of a key.
#[derive(Debug)]
pub(super) struct Find<'c>(Statement<'c>);

impl<'c> Find<'c> {
    pub(super) fn prepare(connection: &'c Connection) -> rusqlite::Result<Self> {
        connection.prepare(FIND).map(Self)
    }

    /// Returns how often it has run.
    #[cfg(test)]
    pub(super) fn runs(&self) -> i32 {
        self.0.get_status(rusqlite::StatementStatus::Run)
    }

    /// Returns the entry under this key, live or not.
    pub(super) fn entry(&mut self, key: &StoreKey) -> rusqlite::Result<Found> {
        let mut rows = self.0.query([key.as_bytes().as_slice()])?;
        match rows.next()? {
            None => Ok(Ok(None)),
            Some(row) => decode(*key, row).map(|entry| entry.map(Some)),
        }
    }
}

/// The entry under a key, or why it cannot be read.
pub(super) type Found = Result<Option<Entry>, Unreadable>;

fn decode(key: StoreKey, row: &Row<'_>) -> rusqlite::Result<Result<Entry, Unreadable>> {
    let damaged = |damage| Ok(Err(Unreadable::Damaged { key, damage }));
    match row.get_ref(0)? {
        ValueRef::Integer(FORMAT) => {}
        ValueRef::Integer(format) if format > FORMAT => {
            return Ok(Err(Unreadable::Newer { key, format }));
        }
        _ => return damaged("its format is not a number that was ever used"),
    }
    let version = match row.get_ref(1)? {
        ValueRef::Blob(version) if version.len() == VERSION_BYTES => Version::new(version),
        _ => None,
    };
    let Some(version) = version else { return damaged("its version does not have 8 bytes") };
    let deadline = match row.get_ref(2)? {
        ValueRef::Integer(millis) => u64::try_from(millis).ok(),
        _ => None,
    };
    let Some(millis) = deadline.filter(|millis| *millis <= Timestamp::MAX.as_millis()) else {
        return damaged("its deadline is not a time");
    };
    let ValueRef::Blob(bytes) = row.get_ref(3)? else {
        return damaged("its bytes are of another type");
    };
    Ok(Ok(Entry::new(version, Timestamp::from_millis(millis), bytes.to_vec())))
}

/// Returns a moment as the column `deadline` has it.
pub(super) fn millis(moment: Timestamp) -> i64 {
    // It has 48 bits.
    moment.as_millis().cast_signed()
}
