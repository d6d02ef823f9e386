//! A live record as it travels in a cookie, where every byte is sent with every request.
//!
//! Numbers and lengths are varints (seven bits a byte, the lowest first), and times count from the
//! session's beginning. Only the commit that began the session is kept, because logs name the session
//! by it. `cookie::seal` adds the protection around these bytes.
//!
//! ```text
//! version 1 or 2 and flags, four bits each | began 8 | created 6, ms | written, ms after created
//! | lifetime, ms | idle, ms | authenticated 6, ms (flag 2) | principal: length, UTF-8 (flag 4)
//! | level 1, proved 6, ms (flag 8, in version 2) | fields to the end, each: key length, key, value length, value; keys ascending
//! ```

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};

use super::assurance::Assurance;
use super::fields::{Fields, Text, take, take_time};
use super::stored::since_epoch;
use super::stored::{AUTHENTICATED, PRINCIPAL, REMEMBERED, Record, RecordError};
use crate::clock::Timestamp;
use crate::id::CommitId;

const VERSION: u8 = 1;
/// The version of a record whose login has a level, or was proved before the time from which it counts.
const VERSION_WITH_ASSURANCE: u8 = 2;
const ASSURANCE: u8 = 8;
const KNOWN_FLAGS: u8 = REMEMBERED | AUTHENTICATED | PRINCIPAL;
const MALFORMED: RecordError = RecordError::Corrupt("malformed cookie record");

impl Record {
    /// Encodes the record, which was changed last at `written`.
    pub(crate) fn encode_compact(&self, written: Timestamp) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.encoded_len());
        // A session in a cookie has no handle: nobody can list it.
        let flags = self.flags() & KNOWN_FLAGS;
        out.put_u8(match self.assured() {
            None => VERSION << 4 | flags,
            Some(_) => VERSION_WITH_ASSURANCE << 4 | flags | ASSURANCE,
        });
        out.put_slice(&self.commits.last().map_or([0; CommitId::LEN], |began| *began.as_bytes()));
        out.put_slice(&self.created.to_six_bytes());
        put_span(&mut out, written.since(self.created));
        put_span(&mut out, self.expires.since(self.created));
        put_span(&mut out, self.idle);
        if let Some(authenticated) = self.authenticated {
            out.put_slice(&authenticated.to_six_bytes());
        }
        if let Some(principal) = &self.principal {
            put_bytes(&mut out, principal.as_bytes());
        }
        if let Some((counts_from, assurance)) = self.assured() {
            assurance.encode(counts_from, &mut out);
        }
        for (key, value) in self.fields.iter() {
            put_bytes(&mut out, key.as_bytes());
            put_bytes(&mut out, value);
        }
        out
    }

    /// Returns the record, and when it was changed last.
    pub(crate) fn decode_compact(mut input: Bytes) -> Result<(Self, Timestamp), RecordError> {
        let head = input.try_get_u8().map_err(|_| MALFORMED)?;
        match (head >> 4, head & ASSURANCE) {
            (VERSION, 0) | (VERSION_WITH_ASSURANCE, ASSURANCE) => {
                Self::decode_compact_body(head & 0x0F, &mut input).ok_or(MALFORMED)
            }
            (newer, _) if newer > VERSION_WITH_ASSURANCE => Err(RecordError::Newer(newer)),
            _ => Err(MALFORMED),
        }
    }

    fn decode_compact_body(flags: u8, input: &mut Bytes) -> Option<(Self, Timestamp)> {
        let mut began = [0; CommitId::LEN];
        input.try_copy_to_slice(&mut began).ok()?;
        let created = take_time(input)?;
        let written = take_later(created, input)?;
        let mut record = Self::new(created, Duration::ZERO, Duration::ZERO);
        record.commits.push(CommitId::from_bytes(began));
        record.remembered = flags & REMEMBERED != 0;
        record.expires = take_later(created, input)?;
        record.idle = take_span(input)?.since(Timestamp::default());
        if flags & AUTHENTICATED != 0 {
            record.authenticated = Some(take_time(input)?);
        }
        if flags & PRINCIPAL != 0 {
            record.principal = Some(take_text(input)?);
        }
        if flags & ASSURANCE != 0 {
            record.assurance = Assurance::decode(record.authenticated, input)?;
        }
        record.fields = take_fields(input)?;
        Some((record, written))
    }
}

fn put_span(out: &mut Vec<u8>, span: Duration) {
    put_number(out, since_epoch(span).as_millis());
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.put_slice(bytes);
}

fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number > 0x7F {
        out.put_u8(number as u8 | 0x80);
        number >>= 7;
    }
    out.put_u8(number as u8);
}

