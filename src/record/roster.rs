//! The entry of the store that lists the sessions of one principal.
//!
//! ```text
//! C1 | 01 | 04 | last end 6, ms | its id 8 | count 4 | each: handle 8, store key 32, expires 6
//! ```
//!
//! In no order that means anything. An id of zeros says that the principal's sessions were never ended together.

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};

use super::fields::take_time;
use super::stored::{FORMAT, MAGIC, RecordError, kind, take_handle};
use crate::clock::Timestamp;
use crate::entropy::{Entropy, EntropyError};
use crate::id::{SessionHandle, StoreKey};

/// The sessions of a principal, those that may be over included.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct StoredRoster {
    /// When the sessions were last ended together, by the clock of the server that did it.
    pub(crate) ended_at: Timestamp,
    /// The name of that end. A login that finds another one than before it began is refused. The time
    /// would not do: clocks differ, and two ends may share a millisecond.
    pub(crate) last_end: Option<EndId>,
    pub(crate) listed: Vec<Listed>,
}

/// One session of a roster.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Listed {
    pub(crate) handle: SessionHandle,
    pub(crate) key: StoreKey,
    /// The end of the session's absolute lifetime.
    pub(crate) expires: Timestamp,
}

/// Eight random bytes that name one end of all sessions of a principal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct EndId([u8; 8]);

impl EndId {
    pub(crate) fn draw(entropy: Entropy) -> Result<Self, EntropyError> {
        let mut bytes = [0; 8];
        entropy(&mut bytes)?;
        Ok(Self(bytes))
    }
}

const ROSTER: u8 = 4;
const ENTRY_LEN: usize = SessionHandle::LEN + 32 + 6;

/// The time that a roster outlives its last session, and an entry its own. Servers' clocks differ, and a
/// roster that went first would leave a session that no end finds.
const MARGIN: Duration = Duration::from_secs(10 * 60);

/// The longest that browsers keep a cookie, a "remembered" one included.
const LONGEST_LIFETIME: Duration = Duration::from_secs(400 * 24 * 60 * 60);

impl StoredRoster {
    pub(crate) fn lists(&self, key: &StoreKey) -> bool {
        self.listed.iter().any(|listed| listed.key == *key)
    }

    /// Returns when the store may forget the roster.
    ///
    /// An end stays for as long as any session may live: a store that may evict can have lost the roster
    /// before it, and a session that was not listed then must find it when it looks.
    pub(crate) fn deadline(&self, now: Timestamp) -> Timestamp {
        let last = self.listed.iter().map(|listed| listed.expires).max().unwrap_or_default();
        let end = self.last_end.map(|_| self.ended_at.saturating_add(LONGEST_LIFETIME));
        last.max(end.unwrap_or_default()).max(now).saturating_add(MARGIN)
    }

    pub(crate) fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(21 + self.listed.len() * ENTRY_LEN);
        out.put_slice(&[MAGIC, FORMAT, ROSTER]);
        out.put_slice(&self.ended_at.to_six_bytes());
        out.put_slice(&self.last_end.map_or([0; 8], |end| end.0));
        // Cannot saturate: no store takes an entry of 200 gigabytes.
        out.put_u32(u32::try_from(self.listed.len()).unwrap_or(u32::MAX));
        for listed in &self.listed {
            out.put_slice(listed.handle.as_bytes());
            out.put_slice(listed.key.as_bytes());
            out.put_slice(&listed.expires.to_six_bytes());
        }
        out.into()
    }

    pub(crate) fn decode(bytes: &Bytes) -> Result<Self, RecordError> {
        let mut input = bytes.clone();
        match kind(&mut input)? {
            (FORMAT, ROSTER) => {
                Self::decode_body(&mut input).ok_or(RecordError::Corrupt("malformed roster"))
            }
            _ => Err(RecordError::Corrupt("not a roster")),
        }
    }

    fn decode_body(input: &mut Bytes) -> Option<Self> {
        let ended_at = take_time(input)?;
        let mut end = [0; 8];
        input.try_copy_to_slice(&mut end).ok()?;
        let count = usize::try_from(input.try_get_u32().ok()?).ok()?;
        if input.remaining() != count.checked_mul(ENTRY_LEN)? {
            return None;
        }
        let last_end = (end != [0; 8]).then_some(EndId(end));
        let listed = (0..count).map(|_| Listed::take(input)).collect::<Option<_>>()?;
        Some(Self { ended_at, last_end, listed })
    }
}

