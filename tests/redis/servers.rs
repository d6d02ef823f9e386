//! Real Redis and Valkey servers in every topology, on free ports, ended with the test.
//!
//! The harness looks at a server through its Unix socket, in a protocol client of its own; the
//! store under test comes in by TCP. So neither the harness' commands nor its connections are taken
//! for the store's.
#![allow(dead_code, unused_imports)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod certificates;
mod cluster;
mod flavour;
mod monitor;
mod node;
#[path = "../support/servers.rs"]
mod processes;
mod sentinel;
mod standalone;
mod tls;
mod wire;

pub(crate) use certificates::Authority;
pub(crate) use cluster::Cluster;
pub(crate) use flavour::Flavour;
pub(crate) use monitor::{Command, Monitor};
pub(crate) use node::Node;
pub(crate) use processes::{Folder, Process, answers, free_port, wait_until};
pub(crate) use sentinel::Sentinel;
pub(crate) use standalone::{Standalone, UnixSocket};
pub(crate) use tls::Tls;
pub(crate) use wire::{Reply, Wire};
