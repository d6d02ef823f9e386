//! Many servers change one session at once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cloakroom::{Key, Session, SessionLayer};
use cloakroom_testing::buckets::Emulator;
use cloakroom_testing::{MINUTE, Visitor};
use object_store::ObjectStore;
use object_store::memory::InMemory;

use super::buckets::{Bucket, builder};
use super::wire::Fate;

const NODES: u64 = 8;
const UPDATES: u64 = 64;

/// Returns the layer of another server, with a store of its own.
async fn node(bucket: Arc<dyn ObjectStore>) -> SessionLayer {
    let store = builder(bucket).command_timeout(MINUTE).open().await.unwrap();
    let layer = SessionLayer::new(store, Key::from_bytes(&[7; 32]).unwrap());
    layer.command_timeout(MINUTE).commit_timeout(2 * MINUTE)
}

/// Adds every number to the session once. Returns how often each is there in the end, and whether it was
/// acknowledged. `begin` is called when the session is there, `end` before it is read.
async fn storm(
    client: impl Fn() -> Arc<dyn ObjectStore>,
    begin: impl FnOnce(),
    end: impl FnOnce(),
) -> Vec<(u64, usize, bool)> {
    let guest = Visitor::new(node(client()).await);
    guest.visit(async |session| session.insert("added", &Vec::<u64>::new())).await.is_ok();
    let mut nodes = Vec::new();
    for _ in 0..NODES {
        nodes.push(node(client()).await);
    }
    begin();
    let tasks: Vec<_> = (0..UPDATES)
        .map(|number| {
            let visitor = guest.at(&nodes[usize::try_from(number % NODES).unwrap()]);
            tokio::spawn(async move {
                let add = async |session: Session| {
                    session.update("added", move |added: &mut Vec<u64>| added.push(number))
                };
                (number, visitor.visit(add).await.status)
            })
        })
        .collect();
    let mut acknowledged = BTreeMap::new();
    for task in tasks {
        let (number, status) = task.await.unwrap();
        assert!(status == 200 || status == 503, "{status}");
        acknowledged.insert(number, status == 200);
    }
    end();
    let added = guest.visit(async |session| Ok(session.get::<Vec<u64>>("added")?.unwrap())).await;
    let added: Vec<u64> = serde_json::from_str(&added.body).unwrap();
    let times = |number| added.iter().filter(|there| **there == number).count();
    acknowledged.into_iter().map(|(number, done)| (number, times(number), done)).collect()
}

fn all_are_there_once(results: &[(u64, usize, bool)]) {
    for (number, times, acknowledged) in results {
        assert!(*acknowledged && *times == 1, "{number}: {times} times, {acknowledged}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_update_of_64_on_eight_nodes_is_lost() {
    let bucket = Arc::new(InMemory::new());
    all_are_there_once(&storm(|| bucket.clone(), || (), || ()).await);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ministack"]
async fn no_update_of_64_on_eight_nodes_is_lost_in_ministack() {
    let bucket = Bucket::on(Emulator::Ministack).await;
    all_are_there_once(&storm(|| bucket.client(), || (), || ()).await);
}

/// One request in five is answered `SlowDown`, one in twenty loses its answer, and one in twenty meets a write under
/// way. The promise must hold for those who got an answer and for those who got 503.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ministack"]
async fn slow_downs_and_lost_answers_lose_nothing_and_repeat_nothing() {
    let bucket = Bucket::on(Emulator::Ministack).await;
    let (turns, faults) = (AtomicU64::new(0), Arc::new(AtomicU64::new(0)));
    let counted = faults.clone();
    let plan = move |operation: &str| {
        // Always the same thirty out of every hundred, well mixed, whoever sends them.
        let turn = turns.fetch_add(1, Ordering::Relaxed) * 37 % 100;
        counted.fetch_add(u64::from(turn < 30), Ordering::Relaxed);
        match turn {
            0..20 => Fate::Refused(503, "SlowDown"),
            20..25 => Fate::ReplyLost,
            25..30 if operation == "PUT" => Fate::Refused(409, "ConditionalRequestConflict"),
            _ => Fate::Arrives,
        }
    };
    let (begun, ended) = (bucket.wire.clone(), bucket.wire.clone());
    let end = move || ended.all(Fate::Arrives);
    let results = storm(|| bucket.client(), move || begun.plan(plan), end).await;
    for (number, times, acknowledged) in &results {
        assert!(*times <= 1, "{number} was applied {times} times");
        assert!(*times == 1 || !acknowledged, "{number} was acknowledged and is lost");
    }
    let acknowledged = results.iter().filter(|(.., acknowledged)| *acknowledged).count();
    println!("{acknowledged} of {UPDATES} acknowledged, {faults:?} faults");
    // A write that was answered `SlowDown` may have been applied. Where eight others came before the look, nobody can
    // tell any more, so many are answered 503.
    assert!(acknowledged * 10 > results.len(), "{acknowledged} of {UPDATES}");
    assert!(faults.load(Ordering::Relaxed) > 20);
}
