//! The bytes that the store holds for a session: a live record, or a mark that the session ended.
//!
//! A record stays one buffer: every key and value is a slice of the bytes that the store returned,
//! so reading one value decodes that value alone. All integers are big-endian, all times are
//! milliseconds in six bytes.
//!
//! ```text
//! live    C1 | 01 to 04 | 00 | flags | created 6 | expires 6 | idle 6 | authenticated 6 (flag 2)
//!         | principal: length 2, UTF-8 (flag 4) | handle 8 (flag 8, from format 2 on)
//!         | level 1, proved 6 (flag 16, from format 3 on) | turn 2, begun 6, seen 6 (flag 32, from format 3 on)
//!         | commits: count 1, 8 each
//!         | fields: count 4, each: key length 2, value length 4, key, value; keys ascending
//!           (in format 4 sealed: nonce 12 | encrypted | tag 16, see `sealing`)
//! moved   C1 | 01 or 04 | 01 | commit 8 | store key of the new record 32 | time of the renewal 6
//!         | the sealed record that was there (in format 4)
//! ended   C1 | 01 | 02 | commit 8
//! ```
//!
//! The first byte is one that MessagePack never uses, the second the format version. Format 3 is a live
//! record whose login has a level, or was proved before the time from which it counts, or whose ticket was renewed;
//! format 2 another one with a handle; format 4 one with sealed values, or a mark that holds one; everything else is
//! format 1. So a release that reads format 1 alone goes on reading the sessions of a layer that has none of these
//! options.

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};

use super::assurance::Assurance;
use super::fields::{Fields, Text, take_time};
use super::sealing::SEAL_LEN;
use super::turn::Turn;
use crate::clock::Timestamp;
use crate::id::{CommitId, SessionHandle, StoreKey};

/// A live session.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Record {
    pub(crate) created: Timestamp,
    /// The end of the absolute lifetime, which is also signed into the ticket.
    pub(crate) expires: Timestamp,
    pub(crate) idle: Duration,
    /// When somebody logged in, or from when on the login counts.
    pub(crate) authenticated: Option<Timestamp>,
    pub(crate) assurance: Assurance,
    /// "Remember me" was asked for, so a renewed ticket carries Max-Age again.
    pub(crate) remembered: bool,
    pub(crate) principal: Option<Text>,
    /// The public name of the principal's login, in layers that keep a roster.
    pub(crate) handle: Option<SessionHandle>,
    pub(crate) turn: Turn,
    pub(crate) commits: Commits,
    pub(crate) fields: Fields,
    /// The sealed values, if the record was read without their seal. There are no `fields` then.
    pub(crate) closed: Bytes,
}

/// A small entry that takes the place of an ended session for a while, so that no late write can
/// bring the session back. Deleting the record instead would make a slow request look like one of a
/// new visitor: its anonymous session would get a cookie, which could replace that of a fresh login.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mark {
    /// Renewed: the session goes on under another id.
    Moved { commit: CommitId, to: StoreKey, at: Timestamp },
    /// Logged out.
    Ended { commit: CommitId },
}

/// The lifetime of an `ended` mark, and the shortest of a `moved` one. It is longer than any commit
/// may take, so every request that loaded the session before meets the mark, or finds nothing.
pub(crate) const MARK_LIFETIME: Duration = Duration::from_secs(60);

/// The longest lifetime of a `moved` mark.
const LONGEST_MARK_LIFETIME: Duration = Duration::from_secs(60 * 60);

/// Why bytes are not a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RecordError {
    Corrupt(&'static str),
    Newer(u8),
}

pub(super) const MAGIC: u8 = 0xC1;
pub(super) const FORMAT: u8 = 1;
const FORMAT_WITH_HANDLE: u8 = 2;
const FORMAT_3: u8 = 3;
pub(crate) const FORMAT_SEALED: u8 = 4;
const LIVE: u8 = 0;
const MOVED: u8 = 1;
const ENDED: u8 = 2;
/// Bytes of the mark of a renewal.
const MOVED_LEN: usize = 49;
pub(super) const REMEMBERED: u8 = 1;
pub(super) const AUTHENTICATED: u8 = 2;
pub(super) const PRINCIPAL: u8 = 4;
const HANDLE: u8 = 8;
const ASSURANCE: u8 = 16;
const TURN: u8 = 32;

