//! A history: each call with its start, its end and its answer.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A moment, as the time since the recorder was made. All calls of a history are timed by one clock, which
/// never goes back, so the end of one and the beginning of another can be compared.
pub type Moment = Duration;

/// The reason why nobody knows whether a call was carried out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Doubt {
    /// 503, which acknowledges nothing and denies nothing.
    Unavailable,
    /// The connection broke.
    Broken,
    /// The client went before the answer came.
    HungUp,
}

/// A call of a history, of whichever example.
pub trait Recorded: Clone + fmt::Debug + fmt::Display + Send + Sync + 'static {
    fn node(&self) -> usize;
    fn began(&self) -> Moment;
    fn ended(&self) -> Moment;

    /// Returns why nobody knows whether the call was carried out, if so.
    fn doubt(&self) -> Option<Doubt>;

    /// Returns whether the answer proves that the node reaches its store.
    fn is_served(&self) -> bool;
}

/// Writes the history down.
#[derive(Debug)]
pub struct Recorder<C> {
    began: Instant,
    calls: Mutex<Vec<C>>,
}

#[allow(clippy::new_without_default, reason = "a default starts no clock")]
impl<C: Recorded> Recorder<C> {
    pub fn new() -> Self {
        Self { began: Instant::now(), calls: Mutex::default() }
    }

    pub fn now(&self) -> Moment {
        self.began.elapsed()
    }

    pub fn note(&self, call: C) {
        self.calls().push(call);
    }

    /// Returns the number of calls that have ended.
    pub fn len(&self) -> usize {
        self.calls().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns whether this node has served a call that began after `since`.
    pub fn has_served(&self, node: usize, since: Moment) -> bool {
        let calls = self.calls();
        let latest = calls.iter().rev().take_while(|call| call.ended() > since);
        latest
            .into_iter()
            .any(|call| call.node() == node && call.began() > since && call.is_served())
    }

    /// Returns all calls so far, in the order in which they ended.
    pub fn history(&self) -> Vec<C> {
        self.calls().clone()
    }

    fn calls(&self) -> MutexGuard<'_, Vec<C>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::cart::{Answer, Call, Cart, Item, Operation};
    use super::*;

    #[test]
    fn a_node_serves_again_when_it_acknowledges_what_began_afterwards() {
        let recorder = Recorder::new();
        let call = |node, began, ended, answer| Call {
            client: 0,
            node,
            session: 1,
            ticket: 0,
            operation: Operation::Add(Item::Owner),
            began: Duration::from_secs(began),
            ended: Duration::from_secs(ended),
            answer,
        };
        let since = Duration::from_secs(10);
        recorder.note(call(0, 9, 11, Answer::Shown(Cart::new())));
        recorder.note(call(1, 11, 12, Answer::Shown(Cart::new())));
        recorder.note(call(0, 11, 13, Answer::Unknown(Doubt::Broken)));
        assert_eq!((recorder.has_served(0, since), recorder.has_served(1, since)), (false, true));
        recorder.note(call(0, 12, 14, Answer::Shown(Cart::new())));
        assert!(recorder.has_served(0, since));
        assert_eq!(recorder.len(), 4);
    }
}
