//! Races of logins, renewals and ends between a server of each step.

use std::sync::Arc;

use cloakroom::store::{MemoryStore, Moving, SessionStore};
use cloakroom_testing::users_races;

#[tokio::test(flavor = "multi_thread")]
async fn no_login_and_no_renewal_survives_an_end_and_no_limit_is_exceeded() {
    let (from, to) = (MemoryStore::new(), MemoryStore::new());
    let servers: [Arc<dyn SessionStore>; 2] = [
        Arc::new(Moving::old_first(from.clone(), to.clone())),
        Arc::new(Moving::new_first(from, to)),
    ];
    users_races::run(servers, 200).await;
}
