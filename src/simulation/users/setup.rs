//! The figures that all parts of a run share.

use std::time::Duration;

/// The number of principals.
pub(crate) const PRINCIPALS: u8 = 2;

/// The most by which a server's clock differs from the store's, in milliseconds.
pub(crate) const MOST_SKEW: u64 = 8_000;

/// What a server that is told of a session may think of its deadlines, against the store's clock.
pub(crate) const SKEW: Duration = Duration::from_millis(2 * MOST_SKEW);

/// A principal, by its number.
pub(crate) type Principal = u8;

const NAME: &str = "principal ";

/// Returns the name that handlers log a principal in by.
pub(crate) fn name_of(principal: Principal) -> String {
    format!("{NAME}{principal}")
}

/// Returns the principal of this name.
pub(crate) fn principal_named(name: &str) -> Option<Principal> {
    name.strip_prefix(NAME)?.parse().ok()
}
