//! A PostgreSQL server for one run, the store's commands on it, and the bare driver's.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use cloakroom::store::{
    CommitId, Created, PostgresServer, PostgresStore, Replaced, SessionStore, StoreKey, Version,
};
use cloakroom::{Clock, Timestamp};
use cloakroom_testing::postgres::{DATABASE, PASSWORD, Server, USER};
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Config, NoTls};

use crate::crew::Job;
use crate::sessions::{entry_of, key_of};

/// The table of both sides.
pub const TABLE: &str = "cloakroom";

const HOST: &str = "127.0.0.1";
const LIFETIME: Duration = Duration::from_secs(30 * 60);

/// Starts a server that synchronises its log at each commit, as servers do in production, and the tests'
/// servers do not.
///
/// # Panics
///
/// If PostgreSQL is not installed.
pub fn server(settings: &[&str]) -> Server {
    Server::with(&[&["fsync=on", "shared_buffers=256MB"], settings].concat())
}

/// Returns a store with as many connections for writes, and two more for reads. It makes its table.
///
/// # Panics
///
/// If the server has ended.
pub async fn store(server: &Server, writes: usize) -> PostgresStore {
    let place = PostgresServer::host(HOST, server.port).credentials(USER, PASSWORD);
    // On a busy machine a slow command is still a result.
    let builder = PostgresStore::builder().command_timeout(Duration::from_secs(60));
    let builder = builder.connections(writes).sweep_every(None).create_table();
    builder.connect(&place.database(DATABASE)).await.expect("the server is there")
}

/// Returns a pool of the driver's connections, which does not test them before each use.
///
/// # Panics
///
/// If there are to be no connections.
pub fn pool(server: &Server, connections: usize) -> Pool {
    let mut config = Config::new();
    config.host(HOST).port(server.port).user(USER).password(PASSWORD).dbname(DATABASE);
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = Manager::from_config(config, NoTls, recycling);
    Pool::builder(manager).max_size(connections).build().expect("a pool")
}

fn next_number() -> usize {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    NUMBER.fetch_add(1, Ordering::Relaxed)
}

fn deadline() -> Timestamp {
    Clock::system().now().saturating_add(LIFETIME)
}

/// A job that calls the store's `load` or `replace` on its own entry.
#[derive(Debug)]
pub struct Ours {
    store: PostgresStore,
    key: StoreKey,
    version: Version,
    record: Bytes,
    writes: bool,
}

impl Ours {
    /// # Panics
    ///
    /// If the entry cannot be created.
    pub async fn new(store: &PostgresStore, record: &Bytes, writes: bool) -> Self {
        let number = next_number();
        let (key, entry) = (key_of(number), entry_of(number, record, deadline()));
        let Ok(Created::Done(version)) = store.create(&key, &entry).await else {
            panic!("a new entry is not created")
        };
        Self { store: store.clone(), key, version, record: record.clone(), writes }
    }
}

impl Job for Ours {
    async fn once(&mut self) {
        if !self.writes {
            let entry = self.store.load(&self.key).await.expect("it answers");
            black_box(entry.expect("it is there"));
            return;
        }
        // Each write is a commit of its own, so that the version is another one each time.
        let entry = entry_of(next_number(), &self.record, deadline());
        match self.store.replace(&self.key, &self.version, &entry).await {
            Ok(Replaced::Done(version)) => self.version = version,
            other => panic!("nobody else writes this one: {other:?}"),
        }
    }
}

/// The statements that the bare driver sends.
#[derive(Clone, Debug)]
pub struct Texts {
    load: Arc<str>,
    replace: Arc<str>,
}

impl Texts {
    /// Statements with the same effect that do less than the store's: the read does not ask whether the server
    /// is read-only, and the write cannot return the row that was faster.
    pub fn plain() -> Self {
        Self {
            load: "SELECT version, deadline, bytes FROM cloakroom WHERE key = $1 AND deadline > $2"
                .into(),
            replace: "UPDATE cloakroom SET version = $3, deadline = $4, bytes = $5 \
                 WHERE key = $1 AND version = $2 AND deadline > $6 RETURNING true"
                .into(),
        }
    }

