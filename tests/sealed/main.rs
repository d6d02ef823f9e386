//! Sealed values: the promises over them, and what somebody finds who has the store.
#![cfg(all(feature = "sealed", feature = "file", feature = "sqlite", unix))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod costs;
mod dump;
mod promises;
mod roll_out;
mod rotation;
mod sessions;
mod tampering;
mod users;

use cloakroom::{Sealing, SessionLayer};
use cloakroom_testing::{House, Visitor};

/// The last step, in which only sealed values are read.
pub(crate) fn only(layer: SessionLayer) -> SessionLayer {
    layer.sealed(Sealing::Only)
}

/// A house over memory in which every server seals.
pub(crate) fn house() -> House {
    House::open().everywhere(only)
}

pub(crate) async fn insert(visitor: &Visitor, key: &str, value: &str) {
    visitor.visit(async |session| session.insert(key, value)).await.is_ok();
}

/// Returns a value that the visitor's next request finds, as `Some("apple")`.
pub(crate) async fn value(visitor: &Visitor, key: &str) -> String {
    let answer = visitor.visit(async |session| session.get::<String>(key)).await;
    answer.is_ok().body.clone()
}

pub(crate) async fn log_in(visitor: &Visitor, principal: &str) {
    visitor.visit(async |session| session.log_in(principal).await).await.is_ok();
}

pub(crate) fn contains(bytes: &[u8], part: &str) -> bool {
    bytes.windows(part.len()).any(|window| window == part.as_bytes())
}
