//! A MariaDB server for one run, the store's commands on it, and the bare driver's.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use cloakroom::store::{
    CommitId, Created, MysqlServer, MysqlStore, Replaced, SessionStore, StoreKey, Version,
};
use cloakroom::{Clock, Timestamp};
use cloakroom_testing::mariadb::{DATABASE, PASSWORD, Server, TABLE, USER};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder, Pool, PoolConstraints, PoolOpts, Row, Value};

use crate::crew::Job;
use crate::sessions::{entry_of, key_of};

const HOST: &str = "127.0.0.1";
const LIFETIME: Duration = Duration::from_secs(30 * 60);

/// Returns a store with at most this many connections.
///
/// # Panics
///
/// If the server has ended.
pub async fn store(server: &Server, connections: usize) -> MysqlStore {
    let place = MysqlServer::tcp(HOST, server.port, DATABASE).credentials(USER, PASSWORD);
    // On a busy machine a slow command is still a result.
    let builder = MysqlStore::builder().command_timeout(Duration::from_secs(60));
    let builder = builder.max_connections(connections).sweep_every(None);
    builder.connect(&place).await.expect("the server is there")
}

/// Returns the driver's own pool, with as many connections.
///
/// # Panics
///
/// If there are to be no connections.
pub fn pool(server: &Server, connections: usize) -> Pool {
    let constraints = PoolConstraints::new(0, connections).expect("at least one");
    let pool = PoolOpts::new()
        .with_constraints(constraints)
        .with_reset_connection(false)
        .with_inactive_connection_ttl(Duration::from_secs(60));
    let opts: Opts = OptsBuilder::default()
        .ip_or_hostname(HOST)
        .tcp_port(server.port)
        .user(Some(USER))
        .pass(Some(PASSWORD))
        .db_name(Some(DATABASE))
        .prefer_socket(false)
        .pool_opts(pool)
        .into();
    Pool::new(opts)
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
    store: MysqlStore,
    key: StoreKey,
    version: Version,
    record: Bytes,
    writes: bool,
}

impl Ours {
    /// # Panics
    ///
    /// If the entry cannot be created.
    pub async fn new(store: &MysqlStore, record: &Bytes, writes: bool) -> Self {
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
    /// A read that does less than the store's, because it does not ask whether the server is read-only. The
    /// write is the store's own.
    pub fn plain() -> Self {
        Self {
            load: format!("SELECT version, deadline, bytes FROM `{TABLE}` WHERE `key` = ?").into(),
            replace: format!(
                "UPDATE `{TABLE}` SET version = ?, deadline = ?, bytes = ? \
                 WHERE `key` = ? AND version = ? AND deadline > ?"
            )
            .into(),
        }
    }

    /// Returns the store's own statements, as the server has received them.
    ///
    /// # Panics
    ///
    /// If the server has ended.
    pub async fn of_store(server: &Server) -> Self {
        server.sql("SET GLOBAL log_output = 'TABLE'; SET GLOBAL general_log = 1");
        let store = store(server, 1).await;
        let mut job = Ours::new(&store, &Bytes::from_static(b"any"), true).await;
        job.once().await;
        job.writes = false;
        job.once().await;
        server.sql("SET GLOBAL general_log = 0");
        let prepared = |pattern: &str| {
            let found = server.sql(&format!(
                "SELECT DISTINCT argument FROM mysql.general_log \
                 WHERE command_type = 'Prepare' AND argument LIKE '{pattern}'"
            ));
            let found = found.trim();
            assert!(!found.is_empty() && !found.contains('\n'), "one statement: {found}");
            Arc::from(found)
        };
        Self {
            load: prepared("SELECT version, deadline, bytes%"),
            replace: prepared("UPDATE %bytes = ?%"),
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
        let mut conn = pool.get_conn().await.expect("the server is there");
        let insert =
            format!("INSERT INTO {TABLE} (`key`, version, deadline, bytes) VALUES (?, ?, ?, ?)");
        let values = vec![
            bytes(key.as_bytes()),
            bytes(&version),
            Value::UInt(deadline().as_millis()),
            bytes(record),
        ];
        conn.exec_drop(insert, values).await.expect("a row");
        let (pool, texts, record) = (pool.clone(), texts.clone(), record.clone());
        Self { pool, texts, key, version, record, writes }
    }

    async fn load(&self, conn: &mut Conn) {
        let key = vec![bytes(self.key.as_bytes())];
        let row: Option<Row> = conn.exec_first(&*self.texts.load, key).await.expect("it answers");
        black_box(row.expect("it is there"));
    }

    async fn replace(&mut self, conn: &mut Conn) {
        let next = version(next_number());
        let values = vec![
            bytes(&next),
            Value::UInt(deadline().as_millis()),
            bytes(&self.record),
            bytes(self.key.as_bytes()),
            bytes(&self.version),
            Value::UInt(Clock::system().now().as_millis()),
        ];
        conn.exec_drop(&*self.texts.replace, values).await.expect("it answers");
        assert_eq!(conn.affected_rows(), 1, "nobody else writes this one");
        self.version = next;
    }
}

impl Job for Raw {
    async fn once(&mut self) {
        let mut conn = self.pool.get_conn().await.expect("the server is there");
        match self.writes {
            true => self.replace(&mut conn).await,
            false => self.load(&mut conn).await,
        }
    }
}

fn bytes(bytes: &[u8]) -> Value {
    Value::Bytes(bytes.to_vec())
}

fn version(number: usize) -> [u8; 8] {
    *CommitId::from_bytes((number as u64).to_be_bytes()).as_bytes()
}
