//! What is kept under a key, and what its version is made of.
//!
//! ```text
//! written: 0xc1 | 1 | commit, 8 bytes | deadline, 8 | era, 8 | bytes
//! touched: 0xc1 | 2 | version, 30     | deadline, 8 | era, 8 | bytes
//! version: commit, 8 | deadline, 6 | token, 8 | process, 8
//! ```
//!
//! Numbers are big-endian, deadlines are in milliseconds since 1970. The first byte is the one that
//! no MessagePack value begins with and no text contains.
//!
//! A version carries the server's token (its CAS unique), so that a replace is one command. A token
//! is a counter that begins anew with the server's process; the version names that process, and the
//! commit. A touch has to write the value again, for the deadline in it, which gives it a new token:
//! a touched value keeps the version that it was written under.
//!
//! The era is the version of the list of nodes by which the value found its node. A node that has
//! come back after it left the list may have values of before: they are of an earlier era than the
//! one it came back in.

use bytes::{BufMut, Bytes, BytesMut};

use crate::clock::Timestamp;
use crate::error::{StoreError, StoreErrorKind};
use crate::id::CommitId;
use crate::store::{Entry, NewEntry, Version};

const WRITTEN: [u8; 2] = [0xc1, 1];
const TOUCHED: [u8; 2] = [0xc1, 2];
const COMMIT_LEN: usize = 8;
const VERSION_LEN: usize = 30;
const DEADLINE_LEN: usize = 8;
const ERA_LEN: usize = 8;

/// One life of a server: the tokens of another mean nothing to it.
pub(super) type Process = [u8; 8];

/// Where one state of a value is found, and until when it is certain to be live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) unique: u64,
    pub(super) process: Process,
    pub(super) deadline: Timestamp,
}

/// An entry as a server has it, live or not.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) entry: Entry,
    pub(super) token: Token,
    pub(super) era: u64,
}

pub(super) fn encode(new: &NewEntry, era: u64) -> Bytes {
    value(WRITTEN, new.commit.as_bytes(), new.deadline, era, &new.bytes)
}

/// The same entry with another deadline.
pub(super) fn moved(found: &Found, deadline: Timestamp) -> Bytes {
    let entry = &found.entry;
    value(TOUCHED, entry.version.as_bytes(), deadline, found.era, &entry.bytes)
}

fn value(mark: [u8; 2], version: &[u8], deadline: Timestamp, era: u64, bytes: &[u8]) -> Bytes {
    let len = mark.len() + version.len() + DEADLINE_LEN + ERA_LEN + bytes.len();
    let mut value = BytesMut::with_capacity(len);
    value.put_slice(&mark);
    value.put_slice(version);
    value.put_u64(deadline.as_millis());
    value.put_u64(era);
    value.put_slice(bytes);
    value.freeze()
}

/// The version of a commit that a server has under this token.
pub(super) fn version(commit: &CommitId, token: &Token) -> Version {
    version_of(commit.as_bytes(), token)
}

fn version_of(commit: &[u8; COMMIT_LEN], token: &Token) -> Version {
    let mut bytes = [0; VERSION_LEN];
    bytes[..8].copy_from_slice(commit);
    bytes[8..14].copy_from_slice(&token.deadline.to_six_bytes());
    bytes[14..22].copy_from_slice(&token.unique.to_be_bytes());
    bytes[22..].copy_from_slice(&token.process);
    Version::new(&bytes).unwrap_or(Version::EMPTY)
}

/// `None` for another store's version.
pub(super) fn token_of(version: &Version) -> Option<Token> {
    let bytes = version.as_bytes();
    if bytes.len() != VERSION_LEN {
        return None;
    }
    Some(Token {
        unique: u64::from_be_bytes(*bytes[14..].first_chunk()?),
        process: *bytes[22..].first_chunk()?,
        deadline: Timestamp::from_six_bytes(*bytes[8..].first_chunk()?),
    })
}

/// Of a value that a server has under the token `unique`.
pub(super) fn decode(value: &Bytes, unique: u64, process: Process) -> Result<Found, StoreError> {
    decode_parts(value, unique, process).ok_or_else(|| {
        let problem = "the value under a session's key is not an entry of ours";
        StoreError::new(StoreErrorKind::Corrupt, problem)
    })
}

/// How much of an item of a server's largest size is an entry's own: the rest is the key (250 bytes
/// at most), our head, and what the server adds (about 60 bytes).
pub(super) fn max_bytes_len(max_item_bytes: usize) -> usize {
    max_item_bytes.saturating_sub(512)
}

