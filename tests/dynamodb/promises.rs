//! The promises on the emulator in this process, with a table of its own for each test.

use cloakroom_testing::House;

use crate::emulator::Table;

fn house() -> House {
    House::opening(async |clock| {
        let table = Table::in_process().await;
        table.store().clock(clock).build().unwrap()
    })
}

cloakroom_testing::promises!(house);
