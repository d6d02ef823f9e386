//! The promises on a real server. One table serves all tests: their ids are random and never meet.

use std::sync::LazyLock;

use cloakroom_testing::House;
use cloakroom_testing::postgres::{Server, table};

use super::stores::{at, builder};

static TABLE: LazyLock<String> = LazyLock::new(table);

fn house() -> House {
    House::opening(async |clock| {
        // Many houses are open at once.
        let builder = builder(&TABLE).clock(clock).connections(1);
        builder.connect(&at(Server::shared())).await.unwrap()
    })
}

cloakroom_testing::promises!(house, #[ignore = "needs postgresql"]);
