//! How long a server is to keep a value, as the number that it understands.
//!
//! The deadline that counts is in the value. The server's own only sees to it that what is over does
//! not stay, and must never come first: its clock ticks in whole seconds, so it gets up to two more.

use std::time::Duration;

use crate::clock::Timestamp;

/// A larger number is taken for a moment, in seconds since 1970.
const LONGEST_RELATIVE: u64 = 30 * 24 * 60 * 60;
/// The server reads a signed number of 32 bits.
const LATEST_ABSOLUTE: u64 = i32::MAX as u64;
/// A moment is one by the server's clock, which may be ahead of ours.
const ALLOWANCE: u64 = 60;

/// For `deadline`, at `now`. What is later than a server can express is kept for as long as it can,
/// and each write and each touch begins that anew.
pub(super) fn of(deadline: Timestamp, now: Timestamp) -> u64 {
    let left = seconds(deadline.since(now)) + 1;
    let absolute = seconds(deadline.since(Timestamp::default())) + ALLOWANCE;
    let has_30_days = seconds(now.since(Timestamp::default())) + LONGEST_RELATIVE < LATEST_ABSOLUTE;
    match left {
        ..=LONGEST_RELATIVE => left,
        _ if has_30_days => absolute.min(LATEST_ABSOLUTE),
        _ => LONGEST_RELATIVE,
    }
}

/// Rounded up.
fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;
    const DAY: u64 = 24 * 60 * 60;

    fn after(millis: u64) -> u64 {
        let now = Timestamp::from_millis(NOW * 1_000);
        of(now.saturating_add(Duration::from_millis(millis)), now)
    }

    #[test]
    fn a_server_never_ends_an_entry_first() {
        for (millis, expiry) in [(1, 2), (999, 2), (1_000, 2), (1_001, 3), (60_000, 61)] {
            assert_eq!(after(millis), expiry, "{millis} ms");
        }
    }

    #[test]
    fn what_has_passed_is_kept_for_no_more_than_a_second() {
        assert_eq!(of(Timestamp::from_millis(5), Timestamp::from_millis(9)), 1);
    }

    #[test]
    fn more_than_thirty_days_is_a_moment() {
        assert_eq!(after((30 * DAY - 1) * 1_000), 30 * DAY);
        assert_eq!(after(30 * DAY * 1_000), NOW + 30 * DAY + ALLOWANCE);
        assert_eq!(after(400 * DAY * 1_000), NOW + 400 * DAY + ALLOWANCE);
    }

    #[test]
    fn what_cannot_be_expressed_is_kept_as_long_as_can_be() {
        assert_eq!(after(u64::MAX), LATEST_ABSOLUTE);
        let near_the_end = Timestamp::from_millis((LATEST_ABSOLUTE - 5) * 1_000);
        assert_eq!(of(Timestamp::MAX, near_the_end), LONGEST_RELATIVE);
    }
}
