//! Tests nodes in one process, over real sockets.

use std::time::{Duration, Instant};

use bytes::Bytes;
use cloakroom::store::{CommitId, NewEntry, Replaced, SessionStore, StoreKey, Version};
use cloakroom::{Clock, Timestamp};

use super::Cluster;
use crate::cli::Copies;

const TIMEOUT: Duration = Duration::from_secs(60);

fn key(number: u8) -> StoreKey {
    StoreKey::from_bytes([number; 32])
}

fn entry(commit: u8, bytes: &'static str) -> NewEntry {
    let deadline = Clock::system().now().saturating_add(Duration::from_secs(3600));
    NewEntry::new(CommitId::from_bytes([commit; 8]), deadline, Bytes::from(bytes))
}

fn version(commit: u8) -> Version {
    CommitId::from_bytes([commit; 8]).into()
}

/// Starts nodes. Each joins those that were started before it.
async fn nodes(number: usize, copies: Copies, synchronous: bool) -> Vec<Cluster> {
    let mut nodes: Vec<Cluster> = Vec::new();
    for _ in 0..number {
        let node = Cluster::open(copies, synchronous).await.unwrap();
        node.join(&nodes.iter().map(Cluster::port).collect::<Vec<_>>()).await.unwrap();
        nodes.push(node);
    }
    nodes
}

async fn stored_on(node: &Cluster, number: u8) -> Option<Bytes> {
    node.load(&key(number)).await.unwrap().map(|entry| entry.bytes)
}

/// Returns a node's own copy, without asking the others.
fn held(node: &Cluster, number: u8) -> Option<Bytes> {
    let now = Clock::system().now();
    node.state.entries.live(&key(number), now).map(|entry| entry.bytes)
}

async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < TIMEOUT, "{what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn until_alone(node: &Cluster, gone: &[u16]) {
    until("nobody has noticed that a node is gone", || {
        gone.iter().all(|&port| !node.state.links.knows(port))
    })
    .await;
}

#[tokio::test]
async fn synchronous_copies_are_everywhere_when_the_change_is_answered() {
    let nodes = nodes(3, Copies::Everywhere, true).await;
    nodes[0].create(&key(1), &entry(1, "one")).await.unwrap();
    assert!(nodes.iter().all(|node| held(node, 1).as_deref() == Some(b"one")));
    let replaced = nodes[2].replace(&key(1), &version(1), &entry(2, "two")).await.unwrap();
    assert_eq!(replaced, Replaced::Done(version(2)));
    assert!(nodes.iter().all(|node| held(node, 1).as_deref() == Some(b"two")));
    let late = nodes[1].replace(&key(1), &version(1), &entry(3, "late")).await.unwrap();
    assert!(matches!(late, Replaced::Conflict(there) if there.version == version(2)));
    nodes[1].delete(&key(1)).await.unwrap();
    assert!(nodes.iter().all(|node| held(node, 1).is_none()));
}

#[tokio::test]
async fn asynchronous_copies_arrive_in_the_end() {
    let nodes = nodes(3, Copies::Everywhere, false).await;
    for number in 0..50 {
        nodes[usize::from(number) % 3].create(&key(number), &entry(number, "cart")).await.unwrap();
    }
    until("the copies", || {
        nodes.iter().all(|node| (0..50).all(|number| held(node, number).is_some()))
    })
    .await;
}

#[tokio::test]
async fn a_joining_node_has_all_sessions_when_it_has_joined() {
    let nodes = nodes(2, Copies::Everywhere, true).await;
    for number in 0..50 {
        nodes[0].create(&key(number), &entry(number, "cart")).await.unwrap();
    }
    let late = Cluster::open(Copies::Everywhere, true).await.unwrap();
    assert_eq!(held(&late, 1), None);
    late.join(&[nodes[0].port(), nodes[1].port()]).await.unwrap();
    assert!((0..50).all(|number| held(&late, number).is_some()));
    nodes[1].create(&key(99), &entry(99, "new")).await.unwrap();
    assert!(held(&late, 99).is_some(), "the others know it too");
}

