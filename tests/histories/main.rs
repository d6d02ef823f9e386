//! Histories of many calls on three nodes of the cart, or of the login example, while servers are killed, frozen
//! and cut off, and nodes too; and the check that no answer contradicts another.
//!
//! `HISTORY_SECONDS=600` makes a run longer than a few seconds, and `HISTORY_SEED` repeats one in kind.
//!
//! There is no run for sessions in cookies: without a store the last response wins, so additions at once and a
//! cookie from before a logout have other answers. `tests/cookie_only/limits.rs` has those.
#![cfg(all(feature = "axum", unix))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[cfg(feature = "file")]
mod clocks;
#[cfg(feature = "dynamodb")]
mod dynamodb;
#[cfg(feature = "file")]
mod file;
mod in_process;
#[cfg(feature = "memcached")]
mod memcached;
mod memory;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "object")]
mod object;
mod planted;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "redis")]
mod redis_cluster;
#[cfg(feature = "sqlite")]
mod sqlite;
