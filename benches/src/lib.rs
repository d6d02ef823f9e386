//! What the benchmarks share: the apps that compete, the traffic they get, and how their CPU time
//! is compared.
//!
//! The usual harnesses run one candidate to its end and then the next, and compare wall-clock times
//! across minutes. On a shared machine the noise between two minutes is larger than what is to be
//! seen here. So the candidates take turns in short rounds (A B C, B C A, C A B, …), only the CPU
//! time of this thread counts, each time is divided by the control's of the same round, and the
//! median of these ratios is the result.

#![forbid(unsafe_code)]

pub mod apps;
mod handwritten;
mod least;
mod measure;
pub mod memcached_jobs;
mod nowhere;
pub mod races;
pub mod redis_apps;
mod redis_crew;
mod redis_handwritten;
pub mod redis_jobs;
mod redis_server;
pub mod sessions;
mod traffic;

pub use measure::{Effort, Lane, compare, is_quick};
pub use nowhere::Nowhere;
pub use redis_crew::{Job, Meter, crew_lane};
pub use redis_server::LocalRedis;
pub use traffic::{Cookie, Traffic, cookie_of, forge};
