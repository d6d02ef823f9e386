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
#[cfg(feature = "axum")]
#[path = "../support/fleet/mod.rs"]
mod fleet;
#[path = "../support/proxy.rs"]
mod proxy;
mod refusals;
mod servers;
#[path = "../support/mod.rs"]
mod support;
mod torn;
mod versions;
#[path = "../support/wrong_url.rs"]
mod wrong_url;
