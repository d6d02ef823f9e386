//! Makes the database, or checks the one that is there.

use std::path::Path;
use std::time::Instant;

use rusqlite::Connection;

use super::busy;
use super::connection::{APPLICATION_ID, SCHEMA, Schema, open, schema, switch_log_on};
use super::error::{During, SqliteError};
use super::place::Place;

/// The deadline has an index, or the sweep would read the whole file to find what has expired: a row's
/// bytes lie between its neighbours' deadlines. The format is in it, because only rows of this one are swept.
pub(super) const TABLE: &str = "CREATE TABLE cloakroom (key BLOB PRIMARY KEY NOT NULL, format INTEGER NOT NULL, \
    version BLOB NOT NULL, deadline INTEGER NOT NULL, bytes BLOB NOT NULL); \
    CREATE INDEX cloakroom_deadline ON cloakroom (format, deadline);";

/// A change of no row.
const NO_CHANGE: &str = "DELETE FROM cloakroom WHERE key = x''";

/// Finds or makes the database. Any number of processes may do that at once.
pub(super) fn prepare(path: &Path, give_up_at: Instant) -> Result<Place, SqliteError> {
    let place = Place::prepare(path)?;
    busy::give_up_at(give_up_at);
    loop {
        match lay_out(&place) {
            // SQLite does not wait for every lock: two processes that switch the log on would wait for
            // each other.
            Err(error) if error.is_busy() && Instant::now() < give_up_at => busy::pause(),
            Err(error) => return Err(error),
            Ok(()) => return Ok(place),
        }
    }
}

fn lay_out(place: &Place) -> Result<(), SqliteError> {
    let connection = open(place)?.connection;
    if schema(&connection)? == Schema::Blank {
        // Before anything else is written: it decides the form of the file.
        connection.execute_batch("PRAGMA auto_vacuum = INCREMENTAL").during("create it")?;
    }
    switch_log_on(&connection)?;
    connection.execute_batch("PRAGMA synchronous = FULL; BEGIN IMMEDIATE").during("write to it")?;
    // It looks again: another process may have made the database meanwhile.
    let made = match schema(&connection)? {
        // SQLite opens a file that it may not write to for reading, and says so at the first change.
        Schema::Ours => connection.execute_batch(NO_CHANGE).during("write to it"),
        Schema::Blank => create(&connection),
    };
    let end = if made.is_ok() { "COMMIT" } else { "ROLLBACK" };
    made.and(connection.execute_batch(end).during("write to it"))
}

fn create(connection: &Connection) -> Result<(), SqliteError> {
    let marks =
        format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA};");
    connection.execute_batch(&format!("{TABLE} {marks}")).during("create it")
}
