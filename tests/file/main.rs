//! The file store on a local folder: the contract of a store, and the cases that only files have.

#![cfg(all(feature = "file", feature = "conformance", unix))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod child;
mod conformance;
mod environment;
mod fleet;
mod folder;
mod intruders;
mod killed;
mod model;
mod promises;
mod stale;
mod sweeping;
mod syscalls;
mod turns;
mod users_races;
