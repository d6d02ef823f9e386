//! How deep a MessagePack value is, and whether it is complete, found out without recursion.
//!
//! Decoders and encoders call themselves for every level. Of 1024 levels, rmp-serde's own limit, a
//! build without optimisations needs more stack than a thread of tokio's has, and the process aborts:
//! no panic, no answer. The limit does not even hold for enums, whose variants it does not count.

use smallvec::SmallVec;

/// The most lists and maps that may be within each other.
///
/// As many as serde_json allows: what a client sends as JSON and an app keeps as it is fits. Without
/// optimisations, 128 levels of a small struct take about 600 KiB of stack, and threads have 2 MiB.
pub(super) const MOST_LEVELS: usize = 128;

/// More than [`MOST_LEVELS`] levels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct TooDeep;

/// Follows the bytes of a value as they come, in any pieces, and tells when it gets too deep.
///
/// It looks at lengths alone. Bytes that are not MessagePack get some answer; a decoder refuses them.
#[derive(Default)]
pub(super) struct Nesting {
    /// For each list and map that is open, how many elements it still lacks; the innermost last.
    open: SmallVec<[u64; 8]>,
    /// Bytes of a number, a text or the like that are still to come.
    data: u64,
    length: Option<Length>,
}

/// A length whose bytes are coming.
struct Length {
    of: Kind,
    so_far: u32,
    bytes_left: u8,
}

/// What a length counts.
#[derive(Clone, Copy)]
enum Kind {
    Bytes,
    /// Bytes after one that tells the type of the extension.
    Extension,
    Elements,
    Pairs,
}

impl Nesting {
    /// Takes the next bytes of the value.
    pub(super) fn take(&mut self, mut bytes: &[u8]) -> Result<(), TooDeep> {
        while let Some((&byte, rest)) = bytes.split_first() {
            if self.data > 0 {
                let skipped = bytes.len().min(usize::try_from(self.data).unwrap_or(usize::MAX));
                bytes = &bytes[skipped..];
                self.expect_data(self.data - skipped as u64);
                continue;
            }
            bytes = rest;
            match self.length.take() {
                None => self.begin(byte)?,
                Some(length) => self.take_length(length, byte)?,
            }
        }
        Ok(())
    }

    /// Returns whether every list, map and text that the bytes announce has all that it announces.
    pub(super) fn is_complete(&self) -> bool {
        self.open.is_empty() && self.data == 0 && self.length.is_none()
    }

    /// Begins a value. The first byte tells its kind, and often its length
    /// (<https://github.com/msgpack/msgpack/blob/master/spec.md>).
    fn begin(&mut self, marker: u8) -> Result<(), TooDeep> {
        match marker {
            0x80..=0x8F => return self.open(u64::from(marker & 0x0F) * 2),
            0x90..=0x9F => return self.open(u64::from(marker & 0x0F)),
            0xA0..=0xBF => self.expect_data(u64::from(marker & 0x1F)),
            0xC4..=0xC6 => self.expect_length(Kind::Bytes, 1 << (marker - 0xC4)),
            0xC7..=0xC9 => self.expect_length(Kind::Extension, 1 << (marker - 0xC7)),
            0xCA..=0xCB => self.expect_data(4 << (marker - 0xCA)),
            0xCC..=0xCF => self.expect_data(1 << (marker - 0xCC)),
            0xD0..=0xD3 => self.expect_data(1 << (marker - 0xD0)),
            0xD4..=0xD8 => self.expect_data(1 + (1 << (marker - 0xD4))),
            0xD9..=0xDB => self.expect_length(Kind::Bytes, 1 << (marker - 0xD9)),
            0xDC..=0xDD => self.expect_length(Kind::Elements, 2 << (marker - 0xDC)),
            0xDE..=0xDF => self.expect_length(Kind::Pairs, 2 << (marker - 0xDE)),
            // A small number, nil, a Boolean, or the one byte that MessagePack never uses.
            _ => self.end_value(),
        }
        Ok(())
    }

    fn expect_length(&mut self, of: Kind, bytes_left: u8) {
        self.length = Some(Length { of, so_far: 0, bytes_left });
    }

    fn take_length(&mut self, mut length: Length, byte: u8) -> Result<(), TooDeep> {
        length.so_far = length.so_far << 8 | u32::from(byte);
        length.bytes_left -= 1;
        if length.bytes_left > 0 {
            self.length = Some(length);
            return Ok(());
        }
        let number = u64::from(length.so_far);
        match length.of {
            Kind::Bytes => self.expect_data(number),
            Kind::Extension => self.expect_data(number + 1),
            Kind::Elements => return self.open(number),
            Kind::Pairs => return self.open(number * 2),
        }
        Ok(())
    }

    fn expect_data(&mut self, bytes: u64) {
        self.data = bytes;
        if bytes == 0 {
            self.end_value();
        }
    }

    /// Opens a list or a map with this many elements, or keys and values.
    fn open(&mut self, elements: u64) -> Result<(), TooDeep> {
        if self.open.len() == MOST_LEVELS {
            return Err(TooDeep);
        }
        match elements {
            0 => self.end_value(),
            _ => self.open.push(elements),
        }
        Ok(())
    }

