//! Shared code for the tests, the benchmarks and the comparison.
//!
//! A [`House`] is a session layer with a clock that tests set, over a store that counts its
//! commands ([`Counting`]) and fails on demand ([`Faulty`]). A [`Visitor`] sends requests through
//! it and keeps its cookies. Further modules start real servers and browsers, break connections,
//! and test the promises on any store.

#![forbid(unsafe_code)]

mod counting;
mod faulty;
mod house;
mod late;
mod patience;
mod polling;
mod random;
mod recorder;
mod rosters;
mod trace;
mod visitor;

pub mod azurite;
pub mod buckets;
pub mod certificates;
#[cfg(feature = "browser")]
pub mod chromium;
pub mod examples;
#[cfg(feature = "fleet")]
pub mod fleet;
#[cfg(feature = "histories")]
pub mod histories;
pub mod lag;
pub mod logout_races;
pub mod mariadb;
pub mod memcached;
pub mod ministack;
pub mod model;
pub mod postgres;
pub mod processes;
#[cfg(feature = "promises")]
pub mod promises;
pub mod proxy;
pub mod redis;
pub mod storm;
pub mod users_races;
pub mod wrong_url;

pub use cloakroom::testing::{CommandKind as Command, Commands, Fault, FaultyStore as Faulty};
pub use counting::Counting;
pub use faulty::die_after;
pub use house::{COOKIE, HOUR, House, MINUTE, clock};
pub use late::Late;
pub use patience::{comes_true, patient, patiently, patiently_by_url, refusal};
pub use polling::{all, hang_up, left_alone, poll_once, settle};
pub use random::Random;
pub use recorder::Recorder;
pub use trace::Trace;
pub use visitor::{Answer, Handled, Visitor, reply, respond};
