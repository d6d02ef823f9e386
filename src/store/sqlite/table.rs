//! The statements of the writing thread. Each is prepared once per connection.
//!
//! They run inside `BEGIN IMMEDIATE`, so nothing changes between two of them. (A transaction that begins
//! with a read and then writes is refused at once when another process has committed in between.)
//!
//! Each command changes one row with one statement. SQLite undoes a statement that fails, so no command
//! needs a savepoint; the writing thread undoes the rest.

use rusqlite::{Connection, Statement, params};

use super::row::{FORMAT, Find, Found, VERSION_BYTES, millis};
use crate::clock::Timestamp;
use crate::id::StoreKey;
use crate::store::{NewEntry, Version};

/// The columns of a row that this release can have written, but for its deadline. A row that fails it is
/// never written over.
macro_rules! sound {
    () => {
        "format = 1 AND typeof(version) = 'blob' AND length(version) = 8 \
         AND typeof(bytes) = 'blob' AND typeof(deadline) = 'integer'"
    };
}
/// The same for a row whose version is one of ours, and whose deadline lies between two times: such a version is a
/// blob of 8 bytes, and such a deadline a number. Each function that SQLite need not call saves a tenth of a microsecond.
macro_rules! sound_at_a_version {
    () => {
        "format = 1 AND typeof(bytes) = 'blob' AND deadline = CAST(deadline AS INTEGER)"
    };
}
const _: () = assert!(FORMAT == 1, "the statements name the format");

const CREATE: &str = concat!(
    "INSERT INTO cloakroom (key, format, version, deadline, bytes) VALUES (?1, 1, ?2, ?3, ?4) \
     ON CONFLICT (key) DO UPDATE SET version = excluded.version, deadline = excluded.deadline, \
     bytes = excluded.bytes WHERE deadline BETWEEN 0 AND ?5 AND ",
    sound!()
);
// 281474976710655 is `Timestamp::MAX`.
const REPLACE: &str = concat!(
    "UPDATE cloakroom SET version = ?1, deadline = ?2, bytes = ?3 WHERE key = ?4 AND version = ?5 \
     AND deadline > ?6 AND deadline <= 281474976710655 AND ",
    sound_at_a_version!()
);
const TOUCH: &str = concat!(
    "UPDATE cloakroom SET deadline = ?1 WHERE key = ?2 AND version = ?3 \
     AND deadline > ?4 AND deadline < ?1 AND ",
    sound_at_a_version!()
);
const DELETE: &str =
    "DELETE FROM cloakroom WHERE key = ?1 AND NOT (typeof(format) = 'integer' AND format > 1)";
/// Of format 1 only, because a newer format may give its deadline another meaning.
const EXPIRED: &str = "SELECT rowid, length(bytes) FROM cloakroom \
     WHERE format = 1 AND deadline BETWEEN 0 AND ?1 ORDER BY deadline LIMIT ?2";
const REMOVE: &str = "DELETE FROM cloakroom WHERE rowid = ?1";

/// The table with its prepared statements.
#[derive(Debug)]
pub(super) struct Table<'c> {
    connection: &'c Connection,
    begin: Statement<'c>,
    commit: Statement<'c>,
    find: Find<'c>,
    create: Statement<'c>,
    replace: Statement<'c>,
    touch: Statement<'c>,
    delete: Statement<'c>,
    expired: Statement<'c>,
    remove: Statement<'c>,
}

/// A row that has expired: its number, and the length of its bytes.
pub(super) type Expired = (i64, usize);

