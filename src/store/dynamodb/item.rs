//! A session as an item of the table.
//!
//! ```text
//! id  B  32 bytes  the key
//! v   B  8 bytes   the version, which is the commit's id
//! d   B            the bytes of the entry
//! e   N            the deadline in milliseconds since 1970
//! ttl N            the same in seconds, rounded up
//! f                absent; a later format has its number here
//! ```
//!
//! DynamoDB reads `ttl` and removes the item within some days. Everything that this library decides,
//! it decides by `e`.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use bytes::Bytes;

use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::id::{CommitId, StoreKey};
use crate::store::entry::{Entry, NewEntry};

pub(super) type Item = HashMap<String, AttributeValue>;

/// The names of attributes that are kept free, so that a later release can write the principal and the
/// number of its format there.
const RESERVED: [&str; 2] = ["p", FORMAT];
/// The attribute that no item of this format has. An item that has it is of a newer format.
pub(super) const FORMAT: &str = "f";
const MAX_ITEM_BYTES: usize = 400 * 1024;
/// The most bytes that a number takes. The exact size depends on its digits, and the documentation of
/// DynamoDB calls its own formula approximate.
const MAX_NUMBER_BYTES: usize = 21;
const KEY_LEN: usize = 32;
const VERSION_LEN: usize = 8;

/// The names of the attributes. They count towards the size of every item.
#[derive(Clone, Debug)]
pub(super) struct AttributeNames {
    pub(super) id: String,
    pub(super) version: String,
    pub(super) data: String,
    pub(super) deadline: String,
    pub(super) ttl: String,
}

impl Default for AttributeNames {
    fn default() -> Self {
        let [id, version, data, deadline, ttl] = ["id", "v", "d", "e", "ttl"].map(str::to_owned);
        Self { id, version, data, deadline, ttl }
    }
}

impl AttributeNames {
    fn all(&self) -> [&str; 5] {
        [&self.id, &self.version, &self.data, &self.deadline, &self.ttl]
    }

    /// Returns why these names cannot be used, if they cannot.
    pub(super) fn problem(&self) -> Option<String> {
        let names = self.all();
        let wrong = |(at, name): (usize, &&str)| {
            if name.is_empty() || name.len() > 255 {
                Some("the name of an attribute must have 1 to 255 bytes".to_owned())
            } else if RESERVED.contains(name) {
                Some(format!("the attribute name `{name}` is reserved"))
            } else if names[..at].contains(name) {
                Some(format!("two attributes are named `{name}`"))
            } else {
                None
            }
        };
        names.iter().enumerate().find_map(wrong)
    }

    /// Returns the most bytes of an entry that fit into an item beside the names and the other values.
    pub(super) fn max_entry_bytes(&self) -> usize {
        let names: usize = self.all().iter().map(|name| name.len()).sum();
        MAX_ITEM_BYTES.saturating_sub(names + KEY_LEN + VERSION_LEN + 2 * MAX_NUMBER_BYTES)
    }

    pub(super) fn encode(&self, key: &StoreKey, entry: &NewEntry) -> Result<Item, StoreError> {
        let limit = self.max_entry_bytes();
        if entry.bytes.len() > limit {
            return Err(StoreError::too_large(entry.bytes.len(), limit));
        }
        let values = [
            binary(key.as_bytes()),
            binary(entry.commit.as_bytes()),
            binary(&entry.bytes),
            millis(entry.deadline),
            seconds(entry.deadline),
        ];
        Ok(self.all().into_iter().map(str::to_owned).zip(values).collect())
    }

    /// Returns the entry in an item that [`encode`](Self::encode) makes.
    pub(super) fn decode(&self, item: Item) -> Result<Entry, NotAnEntry> {
        match item.contains_key(FORMAT) {
            true => Err(NotAnEntry::Newer),
            false => self.decode_known(item).ok_or(NotAnEntry::Foreign),
        }
    }

    fn decode_known(&self, mut item: Item) -> Option<Entry> {
        let version = take_binary(&mut item, &self.version)
            .and_then(|bytes| <[u8; VERSION_LEN]>::try_from(bytes).ok())?;
        let Some(AttributeValue::N(millis)) = item.get(&self.deadline) else { return None };
        let deadline = Timestamp::from_millis(millis.parse().ok()?);
        let bytes = Bytes::from(take_binary(&mut item, &self.data)?);
        Some(Entry::new(CommitId::from_bytes(version).into(), deadline, bytes))
    }
}

