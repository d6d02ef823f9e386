//! The Redis store against real servers.
#![cfg(all(feature = "redis", feature = "conformance"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod acl;
#[cfg(feature = "axum")]
mod cart;
mod conformance;
mod counts;
mod encrypted;
mod faults;
mod figures;
mod gathering;
#[cfg(feature = "redis-iam")]
mod iam;
#[cfg(feature = "axum")]
mod login;
mod model;
mod newer_format;
mod promises;
mod refusals;
mod replicas;
mod sentinels;
mod servers_start;
mod setup;
mod unpolled;
mod users_races;
