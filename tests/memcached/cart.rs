//! The examples on several nodes.

use cloakroom_testing::fleet::{
    Fleet, a_cart_is_everywhere, logout_is_final, parallel_counts, two_nodes_share_their_users,
};
use cloakroom_testing::memcached::{Three, Tls};

async fn three_nodes_keep_the_promises_of_the_cart(store: &str) {
    let fleet = Fleet::start(3, store, "memcached").await;
    parallel_counts(&fleet, 120).await.unwrap();
    logout_is_final(&fleet).await.unwrap();
    a_cart_is_everywhere(&fleet).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn three_nodes_share_three_servers() {
    three_nodes_keep_the_promises_of_the_cart(&Three::start().url()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn three_nodes_share_a_server_with_tls_and_a_password() {
    let server = Tls::start();
    let url = format!("{}?ca={}", server.url(), server.ca_file().display());
    three_nodes_keep_the_promises_of_the_cart(&url).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn two_nodes_share_the_sessions_of_a_user() {
    two_nodes_share_their_users(&Three::start().url(), "memcached", &[]).await;
}
