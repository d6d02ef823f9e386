//! The nodes' clocks are really wrong while the fault says so.

use std::time::Duration;

use cloakroom_testing::histories::cart::{Answer, Item, Operation, Shop, Ticket};
use cloakroom_testing::histories::{Nodes, Scene, Way};
use cloakroom_testing::processes::Folder;

const PATIENCE: Duration = Duration::from_secs(60);

/// With an idle timeout of half an hour, a clock that is an hour ahead ends the session for its own node, and
/// for as long as it is wrong.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs libfaketime"]
async fn a_session_is_over_for_a_node_whose_clock_is_ahead() {
    let folder = Folder::new();
    let url = format!("file://{}?durability=none", folder.join("sessions").display());
    std::fs::create_dir(folder.join("sessions")).unwrap();
    let nodes = Nodes::start("cart", Way::Direct(url), &[("IDLE", "1800")]).await;
    let shop = Shop::at(nodes.urls());
    let visitor = Ticket { session: 0, number: 0, cookie: None };
    let owner = Operation::Add(Item::Owner);
    let (_, cookie) = shop.call(0, 0, &visitor, owner, PATIENCE).await;
    let ticket = Ticket { cookie, ..visitor };
    let sees = async |node| {
        let (answer, _) = shop.call(0, node, &ticket, Operation::Read, PATIENCE).await;
        assert!(matches!(answer, Answer::Shown(_) | Answer::Absent), "{answer:?}");
        matches!(answer, Answer::Shown(_))
    };
    nodes.set_clock(1, 3_600);
    assert_eq!((sees(0).await, sees(1).await, sees(2).await), (true, false, true));
    nodes.set_clock(1, 0);
    assert!(sees(1).await, "nothing was removed");
    nodes.set_clock(2, -3_600);
    assert!(sees(2).await);
}
