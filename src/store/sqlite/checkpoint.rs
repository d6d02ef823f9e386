//! Moves what was committed from the log into the database.
//!
//! SQLite can do so by itself after a commit (`wal_autocheckpoint`). Before version 3.51.3 that can
//! damage the database: if one process begins to empty the log again right after it was emptied, and
//! another process commits just then, a part of that commit is never moved. So here a checkpoint
//! happens while this process holds the lock of those who write. Then nobody can commit.

use std::time::Instant;

use rusqlite::Connection;

use super::connection;
use super::error::{During, SqliteError};
use super::place::Place;
use super::table::Table;

/// The log is emptied after about so many pages, which are 32 MB. Sessions are written all over the
/// table, so a longer log means that a page which is written often is moved once. SQLite's own
/// default is a thousand pages, which would be moved eight times as often.
const PAGES: usize = 8_000;
const PAGE_BYTES: u64 = 4_096;

/// Counts the pages in the log, and has the connection that empties it.
#[derive(Debug)]
pub(super) struct Checkpoints {
    connection: Connection,
    pages: usize,
}

impl Checkpoints {
    /// Opens the connection. The log may be long already, if the last process was killed.
    pub(super) fn open(place: &Place) -> Result<Self, SqliteError> {
        let connection = connection::open(place)?.connection;
        let pages = usize::try_from(place.log_bytes() / PAGE_BYTES).unwrap_or(PAGES);
        Ok(Self { connection, pages })
    }

    /// Notes that about so many pages were written.
    pub(super) fn count(&mut self, pages: usize) {
        self.pages = self.pages.saturating_add(pages);
    }

    pub(super) fn is_due(&self) -> bool {
        self.pages >= PAGES
    }

    /// Empties the log as far as nobody reads from it. `give_up_at` is for the lock.
    ///
    /// Its failure is no command's failure: what was committed stays in the log.
    pub(super) fn run(
        &mut self,
        table: &mut Table<'_>,
        give_up_at: Instant,
    ) -> Result<(), SqliteError> {
        // After a failure, the next attempt does not come at once.
        self.pages = PAGES / 4 * 3;
        super::busy::give_up_at(give_up_at);
        table.begin().during("lock it for a checkpoint")?;
        let moved = self.connection.execute_batch("PRAGMA wal_checkpoint(PASSIVE)");
        let ended = table.roll_back();
        moved.and(ended).during("move its log into it")?;
        self.pages = 0;
        Ok(())
    }
}
