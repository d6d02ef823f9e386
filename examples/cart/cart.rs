//! What a visitor has in the session: some items, and a name once logged in.

use std::collections::BTreeMap;

use cloakroom::{Field, LazySession, Session, SessionError};
use serde::Deserialize;

/// How many there are of which item.
pub(crate) type Items = BTreeMap<String, u32>;

const ITEMS: Field<Items> = Field::new("items");

pub(crate) fn items(session: &Session) -> Result<Items, SessionError> {
    Ok(session.get(ITEMS)?.unwrap_or_default())
}

pub(crate) fn count(items: &Items) -> u64 {
    items.values().copied().map(u64::from).sum()
}

/// Adds `quantity` of an item; a negative one takes away, and nothing left removes it.
///
/// With `update`, not `get` and `insert`: two requests at once would both put their own sum there,
/// and one of them would be refused.
pub(crate) fn add(session: &Session, sku: Sku, quantity: i64) -> Result<(), SessionError> {
    if quantity <= 0 && session.is_new() {
        return Ok(()); // Taking from a cart that was never begun does not begin one.
    }
    session.update(ITEMS, move |items| {
        let present = items.get(&sku.0).map_or(0, |&quantity| i64::from(quantity));
        let wanted = present.saturating_add(quantity).clamp(0, u32::MAX.into());
        match u32::try_from(wanted) {
            Ok(0) | Err(_) => items.remove(&sku.0),
            Ok(wanted) => items.insert(sku.0.clone(), wanted),
        };
    })
}

pub(crate) fn remove(session: &Session, sku: Sku) -> Result<(), SessionError> {
    add(session, sku, i64::MIN)
}

/// The cart stays, the session's id does not: whoever planted or saw the old one has nothing.
pub(crate) async fn login(session: &Session, user: &UserName) -> Result<(), SessionError> {
    session.log_in(&user.0).await
}

/// Asks for no loaded session, so that one which can no longer be read can still be left.
pub(crate) async fn logout(session: &LazySession) -> Result<(), SessionError> {
    session.destroy().await
}

/// What names an item: 1 to 64 ASCII letters, digits, `-`, `_` and `.`, the first of them a letter
/// or digit. These stand in a URL's path as they are.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Sku(String);

impl TryFrom<String> for Sku {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.');
        let begins_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if begins_well && text.len() <= 64 && text.bytes().all(allowed) {
            return Ok(Self(text));
        }
        Err(
            "a sku has 1 to 64 letters, digits, `-`, `_` and `.`, and begins with a letter or digit",
        )
    }
}

/// Who somebody claims to be; a real shop asks for a proof. 1 to 64 characters that can be printed.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct UserName(String);

impl TryFrom<String> for UserName {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let name = text.trim();
        if (1..=64).contains(&name.chars().count()) && !name.chars().any(char::is_control) {
            return Ok(Self(name.to_owned()));
        }
        Err("a user name has 1 to 64 characters and no control characters")
    }
}
