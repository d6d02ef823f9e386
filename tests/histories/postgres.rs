//! PostgreSQL: one server, and a primary with a synchronous standby.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cloakroom_testing::histories::{Fault, Run, RunOfLogins, Scene, Trial, Way};
use cloakroom_testing::postgres::{Pair, Server, table};
use cloakroom_testing::processes::wait_until;

/// A run over one server, which is killed and frozen.
async fn start<S: Scene>() -> Run<S> {
    let server = Arc::new(Server::with(&["fsync=on"]));
    let (at, table) = (server.clone(), table());
    let url = move |port| format!("{}?table={table}&create=true", at.url_at(port));
    Run::start("PostgreSQL, fsync", Way::proxies(server.port, url), &[])
        .await
        .with(Fault::of_server("the server is killed", &server, Server::kill, Server::start_again))
        .with(Fault::of_server("the server is frozen", &server, Server::freeze, Server::thaw))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn a_server_that_crashes_loses_no_login_and_no_end() {
    let run: RunOfLogins = start().await;
    run.run().await.holds();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn a_server_that_crashes_loses_nothing() {
    let trial: Trial = start().await;
    trial.run().await.holds();
}

/// A primary, a standby that has every commit before it is acknowledged, and which of them is the primary.
struct Synchronous {
    pair: Pair,
    is_promoted: AtomicBool,
}

impl Synchronous {
    fn start() -> Self {
        let pair = Pair::start();
        pair.primary.sql("ALTER SYSTEM SET synchronous_standby_names = '*'");
        pair.primary.sql("SELECT pg_reload_conf()");
        wait_until("a synchronous standby", || {
            pair.primary.sql("SELECT sync_state FROM pg_stat_replication") == "sync"
        });
        Self { pair, is_promoted: AtomicBool::new(false) }
    }

    fn primary(&self) -> &Server {
        let is_promoted = self.is_promoted.load(Ordering::SeqCst);
        if is_promoted { &self.pair.standby } else { &self.pair.primary }
    }

    fn fail_over(&self) {
        self.pair.primary.kill();
        self.pair.promote();
        self.is_promoted.store(true, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn a_synchronous_standby_that_takes_over_has_everything() {
    let servers = Arc::new(Synchronous::start());
    let way = Way::Direct(servers.pair.url_of(&table()));
    let (freeze, thaw) = (
        |servers: &Synchronous| servers.primary().freeze(),
        |servers: &Synchronous| {
            servers.primary().thaw();
        },
    );
    // After the promotion it is the primary: the same fault as the other one.
    let freeze_standby = |servers: &Synchronous| servers.pair.standby.freeze();
    let thaw_standby = |servers: &Synchronous| servers.pair.standby.thaw();
    Trial::start("PostgreSQL, synchronous standby", way, &[])
        .await
        .with(Fault::of_server("the primary is frozen", &servers, freeze, thaw))
        .with(Fault::of_server("the standby is frozen", &servers, freeze_standby, thaw_standby))
        .with(
            Fault::of_server("the standby takes over", &servers, Synchronous::fail_over, |_| {})
                .once(),
        )
        .run()
        .await
        .holds();
}
