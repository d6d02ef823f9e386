//! SQLite: nothing but nodes can fail. One that is frozen may hold the database's only lock for writing.

use cloakroom_testing::histories::{Nodes, Trial, Way};
use cloakroom_testing::processes::Folder;

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_die_lose_nothing() {
    let folder = Folder::new();
    let url = format!("sqlite://{}", folder.join("sessions.db").display());
    let nodes = Nodes::start(Way::Direct(url), &[]).await;
    Trial::of("SQLite", nodes).run().await.holds();
}
