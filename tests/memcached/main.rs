//! The memcached store against real servers.
#![cfg(all(feature = "memcached", feature = "conformance"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[cfg(feature = "axum")]
mod cart;
mod conformance;
mod counts;
mod crossed;
mod discovery;
mod faults;
mod model;
mod newer_format;
mod promises;
mod refusals;
mod servers;
mod torn;
mod unpolled;
mod versions;