    /// Ends a value, and the lists and maps of which it is the last.
    fn end_value(&mut self) {
        while let Some(lacks) = self.open.last_mut() {
            *lacks -= 1;
            if *lacks > 0 {
                return;
            }
            self.open.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn takes(bytes: &[u8]) -> bool {
        let whole = Nesting::default().take(bytes);
        let mut nesting = Nesting::default();
        let by_bytes = bytes.chunks(1).try_for_each(|byte| nesting.take(byte));
        assert_eq!(whole, by_bytes, "the pieces do not matter");
        whole.is_ok()
    }

    fn is_complete(bytes: &[u8]) -> bool {
        let mut nesting = Nesting::default();
        nesting.take(bytes).unwrap();
        nesting.is_complete()
    }

    #[test]
    fn every_kind_of_value_ends_where_it_announces() {
        // A head, and how many bytes or small numbers come behind it.
        let kinds: [(&[u8], usize); 37] = [
            (&[0xC0], 0),
            (&[0x80], 0),
            (&[0x83], 6),
            (&[0x90], 0),
            (&[0x93], 3),
            (&[0xA0], 0),
            (&[0xBF], 31),
            (&[0xC4, 0], 0),
            (&[0xC4, 200], 200),
            (&[0xC5, 1, 2], 258),
            (&[0xC6, 0, 0, 1, 2], 258),
            (&[0xC7, 0], 1),
            (&[0xC7, 200], 201),
            (&[0xC8, 1, 2], 259),
            (&[0xC9, 0, 0, 1, 2], 259),
            (&[0xCA], 4),
            (&[0xCB], 8),
            (&[0xCC], 1),
            (&[0xCD], 2),
            (&[0xCE], 4),
            (&[0xCF], 8),
            (&[0xD0], 1),
            (&[0xD1], 2),
            (&[0xD2], 4),
            (&[0xD3], 8),
            (&[0xD4], 2),
            (&[0xD5], 3),
            (&[0xD6], 5),
            (&[0xD7], 9),
            (&[0xD8], 17),
            (&[0xD9, 200], 200),
            (&[0xDA, 1, 2], 258),
            (&[0xDB, 0, 0, 1, 2], 258),
            (&[0xDC, 1, 2], 258),
            (&[0xDD, 0, 0, 0, 3], 3),
            (&[0xDE, 0, 3], 6),
            (&[0xDF, 0, 0, 0, 3], 6),
        ];
        for (head, behind) in kinds {
            let value = [head, &vec![1; behind]].concat();
            assert!(is_complete(&value), "{head:?}");
            for cut in 1..value.len() {
                assert!(!is_complete(&value[..cut]), "{cut} bytes of {head:?}");
            }
            let list_of_two = [&[0x92][..], &value, &[0xC0]].concat();
            assert!(is_complete(&list_of_two), "{head:?} and nil");
        }
    }

    #[test]
    fn every_kind_of_nesting_has_the_same_limit() {
        // A list of one, a map with one pair, a list whose length has two bytes, one with four, and
        // one whose first element is a text.
        let text_first = [&[0x92, 0xD9, 3][..], b"abc"].concat();
        for level in [&[0x91][..], &[0x81, 0x01], &[0xDC, 0, 1], &[0xDD, 0, 0, 0, 1], &text_first] {
            let most = [level.repeat(MOST_LEVELS), vec![0xC0]].concat();
            assert!(takes(&most), "{level:?}");
            let more = [level.repeat(MOST_LEVELS + 1), vec![0xC0]].concat();
            assert!(!takes(&more), "{level:?}");
        }
    }

    #[test]
    fn what_is_side_by_side_is_not_within_each_other() {
        let many = |value: Value| Value::Array(vec![value; 1000]);
        let values = [
            many(json!([])),
            many(json!({})),
            many(json!("")),
            many(json!([[1, -1, 200, -200, 70_000, 1.5, true, null], {"a": "b".repeat(70_000)}])),
            many(json!(vec![json!({"a": [], "b": {"c": 1_u64 << 40}}); 20])),
        ];
        for value in values {
            assert!(takes(&rmp_serde::to_vec(&value).unwrap()));
        }
        let extension = BTreeMap::from([("a", [0xC7, 2, 0x91, 0x91, 0x91])]);
        assert!(takes(&rmp_serde::to_vec(&extension).unwrap()));
    }

    #[test]
    fn data_is_not_taken_for_lists() {
        let lists = vec![0x91; 200];
        let kinds = [
            [&[0xC4, 200][..], &lists].concat(),
            [&[0xC5, 0, 200][..], &lists].concat(),
            [&[0xC6, 0, 0, 0, 200][..], &lists].concat(),
            [&[0xC7, 199][..], &lists].concat(),
            [&[0xC8, 0, 199][..], &lists].concat(),
            [&[0xC9, 0, 0, 0, 199][..], &lists].concat(),
            [&[0xD9, 200][..], &lists].concat(),
            [&[0xD8][..], &lists[..17]].concat(),
            [&[0xCF][..], &lists[..8]].concat(),
            [&[0xCB][..], &lists[..8]].concat(),
            [&[0xD3][..], &lists[..8]].concat(),
        ];
        for data in kinds {
            let most = [vec![0x91; MOST_LEVELS], data].concat();
            assert!(takes(&most), "{:?}", &most[MOST_LEVELS..MOST_LEVELS + 5]);
        }
    }

    #[test]
    fn a_value_that_was_cut_is_not_complete() {
        let value = json!({"a": [1, -200, 70_000, 1.5, "b".repeat(300)], "c": {"d": [[], {}]}});
        let whole = rmp_serde::to_vec(&value).unwrap();
        assert!(is_complete(&whole));
        for length in 1..whole.len() {
            assert!(!is_complete(&whole[..length]), "{length} bytes");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_get_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            takes(&bytes);
        }
    }
}
