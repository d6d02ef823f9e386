//! The store contract, in plain text, with TLS, over a socket, and under other settings of the server.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cloakroom::store::conformance::{Damage, Harness, run_all, run_damage};
use cloakroom::store::{Authorities, MysqlServer, SessionStore, StoreKey};
use cloakroom::{Clock, ManualClock, Timestamp};
use cloakroom_testing::mariadb::{DATABASE, PASSWORD, Server, TABLE, Tls, USER};

use super::setup::{at, hex, patient};

/// Places that the store can run on.
trait Place: Send + Sync {
    fn server(&self) -> &Server;
    fn described(&self) -> MysqlServer;
}

impl Place for Server {
    fn server(&self) -> &Server {
        self
    }

    fn described(&self) -> MysqlServer {
        at(self.port)
    }
}

impl Place for Tls {
    fn server(&self) -> &Server {
        &self.server
    }

    fn described(&self) -> MysqlServer {
        let authorities = Authorities::pem_file(self.ca_file()).unwrap();
        let server = MysqlServer::tcp("localhost", self.server.port, DATABASE);
        server.credentials(USER, PASSWORD).tls(authorities)
    }
}

/// A server that is reached over its socket.
struct Socket(Server);

impl Place for Socket {
    fn server(&self) -> &Server {
        &self.0
    }

    fn described(&self) -> MysqlServer {
        let socket = self.0.socket.to_str().unwrap();
        MysqlServer::unix_socket(socket, DATABASE).credentials(USER, PASSWORD)
    }
}

struct On<P> {
    place: P,
    clock: ManualClock,
}

impl<P> On<P> {
    fn new(place: P) -> Self {
        Self { place, clock: ManualClock::at(Clock::system().now()) }
    }
}

#[async_trait]
impl<P: Place> Harness for On<P> {
    async fn open(&self) -> Arc<dyn SessionStore> {
        let builder = patient().command_timeout(Duration::from_secs(120)).clock(self.clock.clone());
        Arc::new(builder.connect(&self.place.described()).await.unwrap())
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    fn max_entry_bytes(&self) -> Option<usize> {
        Some(1 << 20)
    }
}

#[async_trait]
impl<P: Place> Damage for On<P> {
    async fn corrupt(&self, key: &StoreKey) {
        let key = hex(key);
        let update = format!("UPDATE {TABLE} SET version = 'short' WHERE `key` = {key}");
        self.place.server().sql(&update);
    }
}

static SHARED: std::sync::LazyLock<Arc<Server>> =
    std::sync::LazyLock::new(|| Arc::new(Server::start()));

impl Place for Arc<Server> {
    fn server(&self) -> &Server {
        self
    }

    fn described(&self) -> MysqlServer {
        at(self.port)
    }
}

cloakroom::store_conformance!(On::new(SHARED.clone()), damage, #[ignore = "needs mariadb-server"]);

/// Tries every law on one server, because a server takes longer to start than a law to try.
async fn keeps_every_law<P: Place>(place: P) {
    let harness = On::new(place);
    let mut verdicts = run_all(&harness).await;
    verdicts.extend(run_damage(&harness).await);
    let broken: Vec<_> = verdicts.iter().filter(|(_, verdict)| verdict.is_err()).collect();
    assert!(broken.is_empty() && verdicts.len() > 40, "{broken:#?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn tls_keeps_every_law() {
    keeps_every_law(Tls::start()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn a_socket_keeps_every_law() {
    keeps_every_law(Socket(Server::start())).await;
}

/// The connection sets what it relies on, whatever the server's defaults are.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn a_server_with_other_defaults_keeps_every_law() {
    let options = [
        "--autocommit=0",
        "--transaction-isolation=SERIALIZABLE",
        "--sql-mode=ANSI_QUOTES",
        "--character-set-server=latin1",
        "--completion-type=CHAIN",
        "--innodb-rollback-on-timeout=1",
    ];
    keeps_every_law(Server::with(&options)).await;
}
