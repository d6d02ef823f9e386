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
