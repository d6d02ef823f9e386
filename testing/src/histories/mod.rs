//! Histories: every call of many clients on several nodes, with its answer, while servers fail; and a check
//! that the answers are possible.
//!
//! [`Crowd`] shops at the nodes of the cart example and [`Recorder`] writes down each call with its start and
//! end on one clock. [`check`] is pure: it gets the calls and returns what no correct session layer could
//! have answered. [`Trial`] adds the faults, drawn from a seed, and demands that they were felt.

mod checker;
mod counter;
mod crowd;
mod faults;
mod nodes;
mod recorder;
mod report;
mod shop;
mod trial;

pub use crate::random::Random;
pub use checker::{Kind, Violation, check};
pub use crowd::{Crowd, look_again};
pub use faults::{Fault, Place};
pub use nodes::{Nodes, Way};
pub use recorder::{Answer, Call, Cart, Doubt, Item, Moment, Operation, Recorder};
pub use report::Report;
pub use shop::{Shop, Ticket};
pub use trial::Trial;
