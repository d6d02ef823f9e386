//! A record whose values are sealed: format 4. The stored form in [`super::stored`] draws its bytes.

use bytes::{BufMut, Bytes};

use super::sealing::{Nonce, SEAL_LEN, Seal};
use super::stored::{FORMAT_SEALED, Mark, Record, RecordError};

const DOES_NOT_OPEN: RecordError = RecordError::Corrupt("sealed values that do not open");

impl Record {
    /// Encodes the record with its values sealed, in one allocation of the exact size.
    pub(crate) fn encode_sealed(&self, seal: &Seal, nonce: &Nonce) -> Bytes {
        let mut out = Vec::with_capacity(self.encoded_len() + SEAL_LEN);
        self.encode_head(FORMAT_SEALED, &mut out);
        let head_len = out.len();
        out.put_slice(nonce);
        self.fields.encode(&mut out);
        seal.close(&mut out, head_len, nonce);
        out.into()
    }

    /// Opens the values of a record that was decoded from `bytes`.
    ///
    /// # Errors
    ///
    /// [`RecordError::Corrupt`] if a byte of the whole record is not what was sealed, or another session's seal
    /// was put to it.
    pub(crate) fn open(&mut self, bytes: &Bytes, seal: &Seal) -> Result<(), RecordError> {
        let closed = std::mem::take(&mut self.closed);
        let head = bytes.len().checked_sub(closed.len()).and_then(|len| bytes.get(..len));
        let values = head.and_then(|head| seal.open(head, &closed)).ok_or(DOES_NOT_OPEN)?;
        let mut input = Bytes::from(values);
        match self.fields.decode(&mut input) {
            Some(()) if input.is_empty() => Ok(()),
            _ => Err(DOES_NOT_OPEN),
        }
    }

    /// Opens the record that a mark of a renewal holds. Returns `None` if it holds none, or none that opens.
    pub(crate) fn left_by(mark: &Bytes, seal: &Seal) -> Option<Box<Self>> {
        let bytes = mark.slice_ref(Mark::left(mark));
        let mut record = Self::decode(&bytes).ok().filter(|record| record.is_closed())?;
        record.open(&bytes, seal).ok().map(|()| record)
    }
}

