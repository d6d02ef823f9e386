//! Remembers the keys whose values are large.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

const PLACES: usize = 256;

/// A few keys. One that is added takes the place of another, so it may be forgotten again.
pub(super) struct LargeKeys([AtomicU64; PLACES]);

impl Default for LargeKeys {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; PLACES])
    }
}

impl LargeKeys {
    pub(super) fn add(&self, key: &Bytes) {
        let (place, fingerprint) = self.place_of(key);
        place.store(fingerprint, Ordering::Relaxed);
    }

    pub(super) fn remove(&self, key: &Bytes) {
        let (place, fingerprint) = self.place_of(key);
        let _ = place.compare_exchange(fingerprint, 0, Ordering::Relaxed, Ordering::Relaxed);
    }

    pub(super) fn contains(&self, key: &Bytes) -> bool {
        let (place, fingerprint) = self.place_of(key);
        place.load(Ordering::Relaxed) == fingerprint
    }

    /// The names of keys end with the digits of a hash, so these can be taken for random. No digits are
    /// zero bytes, so no fingerprint is that of an empty place.
    fn place_of(&self, key: &Bytes) -> (&AtomicU64, u64) {
        let digits = key.last_chunk().copied().unwrap_or([b'0'; 8]);
        let fingerprint = u64::from_be_bytes(digits);
        let value = |digit: u8| usize::from((digit & 15) + 9 * (digit >> 6));
        let place = digits[6..].iter().fold(0, |place, digit| place << 4 | value(*digit));
        (&self.0[place % PLACES], fingerprint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_keys_are_remembered() {
        let keys = LargeKeys::default();
        let named = |number: u32| Bytes::from(format!("cloakroom:{number:064x}"));
        assert!(!keys.contains(&named(0)));
        (0..100).for_each(|number| keys.add(&named(number)));
        assert!((0..100).all(|number| keys.contains(&named(number))));
        keys.add(&named(256));
        assert!(keys.contains(&named(256)) && !keys.contains(&named(0)));
        keys.remove(&named(256));
        keys.remove(&named(1 << 20));
        assert!(!keys.contains(&named(256)) && keys.contains(&named(1)));
        keys.add(&Bytes::from("short"));
        assert!(keys.contains(&Bytes::from("short")));
    }
}
