//! Reads the server's answers to the five commands. Everything here is pure.
//!
//! An answer that no server gives to a command proves nothing about a write: it may be a proxy's, or another
//! command's. So it is never taken for "stored", nor for "not applied".

use super::entry;
use super::wire::Reply;
use crate::clock::Timestamp;
use crate::error::StoreErrorKind;
use crate::id::CommitId;
use crate::store::entry::{Created, Entry, Replaced, Touched};
use crate::store::failure::Failure;

pub(super) fn loaded(reply: Reply, now: Timestamp) -> Result<Option<Entry>, Failure> {
    match reply {
        Reply::Nil => Ok(None),
        Reply::Bytes(value) => {
            let entry = entry::decode(value)?;
            Ok((entry.deadline > now).then_some(entry))
        }
        // A load changes nothing, so nothing is in doubt.
        Reply::Number(_) => {
            Err(Failure::not_applied(StoreErrorKind::Misconfigured, unknown(&reply)))
        }
    }
}

pub(super) fn created(reply: Reply, commit: CommitId) -> Result<Created, Failure> {
    match reply {
        Reply::Number(1) => Ok(Created::Done(commit.into())),
        Reply::Bytes(found) => entry::decode(found).map(|_| Created::Exists),
        other => Err(Failure::indeterminate(unknown(&other))),
    }
}

pub(super) fn replaced(
    reply: Reply,
    commit: CommitId,
    now: Timestamp,
) -> Result<Replaced, Failure> {
    match reply {
        Reply::Number(1) => Ok(Replaced::Done(commit.into())),
        Reply::Number(0) | Reply::Nil => Ok(Replaced::Gone),
        Reply::Bytes(_) => Ok(loaded(reply, now)?.map_or(Replaced::Gone, Replaced::Conflict)),
        Reply::Number(_) => Err(Failure::indeterminate(unknown(&reply))),
    }
}

pub(super) fn touched(reply: Reply, now: Timestamp) -> Result<Touched, Failure> {
    match reply {
        Reply::Number(1) => Ok(Touched::Done),
        Reply::Number(2) => Ok(Touched::Skipped),
        Reply::Number(0) | Reply::Nil => Ok(Touched::Gone),
        Reply::Bytes(head) => {
            let (_, deadline) = entry::decode_head(&head)?;
            Ok(if deadline > now { Touched::Skipped } else { Touched::Gone })
        }
        Reply::Number(_) => Err(Failure::indeterminate(unknown(&reply))),
    }
}

/// Returns whether something was there.
pub(super) fn deleted(reply: Reply) -> Result<bool, Failure> {
    match reply {
        Reply::Number(0) => Ok(false),
        Reply::Number(1) => Ok(true),
        Reply::Bytes(ref head) => match entry::decode_head(head) {
            Err(newer @ Failure::NotApplied(StoreErrorKind::NewerFormat, _)) => Err(newer),
            // The script leaves nothing else.
            _ => Err(Failure::indeterminate(unknown(&reply))),
        },
        Reply::Nil | Reply::Number(_) => Err(Failure::indeterminate(unknown(&reply))),
    }
}

/// Describes an answer that no server gives to the command. It does not quote the answer, which may be the
/// bytes of a session.
fn unknown(reply: &Reply) -> String {
    let kind = match reply {
        Reply::Nil => "nothing",
        Reply::Number(_) => "a number",
        Reply::Bytes(_) => "a string",
    };
    format!("the server answered with {kind}, which Redis never does here")
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000);
    const COMMIT: CommitId = CommitId::from_bytes([7; 8]);

    fn kind<T: std::fmt::Debug>(answer: Result<T, Failure>) -> StoreErrorKind {
        answer.unwrap_err().for_write().kind()
    }

    #[test]
    fn an_unknown_answer_to_a_write_proves_nothing() {
        use StoreErrorKind::Indeterminate;
        for number in [i64::MIN, -1, 3, 7, i64::MAX] {
            let reply = || Reply::Number(number);
            assert_eq!(kind(created(reply(), COMMIT)), Indeterminate, "{number}");
            assert_eq!(kind(replaced(reply(), COMMIT, NOW)), Indeterminate, "{number}");
            assert_eq!(kind(touched(reply(), NOW)), Indeterminate, "{number}");
            assert_eq!(kind(deleted(reply())), Indeterminate, "{number}");
        }
        for number in [0, 2] {
            assert_eq!(kind(created(Reply::Number(number), COMMIT)), Indeterminate);
        }
        assert_eq!(kind(replaced(Reply::Number(2), COMMIT, NOW)), Indeterminate);
        assert_eq!(kind(deleted(Reply::Number(2))), Indeterminate);
        assert_eq!(kind(created(Reply::Nil, COMMIT)), Indeterminate);
        assert_eq!(kind(deleted(Reply::Nil)), Indeterminate);
    }

    #[test]
    fn a_number_is_no_entry_and_leaves_a_load_without_doubt() {
        let failed = loaded(Reply::Number(1), NOW).unwrap_err();
        assert_eq!(failed.for_read().kind(), StoreErrorKind::Misconfigured);
    }

    #[test]
    fn what_is_found_in_the_place_of_an_entry_is_corrupt() {
        let text = || Reply::Bytes(Bytes::from_static(b"QUEUED"));
        assert_eq!(kind(loaded(text(), NOW)), StoreErrorKind::Corrupt);
        assert_eq!(kind(created(text(), COMMIT)), StoreErrorKind::Corrupt);
        assert_eq!(kind(replaced(text(), COMMIT, NOW)), StoreErrorKind::Corrupt);
        assert_eq!(kind(touched(text(), NOW)), StoreErrorKind::Corrupt);
    }

    #[test]
    fn a_delete_leaves_what_a_newer_release_has_written_and_nothing_else() {
        let head = |head| Reply::Bytes(Bytes::from_static(head));
        assert_eq!(kind(deleted(head(b"\xc1\x02"))), StoreErrorKind::NewerFormat);
        for other in [&b"\xc1\x01"[..], b"", b"QUEUED"] {
            assert_eq!(kind(deleted(head(other))), StoreErrorKind::Indeterminate, "{other:?}");
        }
    }
}