impl Record {
    /// An empty session that begins now.
    pub(crate) fn new(now: Timestamp, idle: Duration, lifetime: Duration) -> Self {
        Self {
            created: now,
            expires: now.saturating_add(lifetime),
            idle,
            authenticated: None,
            assurance: Assurance::default(),
            remembered: false,
            principal: None,
            handle: None,
            turn: Turn::default(),
            commits: Commits::default(),
            fields: Fields::default(),
            closed: Bytes::new(),
        }
    }

    /// Returns when the session ends by itself if it is used now: after the idle timeout, or at the
    /// end of its absolute lifetime if that is earlier.
    pub(crate) fn deadline(&self, now: Timestamp) -> Timestamp {
        now.saturating_add(self.idle).min(self.expires)
    }

    /// Returns how long the mark lives that leads from a session with this idle timeout to its new id: as
    /// long as the session would have, within bounds.
    ///
    /// A slow request that finds the mark knows that its visitor has another ticket. With a mark of a
    /// minute, a request that took two would find nothing, begin an anonymous session and put its
    /// cookie over the fresh login.
    pub(crate) fn moved_mark_lifetime(idle: Duration) -> Duration {
        idle.clamp(MARK_LIFETIME, LONGEST_MARK_LIFETIME)
    }

    /// Returns whether the session holds neither a value nor a principal.
    pub(crate) fn is_empty(&self) -> bool {
        self.fields.is_empty() && !self.is_closed() && self.principal.is_none()
    }

    /// Whether the values are sealed and this record was read without their seal.
    pub(crate) fn is_closed(&self) -> bool {
        !self.closed.is_empty()
    }

    /// Returns whether both hold the same values and the same login. Times and commits may differ.
    pub(crate) fn keeps_same(&self, other: &Self) -> bool {
        self.fields == other.fields
            && self.closed == other.closed
            && self.principal == other.principal
            && self.authenticated == other.authenticated
            && self.assurance == other.assurance
            && self.handle == other.handle
    }

    /// Encodes the record, in one allocation of the exact size. Values that are closed stay as they are, and
    /// open again only if nothing else of the record was changed.
    pub(crate) fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(self.encoded_len());
        if self.is_closed() {
            self.encode_head(FORMAT_SEALED, &mut out);
            out.put_slice(&self.closed);
        } else {
            self.encode_head(format_of(self.flags()), &mut out);
            self.fields.encode(&mut out);
        }
        out.into()
    }

    /// Encodes everything but the values.
    pub(super) fn encode_head(&self, format: u8, out: &mut Vec<u8>) {
        out.put_slice(&[MAGIC, format, LIVE, self.flags()]);
        out.put_slice(&self.created.to_six_bytes());
        out.put_slice(&self.expires.to_six_bytes());
        out.put_slice(&since_epoch(self.idle).to_six_bytes());
        if let Some(authenticated) = self.authenticated {
            out.put_slice(&authenticated.to_six_bytes());
        }
        if let Some(principal) = &self.principal {
            out.put_u16(principal.len_u16());
            out.put_slice(principal.as_bytes());
        }
        if let Some(handle) = &self.handle {
            out.put_slice(handle.as_bytes());
        }
        if let Some((counts_from, assurance)) = self.assured() {
            assurance.encode(counts_from, out);
        }
        if self.turn.number > 0 {
            self.turn.encode(out);
        }
        self.commits.encode(out);
    }

    /// Returns what is to be written of the login beside the time from which it counts.
    pub(super) fn assured(&self) -> Option<(Timestamp, Assurance)> {
        let assurance = (self.assurance != Assurance::default()).then_some(self.assurance);
        self.authenticated.zip(assurance)
    }

    pub(super) fn flags(&self) -> u8 {
        let flag = |holds: bool, flag: u8| if holds { flag } else { 0 };
        flag(self.remembered, REMEMBERED)
            | flag(self.authenticated.is_some(), AUTHENTICATED)
            | flag(self.principal.is_some(), PRINCIPAL)
            | flag(self.handle.is_some(), HANDLE)
            | flag(self.assured().is_some(), ASSURANCE)
            | flag(self.turn.number > 0, TURN)
    }

    /// Returns how many bytes [`encode`](Self::encode) makes.
    pub(crate) fn encoded_len(&self) -> usize {
        4 + 18
            + self.authenticated.map_or(0, |_| 6)
            + self.principal.as_ref().map_or(0, |principal| 2 + principal.as_bytes().len())
            + self.handle.map_or(0, |_| SessionHandle::LEN)
            + self.assured().map_or(0, |_| Assurance::LEN)
            + if self.turn.number > 0 { Turn::LEN } else { 0 }
            + self.commits.encoded_len()
            + if self.is_closed() { self.closed.len() } else { self.fields.encoded_len() }
    }

    /// Reads a live record; bytes that are not exactly one are an error. Look for a
    /// [mark](Mark::find) first. Sealed values stay [closed](Self::is_closed).
    pub(crate) fn decode(bytes: &Bytes) -> Result<Box<Self>, RecordError> {
        let mut input = bytes.clone();
        match kind(&mut input)? {
            (format, LIVE) => match Self::decode_body(format, &mut input) {
                Some(record) if input.is_empty() => Ok(record),
                Some(_) => Err(RecordError::Corrupt("bytes after the end")),
                None => Err(RecordError::Corrupt("malformed record")),
            },
            _ => Err(RecordError::Corrupt("unknown kind")),
        }
    }

    fn decode_body(format: u8, input: &mut Bytes) -> Option<Box<Self>> {
        let flags = input.try_get_u8().ok()?;
        if flags & !(REMEMBERED | AUTHENTICATED | PRINCIPAL | HANDLE | ASSURANCE | TURN) != 0 {
            return None;
        }
        // A second encoding of the same record would be one more thing to guard.
        if format != FORMAT_SEALED && format != format_of(flags) {
            return None;
        }
        // Filled in its place: a record that is handed on by value is copied at each step.
        let mut record = Box::new(Self::new(Timestamp::default(), Duration::ZERO, Duration::ZERO));
        record.remembered = flags & REMEMBERED != 0;
        record.created = take_time(input)?;
        record.expires = take_time(input)?;
        record.idle = take_time(input)?.since(Timestamp::default());
        if flags & AUTHENTICATED != 0 {
            record.authenticated = Some(take_time(input)?);
        }
        if flags & PRINCIPAL != 0 {
            record.principal = Some(Text::take(input)?);
        }
        if flags & HANDLE != 0 {
            record.handle = Some(take_handle(input)?);
        }
        if flags & ASSURANCE != 0 {
            record.assurance = Assurance::decode(record.authenticated, input)?;
        }
        if flags & TURN != 0 {
            record.turn = Turn::decode(input)?;
        }
        record.commits = Commits::decode(input)?;
        if format == FORMAT_SEALED {
            record.closed = input.split_to(input.len());
            // A seal, and the number of the fields.
            return (record.closed.len() >= SEAL_LEN + 4).then_some(record);
        }
        record.fields.decode(input)?;
        Some(record)
    }
}

