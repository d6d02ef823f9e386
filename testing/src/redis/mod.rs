//! Real Redis and Valkey servers in every topology, on free ports. They end with the test.
//!
//! The tests look at a server through its Unix socket, with their own protocol client. The store
//! under test connects by TCP. So the tests' commands and connections are not mistaken for the
//! store's.

mod cluster;
mod divided;
mod flavour;
mod monitor;
mod node;
mod sentinel;
mod standalone;
mod tls;
mod tls_cluster;
mod tls_options;
mod tls_sentinel;
mod wire;

pub use cluster::Cluster;
pub use divided::Divided;
pub use flavour::Flavour;
pub use monitor::{Command, Monitor};
pub use node::Node;
pub use sentinel::Sentinel;
pub use standalone::{Standalone, UnixSocket};
pub use tls::Tls;
pub use tls_cluster::TlsCluster;
pub use tls_options::Certificates;
pub use tls_sentinel::TlsSentinel;
pub use wire::{Reply, Wire};
