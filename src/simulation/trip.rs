//! The way of one command to the store and back, and the faults that it meets.

use super::model::Command;
use super::random::Random;

/// The way of one command. A command that was sent is executed whether or not its caller still
/// waits for the answer. All times are in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trip {
    /// The time until the store executes it, or `None` if it never arrives.
    pub(super) executed_after: Option<u64>,
    pub(super) result: CallResult,
    /// Whether the store executes it after its caller was left in doubt.
    pub(super) is_late: bool,
}

/// The result that the caller of the store sees.
#[derive(Clone, Copy, Debug)]
pub(super) enum CallResult {
    /// The reply arrives so long after the execution.
    Reply(u64),
    /// The store fails with `Unavailable` after so long.
    Unavailable(u64),
    /// The store fails with `Indeterminate` after so long.
    Indeterminate(u64),
    /// Nothing arrives, so that the caller has to give up by itself.
    Never,
    /// The store claims success after so long and executes the command later. Only a wrong store
    /// does this.
    Early(u64),
}

#[derive(Clone, Copy)]
enum NetworkFault {
    Refused,
    ReplyLost,
    RequestLost,
    Late,
    Hangs,
    HangsAndIsLate,
    Slow,
}

impl Trip {
    /// Draws the way of `command`, which meets a fault in `fault_percent` of all cases.
    pub(super) fn draw(random: &mut Random, fault_percent: u64, command: &Command) -> Self {
        let there = travel_time(random);
        if !random.chance(fault_percent) {
            return Self {
                executed_after: Some(there),
                result: CallResult::Reply(travel_time(random)),
                is_late: false,
            };
        }
        let fault = random.weighted(&[
            (20, NetworkFault::Refused),
            (30, NetworkFault::ReplyLost),
            (12, NetworkFault::RequestLost),
            (25, NetworkFault::Late),
            (6, NetworkFault::Hangs),
            (7, NetworkFault::HangsAndIsLate),
            (15, NetworkFault::Slow),
        ]);
        let (executed_after, result) = match fault {
            NetworkFault::Refused => (None, CallResult::Unavailable(travel_time(random))),
            // A read changes nothing, so the contract gives a lost one no `Indeterminate`.
            NetworkFault::ReplyLost | NetworkFault::Late if !command.is_write() => {
                (None, CallResult::Unavailable(there))
            }
            NetworkFault::ReplyLost => {
                (Some(there), CallResult::Indeterminate(there + travel_time(random)))
            }
            NetworkFault::RequestLost => (None, CallResult::Indeterminate(there)),
            NetworkFault::Late => (Some(there + delay(random)), CallResult::Indeterminate(there)),
            NetworkFault::Hangs => (random.chance(50).then_some(there), CallResult::Never),
            NetworkFault::HangsAndIsLate => (Some(there + delay(random)), CallResult::Never),
            NetworkFault::Slow => {
                let pause = delay(random) % 2_500;
                (Some(there + pause), CallResult::Reply(travel_time(random) * 8))
            }
        };
        let is_late = matches!(fault, NetworkFault::Late | NetworkFault::HangsAndIsLate);
        Self { executed_after, result, is_late }
    }
}

impl Trip {
    /// Returns the way of a command that is refused where its caller would be left in doubt.
    pub(super) fn without_doubt(self) -> Self {
        match self.result {
            // It may run out of time.
            CallResult::Reply(after) if self.executed_after > Some(1_000) => Self::refused(after),
            CallResult::Reply(_) | CallResult::Unavailable(_) => self,
            CallResult::Indeterminate(after) | CallResult::Early(after) => Self::refused(after),
            CallResult::Never => Self::refused(0),
        }
    }

    /// Returns the way of a command that never arrives, though its caller cannot know that.
    pub(super) fn lost_on_the_way(self) -> Self {
        let after = match self.result {
            CallResult::Never => return Self { executed_after: None, is_late: false, ..self },
            CallResult::Reply(after)
            | CallResult::Unavailable(after)
            | CallResult::Indeterminate(after)
            | CallResult::Early(after) => after,
        };
        let result = CallResult::Indeterminate(after);
        Self { executed_after: None, result, is_late: false }
    }

    /// Returns a way that takes so many times as long.
    pub(super) fn times(self, factor: u64) -> Self {
        let result = match self.result {
            CallResult::Reply(after) => CallResult::Reply(after * factor),
            CallResult::Unavailable(after) => CallResult::Unavailable(after * factor),
            CallResult::Indeterminate(after) => CallResult::Indeterminate(after * factor),
            CallResult::Never => CallResult::Never,
            CallResult::Early(after) => CallResult::Early(after * factor),
        };
        Self { executed_after: self.executed_after.map(|after| after * factor), result, ..self }
    }

    fn refused(after: u64) -> Self {
        let result = CallResult::Unavailable(after);
        Self { executed_after: None, result, is_late: false }
    }
}

fn travel_time(random: &mut Random) -> u64 {
    match random.below(8) {
        0 => 0,
        1 => random.between(20, 120),
        _ => random.between(1, 12),
    }
}

/// Draws how late a late command is. Most arrive while their request is still busy, a few after
/// every mark of that time has expired.
fn delay(random: &mut Random) -> u64 {
    match random.below(20) {
        0..9 => random.between(1, 60),
        9..15 => random.between(60, 2_000),
        15..19 => random.between(2_000, 9_000),
        _ => random.between(58_000, 75_000),
    }
}
