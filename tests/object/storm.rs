//! Many servers change one session at once.

use std::sync::Arc;

use cloakroom::store::SessionStore;
use cloakroom_testing::MINUTE;
use cloakroom_testing::buckets::Emulator;
use cloakroom_testing::storm::{self, Turns, UPDATES};
use object_store::ObjectStore;
use object_store::memory::InMemory;

use super::buckets::{Bucket, builder};
use super::wire::Fate;

/// Opens the store of another server.
async fn open(bucket: Arc<dyn ObjectStore>) -> Arc<dyn SessionStore> {
    Arc::new(builder(bucket).command_timeout(MINUTE).open().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_update_of_64_on_eight_nodes_is_lost() {
    let bucket = Arc::new(InMemory::new());
    storm::loses_nothing(async || open(bucket.clone()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ministack"]
async fn no_update_of_64_on_eight_nodes_is_lost_in_ministack() {
    let bucket = Bucket::on(Emulator::Ministack).await;
    storm::loses_nothing(async || open(bucket.client()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs azurite"]
async fn no_update_of_64_on_eight_nodes_is_lost_in_azurite() {
    let bucket = Bucket::on(Emulator::Azurite).await;
    storm::loses_nothing(async || open(bucket.client()).await).await;
}

/// One request in five is answered `SlowDown`, one in twenty loses its answer, and one in twenty meets a write under
/// way. The promise must hold for those who got an answer and for those who got 503.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ministack"]
async fn slow_downs_and_lost_answers_lose_nothing_and_repeat_nothing() {
    let bucket = Bucket::on(Emulator::Ministack).await;
    let turns = Arc::new(Turns::default());
    let dealt = turns.clone();
    let plan = move |operation: &str| match dealt.next() {
        0..20 => Fate::Refused(503, "SlowDown"),
        20..25 => Fate::ReplyLost,
        25..30 if operation == "PUT" => Fate::Refused(409, "ConditionalRequestConflict"),
        _ => Fate::Arrives,
    };
    let (begin, end) = (|| bucket.wire.plan(plan), || bucket.wire.all(Fate::Arrives));
    let open = async || open(bucket.client()).await;
    let acknowledged = storm::loses_nothing_under_faults(open, begin, end).await;
    // A write that was answered `SlowDown` may have been applied. Where eight others came before the look, nobody can
    // tell any more, so many are answered 503.
    assert!(acknowledged * 10 > UPDATES, "{acknowledged} of {UPDATES}");
    assert!(turns.count() >= 100, "few requests were in danger: {turns:?}");
}
