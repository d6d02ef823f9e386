//! All chance of one run, from its seed.

use std::cell::RefCell;

use crate::entropy::EntropyError;
use crate::id::SessionId;

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    /// Streams of one seed have nothing to do with each other.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let mut random = Self(seed);
        Self(random.next() ^ stream.wrapping_mul(0xD1B5_4A32_D192_ED03))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub(super) fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most - least + 1)
    }

    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of these, as often as its weight says.
    pub(super) fn weighted<T: Copy>(&mut self, choices: &[(u64, T)]) -> T {
        let mut at = self.below(choices.iter().map(|(weight, _)| weight).sum());
        for (weight, choice) in choices {
            if at < *weight {
                return *choice;
            }
            at -= weight;
        }
        choices[0].1
    }
}

thread_local! {
    static ENTROPY: RefCell<Entropy> = RefCell::new(Entropy::new(0));
}

struct Entropy {
    random: Random,
    ids: Vec<[u8; SessionId::LEN]>,
}

impl Entropy {
    fn new(seed: u64) -> Self {
        Self { random: Random::new(seed, 1), ids: Vec::new() }
    }
}

/// Begins this thread's next run.
pub(super) fn seed_entropy(seed: u64) {
    ENTROPY.replace(Entropy::new(seed));
}

/// What the library under test takes for the operating system's random bytes.
#[expect(clippy::unnecessary_wraps, reason = "the library's source can fail")]
pub(super) fn entropy(buffer: &mut [u8]) -> Result<(), EntropyError> {
    ENTROPY.with_borrow_mut(|entropy| {
        for chunk in buffer.chunks_mut(8) {
            chunk.copy_from_slice(&entropy.random.next().to_le_bytes()[..chunk.len()]);
        }
        // Whatever else is drawn is shorter than an id.
        entropy.ids.extend(<[u8; SessionId::LEN]>::try_from(&*buffer).ok());
    });
    Ok(())
}

/// Every id that was drawn, whether a visitor ever got to know it or not.
pub(super) fn drawn_ids() -> Vec<SessionId> {
    ENTROPY.with_borrow(|entropy| entropy.ids.iter().copied().map(SessionId::from_bytes).collect())
}
