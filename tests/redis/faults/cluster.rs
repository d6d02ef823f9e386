//! A cluster of three primaries with a replica each, in plain text and over TLS.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::super::conformance::Topology;
use super::load::{Guest, Load, layer};
use super::tally::{Tally, recovers_soon};
use cloakroom_testing::processes::wait_until;
use cloakroom_testing::redis::{Cluster, Flavour, TlsCluster};

/// So many that each primary has the sessions of some.
const GUESTS: usize = 12;

async fn guests(topology: &impl Topology) -> (Vec<Guest>, Load) {
    let layer = layer(&topology.server()).await;
    let mut guests = Vec::new();
    for number in 0..GUESTS {
        guests.push(Guest::new(&layer, number).await);
    }
    let load = Load::start(guests.iter().chain(&guests[..GUESTS / 3]).cloned());
    sleep(Duration::from_millis(1_500)).await;
    assert!(load.go_on(20, Duration::from_secs(20)).await);
    (guests, load)
}

/// Returns a slot of the first node, whose address the client was given.
fn slot(cluster: &Cluster) -> u16 {
    let first = cluster.nodes()[0].port;
    let has = |slot: &u16| cluster.primary_of(*slot).is_some_and(|node| node.port == first);
    [0, 6_000, 12_000].into_iter().find(has).unwrap()
}

#[test]
#[ignore = "needs redis-server"]
fn a_killed_primary_loses_no_more_than_the_last_second() {
    recovers_soon("cluster killed", async || {
        let cluster = Cluster::start_hasty(Flavour::Redis7);
        loses_no_more_than_the_last_second(&cluster, guests(&cluster).await).await
    });
}

/// The certificates are for the name by which the client was given the cluster. After the failover it
/// learns the shape from nodes that announce addresses only.
#[test]
#[ignore = "needs redis-server"]
fn a_killed_primary_over_tls_loses_no_more_than_the_last_second() {
    recovers_soon("cluster over TLS killed", async || {
        let cluster = TlsCluster::start_hasty_with_certificates_for_localhost_only(Flavour::Redis7);
        loses_no_more_than_the_last_second(&cluster, guests(&cluster).await).await
    });
}

async fn loses_no_more_than_the_last_second(
    cluster: &Cluster,
    (guests, load): (Vec<Guest>, Load),
) -> Duration {
    let slot = slot(cluster);
    let killed = Instant::now();
    let former = cluster.kill_primary(slot);
    let dead = Instant::now();
    cluster.wait_for_promotion(slot, former);
    let back = Instant::now();
    load.recover().await;
    let tally = Tally::new("primary of a cluster killed", load.stop().await);
    tally.survives_a_failover(&guests, killed, (dead, back)).await
}

/// Returns the slots in which there are sessions.
fn slots_in_use(cluster: &Cluster) -> BTreeSet<u16> {
    let keys = cluster.primaries().into_iter().map(|node| node.ask(&["KEYS", "*"]));
    let names: Vec<_> = keys.flat_map(|keys| keys.list().to_vec()).collect();
    names.iter().map(|name| cluster.slot_of(&name.text())).collect()
}

/// While a slot moves, two nodes have sessions of it, and each redirects to the other. No request has
/// to wait until the slot has moved.
#[test]
#[ignore = "needs redis-server"]
fn sessions_whose_slot_moves_are_served_all_the_time() {
    recovers_soon("cluster resharded", async || {
        let cluster = Cluster::start(Flavour::Redis7);
        let (guests, load) = guests(&cluster).await;
        let mut moves = Vec::new();
        for slot in slots_in_use(&cluster).into_iter().step_by(GUESTS / 3) {
            let nodes = cluster.begin_move(slot);
            sleep(Duration::from_millis(200)).await;
            cluster.move_keys(slot, nodes);
            let moved = Instant::now();
            assert!(load.go_on(20, Duration::from_secs(20)).await, "a task is not served");
            moves.push(moved..Instant::now());
            cluster.finish_move(slot, nodes);
            sleep(Duration::from_millis(200)).await;
        }
        let back = Instant::now();
        load.recover().await;
        let tally = Tally::new("slots moved", load.stop().await);
        for during in moves {
            let (served, took) = (tally.served(&during), during.end - during.start);
            println!("while a slot moved, {took:.1?}: {served} acknowledged");
        }
        tally.is_exact(&guests, back).await
    });
}

/// The node that handed over is a replica by then, and answers `MOVED`.
#[test]
#[ignore = "needs redis-server"]
fn a_primary_that_hands_over_loses_nothing() {
    recovers_soon("cluster handed over", async || {
        let cluster = Cluster::start(Flavour::Redis7);
        let (guests, load) = guests(&cluster).await;
        let slot = slot(&cluster);
        for _ in 0..2 {
            cluster.hand_over(slot);
            cluster.wait_until_whole();
        }
        let back = Instant::now();
        load.recover().await;
        Tally::new("primary handed over, twice", load.stop().await).is_exact(&guests, back).await
    });
}

/// The connection to the frozen primary stays open, and nothing answers on it.
#[test]
#[ignore = "needs redis-server"]
fn a_frozen_primary_is_replaced() {
    recovers_soon("cluster frozen", async || {
        let cluster = Cluster::start_hasty(Flavour::Redis7);
        let (guests, load) = guests(&cluster).await;
        let slot = slot(&cluster);
        let former = cluster.primary_of(slot).unwrap();
        let replica = cluster.replica_of(former).unwrap();
        let frozen = Instant::now();
        former.freeze();
        let dead = Instant::now();
        wait_until("a promoted replica", || replica.is_primary());
        let back = Instant::now();
        load.recover().await;
        former.thaw();
        sleep(Duration::from_secs(1)).await;
        let tally = Tally::new("primary of a cluster frozen", load.stop().await);
        tally.survives_a_failover(&guests, frozen, (dead, back)).await
    });
}
