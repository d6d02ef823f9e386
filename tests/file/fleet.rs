//! The examples on several nodes that share a folder.

use crate::folder::Folder;
use cloakroom_testing::fleet::{
    Fleet, a_cart_is_everywhere, logout_is_final, parallel_counts, two_nodes_share_their_users,
};

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_keep_the_promises_of_the_cart() {
    let folder = Folder::new();
    // Not durable, because other tests keep the disk busy and this one crashes no machine.
    let store = format!("file://{}?durability=none", folder.path().display());
    let fleet = Fleet::start(3, &store, "axum,file").await;
    parallel_counts(&fleet, 120).await.unwrap();
    logout_is_final(&fleet).await.unwrap();
    a_cart_is_everywhere(&fleet).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_share_the_sessions_of_a_user() {
    let folder = Folder::new();
    let store = format!("file://{}?durability=none", folder.path().display());
    two_nodes_share_their_users(&store, "axum,file", &[]).await;
}