fn take_fields(input: &mut Bytes) -> Option<Fields> {
    let mut fields = Fields::default();
    while input.has_remaining() {
        let key = take_text(input)?;
        let len = usize::try_from(take_number(input)?).ok()?;
        fields.push(key, take(input, len)?)?;
    }
    Some(fields)
}

fn take_text(input: &mut Bytes) -> Option<Text> {
    let len = u16::try_from(take_number(input)?).ok()?;
    Text::take_exact(input, usize::from(len))
}

/// Reads a span, as a moment after the epoch. Returns `None` for a longer one than any moment is after
/// it: two spans that saturate would be two encodings of one record.
fn take_span(input: &mut Bytes) -> Option<Timestamp> {
    let millis = take_number(input)?;
    (millis <= Timestamp::MAX.as_millis()).then_some(Timestamp::from_millis(millis))
}

/// Reads a moment that counts from `created`. Returns `None` if it cannot be expressed.
fn take_later(created: Timestamp, input: &mut Bytes) -> Option<Timestamp> {
    let span = take_span(input)?.since(Timestamp::default());
    let later = created.saturating_add(span);
    (later.since(created) == span).then_some(later)
}

/// Reads a varint. Returns `None` if the input ends within it, if it has more than the nine bytes that
/// hold every number written here, or if its last byte adds nothing: [`put_number`] would have left
/// that byte out.
fn take_number(input: &mut Bytes) -> Option<u64> {
    let mut number = 0;
    for shift in (0..63).step_by(7) {
        let byte = input.try_get_u8().ok()?;
        number |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return (byte != 0 || shift == 0).then_some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::AuthLevel;

    const CREATED: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn record(began: u8, fields: &[(String, Vec<u8>)]) -> Record {
        let mut record =
            Record::new(CREATED, Duration::from_secs(1800), Duration::from_secs(43_200));
        record.commits.push(CommitId::from_bytes([began; 8]));
        for (key, value) in fields {
            record.fields.set(Text::new(key).unwrap(), value.clone().into());
        }
        record
    }

    fn decoded(bytes: Vec<u8>) -> Result<(Record, Timestamp), RecordError> {
        Record::decode_compact(bytes.into())
    }

    #[test]
    fn the_format_never_changes_unnoticed() {
        let golden = include_bytes!("../golden/compact-v1.bin");
        let mut record = record(7, &[("cart".into(), vec![0x81, 0xA1, b'a', 2])]);
        record.authenticated = Some(CREATED);
        record.principal = Text::new("alice");
        record.remembered = true;
        let written = CREATED.saturating_add(Duration::from_secs(60));
        assert_eq!(record.encode_compact(written), golden);
        assert_eq!(decoded(golden.to_vec()), Ok((record, written)));
    }

    #[test]
    fn a_login_with_a_level_has_a_version_of_its_own() {
        let golden = include_bytes!("../golden/compact-v2.bin");
        let mut record = record(7, &[("cart".into(), vec![0x81, 0xA1, b'a', 2])]);
        record.authenticated = Some(CREATED);
        record.principal = Text::new("alice");
        record.remembered = true;
        let proved = CREATED.saturating_sub(Duration::from_secs(60));
        record.assurance = Assurance::new(AuthLevel::new(2), proved, CREATED);
        let written = CREATED.saturating_add(Duration::from_secs(60));
        assert_eq!(record.encode_compact(written), golden);
        assert_eq!(decoded(golden.to_vec()), Ok((record, written)));
        // Each of the two goes with the other alone.
        for head in [golden[0] & 0x0F | VERSION << 4, golden[0] & !ASSURANCE] {
            let mut bytes = golden.to_vec();
            bytes[0] = head;
            assert_eq!(decoded(bytes), Err(MALFORMED));
        }
    }

    #[test]
    fn an_empty_record_takes_few_bytes() {
        // Version 1, began 8, created 6, written 1, lifetime 4, idle 3.
        assert_eq!(record(1, &[]).encode_compact(CREATED).len(), 23);
    }

    /// Version 1, without flags, created a second before the last moment that can be expressed.
    fn late(spans: &[&[u8]]) -> Vec<u8> {
        let created = Timestamp::MAX.saturating_sub(Duration::from_secs(1));
        let head = [&[VERSION << 4][..], &[7; 8], &created.to_six_bytes()];
        [head.concat(), spans.concat()].concat()
    }

    #[test]
    fn a_number_is_read_in_its_shortest_form_only() {
        assert!(decoded(late(&[&[0], &[100], &[5]])).is_ok());
        for at in 0..3 {
            for longer in [&[0x80, 0][..], &[0xE4, 0], &[0xE4, 0x80, 0]] {
                let mut spans = [&[0][..], &[100], &[5]];
                spans[at] = longer;
                assert_eq!(decoded(late(&spans)), Err(MALFORMED), "span {at}: {longer:?}");
            }
        }
        let field = [&[1][..], b"k", &[1, 0xC0]].concat();
        assert!(decoded(late(&[&[0], &[100], &[5], &field])).is_ok());
        for field in [&[0x81, 0, b'k', 1, 0xC0][..], &[1, b'k', 0x81, 0, 0xC0]] {
            assert_eq!(decoded(late(&[&[0], &[100], &[5], field])), Err(MALFORMED), "{field:?}");
        }
    }

    #[test]
    fn numbers_take_as_many_bytes_as_their_bits_need() {
        for (number, len) in [(0, 1), (127, 1), (128, 2), (16_383, 2), (16_384, 3), (1 << 62, 9)] {
            let mut out = Vec::new();
            put_number(&mut out, number);
            assert_eq!(out.len(), len, "{number}");
            assert_eq!(take_number(&mut out.into()), Some(number));
        }
        // The nine bytes of every number that is written hold 63 bits.
        assert_eq!(take_number(&mut Bytes::from_static(&[0xFF; 10])), None);
    }

    #[test]
    fn a_session_in_a_cookie_has_no_handle() {
        let mut with_handle = record(7, &[]);
        with_handle.handle = Some(crate::id::SessionHandle::from_bytes([6; 8]));
        assert_eq!(with_handle.encode_compact(CREATED), record(7, &[]).encode_compact(CREATED));
    }

    #[test]
    fn a_time_that_cannot_be_expressed_is_malformed() {
        let span = |millis| {
            let mut out = Vec::new();
            put_number(&mut out, millis);
            out
        };
        let (second, most) = (span(1_000), span(Timestamp::MAX.as_millis()));
        let longest = decoded(late(&[&second, &second, &most])).unwrap();
        assert_eq!((longest.0.expires, longest.1), (Timestamp::MAX, Timestamp::MAX));
        let more = span(1_001);
        for spans in [[&more, &second, &most], [&second, &more, &most]] {
            assert_eq!(decoded(late(&spans.map(|span| &span[..]))), Err(MALFORMED));
        }
        for idle in [span(Timestamp::MAX.as_millis() + 1), span((1 << 63) - 1)] {
            assert_eq!(decoded(late(&[&second, &second, &idle])), Err(MALFORMED));
        }
    }

    #[test]
    fn a_newer_version_is_named() {
        assert_eq!(decoded(vec![0x30, 1, 2]), Err(RecordError::Newer(3)));
        assert_eq!(decoded(vec![0x00]), Err(MALFORMED));
        assert_eq!(decoded(vec![]), Err(MALFORMED));
    }

    proptest! {
        #[test]
        fn every_record_survives_the_trip(
            fields in prop::collection::vec((".{0,200}", prop::collection::vec(any::<u8>(), 0..300)), 0..6),
            began: u8,
            used in 0..u64::from(u32::MAX),
            principal in prop::option::of(".{0,40}"),
            authenticated in prop::option::of(0..1_u64 << 48),
            idle in 0..1_u64 << 48,
            level: u8,
            proved in 0..1_u64 << 48,
        ) {
            let mut record = record(began, &fields);
            record.principal = principal.as_deref().and_then(Text::new);
            record.authenticated = authenticated.map(Timestamp::from_millis);
            record.idle = Duration::from_millis(idle);
            if let Some(counts_from) = record.authenticated {
                let proved = Timestamp::from_millis(proved);
                record.assurance = Assurance::new(AuthLevel::new(level), proved, counts_from);
            }
            let written = CREATED.saturating_add(Duration::from_millis(used));
            prop_assert_eq!(decoded(record.encode_compact(written)), Ok((record, written)));
        }

        #[test]
        fn any_bytes_get_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decoded(bytes);
        }

        #[test]
        fn bytes_that_are_read_are_those_that_would_be_written(
            flags in 0_u8..16,
            created in prop::array::uniform6(any::<u8>()),
            numbers in prop::collection::vec(prop::sample::select(&[0, 1, 0x7F, 0x80, 0xFF][..]), 3..40),
        ) {
            let version = if flags < ASSURANCE { VERSION } else { VERSION_WITH_ASSURANCE };
            let head = [&[version << 4 | flags][..], &[7; 8], &created].concat();
            let bytes = [head, numbers].concat();
            if let Ok((record, written)) = decoded(bytes.clone()) {
                prop_assert_eq!(record.encode_compact(written), bytes);
            }
        }
    }
}
