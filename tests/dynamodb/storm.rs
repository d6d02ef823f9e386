//! Many servers change one session at once.

use std::sync::Arc;

use cloakroom::store::SessionStore;
use cloakroom_testing::MINUTE;
use cloakroom_testing::storm::{self, Turns, UPDATES};

use crate::emulator::Table;
use crate::wire::Fate;

/// Opens the store of another server, with connections of its own.
fn open(table: &Table) -> Arc<dyn SessionStore> {
    // The emulators are slow.
    Arc::new(table.store().command_timeout(MINUTE).build().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_update_of_64_on_eight_nodes_is_lost() {
    let table = Table::in_process().await;
    storm::loses_nothing(async || open(&table)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ministack"]
async fn no_update_of_64_on_eight_nodes_is_lost_in_ministack() {
    let table = Table::in_ministack().await;
    storm::loses_nothing(async || open(&table)).await;
}

/// One request in five is throttled and one in twenty loses its answer. The promise must hold for those
/// who got an answer and for those who got 503.
#[tokio::test(flavor = "multi_thread")]
async fn throttling_and_lost_answers_lose_nothing_and_repeat_nothing() {
    let table = Table::in_process().await;
    let turns = Arc::new(Turns::default());
    let dealt = turns.clone();
    let plan = move |_: &str| match dealt.next() {
        0..20 => Fate::Refused(400, "ProvisionedThroughputExceededException"),
        20..25 => Fate::ReplyLost,
        _ => Fate::Arrives,
    };
    let (begin, end) = (|| table.wire.plan(plan), || table.wire.plan(|_| Fate::Arrives));
    let acknowledged = storm::loses_nothing_under_faults(async || open(&table), begin, end).await;
    assert!(acknowledged * 2 > UPDATES, "{acknowledged} of {UPDATES}");
    assert!(turns.count() >= 100, "few requests were in danger: {turns:?}");
}
