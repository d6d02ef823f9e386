//! The ledger: compares what users and their apps were told with what is true.
//!
//! A tick is a point in the order of what happens: several things may happen within one millisecond.

mod books;
mod lives;
mod promises;
mod recording;
mod situations;

pub(crate) use books::{Aim, Ledger, Rules};
pub(crate) use recording::{Answer, Loaded};