impl<'c> Table<'c> {
    pub(super) fn prepare(connection: &'c Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            connection,
            begin: connection.prepare("BEGIN IMMEDIATE")?,
            commit: connection.prepare("COMMIT")?,
            find: Find::prepare(connection)?,
            create: connection.prepare(CREATE)?,
            replace: connection.prepare(REPLACE)?,
            touch: connection.prepare(TOUCH)?,
            delete: connection.prepare(DELETE)?,
            expired: connection.prepare(EXPIRED)?,
            remove: connection.prepare(REMOVE)?,
        })
    }

    /// Begins a transaction, and takes the database's lock for it.
    pub(super) fn begin(&mut self) -> rusqlite::Result<()> {
        self.begin.execute([]).map(drop)
    }

    pub(super) fn commit(&mut self) -> rusqlite::Result<()> {
        self.commit.execute([]).map(drop)
    }

    /// Returns whether no transaction is open.
    pub(super) fn is_idle(&self) -> bool {
        self.connection.is_autocommit()
    }

    /// Undoes the transaction, if SQLite has not done so already.
    pub(super) fn roll_back(&self) -> rusqlite::Result<()> {
        if self.is_idle() {
            return Ok(());
        }
        self.connection.execute_batch("ROLLBACK")
    }

    pub(super) fn find(&mut self, key: &StoreKey) -> rusqlite::Result<Found> {
        self.find.entry(key)
    }

    /// Writes the entry where none is, or over an expired one. Returns whether it has.
    pub(super) fn create(
        &mut self,
        key: &StoreKey,
        entry: &NewEntry,
        now: Timestamp,
    ) -> rusqlite::Result<bool> {
        let (key, version) = (key.as_bytes().as_slice(), entry.commit.as_bytes().as_slice());
        let bytes = &entry.bytes[..];
        let values = params![key, version, millis(entry.deadline), bytes, millis(now)];
        Ok(self.create.execute(values)? == 1)
    }

    /// Writes over the live entry of this version. Returns whether there was one.
    pub(super) fn replace(
        &mut self,
        key: &StoreKey,
        expected: &Version,
        entry: &NewEntry,
        now: Timestamp,
    ) -> rusqlite::Result<bool> {
        let Some(expected) = ours(expected) else { return Ok(false) };
        let (key, version) = (key.as_bytes().as_slice(), entry.commit.as_bytes().as_slice());
        let bytes = &entry.bytes[..];
        let values = params![version, millis(entry.deadline), bytes, key, expected, millis(now)];
        Ok(self.replace.execute(values)? == 1)
    }

    /// Moves the deadline of the live entry of this version forwards. Returns whether it has.
    pub(super) fn touch(
        &mut self,
        key: &StoreKey,
        expected: &Version,
        deadline: Timestamp,
        now: Timestamp,
    ) -> rusqlite::Result<bool> {
        let Some(expected) = ours(expected) else { return Ok(false) };
        let key = key.as_bytes().as_slice();
        Ok(self.touch.execute(params![millis(deadline), key, expected, millis(now)])? == 1)
    }

    /// Removes the row, unless a newer release has written it. Returns whether it has.
    pub(super) fn delete(&mut self, key: &StoreKey) -> rusqlite::Result<bool> {
        Ok(self.delete.execute([key.as_bytes().as_slice()])? == 1)
    }

    /// Returns rows whose deadline was at `until` or before.
    pub(super) fn expired(
        &mut self,
        until: Timestamp,
        most: usize,
    ) -> rusqlite::Result<Vec<Expired>> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let rows = self.expired.query_map(params![millis(until), most], |row| {
            let length = row.get::<_, Option<i64>>(1)?;
            let length = length.and_then(|length| usize::try_from(length).ok());
            Ok((row.get(0)?, length.unwrap_or(0)))
        })?;
        rows.collect()
    }

    pub(super) fn remove(&mut self, (row, _): Expired) -> rusqlite::Result<()> {
        self.remove.execute([row]).map(drop)
    }

    /// Returns the number of pages of the file, and how many of them are free.
    pub(super) fn pages(&self) -> rusqlite::Result<(i64, i64)> {
        let number = |pragma| self.connection.query_row(pragma, [], |row| row.get(0));
        Ok((number("PRAGMA page_count")?, number("PRAGMA freelist_count")?))
    }

    /// Cuts free pages off the end of the file, after moving used ones to its middle.
    pub(super) fn vacuum(&self, pages: usize) -> rusqlite::Result<()> {
        let mut vacuum = self.connection.prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
        let mut steps = vacuum.query([])?;
        // One step is one page.
        while steps.next()?.is_some() {}
        Ok(())
    }
}

/// Returns a version that a row of this release can have.
fn ours(version: &Version) -> Option<&[u8]> {
    Some(version.as_bytes()).filter(|bytes| bytes.len() == VERSION_BYTES)
}

#[cfg(test)]
impl<'c> Table<'c> {
    /// Returns how often the statements of commands have run.
    pub(super) fn statements_run(&self) -> i32 {
        let statements = [&self.create, &self.replace, &self.touch, &self.delete, &self.remove];
        let run = rusqlite::StatementStatus::Run;
        let runs: i32 = statements.iter().map(|statement| statement.get_status(run)).sum();
        runs + self.find.runs()
    }

    /// Returns SQLite's plan for each statement that looks for a row.
    pub(super) fn plans(connection: &'c Connection) -> rusqlite::Result<Vec<(&'c str, String)>> {
        let statements = [super::row::FIND, REPLACE, TOUCH, DELETE, EXPIRED, REMOVE];
        let plan = |sql| {
            let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
            let mut lines = String::new();
            let mut rows = explain.raw_query();
            while let Some(row) = rows.next()? {
                lines += &row.get::<_, String>(3)?;
            }
            Ok((sql, lines))
        };
        statements.into_iter().map(plan).collect()
    }
}
