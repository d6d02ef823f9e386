//! The history of a run, for its hash and for a person who looks for the reason of a failure.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::setup::START;
use crate::clock::Timestamp;
use crate::id::StoreKey;

/// The events of a run in their order.
#[derive(Default)]
pub(super) struct Trace(Vec<(Timestamp, Event)>);

#[derive(Hash)]
pub(super) enum Event {
    /// A server sends a command to the store.
    Sent { serial: usize, command: &'static str, key: StoreKey, trip: String },
    /// The store executes it.
    Executed { serial: usize, command: &'static str, key: StoreKey, reply: &'static str },
    /// Something happens in a visit.
    Visit { visit: usize, event: String },
}

impl Trace {
    pub(super) fn push(&mut self, now: Timestamp, event: Event) {
        self.0.push((now, event));
    }

    pub(super) fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.0.hash(&mut hasher);
        hasher.finish()
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, event) in &self.0 {
            let at = Duration::as_millis(&at.since(START));
            match event {
                Event::Sent { serial, command, key, trip } => {
                    writeln!(f, "{at:>7} ms    #{serial} {command} {key}: {trip}")?;
                }
                Event::Executed { serial, command, key, reply } => {
                    writeln!(f, "{at:>7} ms    #{serial} {command} {key} executed: {reply}")?;
                }
                Event::Visit { visit, event } => writeln!(f, "{at:>7} ms visit {visit} {event}")?,
            }
        }
        Ok(())
    }
}
