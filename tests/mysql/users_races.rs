//! Races of logins, renewals and ends on a real server, each of the two servers of the app with
//! connections of its own.

use std::sync::Arc;

use cloakroom::store::SessionStore;
use cloakroom_testing::mariadb::Server;
use cloakroom_testing::users_races;

use super::setup::store;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn no_login_and_no_renewal_survives_an_end_and_no_limit_is_exceeded() {
    let server = Server::start();
    let connect = async || Arc::new(store(&server).await) as Arc<dyn SessionStore>;
    users_races::run([connect().await, connect().await], 200).await;
}
