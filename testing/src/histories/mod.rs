//! Histories: every call of many clients on several nodes, with its answer, while servers fail; and a check
//! that the answers are possible.
//!
//! A [`Crowd`] calls the nodes of an example and a [`Recorder`] writes down each call with its start and
//! end on one clock. The [check](Scene::check) is pure: it gets the calls and returns what no correct session
//! layer could have answered. [`Trial`] adds the faults, drawn from a seed, and demands that they were felt.
//!
//! There are two [scenes](Scene): the additions to a [cart], and the [logins] of users, who list and end each
//! other's sessions.

pub mod cart;
mod crowd;
mod faults;
mod http;
pub mod logins;
mod nodes;
mod recorder;
mod report;
mod scene;
mod trial;
mod violation;

pub use crate::random::Random;
pub use crowd::Crowd;
pub use faults::{Fault, Place};
pub use nodes::{Nodes, Way};
pub use recorder::{Doubt, Moment, Recorded, Recorder};
pub use report::{Report, Wanted, When};
pub use scene::Scene;
pub use trial::{Run, RunOfLogins, Trial};
pub use violation::{Kind, Violation};