#[tokio::test]
async fn two_nodes_that_write_at_once_end_up_the_same_and_lose_one_of_the_writes() {
    let nodes = nodes(2, Copies::Everywhere, false).await;
    nodes[0].create(&key(1), &entry(1, "one")).await.unwrap();
    until("the copy", || held(&nodes[1], 1).is_some()).await;
    let (new, other) = (entry(2, "left"), entry(3, "right"));
    let expected = version(1);
    let left = nodes[0].state.entries.replace(&key(1), &expected, &new, Timestamp::from_millis(0));
    let right =
        nodes[1].state.entries.replace(&key(1), &expected, &other, Timestamp::from_millis(0));
    assert_eq!((left, right), (Replaced::Done(version(2)), Replaced::Done(version(3))));
    nodes[0].state.send(&key(1));
    nodes[1].state.send(&key(1));
    until("the same everywhere", || held(&nodes[0], 1) == held(&nodes[1], 1)).await;
}

#[tokio::test]
async fn one_backup_has_the_session_and_the_others_do_not() {
    let nodes = nodes(4, Copies::OneBackup, true).await;
    nodes[0].create(&key(1), &entry(1, "one")).await.unwrap();
    assert_eq!(nodes.iter().filter(|node| held(node, 1).is_some()).count(), 2);
    nodes[0].replace(&key(1), &version(1), &entry(2, "two")).await.unwrap();
    assert_eq!(nodes.iter().filter(|node| held(node, 1).is_some()).count(), 2);
}

#[tokio::test]
async fn any_node_takes_over_from_the_backup_when_the_primary_is_gone() {
    let mut nodes = nodes(4, Copies::OneBackup, true).await;
    let primary = nodes.remove(0);
    for number in 0..12 {
        primary.create(&key(number), &entry(number, "cart")).await.unwrap();
    }
    let gone = primary.port();
    drop(primary);
    for node in &nodes {
        until_alone(node, &[gone]).await;
    }
    for number in 0..12 {
        let node = &nodes[usize::from(number) % 3];
        assert_eq!(stored_on(node, number).await.as_deref(), Some(&b"cart"[..]), "{number}");
    }
}

#[tokio::test]
async fn a_session_survives_one_node_after_another() {
    let mut nodes = nodes(4, Copies::OneBackup, true).await;
    nodes[3].create(&key(1), &entry(1, "cart")).await.unwrap();
    let mut gone = Vec::new();
    while nodes.len() > 1 {
        let at = nodes.iter().position(|node| held(node, 1).is_some()).unwrap();
        gone.push(nodes[at].port());
        drop(nodes.remove(at));
        for node in &nodes {
            until_alone(node, &gone).await;
        }
        // The node that is asked becomes the primary, and makes another backup at its next change.
        let there = nodes[0].load(&key(1)).await.unwrap().expect("the session");
        let next = entry(u8::try_from(10 + nodes.len()).unwrap(), "cart");
        nodes[0].replace(&key(1), &there.version, &next).await.unwrap();
    }
    assert!(held(&nodes[0], 1).is_some());
}

#[tokio::test]
async fn a_backup_that_is_gone_is_replaced_without_a_change() {
    let mut nodes = nodes(4, Copies::OneBackup, true).await;
    nodes[0].create(&key(1), &entry(1, "cart")).await.unwrap();
    let backup = nodes[1..].iter().position(|node| held(node, 1).is_some()).unwrap() + 1;
    drop(nodes.remove(backup));
    until("another backup", || nodes[1..].iter().any(|node| held(node, 1).is_some())).await;
}

#[tokio::test]
async fn a_former_primary_does_not_answer_with_what_it_had() {
    let nodes = nodes(3, Copies::OneBackup, true).await;
    nodes[0].create(&key(1), &entry(1, "old")).await.unwrap();
    assert_eq!(stored_on(&nodes[2], 1).await.as_deref(), Some(&b"old"[..]));
    nodes[2].replace(&key(1), &version(1), &entry(2, "new")).await.unwrap();
    assert_eq!(stored_on(&nodes[0], 1).await.as_deref(), Some(&b"new"[..]));
}
