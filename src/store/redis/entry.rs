//! Encodes entries as values of keys.
//!
//! `magic, 2 bytes | version, 8 bytes | deadline, 8 bytes | bytes`
//!
//! Numbers are big-endian; the deadline counts milliseconds since 1970. No MessagePack value begins
//! with the first magic byte and no UTF-8 text contains it, so a value that another program has put
//! under our prefix is told apart. The scripts know these offsets too.
//!
//! The deadline is in the value as well as in the key's time to live, and either ends a session. The
//! time to live alone would end it by the server's clock, and would be lost with a `PERSIST`.

use bytes::{BufMut, Bytes, BytesMut};

use crate::clock::Timestamp;
use crate::error::{StoreError, StoreErrorKind};
use crate::store::entry::{Entry, NewEntry, Version};
use crate::store::failure::Failure;

/// The second byte is the version of this format.
const MAGIC: [u8; 2] = [0xc1, 1];
const VERSION_LEN: usize = 8;
/// Everything before the entry's own bytes.
const HEAD_LEN: usize = MAGIC.len() + VERSION_LEN + 8;
/// The longest string that a server accepts (`proto-max-bulk-len`).
const MAX_VALUE_LEN: usize = 512 << 20;

pub(super) const MAX_ENTRY_BYTES: usize = MAX_VALUE_LEN - HEAD_LEN;

/// Encodes an entry. Refuses one that the server would not accept, before anything is copied.
pub(super) fn encode(entry: &NewEntry) -> Result<Bytes, StoreError> {
    if entry.bytes.len() > MAX_ENTRY_BYTES {
        return Err(StoreError::too_large(entry.bytes.len(), MAX_ENTRY_BYTES));
    }
    let mut value = BytesMut::with_capacity(HEAD_LEN + entry.bytes.len());
    value.put_slice(&MAGIC);
    value.put_slice(entry.commit.as_bytes());
    value.put_slice(&encode_deadline(entry.deadline));
    value.put_slice(&entry.bytes);
    Ok(value.freeze())
}

/// Encodes a deadline as it stands in a value.
pub(super) fn encode_deadline(deadline: Timestamp) -> [u8; 8] {
    deadline.as_millis().to_be_bytes()
}

/// Returns the first bytes of every value of this version. A version of another length comes from
/// another store; no value begins with the bytes that are returned for it.
pub(super) fn version_prefix(version: &Version) -> Bytes {
    [&MAGIC, version.as_bytes()].concat().into()
}

/// Returns the first bytes of every value of ours.
pub(super) fn magic() -> Bytes {
    Bytes::from_static(&MAGIC)
}

/// Decodes a value. The entry shares the value's memory.
pub(super) fn decode(value: Bytes) -> Result<Entry, Failure> {
    let (version, deadline) = decode_head(&value)?;
    Ok(Entry::new(version, deadline, value.slice(HEAD_LEN..)))
}

/// Decodes version and deadline from a value, or from its first bytes, which are all that a touch
/// reads.
pub(super) fn decode_head(value: &[u8]) -> Result<(Version, Timestamp), Failure> {
    let parts = value.strip_prefix(&MAGIC).and_then(|rest| {
        let (version, rest) = rest.split_at_checked(VERSION_LEN)?;
        Some((Version::new(version)?, rest.first_chunk()?))
    });
    let (version, deadline) = parts.ok_or_else(|| not_an_entry(value))?;
    Ok((version, Timestamp::from_millis(u64::from_be_bytes(*deadline))))
}

/// A value of a newer release is not `Corrupt`: a logout may delete what is corrupt, and during a
/// roll-out another server can read this one.
fn not_an_entry(value: &[u8]) -> Failure {
    let [first, format] = MAGIC;
    match value {
        [head, newer, ..] if *head == first && *newer > format => Failure::not_applied(
            StoreErrorKind::NewerFormat,
            format!("its format {newer} is newer than this release reads; update this server"),
        ),
        _ => Failure::not_applied(
            StoreErrorKind::Corrupt,
            "the value under the session's key was not written by this store",
        ),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::id::CommitId;

    fn entry(bytes: impl Into<Bytes>) -> NewEntry {
        let deadline = Timestamp::from_millis(0x0102_0304_0506);
        NewEntry::new(CommitId::from_bytes([9; 8]), deadline, bytes)
    }

    #[test]
    fn the_layout_is_fixed() {
        let value = encode(&entry("ab")).unwrap();
        assert_eq!(
            value[..],
            *b"\xc1\x01\x09\x09\x09\x09\x09\x09\x09\x09\x00\x00\x01\x02\x03\x04\x05\x06ab"
        );
        assert!(value.starts_with(&version_prefix(&Version::from(entry("").commit))));
    }

    #[test]
    fn an_encoded_entry_is_decoded_to_itself() {
        for bytes in ["", "ab"] {
            let decoded = decode(encode(&entry(bytes)).unwrap()).unwrap();
            assert_eq!(decoded.version, Version::from(entry("").commit));
            assert_eq!(decoded.deadline, entry("").deadline);
            assert_eq!(decoded.bytes, bytes);
        }
    }

    fn refused(value: &[u8]) -> StoreErrorKind {
        decode(Bytes::copy_from_slice(value)).unwrap_err().for_read().kind()
    }

    #[test]
    fn any_other_value_is_corrupt() {
        let value = encode(&entry("")).unwrap();
        for other in [&value[..HEAD_LEN - 1], b"", b"\xc1", b"\xc1\0", b"another program's"] {
            assert_eq!(refused(other), StoreErrorKind::Corrupt, "{other:?}");
        }
    }

    #[test]
    fn a_newer_format_is_reported_whatever_follows_it() {
        for rest in 0..40 {
            let value = [&[0xc1, 2][..], &vec![b'x'; rest]].concat();
            assert_eq!(refused(&value), StoreErrorKind::NewerFormat, "{rest}");
        }
    }

    /// The memory consists of zero pages that nobody writes to, so it costs none.
    #[test]
    fn an_entry_that_is_too_large_is_refused_before_anything_is_copied() {
        let error = encode(&entry(vec![0; MAX_ENTRY_BYTES + 1])).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::TooLarge);
    }
}
