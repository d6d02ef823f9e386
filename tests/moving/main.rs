//! Two stores as one: the protocol step by step, the contract of a store, the promises, and outages.
#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod conformance;
mod nested;
mod outages;
mod pair;
mod promises;
mod servers;
mod steps;
mod traps;
mod trips;
mod users_races;
mod wrapped;
