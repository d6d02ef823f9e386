//! Tests the program as a process (`quick`), and what it makes from its figures (`report`).
//!
//! ```text
//! cargo test -p compare --test all report:: -- --include-ignored
//! ```
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod costs;
mod existing;
mod memory;
mod page;
mod quick;
mod report;
