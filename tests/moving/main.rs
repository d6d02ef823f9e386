//! Two stores as one: the protocol step by step, the contract of a store, the promises, and outages.
#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[cfg(all(feature = "axum", feature = "file", feature = "postgres", feature = "sqlite"))]
mod carts;
mod conformance;
#[cfg(all(feature = "axum", feature = "file", feature = "postgres", feature = "sqlite"))]
mod local;
mod losses;
#[cfg(all(
    feature = "axum",
    feature = "file",
    feature = "postgres",
    feature = "redis",
    feature = "sqlite"
))]
mod members;
mod model;
mod nested;
mod outages;
mod pair;
mod promises;
#[cfg(all(feature = "redis", feature = "sqlite"))]
mod redis_to_sqlite;
#[cfg(all(feature = "file", feature = "redis"))]
mod servers;
mod steps;
mod traps;
mod trips;
mod users_races;
mod wrapped;
