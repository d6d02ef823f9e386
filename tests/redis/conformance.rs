//! The store contract on every topology, and on every flavour of server that is installed.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cloakroom::store::conformance::{Damage, Harness, run_all, run_damage};
use cloakroom::store::{Authorities, RedisServer, SessionStore, StoreKey};
use cloakroom::{Clock, Timestamp};

use cloakroom_testing::all;
use cloakroom_testing::redis::{
    Cluster, Flavour, Node, Reply, Sentinel, Standalone, Tls, TlsCluster, TlsSentinel, UnixSocket,
};

use super::setup::{builder, open};

const PREFIX: &str = "cloakroom:";

/// A topology that the store can be put on.
pub(crate) trait Topology: Send + Sync {
    fn server(&self) -> RedisServer;

    /// Returns the node that has this key.
    fn node(&self, name: &str) -> &Node;
}

impl Topology for Standalone {
    fn server(&self) -> RedisServer {
        RedisServer::standalone("127.0.0.1", self.port)
    }

    fn node(&self, _: &str) -> &Node {
        self
    }
}

impl Topology for UnixSocket {
    fn server(&self) -> RedisServer {
        RedisServer::unix_socket(self.path())
    }

    fn node(&self, _: &str) -> &Node {
        self
    }
}

impl Topology for Tls {
    fn server(&self) -> RedisServer {
        RedisServer::standalone("localhost", self.port)
            .credentials("sessions", Tls::PASSWORD)
            .tls(Authorities::pem_file(self.ca_file()).unwrap())
    }

    fn node(&self, _: &str) -> &Node {
        self
    }
}

impl Topology for Cluster {
    fn server(&self) -> RedisServer {
        RedisServer::cluster([("127.0.0.1", self.nodes()[0].port)])
    }

    fn node(&self, name: &str) -> &Node {
        self.primary_of(self.slot_of(name)).unwrap()
    }
}

impl Topology for Sentinel {
    fn server(&self) -> RedisServer {
        let sentinels = self.watchers().iter().map(|watcher| ("127.0.0.1", watcher.port));
        RedisServer::sentinel(Self::SERVICE, sentinels)
    }

    fn node(&self, _: &str) -> &Node {
        self.primary()
    }
}

impl Topology for TlsCluster {
    fn server(&self) -> RedisServer {
        RedisServer::cluster([("localhost", self.nodes()[0].port)])
            .tls(Authorities::pem_file(self.certificates.ca_file()).unwrap())
    }

    fn node(&self, name: &str) -> &Node {
        (**self).node(name)
    }
}

impl Topology for TlsSentinel {
    fn server(&self) -> RedisServer {
        (**self).server().tls(Authorities::pem_file(self.certificates.ca_file()).unwrap())
    }

    fn node(&self, name: &str) -> &Node {
        (**self).node(name)
    }
}

struct On<T>(T);

#[async_trait]
impl<T: Topology> Harness for On<T> {
    async fn open(&self) -> Arc<dyn SessionStore> {
        // As long as a busy machine may take: the laws are not about time.
        Arc::new(open(builder().prefix(PREFIX), &self.0.server()).await)
    }

    fn now(&self) -> Timestamp {
        Clock::system().now()
    }

    async fn advance(&self, by: Duration) {
        tokio::time::sleep(by).await;
    }

    /// The limit is half a gigabyte, which a unit test of the encoding tests.
    fn max_entry_bytes(&self) -> Option<usize> {
        None
    }
}

#[async_trait]
impl<T: Topology> Damage for On<T> {
    async fn corrupt(&self, key: &StoreKey) {
        let hex: String = key.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let name = format!("{PREFIX}{hex}");
        let node = self.0.node(&name);
        assert_eq!(node.ask(&["EXISTS", &name]), Reply::Integer(1));
        node.ask(&["SET", &name, "another program's", "PX", "600000"]).ok();
    }
}

cloakroom::store_conformance!(On(Standalone::start(Flavour::Redis7)), damage, #[ignore = "needs redis-server"]);

/// Tests every law on one server, because starting a server takes longer than testing a law.
async fn keeps_every_law<T: Topology>(topology: T) {
    let harness = On(topology);
    let mut verdicts = run_all(&harness).await;
    verdicts.extend(run_damage(&harness).await);
    let broken: Vec<_> = verdicts.iter().filter(|(_, verdict)| verdict.is_err()).collect();
    assert!(broken.is_empty() && verdicts.len() > 40, "{broken:#?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_unix_socket_keeps_every_law() {
    keeps_every_law(UnixSocket::start(Flavour::Redis7)).await;
}

/// Tests the laws as a user who may use the store's keys only. `acl` tests which commands it needs.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn tls_and_a_limited_user_keep_every_law() {
    keeps_every_law(Tls::start(Flavour::Redis7, PREFIX)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_cluster_keeps_every_law() {
    keeps_every_law(Cluster::start(Flavour::Redis7)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_primary_known_to_sentinels_keeps_every_law() {
    keeps_every_law(Sentinel::start(Flavour::Redis7)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_cluster_over_tls_keeps_every_law() {
    keeps_every_law(TlsCluster::start(Flavour::Redis7)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_primary_known_to_sentinels_over_tls_keeps_every_law() {
    keeps_every_law(TlsSentinel::start(Flavour::Redis7)).await;
}

/// The script that fetches servers names those that are missing, and so does the summary.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn every_other_installed_flavour_keeps_every_law() {
    let others = Flavour::available().iter().filter(|&&flavour| flavour != Flavour::Redis7);
    all(others.map(async |&flavour| {
        println!("{flavour:?}");
        keeps_every_law(Standalone::start(flavour)).await;
    }))
    .await;
}
