//! The expiry that the server itself applies to a value.
//!
//! The deadline that counts is in the value. The server's own expiry only removes what is over. It
//! must never come first, and the server's clock ticks in whole seconds, so it gets up to two seconds
//! more.

use std::time::Duration;

use crate::clock::Timestamp;

/// The longest expiry in seconds that memcached takes as relative. It takes a larger number for a
/// moment, in seconds since 1970.
const LONGEST_RELATIVE: u64 = 30 * 24 * 60 * 60;
/// The server reads a signed number of 32 bits.
const LATEST_ABSOLUTE: u64 = i32::MAX as u64;
/// A moment counts by the server's clock, which may be ahead of ours.
const CLOCK_ALLOWANCE: u64 = 60;

/// Returns the number that makes the server keep a value until `deadline`.
///
/// A deadline later than the server can express is kept for as long as it can; each write and each
/// touch extends it again.
pub(super) fn expiry_for(deadline: Timestamp, now: Timestamp) -> u64 {
    let left = seconds_rounded_up(deadline.since(now)) + 1;
    let moment = seconds_rounded_up(deadline.since(Timestamp::default())) + CLOCK_ALLOWANCE;
    let today = seconds_rounded_up(now.since(Timestamp::default()));
    match left {
        ..=LONGEST_RELATIVE => left,
        _ if today + LONGEST_RELATIVE < LATEST_ABSOLUTE => moment.min(LATEST_ABSOLUTE),
        // Less than 30 days before the last moment there is, the relative form reaches further.
        _ => LONGEST_RELATIVE,
    }
}

fn seconds_rounded_up(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;
    const DAY: u64 = 24 * 60 * 60;

    fn after(millis: u64) -> u64 {
        let now = Timestamp::from_millis(NOW * 1_000);
        expiry_for(now.saturating_add(Duration::from_millis(millis)), now)
    }

    #[test]
    fn the_server_never_removes_a_live_entry() {
        for (millis, expiry) in [(1, 2), (999, 2), (1_000, 2), (1_001, 3), (60_000, 61)] {
            assert_eq!(after(millis), expiry, "{millis} ms");
        }
    }

    #[test]
    fn a_deadline_that_has_passed_is_kept_for_one_second() {
        assert_eq!(expiry_for(Timestamp::from_millis(5), Timestamp::from_millis(9)), 1);
    }

    #[test]
    fn more_than_thirty_days_is_sent_as_a_moment() {
        assert_eq!(after((30 * DAY - 1) * 1_000), 30 * DAY);
        assert_eq!(after(30 * DAY * 1_000), NOW + 30 * DAY + CLOCK_ALLOWANCE);
        assert_eq!(after(400 * DAY * 1_000), NOW + 400 * DAY + CLOCK_ALLOWANCE);
    }

    #[test]
    fn a_deadline_too_far_ahead_is_kept_as_long_as_possible() {
        assert_eq!(after(u64::MAX), LATEST_ABSOLUTE);
        let near_the_end = Timestamp::from_millis((LATEST_ABSOLUTE - 5) * 1_000);
        assert_eq!(expiry_for(Timestamp::MAX, near_the_end), LONGEST_RELATIVE);
    }
}
