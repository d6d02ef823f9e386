//! MariaDB: one server, which syncs its log at each commit.

use std::sync::Arc;

use cloakroom_testing::histories::{Fault, Kind, Run, RunOfLogins, Scene, Trial, Way};
use cloakroom_testing::mariadb::Server;

/// A run over a server that is killed and frozen.
async fn start<S: Scene>() -> Run<S> {
    let server = Arc::new(Server::with(&["--innodb-flush-log-at-trx-commit=1"]));
    let at = server.clone();
    let way = Way::proxies(server.port, move |port| at.url_at(port));
    let kill = |server: &Server| server.process.kill();
    let thaw = |server: &Server| server.process.thaw();
    Run::start("MariaDB, innodb_flush_log_at_trx_commit=1", way, &[])
        .await
        .with(Fault::of_server("the server is killed", &server, kill, Server::start_again))
        .with(Fault::of_server("the server is frozen", &server, Server::freeze, thaw))
}

/// InnoDB shows a commit to others a moment before its log is on the disk and it is acknowledged, so a crash may
/// take back what somebody has read, as the guide says. What was acknowledged stays.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn a_server_that_crashes_loses_nothing_acknowledged() {
    let seen_too_early = [Kind::WentBack, Kind::OutOfOrder, Kind::Torn, Kind::Reappeared];
    let trial: Trial = start().await;
    trial.documented(seen_too_early).run().await.holds();
}

/// An end may be seen and taken back like any other commit.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn a_server_that_crashes_loses_no_login_and_no_end() {
    let run: RunOfLogins = start().await;
    run.documented([Kind::Reappeared]).run().await.holds();
}
