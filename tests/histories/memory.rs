//! Nodes that share no store, as real processes: the check notices that visitors lose their sessions.

use cloakroom_testing::histories::{Kind, Nodes, Trial, Way};

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_share_nothing_are_noticed() {
    let nodes = Nodes::start(Way::Direct("memory:".into()), &[]).await;
    let report = Trial::of("memory, not shared", nodes).run().await;
    assert!(report.kinds().contains(&Kind::Vanished), "{report}");
}
