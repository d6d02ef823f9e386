//! The store that an app sees: the five commands of the contract, of which each is one statement.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;
use tokio_postgres::Row;

use super::call::Call;
use super::connections::Connections;
use super::failure::Problem;
use super::row;
use super::sweeper::Sweeper;
use super::table_name::TableName;
use crate::abort_on_drop::AbortOnDrop;
use crate::backoff::Backoff;
use crate::clock::{Clock, Timestamp};
use crate::entropy;
use crate::error::StoreError;
use crate::id::StoreKey;
use crate::store::contract::SessionStore;
use crate::store::entry::{Created, Entry, NewEntry, Replaced, Touched, Version};
use crate::store::failure::Failure;

/// The pauses before a statement that the server did not apply is sent once more.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(100));

/// Keeps sessions in PostgreSQL 14 or later: RDS, Aurora, or a server of your own. Clones share the
/// connections.
///
/// Each command is one statement, in a transaction of its own, and one round trip:
///
/// | | statement |
/// |---|---|
/// | load | `SELECT` |
/// | create | `INSERT … ON CONFLICT DO UPDATE`, over an expired row only |
/// | replace, touch | `SELECT … FOR NO KEY UPDATE` and `UPDATE` in one; it answers with the row that it has locked |
/// | delete | `SELECT … FOR UPDATE` and `DELETE` in one |
///
/// The commands of all requests share a few connections, on which they follow each other without waiting.
/// A command is sent a second time only if the server's error proves that the first was not applied. This
/// process's clock decides what has expired, and never the server's.
///
/// # What it cannot promise
///
/// Replication is asynchronous unless `synchronous_standby_names` is set: a standby that takes over may lack
/// what was acknowledged in the last moments, logouts included. The [guide](crate::guide::postgres) says what
/// to do about that.
///
/// # Limits
///
/// An entry has at most 1 MiB, unless [`max_entry_bytes`](super::PostgresStoreBuilder::max_entry_bytes) says
/// otherwise.
///
/// ```no_run
/// use cloakroom::store::{PostgresServer, PostgresStore};
/// use cloakroom::{Key, SessionLayer};
///
/// # async fn open(password: &str) -> Result<(), Box<dyn std::error::Error>> {
/// let server = PostgresServer::host("shop.abc123.eu-west-1.rds.amazonaws.com", 5432)
///     .credentials("shop", password)
///     .database("shop");
/// let store = PostgresStore::builder().connect(&server).await?;
/// let layer = SessionLayer::new(store, Key::generate()?);
/// # let _ = layer;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct PostgresStore(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) connections: Arc<Connections>,
    pub(super) table: TableName,
    pub(super) command_timeout: Duration,
    pub(super) max_entry_bytes: usize,
    pub(super) clock: Clock,
    pub(super) sweeper: Arc<Sweeper>,
    pub(super) _sweeping: Option<AbortOnDrop<()>>,
}

