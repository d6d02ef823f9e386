//! MariaDB: one server, with and without the binary log.

use std::sync::Arc;

use cloakroom_testing::histories::{Fault, Kind, Run, RunOfLogins, Scene, Trial, Way};
use cloakroom_testing::mariadb::Server;

const FLUSHED: &str = "--innodb-flush-log-at-trx-commit=1";
const LOGGED: [&str; 3] = [FLUSHED, "--log-bin", "--sync-binlog=1"];

/// A run over a server that is killed and frozen.
async fn start<S: Scene>(name: &str, options: &[&str]) -> Run<S> {
    let server = Arc::new(Server::with(options));
    let at = server.clone();
    let way = Way::proxies(server.port, move |port| at.url_at(port));
    let kill = |server: &Server| server.process.kill();
    let thaw = |server: &Server| server.process.thaw();
    Run::start(name, way, &[])
        .await
        .with(Fault::of_server("the server is killed", &server, kill, Server::start_again))
        .with(Fault::of_server("the server is frozen", &server, Server::freeze, thaw))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn a_server_that_crashes_loses_nothing() {
    let trial: Trial = start("MariaDB, sync_binlog=1", &LOGGED).await;
    trial.run().await.holds();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn a_server_that_crashes_loses_no_login_and_no_end() {
    let run: RunOfLogins = start("MariaDB, sync_binlog=1", &LOGGED).await;
    run.run().await.holds();
}

/// Without the binary log InnoDB shows a commit to others a moment before it is on the disk and is acknowledged. A
/// crash may take back what somebody has read, and what was acknowledged because of that, as the guide says.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn a_server_without_a_binary_log_takes_back_what_the_guide_says() {
    let seen_too_early = [
        Kind::WentBack,
        Kind::OutOfOrder,
        Kind::Torn,
        Kind::Reappeared,
        Kind::Lost,
        Kind::Returned,
    ];
    let trial: Trial = start("MariaDB, skip_log_bin", &[FLUSHED]).await;
    trial.documented(seen_too_early).run().await.holds();
}
