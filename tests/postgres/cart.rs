//! The examples on several nodes.

use cloakroom_testing::fleet::{
    Fleet, a_cart_is_everywhere, logout_is_final, parallel_counts, two_nodes_share_their_users,
};
use cloakroom_testing::postgres::{Bouncer, Mode, Server, table};

async fn three_nodes_keep_the_promises_of_the_cart(store: &str) {
    let fleet = Fleet::start(3, store, "postgres").await;
    parallel_counts(&fleet, 120).await.unwrap();
    logout_is_final(&fleet).await.unwrap();
    a_cart_is_everywhere(&fleet).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn three_nodes_share_a_table() {
    three_nodes_keep_the_promises_of_the_cart(&Server::shared().url_of(&table())).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql and pgbouncer"]
async fn three_nodes_share_a_pooler() {
    let bouncer = Bouncer::start(Server::shared(), Mode::Transaction, 4, "");
    three_nodes_keep_the_promises_of_the_cart(&bouncer.url_of(&table())).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn two_nodes_share_the_sessions_of_a_user() {
    two_nodes_share_their_users(&Server::shared().url_of(&table()), "postgres", &[]).await;
}
