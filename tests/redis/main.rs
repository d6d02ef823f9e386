//! The Redis store against real servers.
#![cfg(all(feature = "redis", feature = "conformance"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod acl;
#[cfg(feature = "axum")]
mod cart;
mod conformance;
mod counts;
mod faults;
mod figures;
#[cfg(feature = "axum")]
#[path = "../support/fleet/mod.rs"]
mod fleet;
#[cfg(feature = "redis-iam")]
mod iam;
mod refusals;
mod replicas;
mod servers;
mod servers_start;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/wrong_url.rs"]
mod wrong_url;
