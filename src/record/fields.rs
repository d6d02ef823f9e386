//! The map of a record, from keys to MessagePack values. Both are slices of one buffer.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;

use bytes::{Buf, BufMut, Bytes};
use smallvec::SmallVec;

use crate::clock::Timestamp;

/// UTF-8 text that is a slice of a shared buffer; at most 65,535 bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Text(Bytes);

impl Text {
    /// Copies the text. Returns `None` if it is too long to be stored.
    pub(crate) fn new(text: &str) -> Option<Self> {
        (text.len() <= usize::from(u16::MAX)).then(|| Self(Bytes::copy_from_slice(text.as_bytes())))
    }

    pub(crate) fn as_str(&self) -> &str {
        // Cannot fail: the text was checked when it was made. The fallback only spares a panic.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn len_u16(&self) -> u16 {
        // Cannot saturate: both constructors hold the length to 65,535.
        u16::try_from(self.0.len()).unwrap_or(u16::MAX)
    }

    /// Reads a length of two bytes, and a text of that length.
    pub(super) fn take(input: &mut Bytes) -> Option<Self> {
        let len = usize::from(input.try_get_u16().ok()?);
        Self::take_exact(input, len)
    }

    pub(super) fn take_exact(input: &mut Bytes, len: usize) -> Option<Self> {
        let bytes = take(input, len)?;
        std::str::from_utf8(&bytes).is_ok().then_some(Self(bytes))
    }
}

/// So that a map finds a text by a key that is no text yet.
impl Borrow<[u8]> for Text {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Text(..)")
    }
}

/// Keys and their encoded values, sorted by key.
///
/// A `BTreeMap` would allocate nodes for every record that is read, and most reads look at one key. The
/// few that most sessions have are within the record itself.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Fields(SmallVec<[(Text, Bytes); 4]>);

impl Fields {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Bytes> {
        self.entry(key).map(|(_, value)| value)
    }

    /// Returns the key as a slice of the buffer, with its value; cloning them allocates nothing.
    pub(crate) fn entry(&self, key: &str) -> Option<&(Text, Bytes)> {
        self.position(key.as_bytes()).ok().map(|at| &self.0[at])
    }

