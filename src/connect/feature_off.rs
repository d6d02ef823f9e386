//! Stands in for every module whose feature is off in this build, with the names that they offer.

#![allow(dead_code, reason = "each build needs only the names of the features that it lacks")]

use super::address::Address;
use super::error::ConnectError;
use super::open::Open;
use crate::session::Backend;

/// No scheme of a feature that is off can be opened.
pub(super) const OPEN: Option<Open> = None;

/// A store cannot be put behind a memory.
pub(super) const SCHEMES: &[&str] = &[];

/// Refuses a `near:` URL.
pub(super) async fn in_front(address: Address, _: Open) -> Result<Backend, ConnectError> {
    let scheme = address.scheme().to_owned();
    Err(ConnectError::FeatureOff { scheme, feature: "near" })
}

/// Refuses the option `iam`. Without this the option would be an unknown one, and the error could
/// not name the feature. The server's type is left open, because it exists only in builds with Redis.
pub(super) async fn with_iam<Server>(
    server: Server,
    address: &mut Address,
    _default_port: u16,
) -> Result<Server, ConnectError> {
    match address.take("iam") {
        Some(_) => Err(address.invalid("`iam` needs cloakroom's feature `redis-iam`")),
        None => Ok(server),
    }
}
