//! Real Redis and Valkey servers in every topology, on free ports, ended with the test.
//!
//! The harness looks at a server through its Unix socket, in a protocol client of its own; the
//! store under test comes in by TCP. So neither the harness' commands nor its connections are taken
//! for the store's.

mod cluster;
mod flavour;
mod monitor;
mod node;
mod sentinel;
mod standalone;
mod tls;
mod wire;

pub use cluster::Cluster;
pub use flavour::Flavour;
pub use monitor::{Command, Monitor};
pub use node::Node;
pub use sentinel::Sentinel;
pub use standalone::{Standalone, UnixSocket};
pub use tls::Tls;
pub use wire::{Reply, Wire};
