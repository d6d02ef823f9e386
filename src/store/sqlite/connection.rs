//! Opens connections, and checks that the file is a database of this store.

use rusqlite::{Connection, OpenFlags};

use super::busy;
use super::error::{During, SqliteError};
use super::options::SqliteSynchronous;
use super::place::{FileId, Place};

/// The mark of this store's databases, in the header of the file: `clkr`.
pub(super) const APPLICATION_ID: i64 = 0x636c_6b72;
/// The version of the table's form. A release that changes it gives it a higher number.
pub(super) const SCHEMA: i64 = 1;

/// The first settings of every connection.
///
/// * No connection empties the log by itself: see `checkpoint`.
/// * After a long reader the log may have grown; it is cut to 64 MiB when it begins anew.
/// * On macOS a plain `fsync` does not reach the disk; elsewhere the two settings mean nothing.
/// * A damaged page is noticed as such, and a schema that somebody has changed calls no functions.
const SETTINGS: &str = "PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = 67108864; \
    PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON; \
    PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF;";

/// An open database.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) connection: Connection,
    /// The file that was opened.
    pub(super) file: FileId,
}

/// Opens the file without any check. SQLite must not create it: if it is missing, a new one would be
/// empty, and would have other permissions.
pub(super) fn open(place: &Place) -> Result<Opened, SqliteError> {
    // First the number and then the file: if it is replaced in between, the next look finds another number.
    let file = place.file_id()?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(place.path(), flags).during("open it")?;
    busy::wait_on(&connection).during("open it")?;
    connection.execute_batch(SETTINGS).during("open it")?;
    Ok(Opened { connection, file })
}

/// Opens a connection for the thread that writes.
pub(super) fn open_to_write(
    place: &Place,
    synchronous: SqliteSynchronous,
) -> Result<Opened, SqliteError> {
    let opened = open_checked(place)?;
    switch_log_on(&opened.connection)?;
    let pragma = format!("PRAGMA synchronous = {}", synchronous.pragma());
    opened.connection.execute_batch(&pragma).during("open it")?;
    Ok(opened)
}

/// Opens a connection for a thread that reads.
pub(super) fn open_to_read(place: &Place) -> Result<Opened, SqliteError> {
    let opened = open_checked(place)?;
    opened.connection.execute_batch("PRAGMA query_only = ON").during("open it")?;
    Ok(opened)
}

/// Opens a database that is complete, as it was when the store was opened. Its file may have been
/// replaced since.
fn open_checked(place: &Place) -> Result<Opened, SqliteError> {
    let opened = open(place)?;
    match schema(&opened.connection)? {
        Schema::Ours => {}
        Schema::Blank => {
            return Err(SqliteError::Unusable(
                "its file was replaced by an empty one; restart the app to begin anew",
            ));
        }
    }
    Ok(opened)
}

/// Switches the write-ahead log on. It stays on, but a copy of the database may come without it.
pub(super) fn switch_log_on(connection: &Connection) -> Result<(), SqliteError> {
    let mode: String = value(connection, "PRAGMA journal_mode = WAL")?;
    match mode.as_str() {
        "wal" => Ok(()),
        _ => Err(SqliteError::Unusable("its file system cannot hold a write-ahead log")),
    }
}

/// The state of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Schema {
    /// There is nothing in it.
    Blank,
    /// It is a database of this store.
    Ours,
}

/// Tells whose database it is.
///
/// It looks in one transaction: between two looks another process may make the database, and what is seen
/// then would be that of another program.
pub(super) fn schema(connection: &Connection) -> Result<Schema, SqliteError> {
    if !connection.is_autocommit() {
        return schema_now(connection);
    }
    connection.execute_batch("BEGIN").during("read its header")?;
    let found = schema_now(connection);
    let ended = connection.execute_batch("COMMIT").during("read its header");
    found.and_then(|found| ended.map(|()| found))
}

fn schema_now(connection: &Connection) -> Result<Schema, SqliteError> {
    let owner: i64 = value(connection, "PRAGMA application_id")?;
    let version: i64 = value(connection, "PRAGMA user_version")?;
    let tables: i64 = value(connection, "SELECT count(*) FROM sqlite_master")?;
    match (owner, version, tables) {
        (APPLICATION_ID, SCHEMA, _) => Ok(Schema::Ours),
        (APPLICATION_ID, found, _) if found > SCHEMA => {
            Err(SqliteError::Newer { found, known: SCHEMA })
        }
        (0, 0, 0) => Ok(Schema::Blank),
        _ => Err(SqliteError::Unusable(
            "it is the database of another program; give the store a file of its own",
        )),
    }
}

/// Returns the only value of a statement.
pub(super) fn value<T: rusqlite::types::FromSql>(
    connection: &Connection,
    sql: &str,
) -> Result<T, SqliteError> {
    connection.query_row(sql, [], |row| row.get(0)).during("read its header")
}
