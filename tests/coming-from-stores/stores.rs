//! The middleware of `docs/coming-from.md` before the stores that apps on tower-sessions have: on Redis, PostgreSQL
//! and SQLite, with plain, signed and private cookies.
//!
//! ```sh
//! cargo test --locked --manifest-path tests/coming-from-stores/Cargo.toml -- --include-ignored
//! ```
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

// The sources that the page shows. Here they are compiled with the release of tower-sessions that the stores need.
#[path = "../coming-from/src/after.rs"]
#[allow(dead_code, unreachable_pub, reason = "another package uses the rest")]
mod after;
#[path = "../coming-from/src/before.rs"]
#[allow(dead_code, unreachable_pub, reason = "another package uses the rest")]
mod before;
#[path = "../coming-from/tests/shop/browser.rs"]
#[allow(dead_code, unreachable_pub, reason = "another package uses the rest")]
mod browser;
#[path = "../coming-from/src/carry.rs"]
#[allow(unreachable_pub, reason = "it is a part of a library on the page")]
mod carry;

mod carried;
mod old_stores;
mod roll_out;
