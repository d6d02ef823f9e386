//! Which ticket of a session counts, in layers that renew tickets by time.

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};

use super::fields::take_time;
use crate::clock::Timestamp;

/// How long the ticket before stays good once the one after it has been used: requests that the browser has sent with
/// the old one may still be on their way.
pub(crate) const OVERLAP: Duration = Duration::from_secs(60);

/// The number of the session's ticket, and when it was issued and used first.
///
/// The ticket of the next number is good as soon as it is issued; the one before stays good until the next one was
/// **used**, and a little longer. Were it to end by time alone, an answer that is lost on its way would cost the visitor
/// the session.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Turn {
    /// 0 is the ticket that was issued with the id.
    pub(crate) number: u16,
    begun: Timestamp,
    /// `None` until a request has brought the ticket.
    seen: Option<Timestamp>,
}

impl Turn {
    pub(super) const LEN: usize = 14;

    /// Returns whether the ticket of this number is good.
    ///
    /// One of a higher number was signed by this app, so the store has lost the write that had issued it, or this is a
    /// copy that lags behind.
    pub(crate) fn admits(self, number: u16, now: Timestamp) -> bool {
        let is_the_one_before = number.checked_add(1) == Some(self.number);
        number >= self.number || is_the_one_before && !self.is_seen_for(OVERLAP, now)
    }

    /// Returns whether a ticket that is refused was good a short while ago, so that a slow request may still bring it.
    pub(crate) fn has_just_replaced(self, number: u16, a_while: Duration, now: Timestamp) -> bool {
        number.checked_add(1) == Some(self.number) && !self.is_seen_for(a_while, now)
    }

    /// Returns whether the ticket before this one has ended, or there is none. The next one is not issued earlier,
    /// because of three tickets the oldest is never good.
    fn is_overlap_over(self, now: Timestamp) -> bool {
        self.number == 0 || self.is_seen_for(OVERLAP, now)
    }

    fn is_seen_for(self, time: Duration, now: Timestamp) -> bool {
        self.seen.is_some_and(|seen| now >= seen.saturating_add(time))
    }

    /// Returns the turn that the use of a ticket of this number leads to. `created` is when the first ticket was issued.
    pub(crate) fn after_use_of(
        self,
        number: u16,
        created: Timestamp,
        every: Duration,
        now: Timestamp,
    ) -> Self {
        let begun = if self.number == 0 { created } else { self.begun };
        match number {
            // It is handed the present one again.
            before if before < self.number => self,
            lost if lost > self.number => Self { number, begun: now, seen: Some(now) },
            _ if number > 0 && self.seen.is_none() => Self { seen: Some(now), ..self },
            // The last number stays.
            u16::MAX => self,
            _ if now.since(begun) >= every && self.is_overlap_over(now) => {
                Self { number: number + 1, begun: now, seen: None }
            }
            _ => self,
        }
    }

    /// `number 2 | begun 6 | seen 6, zero before the first use`
    pub(super) fn encode(self, out: &mut Vec<u8>) {
        out.put_u16(self.number);
        out.put_slice(&self.begun.to_six_bytes());
        out.put_slice(&self.seen.unwrap_or_default().to_six_bytes());
    }

    /// Returns `None` for the first turn: a record has one encoding only.
    pub(super) fn decode(input: &mut Bytes) -> Option<Self> {
        let number = input.try_get_u16().ok().filter(|number| *number > 0)?;
        let (begun, seen) = (take_time(input)?, take_time(input)?);
        Some(Self { number, begun, seen: (seen != Timestamp::default()).then_some(seen) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_secs(900);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + 1_000 * seconds)
    }

    fn used(turn: Turn, number: u16, seconds: u64) -> Turn {
        turn.after_use_of(number, at(0), EVERY, at(seconds))
    }

    #[test]
    fn a_ticket_stays_good_until_the_next_one_was_used_and_a_minute_longer() {
        let first = Turn::default();
        assert_eq!(used(first, 0, 899), first);
        let second = used(first, 0, 900);
        assert_eq!(second.number, 1);
        // Its answer may have been lost, so the first one is good for as long as nobody brings the second.
        assert!(second.admits(0, at(9_000)) && second.admits(1, at(901)));
        assert_eq!(used(second, 0, 9_000), second);
        let seen = used(second, 1, 1_000);
        assert_eq!(used(seen, 1, 1_001), seen);
        assert!(seen.admits(0, at(1_059)) && !seen.admits(0, at(1_060)));
        assert!(seen.admits(1, at(9_000)));
        let third = used(seen, 1, 1_800);
        assert_eq!(third.number, 2);
        assert!(third.admits(1, at(9_000)) && !third.admits(0, at(1_800)));
        assert_eq!(used(third, 1, 9_000), third, "the use of the one before is no first use");
    }

    #[test]
    fn the_next_ticket_waits_for_the_end_of_the_one_before() {
        let seen = used(used(Turn::default(), 0, 900), 1, 1_790);
        assert_eq!(used(seen, 1, 1_849), seen);
        assert_eq!(used(seen, 1, 1_850).number, 2);
    }

    #[test]
    fn the_first_turn_is_not_written() {
        let (mut first, mut second) = (Vec::new(), Vec::new());
        Turn::default().encode(&mut first);
        assert_eq!(Turn::decode(&mut first.into()), None);
        let turn = used(Turn::default(), 0, 900);
        turn.encode(&mut second);
        assert_eq!(Turn::decode(&mut second.into()), Some(turn));
    }

    #[test]
    fn a_ticket_whose_issue_the_store_has_lost_is_good() {
        let first = Turn::default();
        assert!(first.admits(7, at(0)));
        let again = used(first, 7, 100);
        assert!(again.admits(7, at(100)) && again.admits(6, at(159)) && !again.admits(6, at(160)));
        assert!(!again.admits(5, at(100)));
    }

    #[test]
    fn a_refused_ticket_was_good_a_while_ago_only_if_it_is_the_one_before() {
        let seen = used(used(Turn::default(), 0, 900), 1, 1_000);
        let recently =
            |number, seconds| seen.has_just_replaced(number, Duration::from_secs(120), at(seconds));
        assert!(recently(0, 1_000) && recently(0, 1_119) && !recently(0, 1_120));
        assert!(!recently(1, 1_000) && !recently(u16::MAX, 1_000));
    }

    #[test]
    fn the_last_number_stays() {
        let last = used(Turn::default(), u16::MAX, 0);
        assert_eq!(used(last, u16::MAX, 9_000), last);
        assert!(last.admits(u16::MAX, at(9_000)));
    }
}
