//! This server's memory in front of a store: what it answers, what it forgets, and what its visitors see of another
//! server's changes.
#![cfg(all(feature = "near", feature = "conformance", feature = "redis"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod conformance;
mod gate;
mod looks;
mod model;
mod one_load;
mod overtaken;
mod promises;
mod savings;
mod servers;
mod sessions;
mod shop;
mod urls;
mod users;
mod writes;
