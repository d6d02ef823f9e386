//! The login example on two nodes that share a server.

use cloakroom_testing::fleet::two_nodes_share_their_users;
use cloakroom_testing::redis::{Cluster, Flavour, Standalone};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn two_nodes_share_the_sessions_of_a_user() {
    let server = Standalone::start(Flavour::Redis7);
    two_nodes_share_their_users(&server.url(), "redis", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn two_nodes_share_the_sessions_of_a_user_in_a_cluster() {
    let cluster = Cluster::start(Flavour::Redis7);
    two_nodes_share_their_users(&cluster.url(), "redis", &[]).await;
}
