//! The sums of what happened.

use std::ops::AddAssign;

/// The answers that the shoppers got, and what they did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trade {
    /// Answered with 200 or 204.
    pub done: u64,
    /// Answered with 409: additions that a login or a logout of the same visitor has overtaken.
    pub refused: u64,
    /// Answered with 502 or 503.
    pub without_an_answer: u64,
    pub logouts: u64,
    /// Sessions whose visitor did not get the answer to a login.
    pub given_up: u64,
}

impl AddAssign for Trade {
    fn add_assign(&mut self, other: Self) {
        self.done += other.done;
        self.refused += other.refused;
        self.without_an_answer += other.without_an_answer;
        self.logouts += other.logouts;
        self.given_up += other.given_up;
    }
}