    /// Returns the store's own statements, as the server has received them.
    ///
    /// # Panics
    ///
    /// If the server has ended.
    pub async fn of_store(server: &Server) -> Self {
        // A connection of each kind, so that each is left with the statement that is looked for.
        let store = store(server, 1).await;
        let mut job = Ours::new(&store, &Bytes::from_static(b"any"), true).await;
        job.once().await;
        job.writes = false;
        job.once().await;
        let last = |begin: &str| {
            let found = server.sql(&format!(
                "SELECT DISTINCT query FROM pg_stat_activity WHERE query LIKE '{begin}%'"
            ));
            let found = found.trim();
            assert!(found.starts_with(begin) && !found.contains('\n'), "one statement: {found}");
            Arc::from(found)
        };
        Self {
            load: last("SELECT version, deadline, bytes"),
            replace: last("WITH cur AS MATERIALIZED"),
        }
    }
}

/// A job of the driver alone: a connection of the pool, a prepared statement, the answer.
#[derive(Debug)]
pub struct Raw {
    pool: Pool,
    texts: Texts,
    key: StoreKey,
    version: [u8; 8],
    record: Bytes,
    writes: bool,
}

impl Raw {
    /// # Panics
    ///
    /// If the row cannot be created.
    pub async fn new(pool: &Pool, texts: &Texts, record: &Bytes, writes: bool) -> Self {
        let (key, version) = (key_of(next_number()), version(next_number()));
        let connection = pool.get().await.expect("the server is there");
        let insert =
            format!("INSERT INTO {TABLE} (key, version, deadline, bytes) VALUES ($1, $2, $3, $4)");
        let values: [&(dyn ToSql + Sync); 4] =
            [&&key.as_bytes()[..], &&version[..], &millis(deadline()), &&record[..]];
        connection.execute(&insert, &values).await.expect("a row");
        let (pool, texts, record) = (pool.clone(), texts.clone(), record.clone());
        Self { pool, texts, key, version, record, writes }
    }

    async fn load(&self, connection: &Object) {
        let select = connection.prepare_typed_cached(&self.texts.load, &[Type::BYTEA, Type::INT8]);
        let select = select.await.expect("a statement");
        let now = millis(Clock::system().now());
        let row = connection.query_one(&select, &[&&self.key.as_bytes()[..], &now]).await;
        let row = row.expect("it is there");
        let (version, deadline, bytes): (&[u8], i64, &[u8]) = (row.get(0), row.get(1), row.get(2));
        black_box((Version::new(version), deadline, Bytes::copy_from_slice(bytes)));
    }

    async fn replace(&mut self, connection: &Object) {
        const BYTES: Type = Type::BYTEA;
        let types = [BYTES, BYTES, BYTES, Type::INT8, BYTES, Type::INT8];
        let update = connection.prepare_typed_cached(&self.texts.replace, &types);
        let update = update.await.expect("a statement");
        let next = version(next_number());
        let (until, now) = (millis(deadline()), millis(Clock::system().now()));
        let (key, version) = (&self.key.as_bytes()[..], &self.version[..]);
        // A copy, as the store's side makes one.
        let record = self.record.to_vec();
        let values: [&(dyn ToSql + Sync); 6] = [&key, &version, &&next[..], &until, &record, &now];
        let row = connection.query_one(&update, &values).await.expect("it answers");
        assert!(row.get::<_, bool>(0), "nobody else writes this one");
        self.version = next;
    }
}

impl Job for Raw {
    async fn once(&mut self) {
        let connection = self.pool.get().await.expect("the server is there");
        match self.writes {
            true => self.replace(&connection).await,
            false => self.load(&connection).await,
        }
    }
}

fn version(number: usize) -> [u8; 8] {
    *CommitId::from_bytes((number as u64).to_be_bytes()).as_bytes()
}

/// Returns the moment as the column has it.
///
/// # Panics
///
/// Never: a moment has 48 bits.
pub(crate) fn millis(moment: Timestamp) -> i64 {
    i64::try_from(moment.as_millis()).expect("48 bits")
}
