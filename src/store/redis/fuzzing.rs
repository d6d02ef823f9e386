//! Doors for the target in `fuzz/`.

use bytes::Bytes;
use fred::error::{Error, ErrorKind};
use fred::types::Value;

use super::failure::RedisFailure;
use super::wire::{self, Reply};
use super::{answers, entry};
use crate::clock::Timestamp;
use crate::error::StoreErrorKind;
use crate::id::CommitId;
use crate::store::entry::{Created, Entry, Replaced, Touched, Version};
use crate::store::failure::Failure;

const COMMIT: CommitId = CommitId::from_bytes([7; 8]);
/// The most parts of a list, and the deepest lists in lists, that the reader below makes.
const MOST_PARTS: usize = 64;
const DEEPEST: usize = 4;

/// Returns what a server's error is taken for if it is taken for proof that a write was not applied.
///
/// `fatal` is a code on which the client gives up the connection.
pub fn redis_refusal(text: &str, fatal: &str) -> Option<StoreErrorKind> {
    let error = Error::new(ErrorKind::Unknown, text.to_owned());
    let failure = RedisFailure::classify(error, &[fatal.to_owned()]);
    let _ = (failure.is_demotion(), failure.may_be_about_several_keys(), failure.is_timeout());
    let error = Failure::from(failure).for_write();
    assert!(!format!("{error:?}").contains(", with args"), "a key and a session's bytes");
    (error.kind() != StoreErrorKind::Indeterminate).then(|| error.kind())
}

/// Reads an answer of a server as that to each command, alone and as that to `count` gathered ones.
pub fn redis_answer(answer: &[u8], now: Timestamp, count: usize) {
    let Some(Ok(value)) = (Resp { rest: answer }).value(0) else { return };
    let is_ok = matches!(&value, Value::String(text) if &**text == "OK");
    match wire::has_set(value.clone()) {
        Ok(true) => assert!(is_ok),
        Ok(false) => assert!(value.is_null()),
        Err(failure) => assert!(!is_ok && !value.is_null() && is_lost(failure)),
    }
    match wire::into_reply(value.clone()) {
        Ok(reply) => each_command(&reply, now),
        Err(failure) => assert!(is_lost(failure)),
    }
    let numbered = |count: usize| {
        let Value::Array(parts) = &value else { return false };
        let number = i64::try_from(count).map(Value::Integer);
        parts.len() == 1 + count && number.is_ok_and(|number| parts[0] == number)
    };
    match wire::into_written(value.clone(), count) {
        Ok(parts) => {
            assert!(numbered(count) && parts.len() == count);
            parts.into_iter().flatten().for_each(|reply| each_command(&reply, now));
        }
        Err(failure) => assert!(!numbered(count) && is_lost(failure)),
    }
    match wire::into_parts(value, count) {
        Ok(parts) => assert_eq!(parts.len(), count),
        Err(failure) => assert!(is_lost(failure)),
    }
}

fn is_lost(failure: RedisFailure) -> bool {
    Failure::from(failure).for_write().kind() == StoreErrorKind::Indeterminate
}