/// Returns the format of a record with these flags.
fn format_of(flags: u8) -> u8 {
    match flags & (HANDLE | ASSURANCE | TURN) {
        0 => FORMAT,
        HANDLE => FORMAT_WITH_HANDLE,
        _ => FORMAT_3,
    }
}

/// The commit in a mark that was put where nothing was found, so that nothing can be created there any more.
/// It says nothing of a session that was ended.
const NOBODY: CommitId = CommitId::from_bytes([0; 8]);

impl Mark {
    /// The mark that keeps a place empty.
    pub(crate) const VACANT: Self = Self::Ended { commit: NOBODY };

    pub(crate) fn encode(&self) -> Bytes {
        self.encode_with(&[])
    }

    /// Encodes the mark. One of a renewal can hold the sealed record that it takes the place of.
    pub(crate) fn encode_with(&self, left: &[u8]) -> Bytes {
        let mut out = Vec::with_capacity(MOVED_LEN + left.len());
        match self {
            Self::Moved { commit, to, at } => {
                let format = if left.is_empty() { FORMAT } else { FORMAT_SEALED };
                out.put_slice(&[MAGIC, format, MOVED]);
                out.put_slice(commit.as_bytes());
                out.put_slice(to.as_bytes());
                out.put_slice(&at.to_six_bytes());
                out.put_slice(left);
            }
            Self::Ended { commit } => {
                out.put_slice(&[MAGIC, FORMAT, ENDED]);
                out.put_slice(commit.as_bytes());
            }
        }
        out.into()
    }

    /// Reads a mark; `None` if the bytes begin as a live record does.
    pub(crate) fn decode(bytes: &Bytes) -> Result<Option<Self>, RecordError> {
        match Self::find(bytes)? {
            Some(mark) if mark.encode_with(Self::left(bytes)) != bytes => {
                Err(RecordError::Corrupt("not exactly a mark"))
            }
            mark => Ok(mark),
        }
    }

