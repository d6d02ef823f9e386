//! The store contract on the store's own connections, on a pool, and behind a pooler.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cloakroom::store::conformance::{Damage, Harness, run_all, run_damage};
use cloakroom::store::{PostgresStore, PostgresStoreBuilder, SessionStore, StoreKey};
use cloakroom::{Clock, ManualClock, Timestamp};
use cloakroom_testing::postgres::{Bouncer, DATABASE, Mode, PASSWORD, Server, USER, table};
use deadpool_postgres::{Manager, Pool};
use tokio_postgres::NoTls;

use super::stores::{at_port, builder, literal};

/// How a store reaches the server that all tests share.
enum Way {
    Own,
    Pool(&'static str),
    Bouncer(Bouncer),
}

struct On {
    way: Way,
    table: String,
    clock: ManualClock,
}

impl On {
    fn by(way: Way) -> Self {
        Self { way, table: table(), clock: ManualClock::at(Clock::system().now()) }
    }

    async fn connect(&self, builder: PostgresStoreBuilder) -> PostgresStore {
        let opened = match &self.way {
            Way::Own => builder.connect(&at_port(Server::shared().port)).await,
            Way::Bouncer(bouncer) => builder.connect(&at_port(bouncer.port)).await,
            Way::Pool(options) => builder.pool(pool(Server::shared().port, options)).await,
        };
        opened.unwrap()
    }
}

pub(crate) fn pool(port: u16, options: &str) -> Pool {
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(port).user(USER).password(PASSWORD).dbname(DATABASE);
    config.options(options);
    Pool::builder(Manager::new(config, NoTls)).max_size(8).build().unwrap()
}

#[async_trait]
impl Harness for On {
    async fn open(&self) -> Arc<dyn SessionStore> {
        let builder = builder(&self.table).clock(self.clock.clone()).max_entry_bytes(10_000);
        // Some laws have hundreds of commands under way, and the tests run beside each other.
        let builder = builder.connections(3).command_timeout(Duration::from_secs(120));
        Arc::new(self.connect(builder).await)
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    fn max_entry_bytes(&self) -> Option<usize> {
        Some(10_000)
    }
}

#[async_trait]
impl Damage for On {
    async fn corrupt(&self, key: &StoreKey) {
        let (table, key) = (&self.table, literal(key));
        Server::shared().sql(&format!("UPDATE {table} SET version = 'abc' WHERE key = {key}"));
    }
}

cloakroom::store_conformance!(On::by(Way::Own), damage, #[ignore = "needs postgresql"]);

/// Tries every law on one table.
async fn keeps_every_law(way: Way) {
    let harness = On::by(way);
    let mut verdicts = run_all(&harness).await;
    verdicts.extend(run_damage(&harness).await);
    let broken: Vec<_> = verdicts.iter().filter(|(_, verdict)| verdict.is_err()).collect();
    assert!(broken.is_empty() && verdicts.len() > 40, "{broken:#?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn a_pool_of_the_app_keeps_every_law() {
    keeps_every_law(Way::Pool("")).await;
}

/// There, a command that meets another one fails, and is sent again.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn a_pool_of_serializable_connections_keeps_every_law() {
    keeps_every_law(Way::Pool("-c default_transaction_isolation=serializable")).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql and pgbouncer"]
async fn pgbouncer_in_transaction_mode_keeps_every_law() {
    let bouncer = Bouncer::start(Server::shared(), Mode::Transaction, 4, "");
    keeps_every_law(Way::Bouncer(bouncer)).await;
}
