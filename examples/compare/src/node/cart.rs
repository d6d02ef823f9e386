//! The use of sessions, as in the cart example.
//!
//! The few lines are written again here. A crate for both would be missing where the example is
//! published with the library, and the example would no longer compile there.

use std::collections::BTreeMap;

use cloakroom::{Field, Session, SessionError};

/// The quantity of each item.
pub(super) type Items = BTreeMap<String, u32>;

const ITEMS: Field<Items> = Field::new("items");

pub(super) fn items(session: &Session) -> Result<Items, SessionError> {
    Ok(session.get(ITEMS)?.unwrap_or_default())
}

pub(super) fn count(items: &Items) -> u64 {
    items.values().copied().map(u64::from).sum()
}

/// Adds `quantity` of an item.
///
/// `update` runs again when another request was quicker. With `get` and `insert` instead, the slower
/// of two requests would be refused with 409, and the shoppers would count refusals.
pub(super) fn add(session: &Session, sku: String, quantity: u32) -> Result<(), SessionError> {
    session.update(ITEMS, move |items| {
        let present = items.entry(sku.clone()).or_default();
        *present = present.saturating_add(quantity);
    })
}