/// Reads a reply as the answer to each of the five commands. Only the numbers that the scripts return mean something,
/// and only the bytes of an entry are one.
fn each_command(reply: &Reply, now: Timestamp) {
    let again = || match reply {
        Reply::Nil => Reply::Nil,
        Reply::Number(number) => Reply::Number(*number),
        Reply::Bytes(bytes) => Reply::Bytes(bytes.clone()),
    };
    let number = if let Reply::Number(number) = reply { Some(*number) } else { None };
    let kind = |failure: Failure| failure.for_write().kind();
    let is_in_doubt = |kind| kind == StoreErrorKind::Indeterminate;
    // Anything else is a value that is there, and says that nothing was written.
    let is_foreign = |kind| {
        let there = matches!(kind, StoreErrorKind::Corrupt | StoreErrorKind::NewerFormat);
        there && matches!(reply, Reply::Bytes(_))
    };

    match answers::loaded(again(), now) {
        Ok(None) => assert_eq!(number, None),
        Ok(Some(entry)) => assert!(entry.deadline > now && is_what_was_sent(reply, &entry)),
        Err(failure) => assert!(number.is_some() || is_foreign(kind(failure))),
    }
    match answers::created(again(), COMMIT).map_err(kind) {
        Ok(Created::Done(version)) => {
            assert_eq!((number, version), (Some(1), Version::from(COMMIT)));
        }
        Ok(Created::Exists) => assert!(matches!(reply, Reply::Bytes(_))),
        Err(kind) => assert!(is_in_doubt(kind) && number != Some(1) || is_foreign(kind)),
    }
    match answers::replaced(again(), COMMIT, now).map_err(kind) {
        Ok(Replaced::Done(_)) => assert_eq!(number, Some(1)),
        Ok(Replaced::Conflict(entry)) => assert!(is_what_was_sent(reply, &entry)),
        Ok(Replaced::Gone) => assert!(matches!(number, None | Some(0))),
        Err(kind) => assert!(is_in_doubt(kind) && number.is_some() || is_foreign(kind)),
    }
    match answers::touched(again(), now).map_err(kind) {
        Ok(Touched::Done) => assert_eq!(number, Some(1)),
        Ok(Touched::Skipped) => assert!(matches!(number, None | Some(2))),
        Ok(Touched::Gone) => assert!(matches!(number, None | Some(0))),
        Err(kind) => assert!(is_in_doubt(kind) && number.is_some() || is_foreign(kind)),
    }
    match answers::deleted(again()).map_err(kind) {
        Ok(was_there) => assert_eq!(number, Some(was_there.into())),
        Err(kind) => assert!(is_in_doubt(kind) || kind == StoreErrorKind::NewerFormat),
    }
}

fn is_what_was_sent(reply: &Reply, found: &Entry) -> bool {
    let Reply::Bytes(value) = reply else { return false };
    let magic = entry::magic();
    let Some((version, rest)) =
        value.strip_prefix(&*magic).and_then(|rest| rest.split_at_checked(8))
    else {
        return false;
    };
    version == found.version.as_bytes() && rest.get(8..) == Some(&*found.bytes)
}

/// Reads the server's protocol as far as it goes. Lengths are only promises, as they are for the fuzzer.
struct Resp<'a> {
    rest: &'a [u8],
}

impl Resp<'_> {
    /// Returns a value, or the error that a client makes of it if there is one in it.
    fn value(&mut self, depth: usize) -> Option<Result<Value, String>> {
        let line = self.line();
        let (kind, line) = line.split_first()?;
        let text = String::from_utf8_lossy(line).into_owned();
        let number = text.parse::<i64>().unwrap_or_default();
        Some(Ok(match kind {
            b'-' => return Some(Err(text)),
            b'+' => Value::from(text),
            b':' => Value::Integer(number),
            b',' => Value::Double(text.parse().unwrap_or_default()),
            b'#' => Value::Boolean(text == "t"),
            b'$' | b'*' if number < 0 => Value::Null,
            b'$' => self.bytes(usize::try_from(number).unwrap_or(usize::MAX)),
            b'*' if depth < DEEPEST => {
                let most = usize::try_from(number).unwrap_or(usize::MAX).min(MOST_PARTS);
                let parts = std::iter::from_fn(|| self.value(depth + 1)).take(most);
                match parts.collect::<Result<Vec<_>, _>>() {
                    Ok(parts) => Value::Array(parts),
                    Err(error) => return Some(Err(error)),
                }
            }
            _ => Value::Null,
        }))
    }

    fn line(&mut self) -> Vec<u8> {
        let end = self.rest.windows(2).position(|two| two == b"\r\n");
        let (line, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest.get(2..).unwrap_or_default();
        line.to_vec()
    }

    /// Makes a text of bytes that happen to be one, as the client library does.
    fn bytes(&mut self, length: usize) -> Value {
        let (bytes, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.rest = rest.strip_prefix(b"\r\n").unwrap_or(rest);
        match std::str::from_utf8(bytes) {
            Ok(text) => Value::from(text.to_owned()),
            Err(_) => Value::Bytes(Bytes::copy_from_slice(bytes)),
        }
    }
}
