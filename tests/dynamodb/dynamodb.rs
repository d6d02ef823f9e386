//! The DynamoDB store on two emulators: one in this process (dynoxide), one of another maker as a
//! process (ministack).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod calls;
mod cart;
mod conformance;
mod connect;
mod cost;
mod dependencies;
mod emulator;
mod faults;
mod guide;
mod model;
mod moving;
mod newer_format;
mod promises;
mod reads;
mod storm;
mod table;
mod unpolled;
mod users_races;
mod wire;
