//! The examples on several nodes, configured by the URL alone.

use cloakroom_testing::azurite;
use cloakroom_testing::buckets::Emulator;
use cloakroom_testing::fleet::{
    Fleet, a_cart_is_everywhere, logout_is_final, parallel_counts, two_nodes_share_their_users,
};
use cloakroom_testing::ministack::CREDENTIALS;

use super::buckets::Bucket;

/// Returns the URL of a bucket, with everything that a URL can say.
async fn s3() -> String {
    let Bucket { port, name, .. } = Bucket::on(Emulator::Ministack).await;
    let options = "timeout_ms=20000&sweep_secs=3600&max_entry_bytes=100000&region=us-east-1";
    format!("s3://{name}/shop/sessions?endpoint=http://127.0.0.1:{port}&{options}")
}

async fn azure() -> String {
    let Bucket { port, name, .. } = Bucket::on(Emulator::Azurite).await;
    let (account, endpoint) = (azurite::ACCOUNT, azurite::endpoint(port));
    format!("az://{name}/shop/sessions?account={account}&endpoint={endpoint}")
}

async fn three_nodes_keep_the_promises_of_the_cart(store: &str, variables: &[(&str, &str)]) {
    let fleet = Fleet::start_with(3, store, "object", variables).await;
    parallel_counts(&fleet, 120).await.unwrap();
    logout_is_final(&fleet).await.unwrap();
    a_cart_is_everywhere(&fleet).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ministack"]
async fn three_nodes_share_a_bucket() {
    three_nodes_keep_the_promises_of_the_cart(&s3().await, &CREDENTIALS).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs azurite"]
async fn three_nodes_share_a_container_of_azurite() {
    three_nodes_keep_the_promises_of_the_cart(&azure().await, &azurite::CREDENTIALS).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ministack"]
async fn two_nodes_share_the_sessions_of_a_user() {
    two_nodes_share_their_users(&s3().await, "object", &CREDENTIALS).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs azurite"]
async fn two_nodes_share_the_sessions_of_a_user_on_azurite() {
    two_nodes_share_their_users(&azure().await, "object", &azurite::CREDENTIALS).await;
}
