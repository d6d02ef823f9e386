//! The SQLite store on a local folder: the contract of a store, and the cases that only a database has.

#![cfg(all(feature = "sqlite", feature = "conformance", unix))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod child;
mod conformance;
mod damaged;
mod database;
mod fleet;
mod full;
mod injected;
mod killed;
mod model;
mod promises;
mod refusals;
mod several;
mod size;
mod sweeping;
mod syscalls;
mod users_races;
mod waiting;
