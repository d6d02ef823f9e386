//! Where should sessions live? Runs one shop under every strategy, breaks things, and shows what was
//! measured.
//!
//! ```text
//! cargo run --release -p compare -- --quick
//! ```

mod cost;
mod report;
mod results;

fn main() {}
