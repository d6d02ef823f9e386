//! The store contract: the memory store keeps it, and its laws find the faults of stores that break it.

#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod broken;
mod fault;
mod memory;
mod model;
mod real_time;
mod shelf;
