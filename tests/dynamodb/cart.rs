//! The examples on several nodes, configured by the URL alone.

use crate::emulator::in_process;
use cloakroom_testing::fleet::{
    Fleet, a_cart_is_everywhere, logout_is_final, parallel_counts, two_nodes_share_their_users,
};
use cloakroom_testing::ministack::{self, CREDENTIALS};

async fn three_nodes_keep_the_promises_of_the_cart(endpoint: &str, table: &str) {
    let store = format!("dynamodb://{table}?region=eu-central-1&create=true&endpoint={endpoint}");
    let fleet = Fleet::start_with(3, &store, "dynamodb", &CREDENTIALS).await;
    parallel_counts(&fleet, 120).await.unwrap();
    logout_is_final(&fleet).await.unwrap();
    a_cart_is_everywhere(&fleet).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_share_a_table() {
    three_nodes_keep_the_promises_of_the_cart(&in_process().await, "carts").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ministack"]
async fn three_nodes_share_a_table_in_ministack() {
    three_nodes_keep_the_promises_of_the_cart(&ministack::endpoint().await, "carts").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_share_the_sessions_of_a_user() {
    let endpoint = in_process().await;
    let store = format!("dynamodb://logins?region=eu-central-1&create=true&endpoint={endpoint}");
    two_nodes_share_their_users(&store, "dynamodb", &CREDENTIALS).await;
}
