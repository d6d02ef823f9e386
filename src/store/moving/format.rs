//! The bytes that a move writes beside the entries themselves.
//!
//! ```text
//! open fence       C1 FF | 01 | 01
//! fence            C1 FF | 01 | 02 | version of the tentative entry: length 1, bytes
//! tentative entry  C1 FF | 01 | 03 | flags: 1 last word, 2 renewal | commit 8
//!                  | version that it was made for: length 1, bytes | bytes of the entry, to the end
//! ```
//!
//! To the rest of the library the second byte is the number of a format that no release has, so a server
//! that meets one of these without a [`Moving`](super::Moving) answers with an error and deletes nothing.
//! The third byte is the format of this page.

use bytes::{Buf, BufMut, Bytes};

use crate::clock::Timestamp;
use crate::error::{StoreError, StoreErrorKind};
use crate::id::CommitId;
use crate::store::entry::{Entry, NewEntry, Version};

const BEGINNING: [u8; 2] = [0xC1, 0xFF];
const FORMAT: u8 = 1;
const OPEN_FENCE: u8 = 1;
const FENCE: u8 = 2;
const TENT: u8 = 3;
const LAST_WORD: u8 = 1;
const RENEWAL: u8 = 2;

/// The contents of an entry in one of the two stores.
#[derive(PartialEq, Debug)]
pub(super) enum Form {
    /// An entry as the library wrote it.
    Plain,
    /// The old store's note that the new one decides: by the tentative entry of this version, or by an entry
    /// of the library's if there is none.
    Fence(Option<Version>),
    Tent(Tent),
}

/// A tentative entry in the new store. It counts once the old store has a fence with its version.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Tent {
    /// The version in the old store that it takes over from.
    pub(super) made_for: Version,
    /// The entry that it becomes.
    pub(super) entry: NewEntry,
}

impl Form {
    pub(super) fn read(entry: &Entry) -> Result<Self, StoreError> {
        if !is_ours(&entry.bytes) {
            return Ok(Self::Plain);
        }
        match entry.bytes.get(2) {
            Some(&newer) if newer > FORMAT => Err(newer_format(newer)),
            _ => Self::read_body(entry).ok_or_else(malformed),
        }
    }

    fn read_body(entry: &Entry) -> Option<Self> {
        let mut input = entry.bytes.slice(BEGINNING.len()..);
        if input.try_get_u8().ok()? != FORMAT {
            return None;
        }
        let form = match input.try_get_u8().ok()? {
            OPEN_FENCE => Self::Fence(None),
            FENCE => Self::Fence(Some(take_version(&mut input)?)),
            TENT => return Tent::read_body(entry.deadline, input).map(Self::Tent),
            _ => return None,
        };
        input.is_empty().then_some(form)
    }
}

impl Tent {
    /// Returns the tentative entry as it is written: under its own commit, with the deadline of the entry.
    pub(super) fn encode(&self, commit: CommitId) -> NewEntry {
        let entry = &self.entry;
        let version = self.made_for.as_bytes();
        let mut out = Vec::with_capacity(14 + version.len() + entry.bytes.len());
        out.put_slice(&BEGINNING);
        out.put_slice(&[FORMAT, TENT]);
        out.put_u8(flag(entry.last_word, LAST_WORD) | flag(entry.renewal, RENEWAL));
        out.put_slice(entry.commit.as_bytes());
        put_version(&mut out, &self.made_for);
        out.put_slice(&entry.bytes);
        NewEntry { bytes: out.into(), commit, ..entry.clone() }
    }

    fn read_body(deadline: Timestamp, mut input: Bytes) -> Option<Self> {
        let flags = input.try_get_u8().ok()?;
        if flags & !(LAST_WORD | RENEWAL) != 0 {
            return None;
        }
        let mut commit = [0; CommitId::LEN];
        input.try_copy_to_slice(&mut commit).ok()?;
        let made_for = take_version(&mut input)?;
        let mut entry = NewEntry::new(CommitId::from_bytes(commit), deadline, input);
        entry.last_word = flags & LAST_WORD != 0;
        entry.renewal = flags & RENEWAL != 0;
        Some(Self { made_for, entry })
    }
}

/// Returns the bytes of a fence that leads to the tentative entry of this version, or of an open one.
pub(super) fn fence(to: Option<&Version>) -> Bytes {
    let mut out = Vec::with_capacity(5 + Version::MAX_BYTES);
    out.put_slice(&BEGINNING);
    match to {
        None => out.put_slice(&[FORMAT, OPEN_FENCE]),
        Some(version) => {
            out.put_slice(&[FORMAT, FENCE]);
            put_version(&mut out, version);
        }
    }
    out.into()
}

/// Refuses bytes that would be taken for a fence or a tentative entry. The library writes none; they come
/// from a `Moving` around this one.
pub(super) fn refuse_ours(entry: &NewEntry) -> Result<(), StoreError> {
    if is_ours(&entry.bytes) { Err(inside_another()) } else { Ok(()) }
}

/// Returns a version that one of the two stores gave, unless that store is a `Moving` itself.
pub(super) fn plain_version(version: Version) -> Result<Version, StoreError> {
    if version.is_in_new_store() { Err(inside_another()) } else { Ok(version) }
}

