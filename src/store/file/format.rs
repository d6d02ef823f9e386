//! Encodes and decodes the file of a session.
//!
//! ```text
//! "clkf" | format 1 | 0 0 0 | version 8 | deadline 8 | length 8 | SHA-256 32 | bytes
//!    4   |     1    |   3   |
//! ```
//!
//! Numbers are big-endian, the deadline is in milliseconds since the epoch. The hash covers the store
//! key, everything before it and the bytes: a file that was cut, changed or put under another
//! session's name does not pass for a session. A checksum without the key would accept the last of
//! these, which a careless restore from a backup can do.

use std::fmt;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::owner::Exposure;
use crate::clock::Timestamp;
use crate::id::StoreKey;
use crate::store::{Entry, Version};

pub(super) const HEADER: usize = 64;
const MAGIC: &[u8; 4] = b"clkf";
const FORMAT: u8 = 1;
/// The offset of the hash.
const HASH_AT: usize = 32;

/// The fields before the bytes. The sweeper needs no more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Header {
    pub(super) version: Version,
    pub(super) deadline: Timestamp,
}

/// The reason why a file is not accepted as a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Damage {
    Foreign,
    Length,
    Hash,
    /// Another user could have written it, so it is not read.
    Exposed(Exposure),
    /// A newer release has written it. Nothing may replace it, so that a roll-out can be undone.
    Newer(u8),
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign => f.write_str("it does not begin as a session's file does"),
            Self::Length => f.write_str("its length differs from the one in its header"),
            Self::Hash => f.write_str("its contents or its name do not match its hash"),
            Self::Exposed(exposure) => exposure.fmt(f),
            Self::Newer(format) => write!(
                f,
                "its format {format} is newer than this release reads; update this server"
            ),
        }
    }
}

/// Encodes a session's file. A version has eight bytes because it is the id of a commit.
pub(super) fn encode(
    key: &StoreKey,
    version: &[u8; 8],
    deadline: Timestamp,
    bytes: &[u8],
) -> Vec<u8> {
    let mut file = Vec::with_capacity(HEADER + bytes.len());
    file.extend_from_slice(MAGIC);
    file.extend_from_slice(&[FORMAT, 0, 0, 0]);
    file.extend_from_slice(version);
    file.extend_from_slice(&deadline.as_millis().to_be_bytes());
    file.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
    let hash = compute_hash(key, &file, bytes);
    file.extend_from_slice(&hash);
    file.extend_from_slice(bytes);
    file
}

/// Decodes the header of a file that is `length` bytes long. Does not check the hash, which would
/// need all of the file.
pub(super) fn decode_header(head: &[u8], length: u64) -> Result<Header, Damage> {
    if head.first_chunk() != Some(MAGIC) {
        return Err(Damage::Foreign);
    }
    match head.get(4..8) {
        None => return Err(Damage::Length),
        Some([format, ..]) if *format > FORMAT => return Err(Damage::Newer(*format)),
        Some([FORMAT, 0, 0, 0]) => {}
        Some(_) => return Err(Damage::Foreign),
    }
    let number = |at: usize| Some(u64::from_be_bytes(*head.get(at..)?.first_chunk()?));
    let version = head.get(8..16).and_then(Version::new).ok_or(Damage::Length)?;
    let deadline = number(16).ok_or(Damage::Length)?;
    let bytes = number(24).ok_or(Damage::Length)?;
    if head.len() < HEADER || bytes.checked_add(HEADER as u64) != Some(length) {
        return Err(Damage::Length);
    }
    Ok(Header { version, deadline: Timestamp::from_millis(deadline) })
}

/// Decodes a whole file, and checks that it is the file of this key.
pub(super) fn decode(key: &StoreKey, file: Vec<u8>) -> Result<Entry, Damage> {
    let Header { version, deadline } = decode_header(&file, file.len() as u64)?;
    if compute_hash(key, &file[..HASH_AT], &file[HEADER..]) != file[HASH_AT..HEADER] {
        return Err(Damage::Hash);
    }
    Ok(Entry::new(version, deadline, Bytes::from(file).slice(HEADER..)))
}

fn compute_hash(key: &StoreKey, head: &[u8], bytes: &[u8]) -> [u8; 32] {
    let hash = Sha256::new().chain_update(key.as_bytes()).chain_update(head);
    hash.chain_update(bytes).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: StoreKey = StoreKey::from_bytes([7; 32]);

    fn file(bytes: &[u8]) -> Vec<u8> {
        encode(&KEY, b"commitid", Timestamp::from_millis(1_700_000_000_123), bytes)
    }

    #[test]
    fn a_decoded_file_has_the_fields_that_were_encoded() {
        for bytes in [&b""[..], b"a coat", &[0; 5_000]] {
            let entry = decode(&KEY, file(bytes)).unwrap();
            assert_eq!(entry.bytes, bytes);
            assert_eq!(entry.version.as_bytes(), b"commitid");
            assert_eq!(entry.deadline.as_millis(), 1_700_000_000_123);
        }
    }

    #[test]
    fn the_format_has_not_changed_since_release_0_1_0() {
        let golden = include_bytes!("../../golden/file-v1.bin");
        assert_eq!(file(b"a coat"), golden);
    }

    #[test]
    fn a_file_with_any_bit_flipped_is_rejected() {
        let whole = file(b"a coat");
        for bit in 0..whole.len() * 8 {
            let mut damaged = whole.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&KEY, damaged).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_file_that_was_cut_or_extended_is_rejected() {
        let whole = file(b"a coat");
        for length in 0..whole.len() {
            assert!(decode(&KEY, whole[..length].to_vec()).is_err(), "{length} bytes");
        }
        assert_eq!(decode(&KEY, [&whole[..], b"x"].concat()), Err(Damage::Length));
        assert_eq!(decode(&KEY, [&whole[..], &whole[..]].concat()), Err(Damage::Length));
        assert_eq!(decode(&KEY, vec![0; whole.len()]), Err(Damage::Foreign));
    }

    #[test]
    fn a_file_under_another_name_is_rejected() {
        let other = StoreKey::from_bytes([8; 32]);
        assert_eq!(decode(&other, file(b"a coat")), Err(Damage::Hash));
    }

    #[test]
    fn a_newer_format_is_reported_whatever_follows_it() {
        for rest in [0, 3, 300] {
            let newer = [&b"clkf\x02abc"[..], &vec![b'x'; rest]].concat();
            assert_eq!(decode(&KEY, newer), Err(Damage::Newer(2)));
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_give_a_defined_result(bytes: Vec<u8>) {
            proptest::prop_assert!(decode(&KEY, bytes.clone()).is_err());
            let _ = decode(&KEY, [&file(b"")[..8], &bytes].concat());
        }
    }
}
