//! The bytes that are stored under a key, and the version that is made of them.
//!
//! ```text
//! written: 0xc1 | 1 | commit, 8 bytes | deadline, 8 | epoch, 8 | bytes
//! touched: 0xc1 | 2 | version, 30     | deadline, 8 | epoch, 8 | bytes
//! version: commit, 8 | deadline, 6 | CAS unique, 8 | run id, 8
//! ```
//!
//! Numbers are big-endian, deadlines are in milliseconds since 1970. No MessagePack value begins with
//! the first byte, and no text contains it, so that another program's value is noticed.
//!
//! A version carries the server's token (its CAS unique), so that a replace is one command. The token
//! is a counter that begins anew when the server restarts, so the version also names the run of the
//! server, and the commit. The deadline in it tells until when the token may be used without a load
//! before it, since the server keeps a value for up to two seconds longer.
//!
//! A touch has to write the value again, for the deadline in it, which gives it a new token. A touched
//! value keeps the version that it was written under.
//!
//! The epoch is the version of the list of nodes by which the value found its node. A node that left
//! the list and came back may hold values from before it left; their epoch is earlier than the one in
//! which it came back.

use bytes::{BufMut, Bytes, BytesMut};

use crate::clock::Timestamp;
use crate::id::CommitId;
use crate::store::entry::{Entry, NewEntry, Version};

const WRITTEN: [u8; 2] = [0xc1, 1];
const TOUCHED: [u8; 2] = [0xc1, 2];
const COMMIT_LEN: usize = 8;
const VERSION_LEN: usize = 30;
const DEADLINE_LEN: usize = 8;
const EPOCH_LEN: usize = 8;

/// Names one run of a server's process. The tokens of one run mean nothing in another.
pub(super) type RunId = [u8; 8];

/// The token of one state of a value, and the deadline until which that state is live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CasToken {
    pub(super) unique: u64,
    pub(super) run_id: RunId,
    pub(super) deadline: Timestamp,
}

/// An entry that a server holds, live or not.
#[derive(Debug)]
pub(super) struct StoredEntry {
    pub(super) entry: Entry,
    pub(super) token: CasToken,
    pub(super) epoch: u64,
}

pub(super) fn encode(new: &NewEntry, epoch: u64) -> Bytes {
    encode_value(WRITTEN, new.commit.as_bytes(), new.deadline, epoch, &new.bytes)
}

/// Encodes the same entry with another deadline.
pub(super) fn encode_touched(stored: &StoredEntry, deadline: Timestamp) -> Bytes {
    let entry = &stored.entry;
    encode_value(TOUCHED, entry.version.as_bytes(), deadline, stored.epoch, &entry.bytes)
}

fn encode_value(
    mark: [u8; 2],
    version: &[u8],
    deadline: Timestamp,
    epoch: u64,
    bytes: &[u8],
) -> Bytes {
    let len = mark.len() + version.len() + DEADLINE_LEN + EPOCH_LEN + bytes.len();
    let mut value = BytesMut::with_capacity(len);
    value.put_slice(&mark);
    value.put_slice(version);
    value.put_u64(deadline.as_millis());
    value.put_u64(epoch);
    value.put_slice(bytes);
    value.freeze()
}

/// Returns the version of a commit that the server holds under `token`.
pub(super) fn version_of(commit: &CommitId, token: &CasToken) -> Version {
    encode_version(commit.as_bytes(), token)
}

fn encode_version(commit: &[u8; COMMIT_LEN], token: &CasToken) -> Version {
    let mut bytes = [0; VERSION_LEN];
    bytes[..8].copy_from_slice(commit);
    bytes[8..14].copy_from_slice(&token.deadline.to_six_bytes());
    bytes[14..22].copy_from_slice(&token.unique.to_be_bytes());
    bytes[22..].copy_from_slice(&token.run_id);
    // The fallback is never reached: 30 bytes fit into a version.
    Version::new(&bytes).unwrap_or(Version::EMPTY)
}

