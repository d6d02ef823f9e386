//! The store waits for replicas after a write that is the last word on a session, and after no other.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use cloakroom::store::{
    CommitId, NewEntry, RedisServer, RedisStore, SessionStore, StoreKey, Touched, Version,
};
use cloakroom::{Clock, Key, SessionLayer};

use super::conformance::Topology;
use super::setup::{builder, open};
use cloakroom_testing::redis::{Cluster, Command, Flavour, Monitor, Sentinel};
use cloakroom_testing::{HOUR, MINUTE, Visitor, all, patient, respond};

/// Longer than a busy machine takes to replicate a write.
const WITHIN: Duration = Duration::from_secs(20);

async fn waiting_store(server: &RedisServer, within: Duration) -> RedisStore {
    open(builder().wait_for_replicas(1, within), server).await
}

async fn layer(server: &RedisServer, within: Duration) -> SessionLayer {
    let store = waiting_store(server, within).await;
    patient(SessionLayer::new(store, Key::from_bytes(&[7; 32]).unwrap()))
}

/// Returns the commands since the last call. Repeated `WAIT`s on one connection count once, because the store repeats
/// `WAIT` every 20 ms until the replica answers.
fn taken(monitor: &mut Monitor) -> Vec<Command> {
    let mut last = BTreeMap::new();
    let mut commands = monitor.take();
    commands.retain(|command| {
        let before = last.insert(command.client.clone(), command.name.clone());
        command.name != "WAIT" || before.as_deref() != Some("WAIT")
    });
    commands
}

fn count(commands: &[Command], name: &str) -> usize {
    commands.iter().filter(|command| command.name == name).count()
}

/// Creates a session, writes to it, renews it and logs out.
async fn create_write_renew_and_log_out(guest: &Visitor) {
    guest.visit(async |session| session.insert("k", &1)).await.is_ok();
    guest.visit(async |session| session.insert("k", &2)).await.is_ok();
    guest.ask(async |lazy| respond(lazy.load().await.map(|session| session.renew()))).await.is_ok();
    guest.visit(async |session| session.destroy().await).await.is_ok();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_logout_and_a_renewal_wait_and_a_write_does_not() {
    let servers = Sentinel::start(Flavour::Redis7);
    let guest = Visitor::new(layer(&servers.server(), WITHIN).await);
    create_write_renew_and_log_out(&guest).await;
    let mut monitor = servers.monitor();
    create_write_renew_and_log_out(&guest).await;
    let (sent, all) = (taken(&mut monitor), [("GET", 3), ("SET", 2), ("EVALSHA", 3), ("WAIT", 2)]);
    assert_eq!(all.map(|(name, _)| (name, count(&sent, name))), all);
    assert_eq!(sent.len(), 10, "{sent:?}");
}

/// Returns an entry that lives for so long from now.
fn entry(commit: u8, lives: Duration) -> NewEntry {
    let deadline = Clock::system().now().saturating_add(lives);
    NewEntry::new(CommitId::from_bytes([commit; 8]), deadline, "bytes")
}

fn version(commit: u8) -> Version {
    Version::from(CommitId::from_bytes([commit; 8]))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn the_last_word_decides_about_waiting_and_the_deadline_does_not() {
    let servers = Sentinel::start(Flavour::Redis7);
    let store = waiting_store(&servers.server(), WITHIN).await;
    let key = StoreKey::from_bytes([7; 32]);
    let mut monitor = servers.monitor();
    let mut waits = || count(&taken(&mut monitor), "WAIT");

    // A minute or less, which is as long as many marks live.
    store.create(&key, &entry(1, MINUTE)).await.unwrap();
    store.replace(&key, &version(1), &entry(2, MINUTE)).await.unwrap();
    store.replace(&key, &version(2), &entry(3, Duration::from_secs(5))).await.unwrap();
    let later = entry(3, MINUTE).deadline;
    assert_eq!(store.touch(&key, &version(3), later).await.unwrap(), Touched::Done);
    assert_eq!(waits(), 0);

    // An hour, which is as long as the mark of a renewal may live.
    store.replace(&key, &version(3), &entry(4, HOUR).last_word()).await.unwrap();
    assert_eq!(waits(), 1);
    store.delete(&key).await.unwrap();
    assert_eq!(waits(), 1);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn in_a_cluster_the_wait_is_at_the_keys_own_node() {
    let cluster = Cluster::start(Flavour::Redis7);
    let layer = layer(&cluster.server(), WITHIN).await;
    for _ in 0..20 {
        create_write_renew_and_log_out(&Visitor::new(layer.clone())).await;
    }
    let mut monitor = cluster.monitor();
    for _ in 0..20 {
        create_write_renew_and_log_out(&Visitor::new(layer.clone())).await;
    }
    // The connection that waits is the one that has written.
    let commands = taken(&mut monitor);
    assert_eq!(count(&commands, "WAIT"), 40);
    for (at, wait) in commands.iter().enumerate().filter(|(_, command)| command.name == "WAIT") {
        let before = commands[..at].iter().rev().find(|other| other.client == wait.client);
        assert_eq!(before.map(|command| &*command.name), Some("EVALSHA"));
    }
}

/// Logouts that wait in vain hold up neither other requests nor each other.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_replica_that_is_gone_delays_logouts_by_no_more_than_was_set() {
    // Five writes take milliseconds; the rest is for a busy machine.
    const GONE: Duration = Duration::from_secs(4);
    let servers = Sentinel::start(Flavour::Redis7);
    let layer =
        layer(&servers.server(), GONE).await.command_timeout(3 * GONE).commit_timeout(3 * GONE);
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
    assert!(*first >= GONE, "it waited: {first:?}");
    assert!(written < *first, "who writes does not wait: {written:?}");
    servers.replica().thaw();
}
