//! The store: the five commands of the contract, each a statement on one row.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use mysql_async::Row;
use tokio::time::Instant;

use super::exchange::{Answer, Request, Statement};
use super::failure::Failed;
use super::row::{self, VERSION_LEN, key_value, time_value, version_value};
use super::statements::{FOUND_EXPIRED, FOUND_FOREIGN, FOUND_LIVE};
use super::sweeper::Sweeping;
use super::table::Table;
use crate::clock::Timestamp;
use crate::error::{StoreError, StoreErrorKind};
use crate::id::StoreKey;
use crate::store::contract::SessionStore;
use crate::store::entry::{Created, Entry, NewEntry, Replaced, Touched, Version};
use crate::store::failure::Failure;

/// Keeps sessions in MariaDB or MySQL, one row each. Clones share the connections.
///
/// | | statements |
/// |---|---|
/// | load | `SELECT` |
/// | create | `INSERT … ON DUPLICATE KEY UPDATE`, which writes over an expired row only |
/// | replace | `UPDATE` of the row with the expected version; after a conflict one `SELECT` |
/// | touch | the same, of the deadline alone |
/// | delete | `DELETE`; one `SELECT` if there was no such row |
///
/// Each statement commits by itself and is sent once. The deadline stands in the row, exact to the
/// millisecond, and this process's clock decides when it has passed; the server's clock is never asked.
///
/// Expired rows are removed by a [sweeper](Self::sweep), which runs in the background.
///
/// # What it cannot promise
///
/// A server whose replica takes over may have acknowledged commits that the replica does not have. The
/// [guide](crate::guide::mysql) says what that means for logouts, and how to avoid it.
///
/// # Limits
///
/// An entry has at most 1 MiB, unless the builder [says otherwise](super::MysqlStoreBuilder::max_entry_bytes).
///
/// ```no_run
/// use cloakroom::store::{MysqlServer, MysqlStore};
/// use cloakroom::{Key, SessionLayer};
///
/// # async fn open() -> Result<(), Box<dyn std::error::Error>> {
/// let server = MysqlServer::tcp("127.0.0.1", 3306, "shop").credentials("sessions", "open sesame");
/// let store = MysqlStore::builder().connect(&server).await?;
/// let layer = SessionLayer::new(store, Key::generate()?);
/// # let _ = layer;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct MysqlStore(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) table: Arc<Table>,
    pub(super) max_entry_bytes: usize,
    pub(super) _sweeping: Option<Sweeping>,
}

impl MysqlStore {
    /// Removes the rows that have been expired for a minute or more, and returns how many there were.
    ///
    /// The store does this by itself every ten minutes or so, unless the builder
    /// [says otherwise](super::MysqlStoreBuilder::sweep_every). Any number of servers may do it at once:
    /// each row is deleted only if it is still expired. Rows of a newer format, and damaged ones, stay.
    ///
    /// # Errors
    ///
    /// Those of every command. Rows that were removed before the error stay removed.
    ///
    /// ```no_run
    /// use cloakroom::store::{MysqlServer, MysqlStore};
    ///
    /// # async fn sweep() -> Result<(), cloakroom::store::StoreError> {
    /// let server = MysqlServer::tcp("127.0.0.1", 3306, "shop").credentials("sessions", "secret");
    /// let store = MysqlStore::builder().sweep_every(None).connect(&server).await?;
    /// assert_eq!(store.sweep().await?, 0, "nothing has expired yet");
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias("delete_expired", "cleanup", "expire"))]
    pub async fn sweep(&self) -> Result<u64, StoreError> {
        self.0.table.sweep().await
    }

    fn check_size(&self, new: &NewEntry) -> Result<(), StoreError> {
        let (size, limit) = (new.bytes.len(), self.0.max_entry_bytes);
        if size > limit { Err(StoreError::too_large(size, limit)) } else { Ok(()) }
    }

    /// Sends a conditional write, which reads the row if it has changed none. Returns `None` if it has
    /// changed the row, and otherwise what is there.
    async fn write(
        &self,
        key: &StoreKey,
        expected: &Version,
        statement: impl Fn() -> Statement,
        deadline: Instant,
    ) -> Result<Option<Found>, StoreError> {
        let table = &self.0.table;
        let is_ours = expected.as_bytes().len() == VERSION_LEN;
        // No row of ours has another length of version. The statement could only find one of a newer
        // format.
        let request = || match is_ours {
            true => Request::with_look(statement(), has_changed_nothing, table.load(key)),
            false => Request::single(table.load(key)),
        };
        let answers = table.send(request, deadline).await.map_err(Failure::for_write)?;
        let look = if is_ours { answers.looked } else { Some(answers.first) };
        look.map(|look| self.found(look.rows)).transpose()
    }

    fn found(&self, rows: Vec<Row>) -> Result<Found, StoreError> {
        let Some(row) = rows.into_iter().next() else { return Ok(Found::Nothing) };
        let entry = row::decode(row).map_err(|failed| failed.failure.for_read())?;
        let is_live = entry.deadline > self.0.table.clock.now();
        Ok(if is_live { Found::Live(entry) } else { Found::Nothing })
    }
}