/// Returns the token in a version, or `None` when another store made the version.
pub(super) fn token_of(version: &Version) -> Option<CasToken> {
    let bytes = version.as_bytes();
    if bytes.len() != VERSION_LEN {
        return None;
    }
    Some(CasToken {
        unique: u64::from_be_bytes(*bytes[14..].first_chunk()?),
        run_id: *bytes[22..].first_chunk()?,
        deadline: Timestamp::from_six_bytes(*bytes[8..].first_chunk()?),
    })
}

/// The reason why a value is not an entry that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotAnEntry {
    Foreign,
    /// A newer release has written it. Nothing may replace or delete it.
    Newer(u8),
}

/// Decodes a value that the server holds under the token `unique`.
pub(super) fn decode(value: &Bytes, unique: u64, run_id: RunId) -> Result<StoredEntry, NotAnEntry> {
    decode_known(value, unique, run_id).ok_or_else(|| not_an_entry(value))
}

fn not_an_entry(value: &[u8]) -> NotAnEntry {
    let [first, newest] = TOUCHED;
    match value {
        [head, format, ..] if *head == first && *format > newest => NotAnEntry::Newer(*format),
        _ => NotAnEntry::Foreign,
    }
}

fn decode_known(value: &Bytes, unique: u64, run_id: RunId) -> Option<StoredEntry> {
    let mark: [u8; 2] = *value.first_chunk()?;
    let version_len = match mark {
        WRITTEN => COMMIT_LEN,
        TOUCHED => VERSION_LEN,
        _ => return None,
    };
    let (written_under, rest) = value[mark.len()..].split_at_checked(version_len)?;
    let (deadline, rest) = rest.split_first_chunk()?;
    let epoch = u64::from_be_bytes(*rest.first_chunk()?);
    let deadline = Timestamp::from_millis(u64::from_be_bytes(*deadline));
    let token = CasToken { unique, run_id, deadline };
    let version = match mark {
        TOUCHED => Version::new(written_under)?,
        _ => encode_version(written_under.first_chunk()?, &token),
    };
    let bytes = value.slice(mark.len() + version_len + DEADLINE_LEN + EPOCH_LEN..);
    Some(StoredEntry { entry: Entry::new(version, deadline, bytes), token, epoch })
}

/// Returns the most bytes of an entry that fit into an item of `max_item_bytes`. The rest is for the
/// key (250 bytes at most), our header, and what the server adds (about 60 bytes).
pub(super) fn max_entry_bytes(max_item_bytes: usize) -> usize {
    max_item_bytes.saturating_sub(512)
}

