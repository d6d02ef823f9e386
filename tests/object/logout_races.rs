//! Changes that race with a logout, each of the two servers of the app with connections of its own.

use std::sync::Arc;

use cloakroom::store::SessionStore;
use cloakroom_testing::buckets::Emulator;
use cloakroom_testing::logout_races;
use object_store::memory::InMemory;

use super::buckets::{Bucket, builder};

#[tokio::test(flavor = "multi_thread")]
async fn no_change_brings_a_session_back_after_its_logout() {
    let bucket = Arc::new(InMemory::new());
    let open =
        async || Arc::new(builder(bucket.clone()).open().await.unwrap()) as Arc<dyn SessionStore>;
    logout_races::run([open().await, open().await], 1_000).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ministack"]
async fn no_change_brings_a_session_back_after_its_logout_in_ministack() {
    let bucket = Bucket::on(Emulator::Ministack).await;
    let open = async || Arc::new(bucket.store().await) as Arc<dyn SessionStore>;
    logout_races::run([open().await, open().await], 300).await;
}
