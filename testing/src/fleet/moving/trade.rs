//! The sums of what happened.

use std::ops::AddAssign;
use std::sync::{Arc, Mutex, PoisonError};

/// The answers that a crowd got, and what it did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trade {
    /// Answered with 200 or 204.
    pub done: u64,
    /// Answered with 409: additions that a login or a logout of the same visitor has overtaken, and logins that
    /// the end of the user's sessions has overtaken.
    pub refused: u64,
    /// Answered with 502 or 503.
    pub without_an_answer: u64,
    pub logouts: u64,
    /// Sessions that another one of the same user, or the administrator, has ended.
    pub ended: u64,
    /// Sessions whose visitor did not get the answer to a login.
    pub given_up: u64,
}

impl AddAssign for Trade {
    fn add_assign(&mut self, other: Self) {
        self.done += other.done;
        self.refused += other.refused;
        self.without_an_answer += other.without_an_answer;
        self.logouts += other.logouts;
        self.ended += other.ended;
        self.given_up += other.given_up;
    }
}

/// The sum of several clients of one user.
#[derive(Clone, Debug, Default)]
pub struct Counts(Arc<Mutex<Trade>>);

impl Counts {
    pub fn change(&self, change: impl FnOnce(&mut Trade)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub fn sum(&self) -> Trade {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
