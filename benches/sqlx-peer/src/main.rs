//! Compares our stores with those of `tower-sessions-sqlx-store`, on PostgreSQL and on SQLite: 64 tasks, each with
//! a session of its own.
//!
//! A PostgreSQL server is started for the run, which synchronises its log at each commit. The SQLite files are in
//! the machine's temporary folder, with a log that is synchronised at each commit too. Both sides keep the same
//! record, take turns in short rounds, and encode and decode it each time. The result is our throughput as a
//! multiple of the peer's, by clock and by the CPU time of this process.
//!
//! The peer has a pool of ten connections, as `PgPool::connect` makes it. Its save writes over whatever is there;
//! our replace compares the version.
//!
//! ```sh
//! cargo run --release --locked --manifest-path benches/sqlx-peer/Cargo.toml
//! ```

#![forbid(unsafe_code)]

mod jobs;
// The package of the benches would bring the drivers of all other stores.
#[path = "../../src/measure.rs"]
#[allow(dead_code, reason = "another package uses the rest")]
mod measure;
#[path = "../../src/crew.rs"]
mod crew;

use cloakroom::store::{PostgresServer, PostgresStore, SessionStore, SqliteStore};
use cloakroom_testing::postgres::{DATABASE, PASSWORD, Server, USER};
use cloakroom_testing::processes::Folder;
use tokio::runtime::{Builder, Runtime};
use tower_sessions_sqlx_store::sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tower_sessions_sqlx_store::sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use tower_sessions_sqlx_store::{PostgresStore as PeerPostgres, SqliteStore as PeerSqlite};

use crate::jobs::{Ours, Peer};
use crate::measure::{Effort, compare, is_quick};
use crate::crew::{Meter, crew, crew_lane};

const TASKS: usize = 64;
/// The default of sqlx.
const CONNECTIONS: u32 = 10;

fn main() {
    let runtime = Builder::new_multi_thread().enable_all().build().expect("a runtime");
    println!(
        "our throughput as a multiple of tower-sessions-sqlx-store's (by CPU time), {TASKS} tasks\n"
    );
    println!("database    load          save");
    let server = Server::with(&["fsync=on", "shared_buffers=256MB"]);
    let (ours, peer) =
        runtime.block_on(async { (our_postgres(&server).await, peer_postgres(&server).await) });
    row(&runtime, "PostgreSQL", &ours, &peer);
    let folder = Folder::new();
    let (ours, peer) =
        runtime.block_on(async { (our_sqlite(&folder).await, peer_sqlite(&folder).await) });
    row(&runtime, "SQLite", &ours, &peer);
}

async fn our_postgres(server: &Server) -> PostgresStore {
    let place = PostgresServer::host("127.0.0.1", server.port).credentials(USER, PASSWORD);
    let builder = PostgresStore::builder().sweep_every(None).create_table();
    builder.connect(&place.database(DATABASE)).await.expect("the server is there")
}

async fn peer_postgres(server: &Server) -> PeerPostgres {
    let options = PgConnectOptions::new().host("127.0.0.1").port(server.port);
    let options = options.username(USER).password(PASSWORD).database(DATABASE);
    let pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect_with(options).await;
    let store = PeerPostgres::new(pool.expect("the server is there"));
    store.migrate().await.expect("a table");
    store
}

async fn our_sqlite(folder: &Folder) -> SqliteStore {
    let builder = SqliteStore::builder().sweep_every(None);
    builder.open(folder.join("ours.db")).await.expect("a database")
}

async fn peer_sqlite(folder: &Folder) -> PeerSqlite {
    let options = SqliteConnectOptions::new().filename(folder.join("peer.db"));
    let options = options.create_if_missing(true).journal_mode(SqliteJournalMode::Wal);
    let options = options.synchronous(SqliteSynchronous::Full);
    let pool = SqlitePoolOptions::new().max_connections(CONNECTIONS).connect_with(options).await;
    let store = PeerSqlite::new(pool.expect("a database"));
    store.migrate().await.expect("a table");
    store
}

fn row<O, P>(runtime: &Runtime, name: &str, ours: &O, peer: &P)
where
    O: SessionStore + Clone + 'static,
    P: tower_sessions_core::SessionStore + Clone,
{
    let [load, save] = [false, true].map(|saves| {
        let [by_clock, by_cpu] = [Meter::Clock, Meter::Cpu].map(|meter| {
            let theirs = crew(runtime, TASKS, async || Peer::new(peer.clone(), saves).await);
            let ours = crew(runtime, TASKS, async || Ours::new(ours.clone(), saves).await);
            let mut lanes = [crew_lane(runtime, meter, theirs), crew_lane(runtime, meter, ours)];
            compare(&mut lanes, effort())[1].recip()
        });
        format!("{by_clock:.2} ({by_cpu:.2})")
    });
    println!("{name:<10}  {load:<12}  {save}");
}

fn effort() -> Effort {
    match is_quick() {
        true => Effort { rounds: 3, batch: 4 * TASKS },
        false => Effort { rounds: 40, batch: 20 * TASKS },
    }
}
