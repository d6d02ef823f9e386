//! The store contract: kept by the stores that come with the crate, and its tests put to the test
//! on stores that break it.

#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod broken;
mod fault;
mod memory;
mod real_time;
mod shelf;
