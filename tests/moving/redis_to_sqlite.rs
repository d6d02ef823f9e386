//! From a real Redis to a database: the contract, the promises, and the races of a user's sessions, with a server of each
//! step. The sessions are created in one store and the other, and move.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use cloakroom::store::conformance::{Harness, run_all};
use cloakroom::store::{
    Moving, RedisServer, RedisStore, SessionStore, SqliteStore, SqliteSynchronous,
};
use cloakroom::{Clock, Timestamp};
use cloakroom_testing::processes::Folder;
use cloakroom_testing::redis::{Flavour, Standalone};
use cloakroom_testing::{House, MINUTE, patiently, users_races};

use crate::conformance::ABOUT_TOUCHES;
use crate::wrapped::{InTurn, Wrapped};

/// One server and one database serve all tests: their ids are random and never meet.
static SERVER: LazyLock<Standalone> = LazyLock::new(|| Standalone::start(Flavour::Redis7));
static FOLDER: LazyLock<Folder> = LazyLock::new(Folder::new);

async fn redis(clock: Clock) -> RedisStore {
    let server = RedisServer::standalone("127.0.0.1", SERVER.port);
    let builder = RedisStore::builder().command_timeout(MINUTE / 2).clock(clock);
    patiently(|| builder.clone().connect(&server)).await
}

async fn sqlite(clock: Clock) -> SqliteStore {
    // A busy machine is no reason for an outage, and no machine crashes here.
    let store = SqliteStore::builder().command_timeout(MINUTE).clock(clock);
    let store = store.synchronous(SqliteSynchronous::Normal);
    store.open(FOLDER.join("sessions.db")).await.unwrap()
}

/// Returns a server of each of the two steps.
async fn of_both_steps(clock: Clock) -> [Arc<dyn SessionStore>; 2] {
    let (from, to) = (redis(clock.clone()).await, sqlite(clock.clone()).await);
    let old_first = Moving::old_first(from.clone(), to.clone()).clock(clock.clone());
    [Arc::new(old_first), Arc::new(Moving::new_first(from, to).clock(clock))]
}

/// The laws get a server of each step in turn. The clock is the system's, because Redis has its own.
struct InTurns {
    servers: [Arc<dyn SessionStore>; 2],
    opened: AtomicUsize,
}

#[async_trait]
impl Harness for InTurns {
    async fn open(&self) -> Arc<dyn SessionStore> {
        let turn = self.opened.fetch_add(1, Ordering::Relaxed);
        self.servers[turn % self.servers.len()].clone()
    }

    fn now(&self) -> Timestamp {
        Clock::system().now()
    }

    async fn advance(&self, by: Duration) {
        tokio::time::sleep(by).await;
    }

    /// That of the database, which is the smaller one.
    fn max_entry_bytes(&self) -> Option<usize> {
        Some(1 << 20)
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn servers_of_both_steps_break_no_law_but_those_about_touches() {
    let servers = of_both_steps(Clock::system()).await;
    let servers = servers.map(|store| Wrapped::new(store).shared());
    let verdicts = run_all(&InTurns { servers, opened: AtomicUsize::new(0) }).await;
    assert!(verdicts.len() > 35, "{}", verdicts.len());
    let broken: Vec<_> = verdicts
        .iter()
        .filter(|(law, verdict)| verdict.is_err() && !ABOUT_TOUCHES.contains(law))
        .collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn no_login_and_no_renewal_survives_an_end_and_no_limit_is_exceeded() {
    users_races::run(of_both_steps(Clock::system()).await, 100).await;
}

fn house() -> House {
    // It starts outside of every command's time.
    LazyLock::force(&SERVER);
    House::opening(async |clock| InTurn::new(of_both_steps(clock.into()).await.to_vec()))
}

mod promises {
    cloakroom_testing::promises!(super::house, #[ignore = "needs redis-server"]);
}
