//! What the driver and the actors say to each other, and a store that is reached through an actor.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod remote;
mod words;

pub use remote::{Actor, Remote};

/// The most bytes of a session here. The network between the guests is slow with more.
pub const LIMIT: usize = 16_384;
pub use words::{Answer, Command, number, receive, send};
