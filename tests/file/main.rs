//! The file store: the contract on a local directory, and what only files can meet.

#![cfg(all(feature = "file", feature = "conformance", unix))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod child;
mod conformance;
mod environment;
mod fleet;
mod folder;
mod killed;
mod promises;
mod stale;
mod sweeping;
mod syscalls;
