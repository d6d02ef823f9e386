//! The promises on a real server. One server serves all tests: their ids are random and never meet.

use std::sync::LazyLock;

use cloakroom::store::{RedisServer, RedisStore};
use cloakroom_testing::House;
use cloakroom_testing::redis::{Flavour, Standalone};

static SERVER: LazyLock<Standalone> = LazyLock::new(|| Standalone::start(Flavour::Redis7));

fn house() -> House {
    House::opening(async |clock| {
        let server = RedisServer::standalone("127.0.0.1", SERVER.port);
        RedisStore::builder().clock(clock).connect(&server).await.unwrap()
    })
}

cloakroom_testing::promises!(house, #[ignore = "needs redis-server"]);
