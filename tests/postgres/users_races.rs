//! Races of logins, renewals and ends on a real server, each of the two servers with connections of its own.

use std::sync::Arc;

use cloakroom::store::SessionStore;
use cloakroom_testing::postgres::{Server, table};
use cloakroom_testing::users_races;

use super::stores::store;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn no_login_and_no_renewal_survives_an_end_and_no_limit_is_exceeded() {
    let table = table();
    let connect = async || Arc::new(store(Server::shared(), &table).await) as Arc<dyn SessionStore>;
    users_races::run([connect().await, connect().await], 300).await;
}
