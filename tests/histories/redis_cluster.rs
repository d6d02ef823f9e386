//! A Redis cluster: slots that move and primaries that hand over lose nothing; a primary that is killed may.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cloakroom_testing::histories::{Fault, Place, Run, RunOfLogins, Scene, Trial, Way};
use cloakroom_testing::redis::{Cluster, Flavour};

use crate::redis::LOSSES_OF_A_FAILOVER;

/// The most slots of each primary that one fault moves: each takes several commands.
const MOST_MOVES: usize = 3;

/// Returns some of the slots that have sessions.
fn slots_in_use(cluster: &Cluster) -> BTreeSet<u16> {
    let lists = cluster.primaries().into_iter().map(|node| node.ask(&["KEYS", "*"]));
    let some =
        lists.flat_map(|keys| keys.list().iter().take(MOST_MOVES).cloned().collect::<Vec<_>>());
    some.map(|key| cluster.slot_of(&key.text())).collect()
}

/// A slot on its way, and the places of the members that had it and get it.
type Move = (u16, usize, usize);

fn begin_to_move(cluster: &Cluster, slot: u16) -> Move {
    let members = cluster.begin_move(slot);
    cluster.move_keys(slot, members);
    let place = |port| cluster.nodes().iter().position(|node| node.port == port).unwrap();
    (slot, place(members.0.port), place(members.1.port))
}

/// The sessions of some slots are at another member, and the members have not announced it: the former one
/// answers `ASK`.
fn slots_move(cluster: &Arc<Cluster>) -> Fault {
    let (here, there) = (cluster.clone(), cluster.clone());
    let moves = Arc::new(Mutex::new(Vec::<Move>::new()));
    let begun = moves.clone();
    let begin = move |_| {
        let slots = slots_in_use(&here);
        begun.lock().unwrap().extend(slots.into_iter().map(|slot| begin_to_move(&here, slot)));
    };
    let end = move |_| {
        for (slot, from, to) in moves.lock().unwrap().drain(..) {
            let nodes = there.nodes();
            there.finish_move(slot, (&nodes[from], &nodes[to]));
        }
        there.wait_until_whole();
    };
    Fault::new("slots move", Place::Store, begin, end)
}

/// A slot of each primary.
const SHARDS: [u16; 3] = [0, 6_000, 12_000];
/// Sooner than four times the members' patience after a take-over, Redis begins no other one of the same shard.
const REST: Duration = Duration::from_secs(45);

/// The primary of some shard hands over to its replica; nothing happens if all have done so a moment ago.
fn hands_over(cluster: &Arc<Cluster>) -> Fault {
    let (here, there) = (cluster.clone(), cluster.clone());
    let last = Mutex::new([None::<Instant>; SHARDS.len()]);
    let begin = move |_| {
        let mut last = last.lock().unwrap();
        let is_rested = |at: &Option<Instant>| at.is_none_or(|at| at.elapsed() > REST);
        if let Some(shard) = last.iter().position(is_rested) {
            here.hand_over(SHARDS[shard]);
            last[shard] = Some(Instant::now());
        }
    };
    Fault::new("a primary hands over", Place::Store, begin, move |_| there.wait_until_whole())
}

/// A run over a cluster whose slots move and whose primaries hand over.
async fn start_rearranged<S: Scene>() -> Run<S> {
    let cluster = Arc::new(Cluster::start(Flavour::Redis7));
    Run::start("Redis Cluster, rearranged", Way::Direct(cluster.url_of_all()), &[])
        .await
        .with(slots_move(&cluster))
        .with(hands_over(&cluster))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_cluster_that_is_rearranged_loses_nothing() {
    let trial: Trial = start_rearranged().await;
    trial.run().await.holds();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_cluster_that_is_rearranged_loses_no_login_and_no_end() {
    let run: RunOfLogins = start_rearranged().await;
    run.run().await.holds();
}

/// As with Sentinels, a failover may lose the last changes, so losses are counted. A session of somebody else,
/// or more than anybody added, is a fault in any case.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_failover_in_a_cluster_gives_nobody_what_is_not_theirs() {
    let cluster = Arc::new(Cluster::start_hasty(Flavour::Redis7));
    let fail_over = |cluster: &Cluster| {
        let slot = slots_in_use(cluster).first().copied().unwrap_or_default();
        let former = cluster.kill_primary(slot);
        cluster.wait_for_promotion(slot, former);
    };
    let way = Way::Direct(format!("{}?wait_replicas=1&wait_ms=500", cluster.url_of_all()));
    Trial::start("Redis Cluster, failover with wait_replicas=1", way, &[])
        .await
        .with(Fault::of_server("a replica takes over", &cluster, fail_over, Cluster::bring_back))
        .documented(LOSSES_OF_A_FAILOVER)
        .run()
        .await
        .holds();
}
