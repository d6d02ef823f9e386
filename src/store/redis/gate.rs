//! Whether commands about several keys may be sent.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::poison::IgnorePoison;

/// The time after which a server that has refused a right, or could not be asked, is asked again.
const PAUSE: Duration = Duration::from_secs(60);

pub(super) struct Gate {
    is_open: AtomicBool,
    state: Mutex<State>,
    needs_proof: bool,
}

#[derive(Clone, Copy)]
enum State {
    Open,
    Unproved,
    /// Somebody is asking the server.
    Proving,
    ClosedUntil(Instant),
    Closed,
}

/// What a command that has neighbours may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pass {
    Gathered,
    Alone,
    /// It goes alone, and whoever sends it asks the server meanwhile.
    AloneAndProve,
}

impl Gate {
    /// `needs_proof` keeps it closed until the server has been asked.
    pub(super) fn new(needs_proof: bool) -> Self {
        let state = if needs_proof { State::Unproved } else { State::Open };
        Self { is_open: AtomicBool::new(!needs_proof), state: Mutex::new(state), needs_proof }
    }

    pub(super) fn pass(&self) -> Pass {
        if self.is_open.load(Ordering::Relaxed) {
            return Pass::Gathered;
        }
        let mut state = self.state.lock().ignore_poison();
        if matches!(*state, State::ClosedUntil(time) if time <= Instant::now()) {
            *state = if self.needs_proof { State::Unproved } else { State::Open };
        }
        match *state {
            State::Open => {
                self.is_open.store(true, Ordering::Relaxed);
                Pass::Gathered
            }
            State::Unproved => {
                *state = State::Proving;
                Pass::AloneAndProve
            }
            State::Proving | State::ClosedUntil(_) | State::Closed => Pass::Alone,
        }
    }

    pub(super) fn open(&self) {
        self.set(State::Open);
    }

    /// Closes it for a while.
    pub(super) fn pause(&self) {
        self.set(State::ClosedUntil(Instant::now() + PAUSE));
    }

    /// Closes it for good. Returns whether it was not closed for good before.
    pub(super) fn close(&self) -> bool {
        !matches!(self.set(State::Closed), State::Closed)
    }

    fn set(&self, next: State) -> State {
        let mut state = self.state.lock().ignore_poison();
        self.is_open.store(matches!(next, State::Open), Ordering::Relaxed);
        std::mem::replace(&mut *state, next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_command_asks_and_the_others_go_alone_until_it_knows() {
        let gate = Gate::new(true);
        assert_eq!(gate.pass(), Pass::AloneAndProve);
        assert_eq!(gate.pass(), Pass::Alone);
        gate.open();
        assert_eq!(gate.pass(), Pass::Gathered);
        gate.pause();
        assert_eq!(gate.pass(), Pass::Alone);
        assert!(gate.close() && !gate.close());
        assert_eq!(gate.pass(), Pass::Alone);
    }

    #[test]
    fn without_need_of_proof_it_is_open_from_the_beginning() {
        assert_eq!(Gate::new(false).pass(), Pass::Gathered);
    }
}
