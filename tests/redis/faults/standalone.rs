//! One server.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::super::conformance::Topology;
use super::load::{Guest, Load, layer};
use super::tally::{Tally, recovers_soon};
use cloakroom_testing::redis::{Flavour, Standalone};

/// So many requests of each task that the server knows the scripts.
const WARM_UP: u64 = 50;
const PATIENCE: Duration = Duration::from_secs(30);

/// Four guests with two tasks each.
async fn guests(server: &Standalone) -> (Vec<Guest>, Load) {
    let layer = layer(&server.server()).await;
    let mut guests = Vec::new();
    for number in 0..4 {
        guests.push(Guest::new(&layer, number).await);
    }
    let load = Load::start([guests.clone(), guests.clone()].concat());
    assert!(load.go_on(WARM_UP, PATIENCE).await);
    (guests, load)
}

/// Checks the promises, and that they were kept for gathered commands.
async fn stop_and_check(
    name: &'static str,
    server: &Standalone,
    guests: &[Guest],
    load: Load,
    back: Instant,
) -> Duration {
    assert!(server.has_run("mget"), "no loads were gathered");
    let tasks = load.stop().await;
    Tally::new(name, tasks).is_exact(guests, back).await
}

#[test]
#[ignore = "needs redis-server"]
fn a_frozen_server_is_an_outage_and_loses_nothing() {
    recovers_soon("frozen", async || {
        let server = Standalone::start(Flavour::Redis7);
        let (guests, load) = guests(&server).await;
        server.freeze();
        sleep(Duration::from_secs(5)).await;
        server.thaw();
        let back = Instant::now();
        load.recover().await;
        stop_and_check("frozen for 5 s", &server, &guests, load, back).await
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_server_that_comes_back_empty_has_new_sessions() {
    recovers_soon("restarted", async || {
        let server = Standalone::start(Flavour::Redis7);
        let layer = layer(&server.server()).await;
        let mut guests = Vec::new();
        for number in 0..8 {
            guests.push(Guest::new(&layer, number).await);
        }
        let load = Load::start(guests.clone());
        assert!(load.go_on(WARM_UP, PATIENCE).await);
        server.kill();
        sleep(Duration::from_secs(3)).await;
        server.start_again();
        let back = Instant::now();
        load.recover().await;
        let tally = Tally::new("killed, and back 3 s later", load.stop().await);
        tally.begins_anew(&guests, back).await
    });
}

#[test]
#[ignore = "needs redis-server"]
fn connections_that_are_killed_over_and_over_lose_nothing() {
    recovers_soon("kicked", async || {
        let server = Standalone::start(Flavour::Redis7);
        let (guests, load) = guests(&server).await;
        let (mut killed, mut rounds) = (0, 0);
        // A busy machine needs more rounds until there were as many connections to kill.
        while rounds < 40 || killed < 10 {
            killed += server.client_kill_all();
            sleep(Duration::from_millis(100)).await;
            rounds += 1;
            assert!(rounds < 600, "{killed} killed");
        }
        let back = Instant::now();
        load.recover().await;
        stop_and_check("CLIENT KILL in a loop", &server, &guests, load, back).await
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_full_server_is_an_outage_and_loses_nothing() {
    recovers_soon("full", async || {
        let server = Standalone::start(Flavour::Redis7);
        let (guests, load) = guests(&server).await;
        server.set_max_clients(1);
        assert!(server.client_kill_all() >= 1);
        sleep(Duration::from_secs(3)).await;
        assert!(server.clients().is_empty(), "it refuses");
        server.set_max_clients(1_000);
        let back = Instant::now();
        load.recover().await;
        stop_and_check("maxclients for 3 s", &server, &guests, load, back).await
    });
}

#[test]
#[ignore = "needs redis-server"]
fn scripts_that_the_server_forgets_over_and_over_are_sent_again() {
    recovers_soon("forgotten", async || {
        let server = Standalone::start(Flavour::Redis7);
        let (guests, load) = guests(&server).await;
        for _ in 0..150 {
            server.ask(&["SCRIPT", "FLUSH"]).ok();
            sleep(Duration::from_millis(10)).await;
        }
        let back = Instant::now();
        load.recover().await;
        let tally = Tally::new("SCRIPT FLUSH in a loop", load.stop().await);
        let outage = tally.visits().find(|visit| visit.is_outage());
        assert!(outage.is_none(), "{outage:?}");
        tally.is_exact(&guests, back).await
    });
}