impl Listed {
    /// Whether the session has been over for so long that no server's clock can think otherwise.
    pub(crate) fn has_expired(&self, now: Timestamp) -> bool {
        self.expires.saturating_add(MARGIN) <= now
    }

    fn take(input: &mut Bytes) -> Option<Self> {
        let handle = take_handle(input)?;
        let mut key = [0; 32];
        input.try_copy_to_slice(&mut key).ok()?;
        Some(Self { handle, key: StoreKey::from_bytes(key), expires: take_time(input)? })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn roster(count: u8) -> StoredRoster {
        let listed = |n: u8| Listed {
            handle: SessionHandle::from_bytes([n; 8]),
            key: StoreKey::from_bytes([n; 32]),
            expires: Timestamp::from_millis(1_700_000_000_000 + u64::from(n)),
        };
        StoredRoster {
            ended_at: Timestamp::from_millis(1_700_000_000_000),
            last_end: Some(EndId([9; 8])),
            listed: (1..=count).map(listed).collect(),
        }
    }

    #[test]
    fn the_format_never_changes_unnoticed() {
        let golden = include_bytes!("../golden/roster-v1.bin");
        assert_eq!(roster(2).encode(), golden[..]);
        assert_eq!(StoredRoster::decode(&Bytes::from_static(golden)), Ok(roster(2)));
    }

    #[test]
    fn a_roster_takes_21_bytes_and_46_for_each_session() {
        assert_eq!(StoredRoster::default().encode().len(), 21);
        assert_eq!(roster(100).encode().len(), 21 + 4_600);
    }

    #[test]
    fn every_truncation_and_every_addition_is_corrupt() {
        let bytes = roster(3).encode();
        for len in 0..bytes.len() {
            let cut = StoredRoster::decode(&bytes.slice(..len));
            assert!(matches!(cut, Err(RecordError::Corrupt(_))), "{len} of {} bytes", bytes.len());
        }
        let longer = Bytes::from([&bytes[..], &[0]].concat());
        assert!(matches!(StoredRoster::decode(&longer), Err(RecordError::Corrupt(_))));
    }

    #[test]
    fn a_newer_format_is_told_from_damage() {
        let mut bytes = roster(1).encode().to_vec();
        bytes[1] = 5;
        assert_eq!(StoredRoster::decode(&bytes.clone().into()), Err(RecordError::Newer(5)));
        for of_a_session in [2, 3, 4] {
            bytes[1] = of_a_session;
            let read = StoredRoster::decode(&bytes.clone().into());
            assert!(matches!(read, Err(RecordError::Corrupt(_))));
        }
    }

    #[test]
    fn a_session_is_listed_by_its_key() {
        assert!(roster(2).lists(&StoreKey::from_bytes([2; 32])));
        assert!(!roster(2).lists(&StoreKey::from_bytes([3; 32])));
    }

    #[test]
    fn an_entry_expires_ten_minutes_after_its_session() {
        let session = roster(1).listed[0];
        let over = session.expires.saturating_add(Duration::from_secs(600));
        assert!(session.has_expired(over));
        assert!(!session.has_expired(over.saturating_sub(Duration::from_millis(1))));
    }

    #[test]
    fn ends_are_named_at_random() {
        let draw = || EndId::draw(crate::entropy::operating_system).unwrap();
        assert_ne!(draw(), draw());
    }

    #[test]
    fn it_outlives_its_sessions_and_keeps_its_last_end() {
        let mut roster = roster(2);
        let later = |time: Timestamp, seconds| time.saturating_add(Duration::from_secs(seconds));
        let last = roster.listed[1].expires;
        let long_ago = Timestamp::default();
        roster.ended_at = later(last, 1);
        assert_eq!(roster.deadline(long_ago), later(last, 400 * 24 * 60 * 60 + 601));
        roster.ended_at = long_ago;
        assert_eq!(roster.deadline(long_ago), later(last, 600));
        assert_eq!(roster.deadline(later(last, 90)), later(last, 690));
        roster.last_end = None;
        assert_eq!(roster.deadline(long_ago), later(last, 600));
    }

    proptest! {
        #[test]
        fn any_bytes_get_an_answer(mut bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = StoredRoster::decode(&bytes.clone().into());
            bytes.splice(0..0, [MAGIC, FORMAT, ROSTER]);
            if let Ok(roster) = StoredRoster::decode(&bytes.clone().into()) {
                prop_assert_eq!(roster.encode(), bytes);
            }
        }
    }
}
