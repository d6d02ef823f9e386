//! Races of logins, renewals and ends on a folder that two servers share.

use std::fs;
use std::sync::Arc;

use cloakroom::store::{FileStore, SessionStore};
use cloakroom_testing::processes::Folder;
use cloakroom_testing::users_races;

#[tokio::test(flavor = "multi_thread")]
async fn no_login_and_no_renewal_survives_an_end_and_no_limit_is_exceeded() {
    let folder = Folder::new();
    let root = folder.join("sessions");
    fs::create_dir(&root).unwrap();
    let open =
        async || Arc::new(FileStore::builder(&root).open().await.unwrap()) as Arc<dyn SessionStore>;
    users_races::run([open().await, open().await], 200).await;
}
