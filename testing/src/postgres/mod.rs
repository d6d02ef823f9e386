//! Real PostgreSQL servers on free ports, each with its own folder. They end with the test.
//!
//! PostgreSQL refuses to run as root, so root starts it as another user.

mod account;
mod bouncer;
mod programs;
mod server;
mod standby;
mod tls;

pub use bouncer::{Bouncer, Mode};
pub use server::{DATABASE, PASSWORD, Server, USER, table};
pub use standby::Pair;
pub use tls::Tls;
