//! The contents of a visitor's session: the items of the cart, and the user's name after a login.

use std::collections::BTreeMap;

use cloakroom::{Field, LazySession, Session, SessionError};
use serde::Deserialize;

/// The quantity of each item.
pub(crate) type Items = BTreeMap<String, u32>;

const ITEMS: Field<Items> = Field::new("items");

pub(crate) fn items(session: &Session) -> Result<Items, SessionError> {
    Ok(session.get(ITEMS)?.unwrap_or_default())
}

pub(crate) fn count(items: &Items) -> u64 {
    items.values().copied().map(u64::from).sum()
}

/// Adds `quantity` of an item. A negative quantity takes away, and an item of which none is left is
/// removed.
///
/// `update` runs again when another request was quicker. With `get` and `insert` instead, the slower of
/// two requests would be refused with 409.
pub(crate) fn add(session: &Session, sku: Sku, quantity: i64) -> Result<(), SessionError> {
    if quantity <= 0 && session.is_new() {
        return Ok(()); // Taking away from an empty cart does not begin a session.
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

/// Logs the user in. The cart stays and the session gets a new id, so that whoever planted or saw the
/// old one cannot use it.
///
/// The cart is the browser's, whoever logs in. A login as another user would clear the session, which is
/// right where it holds what is a user's own.
pub(crate) async fn login(session: &Session, user: &UserName) -> Result<(), SessionError> {
    if session.principal().is_some_and(|present| present != user.0) {
        session.log_out_keeping_data()?;
    }
    session.log_in(&user.0).await
}

/// Ends the session without loading it, so that a visitor can also leave a session that can no longer
/// be read.
pub(crate) async fn logout(session: &LazySession) -> Result<(), SessionError> {
    session.destroy().await
}

/// The name of an item: 1 to 64 ASCII letters, digits, `-`, `_` and `.`, the first of them a letter or
/// digit. None of them needs an escape in a URL's path.
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

/// The name that a visitor logs in with: 1 to 64 characters, none of them a control character. A real
/// shop also asks for a password.
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
