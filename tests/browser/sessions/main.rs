//! What a real browser does to sessions: it sends several tickets, repeats requests and cancels
//! them.
//!
//! ```text
//! cargo test -p browser-tests --test sessions -- --include-ignored
//! ```
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod course;
mod logins;
mod shop;
mod site;
mod tickets;
mod timeouts;