/// The reason why an item is not an entry that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotAnEntry {
    Foreign,
    /// A newer release has written it. Nothing may replace or delete it.
    Newer,
}

pub(super) fn binary(bytes: &[u8]) -> AttributeValue {
    AttributeValue::B(Blob::new(bytes))
}

pub(super) fn millis(time: Timestamp) -> AttributeValue {
    AttributeValue::N(time.as_millis().to_string())
}

/// Rounds up: rounded down, DynamoDB might remove the item before its session ends.
pub(super) fn seconds(time: Timestamp) -> AttributeValue {
    AttributeValue::N(time.as_millis().div_ceil(1000).to_string())
}

fn take_binary(item: &mut Item, name: &str) -> Option<Vec<u8>> {
    match item.remove(name) {
        Some(AttributeValue::B(blob)) => Some(blob.into_inner()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::error::StoreErrorKind;
    use crate::store::entry::Version;

    const KEY: StoreKey = StoreKey::from_bytes([7; 32]);

    fn entry(bytes: impl Into<Bytes>) -> NewEntry {
        let deadline = Timestamp::from_millis(1_800_000_000_001);
        NewEntry::new(CommitId::from_bytes([9; 8]), deadline, bytes)
    }

    fn item() -> Item {
        AttributeNames::default().encode(&KEY, &entry("ab")).unwrap()
    }

    #[test]
    fn the_attributes_are_fixed() {
        let number = |text: &str| AttributeValue::N(text.to_owned());
        let expected = [
            ("id", binary(&[7; 32])),
            ("v", binary(&[9; 8])),
            ("d", binary(b"ab")),
            ("e", number("1800000000001")),
            ("ttl", number("1800000001")),
        ];
        assert_eq!(item(), expected.map(|(name, value)| (name.to_owned(), value)).into());
    }

    #[test]
    fn an_encoded_item_is_decoded() {
        let decoded = AttributeNames::default().decode(item()).unwrap();
        assert_eq!(decoded.version, Version::from(entry("").commit));
        assert_eq!((decoded.deadline, &decoded.bytes[..]), (entry("").deadline, &b"ab"[..]));
    }

    #[test]
    fn a_damaged_item_is_not_an_entry() {
        let numbers = ["", "-1", "1.5", "1e3", "99999999999999999999999999"];
        let numbers = numbers.map(|text| ("e", Some(AttributeValue::N(text.to_owned()))));
        let text = || AttributeValue::S("text".to_owned());
        let damage = [
            ("v", None),
            ("d", None),
            ("e", None),
            ("v", Some(binary(b"short"))),
            ("v", Some(text())),
            ("d", Some(text())),
            ("e", Some(text())),
        ];
        for (name, value) in damage.into_iter().chain(numbers) {
            let mut item = item();
            match value.clone() {
                Some(value) => item.insert(name.to_owned(), value),
                None => item.remove(name),
            };
            let decoded = AttributeNames::default().decode(item);
            assert_eq!(decoded, Err(NotAnEntry::Foreign), "{name} = {value:?}");
        }
    }

    #[test]
    fn an_item_that_names_a_format_is_newer_whatever_else_it_has() {
        let format = || (FORMAT.to_owned(), AttributeValue::N("2".to_owned()));
        for mut item in [item(), Item::new()] {
            item.extend([format()]);
            assert_eq!(AttributeNames::default().decode(item), Err(NotAnEntry::Newer));
        }
    }

    #[test]
    fn unusable_names_are_refused_with_the_reason() {
        let with = |name: &str| {
            AttributeNames { data: name.to_owned(), ..AttributeNames::default() }.problem()
        };
        assert_eq!(with("payload"), None);
        for (name, problem) in
            [("", "1 to 255"), ("p", "reserved"), ("f", "reserved"), ("id", "two"), ("ttl", "two")]
        {
            assert!(with(name).unwrap().contains(problem), "{name}");
        }
        assert!(with(&"x".repeat(256)).is_some());
    }

    #[test]
    fn longer_names_leave_less_room() {
        let usual = AttributeNames::default();
        let longer = AttributeNames { data: "payload".to_owned(), ..AttributeNames::default() };
        assert_eq!(usual.max_entry_bytes(), 409_600 - (2 + 32) - (1 + 8) - 1 - (1 + 21) - (3 + 21));
        assert_eq!(usual.max_entry_bytes() - longer.max_entry_bytes(), 6);
        let error = usual.encode(&KEY, &entry(vec![0; usual.max_entry_bytes() + 1])).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::TooLarge);
    }
}