/// How long the entry's own bytes are, in an encoded value.
pub(super) fn bytes_len(value: &[u8]) -> usize {
    let version_len = if value.starts_with(&TOUCHED) { VERSION_LEN } else { COMMIT_LEN };
    value.len().saturating_sub(WRITTEN.len() + version_len + DEADLINE_LEN + ERA_LEN)
}

fn decode_parts(value: &Bytes, unique: u64, process: Process) -> Option<Found> {
    let mark: [u8; 2] = *value.first_chunk()?;
    let version_len = match mark {
        WRITTEN => COMMIT_LEN,
        TOUCHED => VERSION_LEN,
        _ => return None,
    };
    let (written_under, rest) = value[mark.len()..].split_at_checked(version_len)?;
    let (deadline, rest) = rest.split_first_chunk()?;
    let era = u64::from_be_bytes(*rest.first_chunk()?);
    let deadline = Timestamp::from_millis(u64::from_be_bytes(*deadline));
    let token = Token { unique, process, deadline };
    let version = match mark {
        TOUCHED => Version::new(written_under)?,
        _ => version_of(written_under.first_chunk()?, &token),
    };
    let bytes = value.slice(mark.len() + version_len + DEADLINE_LEN + ERA_LEN..);
    Some(Found { entry: Entry::new(version, deadline, bytes), token, era })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const PROCESS: Process = [4; 8];
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
        let found = decode(&value, 7, PROCESS).unwrap();
        let version = *b"\x09\x09\x09\x09\x09\x09\x09\x09\x01\x02\x03\x04\x05\x06\
            \x00\x00\x00\x00\x00\x00\x00\x07\x04\x04\x04\x04\x04\x04\x04\x04";
        assert_eq!(found.entry.version.as_bytes(), version);
        let touched = moved(&found, Timestamp::from_millis(8));
        let wanted =
            [&b"\xc1\x02"[..], &version, b"\0\0\0\0\0\0\0\x08\0\0\0\0\0\0\0\x03ab"].concat();
        assert_eq!(touched, wanted);
    }

    #[test]
    fn a_version_leads_back_to_its_token() {
        let token = Token { unique: u64::MAX, process: PROCESS, deadline: Timestamp::MAX };
        assert_eq!(token_of(&version(&new("").commit, &token)), Some(token));
        assert_eq!(token_of(&Version::EMPTY), None);
        assert_eq!(token_of(&Version::new(&[1; 32]).unwrap()), None);
    }

    #[test]
    fn a_touch_moves_the_deadline_and_the_token_and_nothing_else() {
        for bytes in ["", "ab"] {
            let written = decode(&encode(&new(bytes), 3), 7, PROCESS).unwrap();
            let later = Timestamp::from_millis(DEADLINE.as_millis() + 1);
            let touched = decode(&moved(&written, later), 8, PROCESS).unwrap();
            assert_eq!(touched.entry, Entry { deadline: later, ..written.entry.clone() });
            for value in [encode(&new(bytes), 3), moved(&written, later)] {
                assert_eq!(bytes_len(&value), bytes.len());
            }
            assert_eq!((touched.token.unique, touched.token.deadline), (8, later));
            assert_eq!((written.era, touched.era), (3, 3));
        }
    }

    #[test]
    fn the_same_token_of_another_process_or_commit_is_another_version() {
        let value = encode(&new(""), 3);
        let versions = [
            decode(&value, 7, PROCESS).unwrap().entry.version,
            decode(&value, 7, [5; 8]).unwrap().entry.version,
            decode(&value, 8, PROCESS).unwrap().entry.version,
            decode(
                &encode(&NewEntry { commit: CommitId::from_bytes([8; 8]), ..new("") }, 3),
                7,
                PROCESS,
            )
            .unwrap()
            .entry
            .version,
        ];
        assert!((1..4).all(|at| !versions[..at].contains(&versions[at])), "{versions:?}");
    }

    #[test]
    fn anything_else_is_corrupt() {
        let written = encode(&new(""), 3);
        let found = decode(&written, 7, PROCESS).unwrap();
        let touched = moved(&found, DEADLINE);
        let mut newer = written.to_vec();
        newer[1] = 3;
        let cut = |value: &Bytes| value.slice(..value.len() - 1);
        for value in [cut(&written), cut(&touched), newer.into(), "text".into(), Bytes::new()] {
            let error = decode(&value, 7, PROCESS).unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::Corrupt);
        }
    }
}