    /// Returns the bytes of the record that the mark of a renewal has taken the place of, if it holds them.
    pub(crate) fn left(bytes: &[u8]) -> &[u8] {
        match bytes {
            [MAGIC, FORMAT_SEALED, MOVED, ..] => bytes.get(MOVED_LEN..).unwrap_or_default(),
            _ => &[],
        }
    }

    /// Finds the mark that a logout must follow, as [`decode`](Self::decode) but for two things. A
    /// live record's content is not looked at, so that a damaged one can be ended. Bytes after a mark
    /// are ignored: to call it corrupt would delete it, and the session that it leads to would live on.
    pub(crate) fn find(bytes: &Bytes) -> Result<Option<Self>, RecordError> {
        let mut input = bytes.clone();
        match kind(&mut input)? {
            (_, LIVE) => Ok(None),
            (FORMAT, kind @ (MOVED | ENDED)) | (FORMAT_SEALED, kind @ MOVED) => {
                let mark = Self::decode_body(kind, &mut input);
                mark.map(Some).ok_or(RecordError::Corrupt("malformed mark"))
            }
            _ => Err(RecordError::Corrupt("unknown kind")),
        }
    }

    fn decode_body(kind: u8, input: &mut Bytes) -> Option<Self> {
        let mut commit = [0; CommitId::LEN];
        input.try_copy_to_slice(&mut commit).ok()?;
        let commit = CommitId::from_bytes(commit);
        if kind == ENDED {
            return Some(Self::Ended { commit });
        }
        let mut to = [0; 32];
        input.try_copy_to_slice(&mut to).ok()?;
        Some(Self::Moved { commit, to: StoreKey::from_bytes(to), at: take_time(input)? })
    }
}

/// Reads the format and the kind of an entry.
pub(super) fn kind(input: &mut Bytes) -> Result<(u8, u8), RecordError> {
    let mut head = [0; 3];
    input.try_copy_to_slice(&mut head).map_err(|_| RecordError::Corrupt("too short"))?;
    match head {
        [MAGIC, format @ FORMAT..=FORMAT_SEALED, kind] => Ok((format, kind)),
        [MAGIC, newer, _] if newer > FORMAT_SEALED => Err(RecordError::Newer(newer)),
        _ => Err(RecordError::Corrupt("not a session record")),
    }
}

/// The ids of the last commits, oldest first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Commits {
    ids: [CommitId; Self::KEPT],
    len: u8,
}

impl Default for Commits {
    fn default() -> Self {
        Self { ids: [CommitId::from_bytes([0; 8]); Self::KEPT], len: 0 }
    }
}

impl Commits {
    pub(crate) const KEPT: usize = 8;

    pub(crate) fn as_slice(&self) -> &[CommitId] {
        &self.ids[..usize::from(self.len)]
    }

    pub(crate) fn last(&self) -> Option<CommitId> {
        self.as_slice().last().copied()
    }

    /// Adds the newest id, and forgets the oldest if there are more than eight.
    pub(crate) fn push(&mut self, id: CommitId) {
        if usize::from(self.len) == Self::KEPT {
            self.ids.rotate_left(1);
            self.len -= 1;
        }
        self.ids[usize::from(self.len)] = id;
        self.len += 1;
    }

    fn encoded_len(&self) -> usize {
        1 + usize::from(self.len) * CommitId::LEN
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.put_u8(self.len);
        self.as_slice().iter().for_each(|id| out.put_slice(id.as_bytes()));
    }

    fn decode(input: &mut Bytes) -> Option<Self> {
        let count = input.try_get_u8().ok()?;
        if usize::from(count) > Self::KEPT {
            return None;
        }
        let mut commits = Self { len: count, ..Self::default() };
        for place in &mut commits.ids[..usize::from(count)] {
            let mut id = [0; CommitId::LEN];
            input.try_copy_to_slice(&mut id).ok()?;
            *place = CommitId::from_bytes(id);
        }
        Some(commits)
    }
}

/// Expresses a duration as a moment, which bounds it by what the formats can hold.
pub(super) fn since_epoch(duration: Duration) -> Timestamp {
    Timestamp::default().saturating_add(duration)
}

pub(super) fn take_handle(input: &mut Bytes) -> Option<SessionHandle> {
    let mut bytes = [0; SessionHandle::LEN];
    input.try_copy_to_slice(&mut bytes).ok()?;
    Some(SessionHandle::from_bytes(bytes))
}

#[cfg(test)]
mod tests;
