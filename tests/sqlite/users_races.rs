//! Races of logins, renewals and ends on a database that two servers share.

use std::sync::Arc;

use cloakroom::store::SessionStore;
use cloakroom_testing::users_races;

use crate::database::{Database, options};

#[tokio::test(flavor = "multi_thread")]
async fn no_login_and_no_renewal_survives_an_end_and_no_limit_is_exceeded() {
    let database = Database::new();
    let open = async || {
        let store = options().open(database.path()).await.unwrap();
        Arc::new(store) as Arc<dyn SessionStore>
    };
    users_races::run([open().await, open().await], 200).await;
}
