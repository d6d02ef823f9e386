//! A primary that Sentinels replace, in plain text and over TLS.

use std::time::{Duration, Instant};

use cloakroom::store::RedisServer;
use tokio::time::sleep;

use super::super::conformance::Topology;
use super::load::{Guest, Load, layer};
use super::tally::{Tally, recovers_soon};
use cloakroom_testing::redis::{Flavour, Sentinel, TlsSentinel};

#[test]
#[ignore = "needs redis-server"]
fn a_failover_loses_no_more_than_the_last_second() {
    recovers_soon("sentinel", async || {
        let servers = Sentinel::start(Flavour::Redis7);
        loses_no_more_than_the_last_second(&servers, &servers.server()).await
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_failover_over_tls_loses_no_more_than_the_last_second() {
    recovers_soon("sentinel over TLS", async || {
        let servers = TlsSentinel::start(Flavour::Redis7);
        loses_no_more_than_the_last_second(&servers, &servers.server()).await
    });
}

async fn loses_no_more_than_the_last_second(servers: &Sentinel, address: &RedisServer) -> Duration {
    let layer = layer(address).await;
    let mut guests = Vec::new();
    for number in 0..4 {
        guests.push(Guest::new(&layer, number).await);
    }
    let load = Load::start([guests.clone(), guests.clone()].concat());
    sleep(Duration::from_millis(1_500)).await;
    assert!(load.go_on(20, Duration::from_secs(20)).await);
    let killed = Instant::now();
    let former = servers.kill_primary();
    let dead = Instant::now();
    servers.wait_for_promotion(former);
    let back = Instant::now();
    load.recover().await;
    let tally = Tally::new("Sentinel failover", load.stop().await);
    tally.survives_a_failover(&guests, killed, (dead, back)).await
}
