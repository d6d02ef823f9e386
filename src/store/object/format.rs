//! The bytes of an object.
//!
//! ```text
//! written: 0xc1 | 1 | commit, 8   | deadline, 8 | bytes
//! touched: 0xc1 | 2 | deadline, 8 | length of the version, 1 | version | bytes
//! removed: 0xc1 | 3 | time, 8
//! fence:   0xc1 | 4 | time, 8
//! ```
//!
//! Numbers are big-endian, times are in milliseconds since 1970. No MessagePack value begins with the first byte,
//! and no text contains it, so that another program's object is noticed.
//!
//! A touch has to write the object again, for the deadline in it, which gives it a new tag. A touched object keeps
//! the version that it was written under. A delete leaves `removed`, because a plain delete could hit what
//! somebody else has just written; the sweep takes it away. `fence` is the sweep's announcement of a delete.

use bytes::{BufMut, Bytes, BytesMut};

use super::tag::{Token, version_of};
use crate::clock::Timestamp;
use crate::id::CommitId;
use crate::store::entry::{Entry, NewEntry, Version};

const FIRST: u8 = 0xc1;
const WRITTEN: u8 = 1;
const TOUCHED: u8 = 2;
const REMOVED: u8 = 3;
const FENCE: u8 = 4;
/// The most bytes that an object has beside those of its entry.
pub(super) const LONGEST_HEAD: usize = 2 + 8 + 1 + Version::MAX_BYTES;

/// The content of an object.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// An entry, live or not.
    Entry(StoredEntry),
    /// The entry was deleted.
    Removed,
    /// A sweep was about to delete the object at this time.
    Fence(Timestamp),
}

/// An entry, and the token of the object that holds it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct StoredEntry {
    pub(super) entry: Entry,
    pub(super) token: Token,
}

/// The reason why an object is none that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotOurs {
    Foreign,
    /// A newer release has written it. Nothing may replace or delete it.
    Newer(u8),
}

pub(super) fn encode(new: &NewEntry) -> Bytes {
    let mut value = BytesMut::with_capacity(2 + 8 + 8 + new.bytes.len());
    value.put_slice(&[FIRST, WRITTEN]);
    value.put_slice(new.commit.as_bytes());
    value.put_u64(new.deadline.as_millis());
    value.put_slice(&new.bytes);
    value.freeze()
}

/// Encodes the same entry with another deadline.
pub(super) fn encode_touched(entry: &Entry, deadline: Timestamp) -> Bytes {
    let version = entry.version.as_bytes();
    let mut value = BytesMut::with_capacity(LONGEST_HEAD + entry.bytes.len());
    value.put_slice(&[FIRST, TOUCHED]);
    value.put_u64(deadline.as_millis());
    // A version has at most 32 bytes, so the fallback is never reached.
    value.put_u8(u8::try_from(version.len()).unwrap_or(0));
    value.put_slice(version);
    value.put_slice(&entry.bytes);
    value.freeze()
}

pub(super) fn encode_removed(now: Timestamp) -> Bytes {
    encode_time(REMOVED, now)
}

pub(super) fn encode_fence(now: Timestamp) -> Bytes {
    encode_time(FENCE, now)
}

fn encode_time(kind: u8, time: Timestamp) -> Bytes {
    let mut value = BytesMut::with_capacity(2 + 8);
    value.put_slice(&[FIRST, kind]);
    value.put_u64(time.as_millis());
    value.freeze()
}

/// Decodes the bytes of an object that has this tag.
pub(super) fn decode(value: &Bytes, tag: &str) -> Result<Content, NotOurs> {
    let (kind, rest) = match value[..] {
        [FIRST, kind, ..] if kind > FENCE => return Err(NotOurs::Newer(kind)),
        [FIRST, kind, ..] => (kind, value.slice(2..)),
        _ => return Err(NotOurs::Foreign),
    };
    let content = match kind {
        WRITTEN => decode_written(rest, tag),
        TOUCHED => decode_touched(rest, tag),
        REMOVED => decode_time(&rest).map(|_| Content::Removed),
        FENCE => decode_time(&rest).map(Content::Fence),
        _ => None,
    };
    content.ok_or(NotOurs::Foreign)
}

fn decode_written(rest: Bytes, tag: &str) -> Option<Content> {
    let (commit, after) = rest.split_first_chunk()?;
    let (deadline, _) = after.split_first_chunk()?;
    let deadline = time(deadline);
    let version = version_of(CommitId::from_bytes(*commit), deadline, tag);
    Some(content(version, deadline, rest.slice(16..), tag))
}

fn decode_touched(rest: Bytes, tag: &str) -> Option<Content> {
    let (deadline, after) = rest.split_first_chunk()?;
    let (&len, after) = after.split_first()?;
    let version = Version::new(after.get(..usize::from(len))?)?;
    Some(content(version, time(deadline), rest.slice(9 + usize::from(len)..), tag))
}

fn content(version: Version, deadline: Timestamp, bytes: Bytes, tag: &str) -> Content {
    let entry = Entry::new(version, deadline, bytes);
    Content::Entry(StoredEntry { entry, token: Token { tag: tag.into(), deadline } })
}

/// Reads a time that is all there is.
fn decode_time(rest: &[u8]) -> Option<Timestamp> {
    rest.try_into().ok().map(|bytes| time(&bytes))
}

