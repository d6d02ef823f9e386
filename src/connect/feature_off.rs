//! Stands in for every backend whose feature is off in this build.

use super::open::Open;

pub(super) const OPEN: Option<Open> = None;
