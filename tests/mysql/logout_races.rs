//! Changes that race with a logout on a real server, each of the two servers of the app with connections of its
//! own.

use std::sync::Arc;

use cloakroom::store::SessionStore;
use cloakroom_testing::logout_races;
use cloakroom_testing::mariadb::Server;

use super::setup::store;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn no_change_brings_a_session_back_after_its_logout() {
    let server = Server::start();
    let connect = async || Arc::new(store(&server).await) as Arc<dyn SessionStore>;
    logout_races::run([connect().await, connect().await], 1_000).await;
}
