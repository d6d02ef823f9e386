//! The store in a bucket: in memory, on two emulators of S3 by different makers, and on one of Azure.
#![cfg(all(feature = "object", feature = "conformance"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod buckets;
#[cfg(feature = "axum")]
mod cart;
mod conformance;
mod connect;
mod counts;
mod faults;
mod guide;
mod logout_races;
mod model;
mod newer_format;
mod probe;
mod promises;
mod storm;
mod sweeping;
mod tags;
mod users_races;
mod wire;
