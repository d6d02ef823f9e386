//! The figures that all parts of a run share.

use std::time::Duration;

use crate::id::StoreKey;

/// The most by which a clock differs from the true time, in milliseconds.
pub(crate) const MOST_SKEW: u64 = 20_000;
/// The same for what is compared with a deadline.
pub(crate) const SKEW: Duration = Duration::from_millis(MOST_SKEW + 1);

/// The protocol's margin: longer than any command and any late one, with the skew.
pub(crate) const MARGIN: Duration = Duration::from_secs(3_600);
/// The latest that a command arrives after its caller was left in doubt, in milliseconds.
pub(crate) const LATEST: u64 = 2_400_000;

/// The longest idle timeout of a session, and its absolute lifetime. Both are longer than a fence may live.
pub(crate) const LONGEST_IDLE: Duration = Duration::from_secs(5_400);
pub(crate) const LIFETIME: Duration = Duration::from_secs(10_800);
/// The time that a mark is kept.
pub(crate) const MARK: Duration = Duration::from_secs(60);

/// The longest that the library waits for one command of its store.
pub(crate) const COMMAND: Duration = Duration::from_secs(2);

/// The number of servers.
pub(crate) const SERVERS: usize = 3;

/// The first two bytes of what a move writes for itself. A store that is not moved fails on them.
pub(crate) const JUNK: [u8; 2] = [0xC1, 0xFF];

/// Returns the key of this number.
pub(crate) fn key(number: usize) -> StoreKey {
    StoreKey::from_bytes([u8::try_from(number).unwrap_or(u8::MAX); 32])
}
