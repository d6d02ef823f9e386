//! Draws keys and commands.

use std::time::Duration;

use bytes::Bytes;
use cloakroom::Timestamp;
use cloakroom::store::{CommitId, NewEntry, StoreKey, Version};

use super::place::{Command, Place};
use crate::{HOUR, MINUTE, Random};

/// The shortest time that an entry lives if it is live at all. A server that removes keys by its own clock must not do
/// so while the test's clock stands still.
const SHORTEST: Duration = MINUTE.saturating_mul(10);
/// Bytes that keys are full of, because they mean something to some server.
const ODD: [u8; 8] = [0x00, 0xff, b'\n', b'\'', b'%', b'{', b' ', b'\\'];

/// The versions and entries that a seed has met at one key.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) key: StoreKey,
    /// All that may be there.
    pub(super) places: Vec<Place>,
    /// The versions that answers have told of, the latest last.
    pub(super) versions: Vec<Version>,
    /// The replaces that were sent.
    pub(super) replaces: Vec<Command>,
}

impl Known {
    /// Returns keys that differ in everything, full of odd bytes, and that differ in the last bit only.
    pub(super) fn keys(random: &mut Random) -> Vec<Self> {
        let mut keys = Vec::new();
        for _ in 0..2 {
            keys.push(bytes(random));
            let mut odd = [ODD[random.index(ODD.len())]; 32];
            odd[12..20].copy_from_slice(&bytes::<8>(random));
            keys.push(odd);
            odd[31] ^= 1;
            keys.push(odd);
        }
        let known = |bytes| Self {
            key: StoreKey::from_bytes(bytes),
            places: vec![Place::Nothing],
            versions: Vec::new(),
            replaces: Vec::new(),
        };
        keys.into_iter().map(known).collect()
    }

    /// Returns what is there, if there is no doubt.
    pub(super) fn place(&self) -> Option<&Place> {
        match &self.places[..] {
            [place] => Some(place),
            _ => None,
        }
    }

    /// Draws a command. `others` are versions of other keys.
    pub(super) fn draw(
        &self,
        random: &mut Random,
        now: Timestamp,
        most: Option<usize>,
        others: &[Version],
    ) -> Command {
        match random.below(100) {
            0..20 => Command::Load,
            20..45 => Command::Create(entry(random, now, most)),
            // One that was sent before: its version is not there any more.
            45..50 if !self.replaces.is_empty() => {
                self.replaces[random.index(self.replaces.len())].clone()
            }
            45..75 => Command::Replace(self.version(random, others), entry(random, now, most)),
            75..92 => Command::Touch(self.version(random, others), self.touched(random, now)),
            _ => Command::Delete,
        }
    }

    fn version(&self, random: &mut Random, others: &[Version]) -> Version {
        let any = |random: &mut Random, versions: &[Version]| {
            (!versions.is_empty()).then(|| versions[random.index(versions.len())])
        };
        let drawn = match random.below(100) {
            0..75 => self.versions.last().copied(),
            75..90 => any(random, &self.versions),
            90..95 => any(random, others),
            _ => None,
        };
        drawn.unwrap_or_else(|| {
            let token: [u8; Version::MAX_BYTES] = bytes(random);
            Version::new(&token[..random.index(token.len() + 1)]).expect("it is short enough")
        })
    }

    /// Draws a deadline to which an entry is moved, often one close to the deadline that it has.
    fn touched(&self, random: &mut Random, now: Timestamp) -> Timestamp {
        let there = self.place().and_then(|place| place.live(now)).map(|entry| entry.deadline);
        let millisecond = Duration::from_millis(1);
        match (there, random.below(10)) {
            (Some(there), 0) => there,
            (Some(there), 1) => there.saturating_sub(millisecond),
            (Some(there), 2) if there > now.saturating_add(SHORTEST) => {
                there.saturating_add(millisecond)
            }
            _ => deadline(random, now),
        }
    }
}

fn bytes<const N: usize>(random: &mut Random) -> [u8; N] {
    std::array::from_fn(|_| random.draw().to_le_bytes()[0])
}

fn entry(random: &mut Random, now: Timestamp, most: Option<usize>) -> NewEntry {
    let commit = CommitId::from_bytes(bytes(random));
    let entry = NewEntry::new(commit, deadline(random, now), contents(random, most));
    // Hints, which change no answer.
    match random.below(20) {
        0 => entry.last_word(),
        1 => entry.renewal(),
        _ => entry,
    }
}

fn deadline(random: &mut Random, now: Timestamp) -> Timestamp {
    let days = |days: u32| now.saturating_add(HOUR * 24 * days);
    match random.below(100) {
        0..4 => now,
        4..6 => now.saturating_sub(Duration::from_millis(1)),
        6..8 => now.saturating_sub(HOUR),
        8..10 => Timestamp::default(),
        10..12 => Timestamp::MAX,
        12..18 => days([29, 31, 400, 40_000][random.index(4)]),
        _ => now.saturating_add(SHORTEST + random.millis(0, 3 * 3_600_000)),
    }
}

fn contents(random: &mut Random, most: Option<usize>) -> Bytes {
    let length = match (random.below(100), most) {
        (0, Some(most)) => most,
        (1, Some(most)) => most + 1,
        (2, _) => 20_000.min(most.unwrap_or(usize::MAX)),
        // What begins like something else.
        (3..8, _) => {
            let texts: [&[u8]; 5] = [b"message", b"\xc1\x01", b"\xc1\x02", b"\r\n", b"null"];
            return Bytes::from_static(texts[random.index(texts.len())]);
        }
        (8..14, _) => 0,
        (14..40, _) => random.index(40),
        _ => random.index(600),
    };
    let mut bytes = vec![0; length];
    for eight in bytes.chunks_mut(8) {
        eight.copy_from_slice(&random.draw().to_le_bytes()[..eight.len()]);
    }
    // A move refuses what begins as its own notes do; the library writes nothing of the kind.
    if bytes.starts_with(b"\xc1\xff") {
        bytes[1] = 0;
    }
    bytes.into()
}
