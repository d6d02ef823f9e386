//! The promises on a real server. One server serves all tests: their ids are random and never meet.

use std::sync::LazyLock;

use cloakroom::store::RedisServer;
use cloakroom_testing::House;
use cloakroom_testing::redis::{Flavour, Standalone};

use super::setup::{builder, open};

static SERVER: LazyLock<Standalone> = LazyLock::new(|| Standalone::start(Flavour::Redis7));

fn house() -> House {
    // Before the first command, which would have to wait for it.
    let port = SERVER.port;
    House::opening(move |clock| async move {
        open(builder().clock(clock), &RedisServer::standalone("127.0.0.1", port)).await
    })
}

cloakroom_testing::promises!(house, #[ignore = "needs redis-server"]);