impl PostgresStore {
    /// Removes all expired sessions now, and returns how many there were. Those that expired within the last
    /// minute stay, because the clocks of other servers may differ.
    ///
    /// The store does so by itself, about once per
    /// [`sweep_every`](super::PostgresStoreBuilder::sweep_every). Expired sessions are absent for every command
    /// in any case; this frees their space.
    ///
    /// # Errors
    ///
    /// Those of any command. What was removed before the error stays removed.
    ///
    /// ```no_run
    /// # async fn sweep(store: &cloakroom::store::PostgresStore) -> Result<(), cloakroom::store::StoreError> {
    /// store.sweep().await?;
    /// assert_eq!(store.sweep().await?, 0, "the first sweep has removed all of them");
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias("cleanup", "delete_expired", "vacuum"))]
    pub async fn sweep(&self) -> Result<u64, StoreError> {
        let sweeper = self.0.sweeper.clone();
        // In a task of its own: a future that nobody polls would keep a connection of the app's pool.
        let sweeping = AbortOnDrop::new(tokio::spawn(async move { sweeper.sweep().await }));
        let swept =
            sweeping.await.unwrap_or_else(|_| Err(Problem::not_sent("the sweep was ended")));
        swept.map_err(|problem| problem.failure.for_read())
    }

    fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    fn check_size(&self, new: &NewEntry) -> Result<(), StoreError> {
        let (size, limit) = (new.bytes.len(), self.0.max_entry_bytes);
        if size <= limit { Ok(()) } else { Err(StoreError::too_large(size, limit)) }
    }

    /// Sends a read. One whose answer is lost is sent once more.
    async fn read(&self, call: impl Fn() -> Call + Send + Sync) -> Result<Vec<Row>, StoreError> {
        let deadline = self.deadline();
        let answer = match self.send(&call, deadline).await {
            Err(problem) if problem.is_lost() && Instant::now() < deadline => {
                self.send(&call, deadline).await
            }
            answer => answer,
        };
        answer.map_err(|problem| problem.failure.for_read())
    }

    /// Sends a write.
    async fn write(&self, call: impl Fn() -> Call + Send + Sync) -> Result<Vec<Row>, StoreError> {
        let answer = self.send(&call, self.deadline()).await;
        answer.map_err(|problem| problem.failure.for_write())
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.0.command_timeout
    }

    /// Sends a command, and sends it again only while the server's error proves that it was not applied.
    async fn send(
        &self,
        call: impl Fn() -> Call + Send + Sync,
        deadline: Instant,
    ) -> Result<Vec<Row>, Problem> {
        let (mut failures, mut refusal) = (0, None::<Problem>);
        loop {
            let call = call();
            let is_read = !call.kind.is_write();
            match self.0.connections.send(call, deadline).await {
                Err(problem) if problem.may_be_sent_again() => {
                    failures += 1;
                    let random = entropy::for_a_pause(entropy::operating_system);
                    let pause = PAUSES.pause(failures, random);
                    if Instant::now() + pause >= deadline {
                        return Err(problem);
                    }
                    refusal = Some(problem);
                    tokio::time::sleep(pause).await;
                }
                // The time is up: the refusal before says more than that this attempt was too late. Of a
                // write, a lost answer says that it may have been applied.
                Err(problem) if Instant::now() >= deadline && (is_read || !problem.is_lost()) => {
                    return Err(refusal.filter(|_| problem.may_pass()).unwrap_or(problem));
                }
                answer => return answer,
            }
        }
    }
}

#[async_trait]
impl SessionStore for PostgresStore {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        let rows = self.read(|| Call::load(key, self.now())).await?;
        rows.first().map(row::entry).transpose().map_err(Failure::for_read)
    }

    async fn create(&self, key: &StoreKey, new: &NewEntry) -> Result<Created, StoreError> {
        self.check_size(new)?;
        let rows = self.write(|| Call::create(key, new, self.now())).await?;
        created(rows.first(), new).map_err(Failure::for_read)
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        new: &NewEntry,
    ) -> Result<Replaced, StoreError> {
        self.check_size(new)?;
        let rows = self.write(|| Call::replace(key, expected, new, self.now())).await?;
        replaced(rows.first(), new).map_err(Failure::for_read)
    }

    async fn touch(
        &self,
        key: &StoreKey,
        expected: &Version,
        deadline: Timestamp,
    ) -> Result<Touched, StoreError> {
        let rows = self.write(|| Call::touch(key, expected, deadline, self.now())).await?;
        touched(rows.first()).map_err(Failure::for_read)
    }

    async fn delete(&self, key: &StoreKey) -> Result<(), StoreError> {
        let rows = self.write(|| Call::delete(key)).await?;
        kept(rows.first()).map_err(Failure::for_read)
    }
}

/// Reads the answer to `create`: whether it was done, or the row that is in the way. No row at all means
/// that another command has created one meanwhile.
fn created(row: Option<&Row>, new: &NewEntry) -> Result<Created, Failure> {
    let Some(row) = row else { return Ok(Created::Exists) };
    if row::column(row, "done")? {
        return Ok(Created::Done(new.commit.into()));
    }
    row::head(row)?;
    Ok(Created::Exists)
}

fn replaced(row: Option<&Row>, new: &NewEntry) -> Result<Replaced, Failure> {
    let Some(row) = row else { return Ok(Replaced::Gone) };
    if row::column(row, "done")? {
        return Ok(Replaced::Done(new.commit.into()));
    }
    Ok(Replaced::Conflict(row::entry(row)?))
}

fn touched(row: Option<&Row>) -> Result<Touched, Failure> {
    let Some(row) = row else { return Ok(Touched::Gone) };
    row::head(row)?;
    Ok(if row::column(row, "done")? { Touched::Done } else { Touched::Skipped })
}

/// Reads the answer to `delete`: the version of a row that stays, because a newer release has written it.
fn kept(row: Option<&Row>) -> Result<(), Failure> {
    let Some(row) = row else { return Ok(()) };
    row::version(row::column(row, "version")?)?;
    Ok(())
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore")
            .field("table", &format_args!("{}", self.0.table))
            .field("command_timeout", &self.0.command_timeout)
            .field("max_entry_bytes", &self.0.max_entry_bytes)
            .finish_non_exhaustive()
    }
}
