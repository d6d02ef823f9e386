//! Nodes that share no store, as real processes: the check notices that visitors lose their sessions.

use cloakroom_testing::histories::{Kind, Trial, Way};

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_share_nothing_are_noticed() {
    let way = Way::Direct("memory:".into());
    let report = Trial::start("memory, not shared", way, &[]).await.run().await;
    assert!(report.kinds().contains(&Kind::Vanished), "{report}");
}
