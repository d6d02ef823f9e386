//! Tests what is made from a comparison: estimates, the table in the terminal, the page.
//!
//! ```text
//! cargo test -p compare --test report -- --include-ignored
//! ```
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "cost.rs"]
mod bills;
mod browser;
#[path = "../../src/cost.rs"]
mod cost;
mod files;
mod html;
mod measured_page;
#[path = "../support/page.rs"]
mod page;
#[path = "../../src/report/mod.rs"]
mod report;
#[path = "../../src/results.rs"]
mod results;
mod sample;
mod terminal;
