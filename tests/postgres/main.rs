//! The PostgreSQL store against real servers.
#![cfg(all(feature = "postgres", feature = "conformance"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bouncer;
#[cfg(feature = "axum")]
mod cart;
mod conformance;
mod counts;
mod failover;
mod faults;
mod logout_races;
mod model;
mod newer_format;
mod promises;
mod refusals;
mod sizes;
mod stores;
mod sweeping;
mod tables;
mod traps;
mod unpolled;
mod users_races;