#[cfg(all(test, feature = "sealed"))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::clock::Timestamp;
    use crate::id::{CommitId, SessionHandle, SessionId};
    use crate::keys::{Key, KeyRing};
    use crate::record::sealing::SealKeys;
    use crate::record::{GcmSiv, Text};

    /// Not random, so that a golden file can hold it.
    const NONCE: Nonce = [9; 12];

    fn ring(byte: u8) -> KeyRing {
        Key::from_bytes(&[byte; 32]).unwrap().into()
    }

    fn seal_under(ring: &KeyRing, signer: usize, name: &str, id: u8) -> Arc<Seal> {
        let id = SessionId::from_bytes([id; 20]);
        SealKeys::new(ring, name).seal_of(&id, signer, &GcmSiv).unwrap()
    }

    fn seal(id: u8) -> Arc<Seal> {
        seal_under(&ring(1), 0, "__Host-id", id)
    }

    /// A record that uses every part of the format.
    fn full() -> Record {
        let mut record = Record::new(
            Timestamp::from_millis(1_700_000_000_000),
            Duration::from_secs(1800),
            Duration::from_secs(43_200),
        );
        record.authenticated = Some(Timestamp::from_millis(1_700_000_001_000));
        record.principal = Text::new("alice");
        record.handle = Some(SessionHandle::from_bytes([6; 8]));
        record.remembered = true;
        record.commits.push(CommitId::from_bytes([7; 8]));
        record.fields.set(Text::new("cart").unwrap(), Bytes::from_static(&[0x81, 0xA1, b'a', 2]));
        record
    }

    fn opened(bytes: &Bytes, seal: &Seal) -> Result<Record, RecordError> {
        let mut record = Record::decode(bytes)?;
        record.open(bytes, seal).map(|()| *record)
    }

    #[test]
    fn the_format_never_changes_unnoticed() {
        let sealed = full().encode_sealed(&seal(5), &NONCE);
        let golden = Bytes::from_static(include_bytes!("../golden/record-v4.bin"));
        assert_eq!(sealed, golden);
        assert_eq!(opened(&golden, &seal(5)), Ok(full()));
    }

    #[test]
    fn a_seal_adds_28_bytes() {
        let record = full();
        assert_eq!(record.encode_sealed(&seal(5), &NONCE).len(), record.encode().len() + SEAL_LEN);
        assert_eq!(SEAL_LEN, 28);
    }

    #[test]
    fn without_the_seal_everything_but_the_values_is_read() {
        let bytes = full().encode_sealed(&seal(5), &NONCE);
        assert_eq!(Mark::find(&bytes), Ok(None));
        let record = Record::decode(&bytes).unwrap();
        assert!(record.is_closed() && !record.is_empty());
        let Record { fields, closed, .. } = Record::new(record.created, record.idle, record.idle);
        let head = Record { fields, closed, ..(*record).clone() };
        let Record { fields, closed, .. } = Record::new(record.created, record.idle, record.idle);
        assert_eq!(head, Record { fields, closed, ..full() });
        assert_eq!((record.encode(), record.encoded_len()), (bytes.clone(), bytes.len()));
    }

    #[test]
    fn nothing_but_the_session_under_the_key_that_signed_its_ticket_opens_it() {
        let two = ring(1).verify_also(Key::from_bytes(&[2; 32]).unwrap()).unwrap();
        let rotated = ring(2).verify_also(Key::from_bytes(&[1; 32]).unwrap()).unwrap();
        let bytes = full().encode_sealed(&seal(5), &NONCE);
        for (ring, signer) in [(&ring(1), 0), (&two, 0), (&rotated, 1)] {
            assert_eq!(opened(&bytes, &seal_under(ring, signer, "__Host-id", 5)), Ok(full()));
        }
        for (ring, signer, name, id) in [
            (&ring(1), 0, "__Host-id", 6),
            (&ring(1), 0, "__Host-admin", 5),
            (&ring(2), 0, "__Host-id", 5),
            (&two, 1, "__Host-id", 5),
            (&rotated, 0, "__Host-id", 5),
        ] {
            let foreign = seal_under(ring, signer, name, id);
            assert_eq!(opened(&bytes, &foreign), Err(DOES_NOT_OPEN), "{signer} {name} {id}");
        }
        assert!(
            SealKeys::new(&two, "id")
                .seal_of(&SessionId::from_bytes([5; 20]), 2, &GcmSiv)
                .is_none()
        );
    }

    #[test]
    fn the_record_that_a_renewal_left_opens_for_its_own_session_alone() {
        let to = crate::id::StoreKey::from_bytes([8; 32]);
        let commit = CommitId::from_bytes([7; 8]);
        let moved = Mark::Moved { commit, to, at: Timestamp::from_millis(1_700_000_000_123) };
        let sealed = full().encode_sealed(&seal(5), &NONCE);
        let mark = moved.encode_with(&sealed);
        assert_eq!(Mark::decode(&mark), Ok(Some(moved)));
        assert_eq!(Record::left_by(&mark, &seal(5)), Some(Box::new(full())));
        assert_eq!(Record::left_by(&mark, &seal(6)), None);
        for without in [moved.encode(), Mark::Ended { commit }.encode_with(&sealed), sealed] {
            assert_eq!(Record::left_by(&without, &seal(5)), None);
        }
        let readable = moved.encode_with(&full().encode());
        assert_eq!(Record::left_by(&readable, &seal(5)), None);
    }

    #[test]
    fn sealed_values_have_at_least_a_seal_and_a_count() {
        let bytes = full().encode_sealed(&seal(5), &NONCE);
        let head = bytes.len() - Record::decode(&bytes).unwrap().closed.len();
        assert!(Record::decode(&bytes.slice(..head + SEAL_LEN + 4)).is_ok());
        let cut = Record::decode(&bytes.slice(..head + SEAL_LEN + 3));
        assert_eq!(cut.unwrap_err(), RecordError::Corrupt("malformed record"));
    }

    /// Another release may have sealed it, but this one would lose the rest with its next write.
    #[test]
    fn nothing_may_stand_behind_the_values() {
        let (record, seal) = (full(), seal(5));
        let mut bytes = Vec::new();
        record.encode_head(FORMAT_SEALED, &mut bytes);
        let head_len = bytes.len();
        bytes.put_slice(&NONCE);
        record.fields.encode(&mut bytes);
        bytes.push(0);
        seal.close(&mut bytes, head_len, &NONCE);
        assert_eq!(opened(&bytes.into(), &seal), Err(DOES_NOT_OPEN));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let good = full().encode_sealed(&seal(5), &NONCE);
        for bit in 0..good.len() * 8 {
            let mut bad = good.to_vec();
            bad[bit / 8] ^= 1 << (bit % 8);
            let bad = Bytes::from(bad);
            // With another format number it is no sealed record, and step `Only` refuses it.
            if bad[..3] == good[..3] {
                assert!(opened(&bad, &seal(5)).is_err(), "bit {bit}");
            }
        }
        for len in 0..good.len() {
            assert!(opened(&good.slice(..len), &seal(5)).is_err(), "{len}");
        }
        assert!(opened(&[&good[..], &[0]].concat().into(), &seal(5)).is_err());
    }

    #[test]
    fn a_repeated_nonce_shows_only_that_two_records_are_equal() {
        let sealed = |value: &'static [u8]| {
            let mut record = full();
            record.fields.set(Text::new("cart").unwrap(), Bytes::from_static(value));
            record.encode_sealed(&seal(5), &NONCE)
        };
        let (one, two) = (sealed(b"attack at dawn"), sealed(b"attack at dusk"));
        assert_eq!(one, sealed(b"attack at dawn"));
        let head = one.len() - Record::decode(&one).unwrap().closed.len() + NONCE.len();
        let same = one[head..].iter().zip(&two[head..]).filter(|(a, b)| a == b).count();
        assert!(same < 12, "{same} of {} bytes agree", one.len() - head);
    }

    #[test]
    fn debug_shows_no_key() {
        assert_eq!(
            format!("{:?} {:?}", seal(b'k'), SealKeys::new(&ring(b'k'), "id")),
            "Seal(..) SealKeys(1)"
        );
        let closed = Record::decode(&full().encode_sealed(&seal(5), &NONCE)).unwrap();
        assert!(!format!("{closed:?}").contains("cart"));
    }

    proptest! {
        #[test]
        fn every_record_survives_the_trip(
            fields in prop::collection::vec((".{0,200}", prop::collection::vec(any::<u8>(), 0..300)), 0..20),
            nonce: [u8; 12],
            id: u8,
        ) {
            let mut record = full();
            for (key, value) in fields {
                record.fields.set(Text::new(&key).unwrap(), value.into());
            }
            let bytes = record.encode_sealed(&seal(id), &nonce);
            prop_assert_eq!(bytes.len(), record.encoded_len() + SEAL_LEN);
            prop_assert_eq!(opened(&bytes, &seal(id)), Ok(record));
        }

        #[test]
        fn any_bytes_get_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = opened(&bytes.clone().into(), &seal(5));
            // With the right head, so that it gets further.
            let mut raw = full().encode_sealed(&seal(5), &NONCE).to_vec();
            let head = raw.len() - Record::decode(&raw.clone().into()).unwrap().closed.len();
            raw.truncate(head);
            raw.extend(&bytes);
            prop_assert!(opened(&raw.into(), &seal(5)).is_err());
        }

        /// Sealed by a layer of ours, and still not fields: nothing panics.
        #[test]
        fn any_sealed_bytes_get_an_answer(values in prop::collection::vec(any::<u8>(), 4..300)) {
            let mut raw = Vec::new();
            full().encode_head(FORMAT_SEALED, &mut raw);
            let head = raw.len();
            raw.extend(NONCE);
            raw.extend(&values);
            seal(5).close(&mut raw, head, &NONCE);
            let bytes = Bytes::from(raw);
            match opened(&bytes, &seal(5)) {
                Ok(record) => prop_assert_eq!(record.encode_sealed(&seal(5), &NONCE), bytes),
                Err(error) => prop_assert_eq!(error, DOES_NOT_OPEN),
            }
        }
    }
}
