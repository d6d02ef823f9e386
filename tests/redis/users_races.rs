//! Races of logins, renewals and ends on a real server, each of the two servers with clients of its own.

use std::sync::Arc;

use cloakroom::store::{RedisServer, SessionStore};
use cloakroom_testing::redis::{Flavour, Standalone};
use cloakroom_testing::users_races;

use super::setup::store;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn no_login_and_no_renewal_survives_an_end_and_no_limit_is_exceeded() {
    let running = Standalone::start(Flavour::Redis7);
    let server = RedisServer::standalone("127.0.0.1", running.port);
    let connect = async || Arc::new(store(&server).await) as Arc<dyn SessionStore>;
    users_races::run([connect().await, connect().await], 500).await;
}