fn time(bytes: &[u8; 8]) -> Timestamp {
    Timestamp::from_millis(u64::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::*;

    const TAG: &str = "\"0\"";
    const DEADLINE: Timestamp = Timestamp::from_millis(0x0102_0304_0506);

    fn new(bytes: impl Into<Bytes>) -> NewEntry {
        NewEntry::new(CommitId::from_bytes([9; 8]), DEADLINE, bytes)
    }

    fn stored(value: &Bytes, tag: &str) -> StoredEntry {
        match decode(value, tag).unwrap() {
            Content::Entry(stored) => stored,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_layout_is_fixed() {
        let value = encode(&new("ab"));
        assert_eq!(
            value[..],
            *b"\xc1\x01\x09\x09\x09\x09\x09\x09\x09\x09\0\0\x01\x02\x03\x04\x05\x06ab"
        );
        let written = stored(&value, TAG);
        let version = *b"\x09\x09\x09\x09\x09\x09\x09\x09\x01\x02\x03\x04\x05\x06\x020";
        assert_eq!(written.entry.version.as_bytes(), version);
        let touched = encode_touched(&written.entry, Timestamp::from_millis(8));
        assert_eq!(touched[..], [&b"\xc1\x02\0\0\0\0\0\0\0\x08\x10"[..], &version, b"ab"].concat());
        assert_eq!(encode_removed(DEADLINE)[..], *b"\xc1\x03\0\0\x01\x02\x03\x04\x05\x06");
        assert_eq!(encode_fence(DEADLINE)[..], *b"\xc1\x04\0\0\x01\x02\x03\x04\x05\x06");
    }

    #[test]
    fn a_touch_moves_the_deadline_and_the_tag_and_nothing_else() {
        for bytes in ["", "ab"] {
            let written = stored(&encode(&new(bytes)), TAG);
            assert_eq!(written.entry.bytes, bytes);
            let later = Timestamp::from_millis(DEADLINE.as_millis() + 1);
            let touched = stored(&encode_touched(&written.entry, later), "\"1\"");
            assert_eq!(touched.entry, Entry { deadline: later, ..written.entry.clone() });
            assert_eq!(touched.token, Token { tag: "\"1\"".into(), deadline: later });
            let again = stored(&encode_touched(&touched.entry, later), "\"2\"");
            assert_eq!(again.entry, touched.entry);
        }
    }

    #[test]
    fn what_the_sweep_and_a_delete_leave_is_read_as_that() {
        assert_eq!(decode(&encode_removed(DEADLINE), TAG), Ok(Content::Removed));
        assert_eq!(decode(&encode_fence(DEADLINE), TAG), Ok(Content::Fence(DEADLINE)));
    }

    /// A tag may be the hash of the content, so two writes may never have equal bytes.
    #[test]
    fn writes_of_one_session_differ_although_its_bytes_do_not() {
        let other = NewEntry { commit: CommitId::from_bytes([8; 8]), ..new("ab") };
        let written = stored(&encode(&new("ab")), TAG);
        let later = |by| Timestamp::from_millis(DEADLINE.as_millis() + by);
        let values = [
            encode(&new("ab")),
            encode(&other),
            encode_touched(&written.entry, later(1)),
            encode_touched(&written.entry, later(2)),
            encode_touched(&stored(&encode(&other), TAG).entry, later(1)),
        ];
        assert!((1..values.len()).all(|at| !values[..at].contains(&values[at])));
    }

    #[test]
    fn anything_else_is_foreign() {
        let written = encode(&new(""));
        let touched = encode_touched(&stored(&written, TAG).entry, DEADLINE);
        let (fence, cut) = (encode_fence(DEADLINE), |value: &Bytes| value.slice(..value.len() - 1));
        let longer = Bytes::from([&fence[..], b"x"].concat());
        let long_version = Bytes::from([&b"\xc1\x02\0\0\0\0\0\0\0\0\x21"[..], &[0; 40]].concat());
        let zero = Bytes::from_static(b"\xc1\0");
        for value in [cut(&written), cut(&touched), cut(&fence), longer, long_version, zero] {
            assert_eq!(decode(&value, TAG).unwrap_err(), NotOurs::Foreign, "{value:?}");
        }
        for text in ["", "text", "\u{c1}"] {
            assert_eq!(decode(&text.into(), TAG).unwrap_err(), NotOurs::Foreign, "{text:?}");
        }
    }

    #[test]
    fn a_newer_format_is_reported_whatever_follows_it() {
        for rest in 0..40 {
            let value = Bytes::from([&[0xc1, 5][..], &vec![b'x'; rest]].concat());
            assert_eq!(decode(&value, TAG).unwrap_err(), NotOurs::Newer(5), "{rest}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_object_is_content_or_a_reason(value: Vec<u8>, kind in 0..6_u8, tag: String) {
            for value in [value.clone(), [vec![FIRST, kind], value].concat()] {
                if let Ok(Content::Entry(stored)) = decode(&value.into(), &tag) {
                    let again = encode_touched(&stored.entry, stored.entry.deadline);
                    let Ok(Content::Entry(again)) = decode(&again, &tag) else { panic!() };
                    proptest::prop_assert_eq!(again.entry, stored.entry);
                }
            }
        }
    }
}
