//! All the chance of one run. It follows from the seed.

use std::cell::RefCell;

use crate::entropy::EntropyError;
use crate::id::SessionId;

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
///
/// A generator of our own, because a seed must play the same history for ever, and the crates for
/// random numbers change their algorithms between versions.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    /// Creates one of the independent streams of a seed.
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

    /// Returns a number below `limit`. The modulo prefers small numbers by far less than any run
    /// could show, so nothing is drawn again.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// Returns a number from `least` to `most`, both included.
    pub(super) fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most - least + 1)
    }

    /// Returns `true` in `percent` of all cases.
    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// Returns one of the choices, each as often as its weight says.
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
    /// Per thread, because the library takes a plain function as its source of random bytes, and
    /// the tests run several seeds at once.
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

/// Starts the random bytes of this thread's next run.
pub(super) fn seed_entropy(seed: u64) {
    ENTROPY.replace(Entropy::new(seed));
}

/// Fills `buffer`. The servers take this for the operating system's random bytes.
#[expect(clippy::unnecessary_wraps, reason = "the library's source can fail")]
pub(super) fn fill_random(buffer: &mut [u8]) -> Result<(), EntropyError> {
    ENTROPY.with_borrow_mut(|entropy| {
        for chunk in buffer.chunks_mut(8) {
            chunk.copy_from_slice(&entropy.random.next().to_le_bytes()[..chunk.len()]);
        }
        // Ids are drawn with that of a commit; everything else that the library draws is shorter.
        if buffer.len() > SessionId::LEN {
            entropy.ids.extend(buffer.first_chunk());
        }
    });
    Ok(())
}

/// Returns every id that the run has drawn, whether a visitor ever received it or not.
pub(super) fn drawn_ids() -> Vec<SessionId> {
    ENTROPY.with_borrow(|entropy| entropy.ids.iter().copied().map(SessionId::from_bytes).collect())
}
