//! The promises, on a database that all tests share. Their session ids are random and never collide.

use std::sync::LazyLock;

use cloakroom_testing::House;

use crate::database::{Database, options};

static DATABASE: LazyLock<Database> = LazyLock::new(Database::new);

fn house() -> House {
    House::opening(async |clock| options().clock(clock).open(DATABASE.path()).await.unwrap())
}

cloakroom_testing::promises!(house);
