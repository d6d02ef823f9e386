//! Races of logins, renewals and ends, each of the two servers with connections of its own.

use std::sync::Arc;

use cloakroom::store::SessionStore;
use cloakroom_testing::buckets::Emulator;
use cloakroom_testing::users_races;
use object_store::memory::InMemory;

use super::buckets::{Bucket, builder};

#[tokio::test(flavor = "multi_thread")]
async fn no_login_and_no_renewal_survives_an_end_and_no_limit_is_exceeded() {
    let bucket = Arc::new(InMemory::new());
    let open =
        async || Arc::new(builder(bucket.clone()).open().await.unwrap()) as Arc<dyn SessionStore>;
    users_races::run([open().await, open().await], 300).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ministack"]
async fn no_login_and_no_renewal_survives_an_end_in_ministack() {
    let bucket = Bucket::on(Emulator::Ministack).await;
    let open = async || Arc::new(bucket.store().await) as Arc<dyn SessionStore>;
    users_races::run([open().await, open().await], 100).await;
}
