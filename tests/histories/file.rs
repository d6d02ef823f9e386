//! Files: nothing but nodes can fail, and they die at any moment.

use cloakroom_testing::histories::{Nodes, Trial, Way};
use cloakroom_testing::processes::Folder;

/// `durability=none` leaves it to the kernel when the disk has a file. No machine crashes here, and other
/// tests keep the disk busy.
#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_die_lose_nothing() {
    let folder = Folder::new();
    let url = format!("file://{}?durability=none", folder.join("sessions").display());
    std::fs::create_dir(folder.join("sessions")).unwrap();
    let nodes = Nodes::start(Way::Direct(url), &[]).await;
    Trial::of("files", nodes).run().await.holds();
}
