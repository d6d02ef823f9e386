//! The cart on three nodes that share a folder.

use crate::folder::Folder;
use cloakroom_testing::fleet::{Fleet, a_cart_is_everywhere, logout_is_final, parallel_counts};

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_keep_what_the_cart_promises() {
    let folder = Folder::new();
    // Other tests keep the disk busy, and what a crash would leave is not asked here.
    let store = format!("file://{}?durability=none", folder.path().display());
    let fleet = Fleet::start(3, &store, "axum,file").await;
    parallel_counts(&fleet, 120).await.unwrap();
    logout_is_final(&fleet).await.unwrap();
    a_cart_is_everywhere(&fleet).await.unwrap();
}
