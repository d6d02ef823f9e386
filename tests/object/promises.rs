//! The promises, in memory. One bucket serves all tests: their ids are random and never meet.
//!
//! An emulator would answer hundreds of these tests at once too slowly for the layer's time-outs. What a server adds is
//! tested by the other files.

use std::sync::{Arc, LazyLock};

use cloakroom_testing::House;
use object_store::memory::InMemory;

use super::buckets::builder;

static BUCKET: LazyLock<Arc<InMemory>> = LazyLock::new(|| Arc::new(InMemory::new()));

fn house() -> House {
    House::opening(async |clock| builder(BUCKET.clone()).clock(clock).open().await.unwrap())
}

cloakroom_testing::promises!(house);
