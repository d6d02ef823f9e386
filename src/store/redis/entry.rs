//! What is kept under a key.
//!
//! `0xc1 | format | version, 8 bytes | deadline, 8 bytes | bytes`
//!
//! Numbers are big-endian, the deadline is in milliseconds since 1970. The first byte is the one
//! that no MessagePack value begins with and no text contains: what another program has put under
//! our prefix is told apart. The scripts know these offsets too.

use bytes::{BufMut, Bytes, BytesMut};

use crate::clock::Timestamp;
use crate::error::{StoreError, StoreErrorKind};
use crate::store::{Entry, NewEntry, Version};

const MARK: [u8; 2] = [0xc1, 1];
const VERSION_LEN: usize = 8;
/// All that is not the entry's own bytes.
const HEAD_LEN: usize = MARK.len() + VERSION_LEN + 8;
/// `proto-max-bulk-len`: the longest string that a server takes.
const MAX_VALUE_LEN: usize = 512 << 20;

pub(super) const MAX_ENTRY_BYTES: usize = MAX_VALUE_LEN - HEAD_LEN;

pub(super) fn encode(entry: &NewEntry) -> Result<Bytes, StoreError> {
    if entry.bytes.len() > MAX_ENTRY_BYTES {
        return Err(StoreError::too_large(entry.bytes.len(), MAX_ENTRY_BYTES));
    }
    let mut value = BytesMut::with_capacity(HEAD_LEN + entry.bytes.len());
    value.put_slice(&MARK);
    value.put_slice(entry.commit.as_bytes());
    value.put_u64(entry.deadline.as_millis());
    value.put_slice(&entry.bytes);
    Ok(value.freeze())
}

/// What the value of an entry of this version begins with. A version of another length is another
/// store's, and its prefix is none that a value has.
pub(super) fn prefix(version: &Version) -> Bytes {
    [&MARK, version.as_bytes()].concat().into()
}

pub(super) fn decode(value: Bytes) -> Result<Entry, StoreError> {
    let (version, deadline) = decode_head(&value)?;
    Ok(Entry::new(version, deadline, value.slice(HEAD_LEN..)))
}

/// Version and deadline, of a value or of as much of it as a touch reads.
pub(super) fn decode_head(value: &[u8]) -> Result<(Version, Timestamp), StoreError> {
    let parts = value.strip_prefix(&MARK).and_then(|rest| {
        let (version, rest) = rest.split_at_checked(VERSION_LEN)?;
        Some((Version::new(version)?, rest.first_chunk()?))
    });
    let (version, deadline) = parts.ok_or_else(foreign)?;
    Ok((version, Timestamp::from_millis(u64::from_be_bytes(*deadline))))
}

fn foreign() -> StoreError {
    StoreError::new(
        StoreErrorKind::Corrupt,
        "the value under a session's key is not an entry of ours",
    )
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
        assert!(value.starts_with(&prefix(&Version::from(entry("").commit))));
    }

    #[test]
    fn what_was_encoded_is_decoded() {
        for bytes in ["", "ab"] {
            let decoded = decode(encode(&entry(bytes)).unwrap()).unwrap();
            assert_eq!(decoded.version, Version::from(entry("").commit));
            assert_eq!(decoded.deadline, entry("").deadline);
            assert_eq!(decoded.bytes, bytes);
        }
    }

    #[test]
    fn anything_else_is_corrupt() {
        let value = encode(&entry("")).unwrap();
        let mut newer = value.to_vec();
        newer[1] = 2;
        for other in [&value[..HEAD_LEN - 1], b"", b"another program's", &newer] {
            let error = decode(Bytes::copy_from_slice(other)).unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{other:?}");
        }
    }

    /// The memory is zero pages that nobody writes to.
    #[test]
    fn too_large_is_refused_before_anything_is_copied() {
        let error = encode(&entry(vec![0; MAX_ENTRY_BYTES + 1])).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::TooLarge);
    }
}
