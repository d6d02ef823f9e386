//! Sessions in ElastiCache for Memcached, or in any memcached 1.6.18 or later: one value per session,
//! each on one of several servers that do not know of each other.
//!
//! It is written on the protocol itself: no client library has TLS, passwords, compare-and-set and a
//! defined end of calls that are dropped half-way, and three commands are all that is needed.
//!
//! | file | is |
//! |---|---|
//! | `store`, `builder`, `servers` | the public types |
//! | `target` | one key on the server that owns it |
//! | `nodes`, `discovery` | the list of servers, who owns which key, and where the list comes from |
//! | `node`, `health` | the connections to one server, and when it is tried again |
//! | `connection`, `tls`, `server_info`, `protocol` | one command and its whole answer |
//! | `entry`, `expiry` | the stored bytes and their expiry |
//! | `failure` | what an error proves about its command |

mod builder;
mod connect_options;
mod connection;
mod discovery;
mod entry;
mod expiry;
mod failure;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod health;
mod node;
mod nodes;
mod protocol;
mod server_info;
mod servers;
mod store;
mod target;
mod tls;

pub use builder::MemcachedStoreBuilder;
pub use servers::MemcachedServers;
pub use store::MemcachedStore;
