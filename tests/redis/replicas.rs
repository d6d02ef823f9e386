//! Waiting for replicas: after what ends a session, and after nothing else.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use cloakroom::store::{RedisServer, RedisStore};
use cloakroom::{Key, SessionLayer};

use super::conformance::Topology;
use cloakroom_testing::redis::{Cluster, Flavour, Sentinel};
use cloakroom_testing::{Visitor, all, respond};

async fn layer(server: &RedisServer, within: Duration) -> SessionLayer {
    let store = RedisStore::builder().wait_for_replicas(1, within).connect(server).await.unwrap();
    SessionLayer::new(store, Key::from_bytes(&[7; 32]).unwrap())
}

async fn a_life(guest: &Visitor) {
    guest.visit(async |session| session.insert("k", &1)).await.is_ok();
    guest.visit(async |session| session.insert("k", &2)).await.is_ok();
    guest.ask(async |lazy| respond(lazy.load().await.map(|session| session.renew()))).await.is_ok();
    guest.visit(async |session| session.destroy().await).await.is_ok();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_logout_and_a_renewal_wait_and_a_write_does_not() {
    let servers = Sentinel::start(Flavour::Redis7);
    let guest = Visitor::new(layer(&servers.server(), Duration::from_secs(2)).await);
    a_life(&guest).await;
    let mut monitor = servers.monitor();
    a_life(&guest).await;
    let sent = [("GET", 3), ("SET", 2), ("EVALSHA", 3), ("WAIT", 2)];
    assert_eq!(monitor.count(), BTreeMap::from(sent.map(|(name, count)| (name.to_owned(), count))));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn in_a_cluster_the_wait_is_at_the_keys_own_node() {
    let cluster = Cluster::start(Flavour::Redis7);
    let layer = layer(&cluster.server(), Duration::from_secs(2)).await;
    for _ in 0..20 {
        a_life(&Visitor::new(layer.clone())).await;
    }
    let mut monitor = cluster.monitor();
    for _ in 0..20 {
        a_life(&Visitor::new(layer.clone())).await;
    }
    // Who waits and who has written are the same connection.
    let commands = monitor.take();
    let of = |name: &str| commands.iter().filter(|command| command.name == name).count();
    assert_eq!(of("WAIT"), 40);
    for (at, wait) in commands.iter().enumerate().filter(|(_, command)| command.name == "WAIT") {
        let before = commands[..at].iter().rev().find(|other| other.client == wait.client);
        assert_eq!(before.map(|command| &*command.name), Some("EVALSHA"));
    }
}

/// Those who do not log out are not held up by those who wait in vain, nor they by each other.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_replica_that_is_gone_delays_logouts_by_no_more_than_was_set() {
    // Five writes take milliseconds; the rest is for a busy machine.
    const WITHIN: Duration = Duration::from_secs(4);
    let servers = Sentinel::start(Flavour::Redis7);
    let layer = layer(&servers.server(), WITHIN)
        .await
        .command_timeout(3 * WITHIN)
        .commit_timeout(3 * WITHIN);
    let guests: Vec<_> = (0..11).map(|_| Visitor::new(layer.clone())).collect();
    for guest in &guests {
        guest.visit(async |session| session.insert("k", &1)).await.is_ok();
    }
    servers.replica().freeze();
    let began = Instant::now();
    let (writer, leaving) = guests.split_first().unwrap();
    let logouts = leaving.iter().map(async |guest| {
        guest.visit(async |session| session.destroy().await).await.is_ok();
        began.elapsed()
    });
    let writes = async {
        for count in 0..5 {
            writer.visit(async |session| session.insert("k", &count)).await.is_ok();
        }
        began.elapsed()
    };
    let (logouts, written) = tokio::join!(all(logouts), writes);
    let first = logouts.iter().min().unwrap();
    assert!(*first >= WITHIN, "it waited: {first:?}");
    assert!(written < *first, "who writes does not wait: {written:?}");
    servers.replica().thaw();
}
