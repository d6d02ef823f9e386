//! The examples of `cloakroom` as processes, and a visitor who reaches them over HTTP.

mod server;
#[cfg(feature = "fleet")]
mod visitor;

pub use server::{Server, command};
#[cfg(feature = "fleet")]
pub use visitor::{Reply, Visitor};
