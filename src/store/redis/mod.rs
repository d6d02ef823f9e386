//! Sessions in ElastiCache, or any Redis 6.2 or Valkey: one string per session, shared by every
//! server of the app.
//!
//! Every key has a time to live from the command that creates it on. In a cluster every command names
//! one key, and ElastiCache Serverless refuses none of them.
//!
//! The files import only files below them:
//!
//! ```text
//! store                                          what an app sees, with server and iam
//! commands                                       the five commands of the contract
//! opening · replicas · answers (reads what a server says)
//! connection                                     the only way to a server
//! gather                                         many commands in one
//! gatherable                                     their kinds
//! wire                                           one command
//! recovery · server · write
//! iam (options · token, below login)
//! endpoint · entry · failure · gate · handshake · large_keys · reauthentication · script · sockets · tls
//! ```

mod answers;
mod commands;
mod connection;
mod endpoint;
mod entry;
mod failure;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod gate;
mod gather;
mod gatherable;
mod handshake;
#[cfg(feature = "redis-iam")]
mod iam;
mod large_keys;
mod opening;
mod reauthentication;
mod recovery;
mod replicas;
mod script;
mod server;
mod sockets;
mod store;
mod tls;
mod wire;
mod write;

#[cfg(feature = "redis-iam")]
pub use iam::RedisIam;
pub use server::RedisServer;
pub use store::{RedisStore, RedisStoreBuilder};
