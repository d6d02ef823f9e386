//! Stands in for every backend whose feature is off in this build.

use super::open::Open;

#[allow(dead_code, reason = "nothing uses it where every feature is on")]
pub(super) const OPEN: Option<Open> = None;
