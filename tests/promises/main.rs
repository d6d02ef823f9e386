//! The promises on the memory store. The tests of the other stores run those that every store keeps.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod full_store;
mod p10_cancelled;
mod p12_any_bytes;
mod rostered;
mod users_races;

cloakroom_testing::promises!(cloakroom_testing::House::open);
cloakroom_testing::promises_in_memory!();
