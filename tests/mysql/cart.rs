//! The examples on several nodes, each a process of its own.

use cloakroom_testing::fleet::{
    Fleet, a_cart_is_everywhere, logout_is_final, parallel_counts, two_nodes_share_their_users,
};
use cloakroom_testing::mariadb::Server;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn three_nodes_keep_the_promises_of_the_cart() {
    let server = Server::start();
    let fleet = Fleet::start(3, &server.url(), "mysql").await;
    parallel_counts(&fleet, 120).await.unwrap();
    logout_is_final(&fleet).await.unwrap();
    a_cart_is_everywhere(&fleet).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn two_nodes_share_the_sessions_of_a_user() {
    let server = Server::start();
    two_nodes_share_their_users(&server.url(), "mysql", &[]).await;
}
