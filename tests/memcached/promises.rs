//! The promises on a real server. One server serves all tests: their ids are random and never meet.

use std::sync::LazyLock;

use cloakroom_testing::House;
use cloakroom_testing::memcached::Server;

use super::servers::{Servers, builder, open};

static SERVER: LazyLock<Server> = LazyLock::new(Server::start);

fn house() -> House {
    // Before the first command, which would have to wait for it.
    let servers = SERVER.servers();
    House::opening(move |clock| {
        let servers = servers.clone();
        async move { open(builder().clock(clock), &servers).await }
    })
}

cloakroom_testing::promises!(house, #[ignore = "needs memcached"]);
