//! The SQLite store on a local folder: the contract of a store, and the cases that only a database has.

#![cfg(all(feature = "sqlite", feature = "conformance", unix))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod conformance;
mod database;
mod promises;
