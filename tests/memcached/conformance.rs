//! The store contract on one server and several, and on every flavour of server that is here.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cloakroom::store::conformance::{Damage, Harness, run_all, run_damage};
use cloakroom::store::{SessionStore, StoreKey};
use cloakroom::{Clock, Timestamp};
use cloakroom_testing::memcached::{Flavour, PREFIX, Server, Three, Tls, name};

use super::servers::{Servers, builder, open};

/// Servers that the store can run on.
trait Place: Servers + Send + Sync {
    /// Returns the server that owns this key.
    fn server_of(&self, key: &StoreKey) -> &Server;
}

impl Place for Server {
    fn server_of(&self, _: &StoreKey) -> &Server {
        self
    }
}

impl Place for Tls {
    fn server_of(&self, _: &StoreKey) -> &Server {
        &self.server
    }
}

impl Place for Three {
    fn server_of(&self, key: &StoreKey) -> &Server {
        self.home(key)
    }
}

struct On<P>(P);

#[async_trait]
impl<P: Place> Harness for On<P> {
    async fn open(&self) -> Arc<dyn SessionStore> {
        Arc::new(open(builder().prefix(PREFIX), &self.0.servers()).await)
    }

    fn now(&self) -> Timestamp {
        Clock::system().now()
    }

    async fn advance(&self, by: Duration) {
        tokio::time::sleep(by).await;
    }

    fn max_entry_bytes(&self) -> Option<usize> {
        Some((1 << 20) - 512)
    }

    // No `resolution`: deadlines are in the values, to the millisecond.
}

#[async_trait]
impl<P: Place> Damage for On<P> {
    async fn corrupt(&self, key: &StoreKey) {
        let owner = self.0.server_of(key);
        assert_eq!(owner.ask(&format!("ms {} 17 T600\r\nanother program's", name(key))), "HD");
    }
}

cloakroom::store_conformance!(On(Server::start()), damage, #[ignore = "needs memcached"]);

/// Tries every law on one set of servers, because a server takes longer to start than a law to try.
async fn keeps_every_law<P: Place>(place: P) {
    let harness = On(place);
    let mut verdicts = run_all(&harness).await;
    verdicts.extend(run_damage(&harness).await);
    let broken: Vec<_> = verdicts.iter().filter(|(_, verdict)| verdict.is_err()).collect();
    assert!(broken.is_empty() && verdicts.len() > 40, "{broken:#?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn tls_and_a_password_keep_every_law() {
    keeps_every_law(Tls::start()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn three_servers_keep_every_law() {
    keeps_every_law(Three::start()).await;
}

/// A missing server is named by the script that fetches servers, and by the summary.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn the_other_flavour_keeps_every_law() {
    if Flavour::Debian13.is_there() {
        keeps_every_law(Server::with(Flavour::Debian13, &[])).await;
    }
}
