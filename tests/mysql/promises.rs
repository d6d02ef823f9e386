//! The promises on a real server. One server serves all tests: their ids are random and never meet.

use std::sync::LazyLock;

use cloakroom_testing::House;
use cloakroom_testing::mariadb::Server;

use super::setup::{at, patient};

static SERVER: LazyLock<Server> = LazyLock::new(Server::start);

fn house() -> House {
    House::opening(async |clock| {
        patient().max_connections(4).clock(clock).connect(&at(SERVER.port)).await.unwrap()
    })
}

cloakroom_testing::promises!(house, #[ignore = "needs mariadb-server"]);
