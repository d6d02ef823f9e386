//! Memcached, which keeps nothing when it ends.

use std::sync::Arc;

use cloakroom_testing::histories::{Fault, Kind, Run, RunOfLogins, Scene, Trial, Way};
use cloakroom_testing::memcached::Server;

/// A run over a server that is frozen.
async fn start<S: Scene>(name: &str, server: &Arc<Server>) -> Run<S> {
    let way = Way::proxies(server.port, |port| format!("memcached://127.0.0.1:{port}"));
    let thaw = |server: &Server| server.process.thaw();
    Run::start(name, way, &[]).await.with(Fault::of_server(
        "the server is frozen",
        server,
        Server::freeze,
        thaw,
    ))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn a_server_that_lives_loses_nothing() {
    let server = Arc::new(Server::start());
    let trial: Trial = start("Memcached", &server).await;
    trial.run().await.holds();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn a_server_that_lives_loses_no_login_and_no_end() {
    let server = Arc::new(Server::start());
    let run: RunOfLogins = start("Memcached", &server).await;
    run.run().await.holds();
}

/// Whoever had a session is a new visitor after a restart, as the guide says. Nothing else may be wrong: no
/// session that was over comes back, and a new one loses nothing.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn a_server_that_dies_takes_whole_sessions_with_it() {
    let server = Arc::new(Server::start());
    let kill = |server: &Server| server.process.kill();
    let killed = Fault::of_server("the server is killed", &server, kill, Server::start_again);
    let trial: Trial = start("Memcached, killed", &server).await;
    trial.with(killed).documented([Kind::Vanished]).run().await.holds();
}
