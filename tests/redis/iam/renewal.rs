//! Open connections log in again with new tokens, and no request fails meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cloakroom::store::{
    CommitId, NewEntry, RedisServer, RedisStore, Replaced, SessionStore, StoreErrorKind, StoreKey,
    Version,
};
use cloakroom::{Clock, ManualClock};
use tokio::task::{JoinHandle, block_in_place};

use super::super::setup::{builder, store};
use super::caches::{Cluster, one_primary};
use super::{Golden, Provider, USER, expect, golden, iam, logins};
use cloakroom_testing::HOUR;
use cloakroom_testing::processes::wait_until;
use cloakroom_testing::redis::{Flavour, Node, Tls};
use cloakroom_testing::refusal;

const OFTEN: Duration = Duration::from_millis(100);

/// Sends requests without a pause. None of them may fail.
pub(super) struct Load {
    done: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<u64>>,
}

impl Load {
    pub(super) fn start(store: &RedisStore) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let task = |visitor| tokio::spawn(visit(store.clone(), visitor, done.clone()));
        let tasks = (0..8).map(task).collect();
        Self { done, tasks }
    }

    /// Returns how many requests there were.
    pub(super) async fn stop(self) -> u64 {
        self.done.store(true, Ordering::Relaxed);
        let mut requests = 0;
        for task in self.tasks {
            requests += task.await.unwrap();
        }
        requests
    }
}

fn entry(commit: u64) -> NewEntry {
    let deadline = Clock::system().now().saturating_add(HOUR);
    NewEntry::new(CommitId::from_bytes(commit.to_be_bytes()), deadline, "bytes")
}

/// Reads and writes in turn. The keys are spread over all nodes.
async fn visit(store: RedisStore, visitor: u8, done: Arc<AtomicBool>) -> u64 {
    let key = StoreKey::from_bytes([visitor; 32]);
    store.create(&key, &entry(0)).await.unwrap();
    let mut requests = 0;
    while !done.load(Ordering::Relaxed) {
        let expected = store.load(&key).await.unwrap().unwrap().version;
        let replaced = store.replace(&key, &expected, &entry(requests + 1)).await.unwrap();
        let next = Version::from(entry(requests + 1).commit);
        assert!(matches!(replaced, Replaced::Done(version) if version == next), "{replaced:?}");
        requests += 1;
    }
    requests
}

/// Waits until each node has accepted another login.
pub(super) fn wait_for_logins(nodes: &[&Node]) {
    let accepted: Vec<_> = nodes.iter().map(|node| logins(node).0).collect();
    let later = |(node, accepted): (&&Node, &u64)| logins(node).0 > *accepted;
    let all = || nodes.iter().zip(&accepted).all(later);
    block_in_place(|| wait_until("a login that is accepted", all));
}

async fn renews_on_living_connections(server: RedisServer, nodes: &[&Node]) {
    let [first, later @ ..] = golden();
    nodes.iter().for_each(|node| expect(node, first.token));
    let clock = ManualClock::at(first.moment);
    let server = server.iam(USER, iam(Provider::default(), &clock).renew_every(OFTEN));
    let store = store(&server).await;
    let connections = || nodes.iter().map(|node| node.clients()).collect::<Vec<_>>();
    let before = connections();
    assert!(before.iter().all(|clients| !clients.is_empty()), "{before:?}");
    let load = Load::start(&store);
    for Golden { moment, token } in later {
        nodes.iter().for_each(|node| expect(node, token));
        clock.set(moment);
        wait_for_logins(nodes);
    }
    assert_eq!(connections(), before);
    assert!(load.stop().await > 8);

    // A new connection logs in with the present token, too.
    nodes.iter().for_each(|node| assert!(node.client_kill_all() > 0));
    wait_for_logins(nodes);
    let key = StoreKey::from_bytes([0; 32]);
    while store.load(&key).await.is_err() {
        tokio::time::sleep(OFTEN).await;
    }

    // With the token of an earlier hour it is not accepted.
    clock.set(first.moment);
    refusal(StoreErrorKind::Denied, || builder().connect(&server)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn an_open_connection_logs_in_again_with_new_tokens() {
    let server = Tls::start(Flavour::Redis7, "cloakroom:");
    renews_on_living_connections(one_primary(&server), &[&server]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn the_connections_to_all_nodes_of_a_cluster_log_in_again() {
    let cluster = Cluster::start();
    let nodes: Vec<_> = cluster.primaries.iter().collect();
    renews_on_living_connections(cluster.server(), &nodes).await;
}

/// A frozen node holds up neither the requests nor the renewals of the other nodes.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_frozen_node_does_not_hold_up_the_others() {
    let cluster = Cluster::start();
    let [first, ..] = golden();
    cluster.primaries.iter().for_each(|node| expect(node, first.token));
    let clock = ManualClock::at(first.moment);
    let server = cluster.server().iam(USER, iam(Provider::default(), &clock).renew_every(OFTEN));
    let store = store(&server).await;
    let [silent, rest @ ..] = &cluster.primaries[..] else { unreachable!() };
    silent.freeze();
    let rest: Vec<_> = rest.iter().collect();
    wait_for_logins(&rest);
    wait_for_logins(&rest);
    silent.thaw();
    drop(store);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn renewals_end_with_the_store() {
    let server = Tls::start(Flavour::Redis7, "cloakroom:");
    let [first, ..] = golden();
    expect(&server, first.token);
    let clock = ManualClock::at(first.moment);
    let provider = Provider::default();
    let login = iam(provider.clone(), &clock).renew_every(OFTEN);
    let place = one_primary(&server).iam(USER, login);
    let store = store(&place).await;
    wait_for_logins(&[&server]);
    drop((store, place));
    let released = || Arc::strong_count(&provider.0) == 1;
    block_in_place(|| wait_until("the credentials to be released", released));
}