/// The row that a refused write has found.
enum Found {
    Nothing,
    Live(Entry),
}

#[async_trait]
impl SessionStore for MysqlStore {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        let table = &self.0.table;
        let request = || Request::single(table.load(key));
        let answers = table.send(request, table.connections.deadline()).await;
        match self.found(answers.map_err(Failure::for_read)?.first.rows)? {
            Found::Live(entry) => Ok(Some(entry)),
            Found::Nothing => Ok(None),
        }
    }

    async fn create(&self, key: &StoreKey, new: &NewEntry) -> Result<Created, StoreError> {
        self.check_size(new)?;
        let table = &self.0.table;
        let deadline = table.connections.deadline();
        while Instant::now() < deadline {
            let answers = table.create(key, new, table.clock.now(), deadline).await;
            let answers = answers.map_err(Failure::for_write)?;
            match (answers.first.found, answers.first.affected) {
                (0, 1) | (FOUND_EXPIRED, 2) => return Ok(Created::Done(Version::from(new.commit))),
                (FOUND_LIVE, _) => return Ok(Created::Exists),
                (FOUND_FOREIGN, _) => {
                    let rows = answers.looked.map(|look| look.rows).unwrap_or_default();
                    if let Some(row) = rows.into_iter().next() {
                        row::decode(row).map_err(|failed| failed.failure.for_write())?;
                    }
                    // Somebody has removed the row, or written one that can be read, since the create found it.
                }
                _ => {
                    let text = "the server's answer to a create makes no sense";
                    return Err(Failed::indeterminate(text).failure.for_write());
                }
            }
        }
        Err(overtaken())
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        new: &NewEntry,
    ) -> Result<Replaced, StoreError> {
        self.check_size(new)?;
        let (table, version) = (&self.0.table, Version::from(new.commit));
        let deadline = table.connections.deadline();
        while Instant::now() < deadline {
            let statement = || {
                let values = vec![
                    version_value(&version),
                    time_value(new.deadline),
                    mysql_async::Value::Bytes(new.bytes.to_vec()),
                    key_value(key),
                    version_value(expected),
                    time_value(table.clock.now()),
                ];
                Statement::new(&table.statements.replace, values)
            };
            match self.write(key, expected, statement, deadline).await? {
                None => return Ok(Replaced::Done(version)),
                Some(Found::Nothing) => return Ok(Replaced::Gone),
                // The row had expired by this server's clock, and another server, whose clock is behind,
                // has touched it since.
                Some(Found::Live(entry)) if entry.version == *expected && version != *expected => {}
                Some(Found::Live(entry)) => return Ok(Replaced::Conflict(entry)),
            }
        }
        Err(overtaken())
    }

    async fn touch(
        &self,
        key: &StoreKey,
        expected: &Version,
        deadline: Timestamp,
    ) -> Result<Touched, StoreError> {
        let table = &self.0.table;
        let statement = || {
            let values = vec![
                time_value(deadline),
                key_value(key),
                version_value(expected),
                time_value(table.clock.now()),
                time_value(deadline),
            ];
            Statement::new(&table.statements.touch, values)
        };
        match self.write(key, expected, statement, table.connections.deadline()).await? {
            None => Ok(Touched::Done),
            Some(Found::Nothing) => Ok(Touched::Gone),
            Some(Found::Live(_)) => Ok(Touched::Skipped),
        }
    }

    async fn delete(&self, key: &StoreKey) -> Result<(), StoreError> {
        let table = &self.0.table;
        let request = || {
            let first = Statement::new(&table.statements.delete, vec![key_value(key)]);
            Request::with_look(first, has_changed_nothing, table.load(key))
        };
        let answers = table.send(request, table.connections.deadline()).await;
        let look = answers.map_err(Failure::for_write)?.looked;
        match look.and_then(|look| look.rows.into_iter().next()).map(row::decode) {
            Some(Err(failed)) => Err(failed.failure.for_write()),
            // A row that is there now came after the delete.
            Some(Ok(_)) | None => Ok(()),
        }
    }
}

fn has_changed_nothing(answer: &Answer) -> bool {
    answer.affected == 0
}

/// Returns the error of a write that was not applied because others were faster.
fn overtaken() -> StoreError {
    let problem = "another server changed the row between the write and the read after it";
    StoreError::new(StoreErrorKind::Unavailable, problem)
}

impl fmt::Debug for MysqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MysqlStore").field("table", &self.0.table.name).finish_non_exhaustive()
    }
}
