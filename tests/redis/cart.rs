//! The cart on three nodes behind a round-robin proxy.

use cloakroom_testing::fleet::{Fleet, a_cart_is_everywhere, logout_is_final, parallel_counts};
use cloakroom_testing::redis::{Cluster, Flavour, Standalone};

async fn three_nodes_keep_the_promises_of_the_cart(store: &str) {
    let fleet = Fleet::start(3, store, "redis").await;
    parallel_counts(&fleet, 120).await.unwrap();
    logout_is_final(&fleet).await.unwrap();
    a_cart_is_everywhere(&fleet).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn three_nodes_share_one_server() {
    let server = Standalone::start(Flavour::Redis7);
    three_nodes_keep_the_promises_of_the_cart(&server.url()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn three_nodes_share_a_cluster() {
    let cluster = Cluster::start(Flavour::Redis7);
    three_nodes_keep_the_promises_of_the_cart(&cluster.url()).await;
}
