//! An observer is told everything that happens to the sessions of its layer: once, in order, without a
//! lock, and without a secret.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod conflicts;
mod cookies;
mod ends;
#[cfg(feature = "metrics")]
mod metrics;
mod misbehaving;
mod outages;
mod visits;

use cloakroom_testing::{House, Recorder};

/// Returns the house with an observer, and what that records.
fn observed(house: House) -> (House, Recorder) {
    let recorder = Recorder::default();
    let house = house.with(|layer| layer.observer(recorder.clone()));
    (house, recorder)
}

const NOTHING: [&str; 0] = [];
