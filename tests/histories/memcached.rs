//! Memcached, which keeps nothing when it ends.

use std::sync::Arc;

use cloakroom_testing::histories::{Fault, Kind, Trial, Way};
use cloakroom_testing::memcached::Server;

async fn trial(name: &str, server: &Arc<Server>) -> Trial {
    let way = Way::proxies(server.port, |port| format!("memcached://127.0.0.1:{port}"));
    let thaw = |server: &Server| server.process.thaw();
    Trial::start(name, way, &[]).await.with(Fault::of_server(
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
    trial("Memcached", &server).await.run().await.holds();
}

/// Whoever had a session is a new visitor after a restart, as the guide says. Nothing else may be wrong: no
/// session that was over comes back, and a new one loses nothing.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn a_server_that_dies_takes_whole_sessions_with_it() {
    let server = Arc::new(Server::start());
    let kill = |server: &Server| server.process.kill();
    let killed = Fault::of_server("the server is killed", &server, kill, Server::start_again);
    let trial = trial("Memcached, killed", &server).await.with(killed);
    trial.documented([Kind::Vanished]).run().await.holds();
}
