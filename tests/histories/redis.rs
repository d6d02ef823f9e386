//! Redis: one server that syncs each change, and a primary with a replica and Sentinels.

use std::sync::Arc;

use cloakroom_testing::histories::{Fault, Kind, Run, RunOfLogins, Scene, Trial, Way};
use cloakroom_testing::redis::{Flavour, Sentinel, Standalone};

/// A failover may take the last changes back, a logout among them.
pub(crate) const LOSSES_OF_A_FAILOVER: [Kind; 7] = [
    Kind::Lost,
    Kind::WentBack,
    Kind::OutOfOrder,
    Kind::Torn,
    Kind::Vanished,
    Kind::Returned,
    Kind::Reappeared,
];

/// A run over one server, which syncs each change, and is killed and frozen.
async fn start<S: Scene>() -> Run<S> {
    let options = ["--appendonly", "yes", "--appendfsync", "always"];
    let server = Arc::new(Standalone::with(Flavour::Redis7, &options));
    let way = Way::proxies(server.port, |port| format!("redis://127.0.0.1:{port}"));
    let (kill, start) = (
        |server: &Standalone| server.kill(),
        |server: &Standalone| {
            server.start_again();
        },
    );
    let (freeze, thaw) =
        (|server: &Standalone| server.freeze(), |server: &Standalone| server.thaw());
    Run::start("Redis, appendfsync always", way, &[])
        .await
        .with(Fault::of_server("the server is killed", &server, kill, start))
        .with(Fault::of_server("the server is frozen", &server, freeze, thaw))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_server_that_syncs_each_change_loses_none() {
    let trial: Trial = start().await;
    trial.run().await.holds();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_server_that_syncs_each_change_loses_no_login_and_no_end() {
    let run: RunOfLogins = start().await;
    run.run().await.holds();
}

/// Replication is asynchronous: the guide says that a failover may lose the last changes, and that waiting for
/// replicas makes the loss of a logout rare and not impossible. So losses are counted. A session of somebody
/// else, or more than anybody added, is a fault in any case.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_failover_gives_nobody_what_is_not_theirs() {
    let servers = Arc::new(Sentinel::start(Flavour::Redis7));
    let url = format!("{}?wait_replicas=1&wait_ms=500", servers.url());
    let fail_over = |servers: &Sentinel| {
        let former = servers.kill_primary();
        servers.wait_for_promotion(former);
    };
    let bring_back = |servers: &Sentinel| servers.bring_back(servers.replica());
    Trial::start("Redis, failover with wait_replicas=1", Way::Direct(url), &[])
        .await
        .with(Fault::of_server("the replica takes over", &servers, fail_over, bring_back))
        .documented(LOSSES_OF_A_FAILOVER)
        .run()
        .await
        .holds();
}
