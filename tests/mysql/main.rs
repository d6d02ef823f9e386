//! The MySQL store against real MariaDB servers.
#![cfg(all(feature = "mysql", feature = "conformance"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[cfg(feature = "axum")]
mod cart;
mod conformance;
mod counts;
mod deadlocks;
mod faults;
mod killed;
mod logout_races;
mod meddler;
mod model;
mod newer_format;
mod promises;
mod races;
mod refusals;
mod setup;
mod sizes;
mod sweeping;
mod traps;
mod unpolled;
mod users_races;
