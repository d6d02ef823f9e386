//! What the tests, the benchmarks and the comparison share: a house with a set clock, visitors who
//! keep their cookies, stores that count and fail on demand, real servers, and the promises as tests
//! that any store can run.

#![forbid(unsafe_code)]

mod counting;
mod faulty;
mod house;
mod late;
mod polling;
mod trace;
mod visitor;

pub mod certificates;
#[cfg(feature = "browser")]
pub mod chromium;
pub mod examples;
#[cfg(feature = "fleet")]
pub mod fleet;
pub mod memcached;
pub mod ministack;
pub mod processes;
#[cfg(feature = "promises")]
pub mod promises;
pub mod proxy;
pub mod redis;
pub mod wrong_url;

pub use counting::{Command, Counting};
pub use faulty::{Fault, Faulty};
pub use house::{COOKIE, HOUR, House, MINUTE, clock};
pub use late::Late;
pub use polling::{all, hang_up, settle};
pub use trace::Trace;
pub use visitor::{Answer, Handled, Visitor, reply, respond};
