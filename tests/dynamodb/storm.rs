//! Many servers change one session at once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cloakroom::{Key, Session, SessionLayer};

use crate::emulator::Table;
use crate::wire::{Fate, Wire};
use cloakroom_testing::Visitor;

const NODES: u64 = 8;
const UPDATES: u64 = 64;
/// Long, because the emulators are slow and the test is not about time.
const PATIENCE: Duration = Duration::from_secs(60);

/// Returns the layer of another server, with a store and connections of its own.
fn node(table: &Table, wire: &Wire) -> SessionLayer {
    let client = table.client_over(wire.clone());
    let store = cloakroom::store::DynamoDbStore::builder(client).table(&table.name);
    let store = store.command_timeout(PATIENCE).build().unwrap();
    let layer = SessionLayer::new(store, Key::from_bytes(&[7; 32]).unwrap());
    layer.command_timeout(PATIENCE).commit_timeout(2 * PATIENCE)
}

/// Adds every number to the session once. Returns how often each is there in the end, and whether it
/// was acknowledged.
async fn storm(
    table: Table,
    plan: impl Fn(&str) -> Fate + Send + Sync + 'static,
) -> Vec<(u64, usize, bool)> {
    let guest = Visitor::new(node(&table, &table.wire));
    guest.visit(async |session| session.insert("added", &Vec::<u64>::new())).await.is_ok();
    table.wire.plan(plan);
    let nodes: Vec<_> = (0..NODES).map(|_| node(&table, &table.wire)).collect();
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
    table.wire.plan(|_| Fate::Arrives);
    let added = async |session: Session| Ok(session.get::<Vec<u64>>("added")?.unwrap());
    let added = guest.visit(added).await;
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
    all_are_there_once(&storm(Table::in_process().await, |_| Fate::Arrives).await);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ministack"]
async fn no_update_of_64_on_eight_nodes_is_lost_in_ministack() {
    all_are_there_once(&storm(Table::in_ministack().await, |_| Fate::Arrives).await);
}

/// One request in five is throttled and one in twenty loses its answer. The promise must hold for those
/// who got an answer and for those who got 503.
#[tokio::test(flavor = "multi_thread")]
async fn throttling_and_lost_answers_lose_nothing_and_repeat_nothing() {
    let (turns, faults) = (AtomicU64::new(0), std::sync::Arc::new(AtomicU64::new(0)));
    let counted = faults.clone();
    let plan = move |_: &str| {
        // Always the same twenty out of every hundred, well mixed, whoever sends them.
        let turn = turns.fetch_add(1, Ordering::Relaxed) * 37 % 100;
        counted.fetch_add(u64::from(turn < 25), Ordering::Relaxed);
        match turn {
            0..20 => Fate::Refused(400, "ProvisionedThroughputExceededException"),
            20..25 => Fate::ReplyLost,
            _ => Fate::Arrives,
        }
    };
    let results = storm(Table::in_process().await, plan).await;
    for (number, times, acknowledged) in &results {
        assert!(*times <= 1, "{number} was applied {times} times");
        assert!(*times == 1 || !acknowledged, "{number} was acknowledged and is lost");
    }
    let acknowledged = results.iter().filter(|(.., acknowledged)| *acknowledged).count();
    println!("{acknowledged} of {UPDATES} acknowledged, {faults:?} faults");
    assert!(acknowledged * 2 > results.len(), "{acknowledged} of {UPDATES}");
    assert!(faults.load(Ordering::Relaxed) > 20);
}
