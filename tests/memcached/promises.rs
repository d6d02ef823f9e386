//! The promises on a real server. One server serves all tests: their ids are random and never meet.

use std::sync::LazyLock;

use cloakroom::store::MemcachedStore;
use cloakroom_testing::House;
use cloakroom_testing::memcached::Server;

use super::servers::Servers;

static SERVER: LazyLock<Server> = LazyLock::new(Server::start);

fn house() -> House {
    House::opening(async |clock| {
        MemcachedStore::builder().clock(clock).connect(&SERVER.servers()).await.unwrap()
    })
}

cloakroom_testing::promises!(house, #[ignore = "needs memcached"]);