/// Returns the number of the entry's own bytes in an encoded value.
pub(super) fn entry_bytes(value: &[u8]) -> usize {
    let version_len = if value.starts_with(&TOUCHED) { VERSION_LEN } else { COMMIT_LEN };
    value.len().saturating_sub(WRITTEN.len() + version_len + DEADLINE_LEN + EPOCH_LEN)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const RUN_ID: RunId = [4; 8];

    proptest::proptest! {
        #[test]
        fn any_value_is_an_entry_or_a_reason(value: Vec<u8>, head in 0..4_u8, token: u64) {
            for value in [value.clone(), [vec![0xc1, head], value].concat()] {
                if let Ok(stored) = decode(&value.into(), token, RUN_ID) {
                    let again = encode_touched(&stored, stored.entry.deadline);
                    let again = decode(&again, token, RUN_ID).unwrap();
                    proptest::prop_assert_eq!(again.entry, stored.entry);
                }
            }
        }
    }

    const DEADLINE: Timestamp = Timestamp::from_millis(0x0102_0304_0506);

    fn new(bytes: impl Into<Bytes>) -> NewEntry {
        let commit = CommitId::from_bytes([9; 8]);
        NewEntry::new(commit, DEADLINE, bytes)
    }

    #[test]
    fn the_layout_is_fixed() {
        let value = encode(&new("ab"), 3);
        assert_eq!(
            value[..],
            *b"\xc1\x01\x09\x09\x09\x09\x09\x09\x09\x09\x00\x00\x01\x02\x03\x04\x05\x06\
               \x00\x00\x00\x00\x00\x00\x00\x03ab"
        );
        let found = decode(&value, 7, RUN_ID).unwrap();
        let version = *b"\x09\x09\x09\x09\x09\x09\x09\x09\x01\x02\x03\x04\x05\x06\
            \x00\x00\x00\x00\x00\x00\x00\x07\x04\x04\x04\x04\x04\x04\x04\x04";
        assert_eq!(found.entry.version.as_bytes(), version);
        let touched = encode_touched(&found, Timestamp::from_millis(8));
        let wanted =
            [&b"\xc1\x02"[..], &version, b"\0\0\0\0\0\0\0\x08\0\0\0\0\0\0\0\x03ab"].concat();
        assert_eq!(touched, wanted);
    }

    #[test]
    fn a_version_leads_back_to_its_token() {
        let token = CasToken { unique: u64::MAX, run_id: RUN_ID, deadline: Timestamp::MAX };
        assert_eq!(token_of(&version_of(&new("").commit, &token)), Some(token));
        assert_eq!(token_of(&Version::EMPTY), None);
        assert_eq!(token_of(&Version::new(&[1; 32]).unwrap()), None);
    }

    #[test]
    fn a_touch_moves_the_deadline_and_the_token_and_nothing_else() {
        for bytes in ["", "ab"] {
            let written = decode(&encode(&new(bytes), 3), 7, RUN_ID).unwrap();
            let later = Timestamp::from_millis(DEADLINE.as_millis() + 1);
            let touched = decode(&encode_touched(&written, later), 8, RUN_ID).unwrap();
            assert_eq!(touched.entry, Entry { deadline: later, ..written.entry.clone() });
            for value in [encode(&new(bytes), 3), encode_touched(&written, later)] {
                assert_eq!(entry_bytes(&value), bytes.len());
            }
            assert_eq!((touched.token.unique, touched.token.deadline), (8, later));
            assert_eq!((written.epoch, touched.epoch), (3, 3));
        }
    }

    #[test]
    fn the_same_token_in_another_run_or_commit_is_another_version() {
        let value = encode(&new(""), 3);
        let versions = [
            decode(&value, 7, RUN_ID).unwrap().entry.version,
            decode(&value, 7, [5; 8]).unwrap().entry.version,
            decode(&value, 8, RUN_ID).unwrap().entry.version,
            decode(
                &encode(&NewEntry { commit: CommitId::from_bytes([8; 8]), ..new("") }, 3),
                7,
                RUN_ID,
            )
            .unwrap()
            .entry
            .version,
        ];
        assert!((1..4).all(|at| !versions[..at].contains(&versions[at])), "{versions:?}");
    }

    #[test]
    fn anything_else_is_not_an_entry() {
        let written = encode(&new(""), 3);
        let found = decode(&written, 7, RUN_ID).unwrap();
        let touched = encode_touched(&found, DEADLINE);
        let cut = |value: &Bytes| value.slice(..value.len() - 1);
        let zero = Bytes::from_static(b"\xc1\0");
        for value in [cut(&written), cut(&touched), zero, "text".into(), Bytes::new()] {
            assert_eq!(decode(&value, 7, RUN_ID).unwrap_err(), NotAnEntry::Foreign, "{value:?}");
        }
    }

    #[test]
    fn a_newer_format_is_reported_whatever_follows_it() {
        for rest in 0..40 {
            let value = Bytes::from([&[0xc1, 3][..], &vec![b'x'; rest]].concat());
            assert_eq!(decode(&value, 7, RUN_ID).unwrap_err(), NotAnEntry::Newer(3), "{rest}");
        }
    }
}
