#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(any(all(feature = "file", unix), feature = "memcached", feature = "redis"))]
mod abort_on_drop;
#[cfg(any(all(feature = "file", unix), feature = "memcached"))]
mod backoff;
mod clock;
mod connect;
mod cookie;
mod entropy;
mod error;
mod error_chain;
#[cfg(feature = "axum")]
mod extract;
pub mod guide;
mod hex;
mod id;
mod keys;
mod middleware;
mod poison;
mod record;
mod session;
#[cfg(test)]
mod simulation;
pub mod store;

pub use clock::{Clock, ManualClock, Timestamp};
pub use connect::{ConnectError, connect};
pub use cookie::{CookieError, CookieOptions, CookieOptionsBuilder, SameSite};
pub use error::SessionError;
pub use keys::{Key, KeyError, KeyRing};
pub use middleware::{OutagePolicy, ResponseFuture, SessionLayer, SessionService};
pub use session::{Backend, CookieSessions, Field, FieldName, FieldOf, LazySession};
pub use session::{Revocations, RevocationsBuilder, Revoke, Session};
