//! Decides which server sweeps, and remembers when the bucket was swept last.
//!
//! ```text
//! sweep: "cloakroom sweep 1 " | begun, 8 | done, 8
//! ```
//!
//! `begun` is when the latest sweep began, `done` when the latest began that came to its end (zero: none), in
//! milliseconds since 1970, big-endian. Whoever replaces the object on its tag may sweep.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use object_store::path::Path;
use tokio::time::Instant;

use super::requests::{Put, Requests};
use crate::clock::Timestamp;
use crate::error::StoreErrorKind;
use crate::store::failure::Failure;

const HEAD: &[u8] = b"cloakroom sweep 1 ";
/// The time after which a sweep that has not ended counts as abandoned.
const ABANDONED_AFTER: Duration = Duration::from_secs(6 * 60 * 60);
/// The longest that one request may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The right to sweep once.
#[derive(Debug)]
pub(super) struct Elected {
    begun: Timestamp,
    /// When the latest sweep began that came to its end.
    pub(super) last: Option<Timestamp>,
    tag: Box<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Record {
    begun: Timestamp,
    done: Option<Timestamp>,
}

/// Elects this server if a sweep is due.
pub(super) async fn elect(
    requests: &Requests,
    path: &Path,
    interval: Duration,
    now: Timestamp,
) -> Result<Option<Elected>, Failure> {
    let (over, last) = match requests.get(path, patience()).await? {
        None => (None, None),
        Some(object) => {
            let record = decode(&object.bytes).ok_or_else(|| {
                let problem =
                    "the object `sweep` is not this library's, so the bucket is not swept";
                Failure::not_applied(StoreErrorKind::Misconfigured, problem).at(&*requests.place)
            })?;
            if !is_due(record, interval, now) {
                return Ok(None);
            }
            (Some(object.tag), record.done)
        }
    };
    let claim = encode(Record { begun: now, done: last });
    match requests.put(path, claim, over.as_deref(), patience()).await? {
        Put::Done(tag) => Ok(Some(Elected { begun: now, last, tag })),
        Put::Refused => Ok(None),
    }
}

/// Notes that the sweep came to its end, or else that it failed, so that it is due again.
pub(super) async fn record(
    requests: &Requests,
    path: &Path,
    elected: Elected,
    is_done: bool,
) -> Result<(), Failure> {
    let done = if is_done { Some(elected.begun) } else { elected.last };
    let begun = done.unwrap_or(Timestamp::from_millis(0));
    // Where another server has taken this one for dead and sweeps too, the note is its own to make.
    requests
        .put(path, encode(Record { begun, done }), Some(&elected.tag), patience())
        .await
        .map(drop)
}

fn is_due(record: Record, interval: Duration, now: Timestamp) -> bool {
    let is_under_way = record.done != Some(record.begun);
    let wait = if is_under_way { interval.max(ABANDONED_AFTER) } else { interval };
    record.begun.saturating_add(wait) <= now
}

fn patience() -> Instant {
    Instant::now() + PATIENCE
}

fn encode(record: Record) -> Bytes {
    let mut value = BytesMut::with_capacity(HEAD.len() + 16);
    value.put_slice(HEAD);
    value.put_u64(record.begun.as_millis());
    value.put_u64(record.done.map_or(0, Timestamp::as_millis));
    value.freeze()
}

fn decode(value: &[u8]) -> Option<Record> {
    let (begun, rest) = value.strip_prefix(HEAD)?.split_first_chunk()?;
    let done: &[u8; 8] = rest.try_into().ok()?;
    let time = |bytes: &[u8; 8]| Timestamp::from_millis(u64::from_be_bytes(*bytes));
    let done = Some(time(done)).filter(|done| done.as_millis() > 0);
    Some(Record { begun: time(begun), done })
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn the_record_is_fixed() {
        for done in [None, Some(at(7))] {
            let record = Record { begun: at(0x0102), done };
            assert_eq!(decode(&encode(record)), Some(record));
        }
        let value = encode(Record { begun: at(0x0102), done: Some(at(7)) });
        assert_eq!(value[..], *b"cloakroom sweep 1 \0\0\0\0\0\0\x01\x02\0\0\0\0\0\0\0\x07");
        for foreign in [&b""[..], b"cloakroom sweep 1 ", &value[1..], &value[..33]] {
            assert_eq!(decode(foreign), None);
        }
    }

    #[test]
    fn a_sweep_is_due_after_its_interval_and_later_if_one_may_be_under_way() {
        let (hour, begun) = (Duration::from_secs(3_600), at(1_000_000));
        let done = Record { begun, done: Some(begun) };
        let under_way = Record { begun, done: Some(at(5)) };
        let after = |hours: u32| begun.saturating_add(hour * hours);
        assert!(!is_due(done, hour, begun) && is_due(done, hour, after(1)));
        assert!(!is_due(under_way, hour, after(5)) && is_due(under_way, hour, after(6)));
        assert!(
            !is_due(under_way, hour * 24, after(23)) && is_due(under_way, hour * 24, after(24))
        );
        let failed = Record { begun: at(0), done: None };
        assert!(is_due(failed, hour, at(1_700_000_000_000)), "the first sweep failed");
    }
}
