//! SQLite: nothing but nodes can fail. One that is frozen may hold the database's only lock for writing.

use cloakroom_testing::histories::{Run, RunOfLogins, Scene, Trial, Way};
use cloakroom_testing::processes::Folder;

async fn start<S: Scene>(folder: &Folder) -> Run<S> {
    let url = format!("sqlite://{}", folder.join("sessions.db").display());
    Run::start("SQLite", Way::Direct(url), &[]).await
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
