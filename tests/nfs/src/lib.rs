//! The protocol between the driver and the actors, and a store that is reached through an actor.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod protocol;
mod remote;

pub use protocol::{Answer, Command, kind_number, receive, send};
pub use remote::{Actor, Remote};

/// The most bytes of a session in these tests. The network between the guests is slow with more.
pub const LIMIT: usize = 16_384;
