//! Files: nothing but nodes can fail, and they die at any moment.

use cloakroom_testing::histories::{Run, RunOfLogins, Scene, Trial, Way};
use cloakroom_testing::processes::Folder;

/// `durability=none` leaves it to the kernel when the disk has a file. No machine crashes here, and other
/// tests keep the disk busy.
async fn start<S: Scene>(folder: &Folder) -> Run<S> {
    let url = format!("file://{}?durability=none", folder.join("sessions").display());
    std::fs::create_dir(folder.join("sessions")).unwrap();
    Run::start("files", Way::Direct(url), &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_die_lose_nothing() {
    let folder = Folder::new();
    let trial: Trial = start(&folder).await;
    trial.run().await.holds();
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_die_lose_no_login_and_no_end() {
    let folder = Folder::new();
    let run: RunOfLogins = start(&folder).await;
    run.run().await.holds();
}