    pub(crate) fn value(&self, key: &Text) -> Option<&Bytes> {
        self.position(key.as_bytes()).ok().map(|at| &self.0[at].1)
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(key, _)| key.as_str())
    }

    pub(crate) fn set(&mut self, key: Text, value: Bytes) {
        match self.position(key.as_bytes()) {
            Ok(at) => self.0[at].1 = value,
            Err(at) => self.0.insert(at, (key, value)),
        }
    }

    pub(crate) fn remove(&mut self, key: &Text) {
        if let Ok(at) = self.position(key.as_bytes()) {
            self.0.remove(at);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Hands the entries to many changes.
    pub(crate) fn into_map(self) -> BTreeMap<Text, Bytes> {
        self.0.into_iter().collect()
    }

    pub(crate) fn from_map(map: BTreeMap<Text, Bytes>) -> Self {
        Self(map.into_iter().collect())
    }

    /// Returns all entries, by ascending key.
    pub(super) fn iter(&self) -> impl Iterator<Item = &(Text, Bytes)> {
        self.0.iter()
    }

    /// Appends an entry. Returns `None` if its key is not greater than every other: bytes in another
    /// order, or with a key twice, would be a second encoding of the same record.
    pub(super) fn push(&mut self, key: Text, value: Bytes) -> Option<()> {
        if self.0.last().is_some_and(|(previous, _)| *previous >= key) {
            return None;
        }
        self.0.push((key, value));
        Some(())
    }

    fn position(&self, key: &[u8]) -> Result<usize, usize> {
        self.0.binary_search_by(|(present, _)| present.as_bytes().cmp(key))
    }

    pub(crate) fn encoded_len(&self) -> usize {
        4 + self.iter().map(|(key, value)| 6 + key.as_bytes().len() + value.len()).sum::<usize>()
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.put_u32(len_u32(self.0.len()));
        for (key, value) in self.iter() {
            out.put_u16(key.len_u16());
            out.put_u32(len_u32(value.len()));
            out.put_slice(key.as_bytes());
            out.put_slice(value);
        }
    }

    /// Reads all entries into an empty map.
    pub(super) fn decode(&mut self, input: &mut Bytes) -> Option<()> {
        let count = usize::try_from(input.try_get_u32().ok()?).ok()?;
        // A field takes at least six bytes, so a forged count cannot reserve more than was read.
        self.0.reserve_exact(count.min(input.remaining() / 6));
        for _ in 0..count {
            let key_len = usize::from(input.try_get_u16().ok()?);
            let value_len = usize::try_from(input.try_get_u32().ok()?).ok()?;
            let key = Text::take_exact(input, key_len)?;
            let value = take(input, value_len)?;
            self.push(key, value)?;
        }
        Some(())
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fields({})", self.0.len())
    }
}

pub(super) fn take(input: &mut Bytes, len: usize) -> Option<Bytes> {
    (input.remaining() >= len).then(|| input.split_to(len))
}

pub(super) fn take_time(input: &mut Bytes) -> Option<Timestamp> {
    let mut bytes = [0; 6];
    input.try_copy_to_slice(&mut bytes).ok()?;
    Some(Timestamp::from_six_bytes(bytes))
}

fn len_u32(len: usize) -> u32 {
    // A value of four gigabytes is refused when it is encoded, see `session::value`.
    u32::try_from(len).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Text {
        Text::new(text).unwrap()
    }

    fn fields(keys: &[&str]) -> Fields {
        let mut fields = Fields::default();
        for key in keys {
            fields.set(text(key), Bytes::copy_from_slice(key.as_bytes()));
        }
        fields
    }

    #[test]
    fn a_value_is_set_found_replaced_and_removed_by_its_key() {
        let mut fields = fields(&["b", "a", "c"]);
        assert!(fields.keys().eq(["a", "b", "c"]));
        fields.set(text("b"), Bytes::from_static(b"new"));
        assert_eq!(fields.get("b").unwrap(), "new");
        assert_eq!(fields.value(&text("c")).unwrap(), "c");
        assert_eq!(fields.entry("a").unwrap(), &(text("a"), Bytes::from_static(b"a")));
        fields.remove(&text("a"));
        fields.remove(&text("absent"));
        assert!(fields.keys().eq(["b", "c"]));
        assert!(fields.get("a").is_none() && fields.entry("a").is_none());
        assert!(fields.value(&text("a")).is_none() && !fields.is_empty());
        fields.clear();
        assert!(fields.is_empty());
    }

    #[test]
    fn a_map_for_many_changes_has_the_same_entries() {
        let map = fields(&["b", "a"]).into_map();
        assert_eq!(map.get(&b"a"[..]).unwrap(), "a");
        assert_eq!(map.len(), 2);
        assert!(Fields::from_map(map) == fields(&["a", "b"]));
    }

    /// Decodes the bytes behind a count.
    fn decoded(count: u32, bytes: &[u8]) -> (Option<()>, Fields) {
        let mut input = Bytes::from([&count.to_be_bytes(), bytes].concat());
        let mut fields = Fields::default();
        (fields.decode(&mut input), fields)
    }

    #[test]
    fn a_forged_count_reserves_no_more_than_the_bytes_can_hold() {
        let (read, fields) = decoded(u32::MAX, &[0; 60]);
        assert_eq!(read, None);
        assert!(fields.0.capacity() <= 10, "{}", fields.0.capacity());
    }

    #[test]
    fn entries_are_read_into_one_allocation_of_their_number() {
        let keys = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"];
        let mut bytes = Vec::new();
        fields(&keys).encode(&mut bytes);
        let (read, fields) = decoded(11, &bytes[4..]);
        assert_eq!(read, Some(()));
        assert_eq!((fields.0.len(), fields.0.capacity()), (11, 11));
    }

    #[test]
    fn debug_shows_neither_keys_nor_values() {
        assert_eq!(format!("{:?} {:?}", text("k"), fields(&["k", "l"])), "Text(..) Fields(2)");
    }
}