/// The error of every command of a `Moving` with another one inside it.
pub(super) fn inside_another() -> StoreError {
    StoreError::new(
        StoreErrorKind::Misconfigured,
        "a `Moving` cannot be one of the two stores of another `Moving`",
    )
}

/// The error for a fence in the new store, or a tentative entry in the old one.
pub(super) fn stores_exchanged(what: &'static str) -> StoreError {
    let problem = format!("{what}: the two stores are exchanged, or an earlier move has not ended");
    StoreError::new(StoreErrorKind::NewerFormat, problem)
}

fn is_ours(bytes: &[u8]) -> bool {
    bytes.starts_with(&BEGINNING)
}

fn newer_format(format: u8) -> StoreError {
    let problem = format!("a newer release moves sessions in format {format}");
    StoreError::new(StoreErrorKind::NewerFormat, problem)
}

fn malformed() -> StoreError {
    StoreError::new(StoreErrorKind::Corrupt, "a malformed entry of a move between two stores")
}

fn flag(holds: bool, flag: u8) -> u8 {
    if holds { flag } else { 0 }
}

fn put_version(out: &mut Vec<u8>, version: &Version) {
    let token = version.as_bytes();
    // Cannot be cut off: a version has at most 32 bytes.
    out.put_u8(token.len() as u8);
    out.put_slice(token);
}

fn take_version(input: &mut Bytes) -> Option<Version> {
    let length = usize::from(input.try_get_u8().ok()?);
    if input.len() < length {
        return None;
    }
    Version::new(&input.split_to(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: CommitId = CommitId::from_bytes([9; 8]);

    fn read(bytes: impl Into<Bytes>) -> Result<Form, StoreErrorKind> {
        let entry = Entry::new(Version::EMPTY, Timestamp::from_millis(7), bytes);
        Form::read(&entry).map_err(|error| error.kind())
    }

    fn tent(bytes: &'static [u8]) -> Tent {
        let made_for = Version::new(b"etag").unwrap();
        let deadline = Timestamp::from_millis(7);
        let entry = NewEntry::new(CommitId::from_bytes([1; 8]), deadline, bytes).renewal();
        Tent { made_for, entry }
    }

    #[test]
    fn what_is_written_is_read() {
        let longest = Version::new(&[7; Version::MAX_BYTES]).unwrap();
        for to in [None, Some(Version::EMPTY), Some(longest)] {
            assert_eq!(read(fence(to.as_ref())), Ok(Form::Fence(to)));
        }
        for bytes in [&b""[..], b"a coat", b"\xC1\xFF"] {
            let written = tent(bytes).encode(COMMIT);
            assert_eq!((written.commit, written.renewal), (COMMIT, true));
            assert_eq!(read(written.bytes), Ok(Form::Tent(tent(bytes))));
        }
        let mark = Tent { entry: tent(b"").entry.last_word(), ..tent(b"") };
        assert_eq!(read(mark.encode(COMMIT).bytes), Ok(Form::Tent(mark)));
    }

    #[test]
    fn the_bytes_are_those_that_are_drawn() {
        let version = Version::new(&[0xAB, 0xCD]).unwrap();
        assert_eq!(fence(None)[..], [0xC1, 0xFF, 1, 1]);
        assert_eq!(fence(Some(&version))[..], [0xC1, 0xFF, 1, 2, 2, 0xAB, 0xCD]);
        let bytes = tent(b"xy").encode(COMMIT).bytes;
        assert_eq!(bytes[..5], [0xC1, 0xFF, 1, 3, 2]);
        assert_eq!(bytes[5..13], [1; 8]);
        assert_eq!(bytes[13..], *b"\x04etagxy");
    }

    #[test]
    fn a_session_is_plain_and_other_bytes_have_a_defined_answer() {
        for plain in [&b""[..], b"\xC1", b"\xC1\x01\x00", b"\xC2\xFF", b"a coat"] {
            assert_eq!(read(plain), Ok(Form::Plain));
        }
        assert_eq!(read(&b"\xC1\xFF\x02"[..]), Err(StoreErrorKind::NewerFormat));
        for corrupt in [
            &b"\xC1\xFF"[..],
            b"\xC1\xFF\x00\x01",
            b"\xC1\xFF\x01",
            b"\xC1\xFF\x01\x00",
            b"\xC1\xFF\x01\x04",
            b"\xC1\xFF\x01\x01\x00",
            b"\xC1\xFF\x01\x02",
            b"\xC1\xFF\x01\x02\x02a",
            b"\xC1\xFF\x01\x02\x01ab",
            b"\xC1\xFF\x01\x03\x04",
        ] {
            assert_eq!(read(corrupt), Err(StoreErrorKind::Corrupt), "{corrupt:x?}");
        }
        let whole = tent(b"").encode(COMMIT).bytes;
        for end in 4..whole.len() {
            assert_eq!(read(whole.slice(..end)), Err(StoreErrorKind::Corrupt), "{end}");
        }
        let mut long = fence(None).to_vec();
        long.splice(3.., [FENCE, 33]);
        long.extend([0; 33]);
        assert_eq!(read(long), Err(StoreErrorKind::Corrupt));
    }
}
