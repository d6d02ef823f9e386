//! Shared code of the benchmarks: the compared apps, their traffic, and the comparison of CPU
//! times.
//!
//! The usual harnesses run one candidate after the other and compare wall-clock times that are
//! minutes apart. On a shared machine, the noise between two minutes is larger than the differences
//! here. So the candidates take turns in short rounds (A B C, B C A, C A B, …), and only the CPU
//! time of this thread counts. Each time is divided by the control's time in the same round, and
//! the median of these ratios is the result.

#![forbid(unsafe_code)]

pub mod apps;
mod crew;
mod handwritten;
mod least;
mod measure;
pub mod memcached_jobs;
pub mod mysql_jobs;
pub mod mysql_sweep;
mod nowhere;
pub mod postgres_jobs;
pub mod postgres_sweep;
pub mod races;
pub mod redis_apps;
pub mod redis_contest;
mod redis_handwritten;
pub mod redis_jobs;
mod redis_server;
pub mod redis_table;
mod redis_tower_sessions;
pub mod redis_writes;
pub mod sessions;
pub mod sql_table;
pub mod sqlite_bare;
pub mod sqlite_plain;
pub mod sqlite_sides;
pub mod sqlite_sweep;
pub mod sweeping;
mod traffic;

pub use crew::{Job, Meter, crew, crew_lane};
pub use measure::{Effort, Lane, compare, is_quick};
pub use nowhere::Nowhere;
pub use redis_server::LocalRedis;
pub use traffic::{Cookie, Traffic, cookie_of, forge};
