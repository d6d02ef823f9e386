//! Everything that one run shares: the model, the ledger, the trace and the dice.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use super::ledger::Ledger;
use super::model::{Command, Model, Reply};
use super::planted::Fault;
use super::random::Random;
use crate::clock::{ManualClock, Timestamp};
use crate::id::StoreKey;
use crate::poison::IgnorePoison;
use crate::record::{Mark, Stored};
use crate::store::Replaced;

/// When every run begins.
pub(super) const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

pub(super) struct World {
    pub(super) clock: ManualClock,
    state: Mutex<State>,
}

pub(super) struct State {
    pub(super) model: Model,
    pub(super) ledger: Ledger,
    pub(super) random: Random,
    /// Percent of commands that something happens to.
    pub(super) bad_weather: u64,
    pub(super) planted: Option<Fault>,
    pub(super) tally: Tally,
    /// Commands that are on their way to the store.
    pub(super) travelling: usize,
    pub(super) trace: Trace,
    serial: usize,
}

/// What a run has covered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) requests: u64,
    pub(super) acknowledged: u64,
    pub(super) answers_409: u64,
    pub(super) answers_503: u64,
    pub(super) conflicts: u64,
    pub(super) lost_replies: u64,
    pub(super) late_executions: u64,
    pub(super) renewals: u64,
    pub(super) logouts: u64,
    pub(super) touches: u64,
    pub(super) hang_ups: u64,
    pub(super) dropped_saves: u64,
    pub(super) expiries: u64,
}

/// What happened when, for the hash and for a person who looks for the reason.
#[derive(Default)]
pub(super) struct Trace(Vec<(Timestamp, Event)>);

#[derive(Hash)]
pub(super) enum Event {
    Sent { serial: usize, what: &'static str, key: StoreKey, trip: String },
    Executed { serial: usize, what: &'static str, key: StoreKey, reply: &'static str },
    Visit { visit: usize, what: String },
}

impl World {
    pub(super) fn new(seed: u64, bad_weather: u64, planted: Option<Fault>) -> Self {
        let state = State {
            model: Model::default(),
            ledger: Ledger::default(),
            random: Random::new(seed, 2),
            bad_weather,
            planted,
            tally: Tally::default(),
            travelling: 0,
            trace: Trace::default(),
            serial: 0,
        };
        Self { clock: ManualClock::at(START), state: Mutex::new(state) }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().ignore_poison()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn note(&self, visit: usize, what: impl Into<String>) {
        let event = Event::Visit { visit, what: what.into() };
        self.state().trace.0.push((self.now(), event));
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("World(..)")
    }
}

impl State {
    /// A command leaves the library: what must hold for it however the store fares.
    pub(super) fn dispatched(
        &mut self,
        key: StoreKey,
        command: &Command,
        trip: &impl fmt::Debug,
        now: Timestamp,
    ) -> usize {
        self.serial += 1;
        let serial = self.serial;
        let trip = format!("{trip:?}");
        self.trace.0.push((now, Event::Sent { serial, what: command.name(), key, trip }));
        if let Some(entry) = command.entry()
            && Stored::decode(&entry.bytes).is_err()
        {
            self.ledger.accuse("P10 whole or nothing", || "unreadable bytes were sent".into());
        }
        if matches!(command, Command::Create(_)) {
            self.ledger.created(key);
        }
        if let (Some(deadline), None) = (command.deadline(), command.mark()) {
            self.ledger.lineages.promised(key, deadline);
        }
        serial
    }

    /// It has reached the store.
    pub(super) fn execute(
        &mut self,
        serial: usize,
        key: StoreKey,
        command: &Command,
        now: Timestamp,
    ) -> Reply {
        let reply = match self.planted {
            Some(fault) => fault.execute(self, key, command, now),
            None => self.model.execute(key, command, now),
        };
        let (what, answer) = (command.name(), reply.name());
        self.trace.0.push((now, Event::Executed { serial, what, key, reply: answer }));
        match (&reply, command) {
            (Reply::Replaced(Replaced::Done(_)), Command::Replace(_, entry)) => {
                if let Some(Mark::Moved { to, .. }) = command.mark() {
                    self.ledger.lineages.moved(key, to, entry.deadline);
                }
            }
            (Reply::Replaced(Replaced::Conflict(_)), _) => self.tally.conflicts += 1,
            _ => {}
        }
        self.tally.touches += u64::from((what, answer) == ("touch", "done"));
        reply
    }
}

impl Trace {
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
                Event::Sent { serial, what, key, trip } => {
                    writeln!(f, "{at:>7} ms    #{serial} {what} {key}: {trip}")?;
                }
                Event::Executed { serial, what, key, reply } => {
                    writeln!(f, "{at:>7} ms    #{serial} {what} {key} executed: {reply}")?;
                }
                Event::Visit { visit, what } => writeln!(f, "{at:>7} ms visit {visit} {what}")?,
            }
        }
        Ok(())
    }
}

impl Tally {
    /// The names of what was never met.
    pub(super) fn never(&self) -> Vec<String> {
        let met = format!("{self:#?}");
        let lines = met.lines().filter_map(|line| line.trim().strip_suffix(": 0,"));
        lines.map(str::to_owned).collect()
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.acknowledged += other.acknowledged;
        self.answers_409 += other.answers_409;
        self.answers_503 += other.answers_503;
        self.conflicts += other.conflicts;
        self.lost_replies += other.lost_replies;
        self.late_executions += other.late_executions;
        self.renewals += other.renewals;
        self.logouts += other.logouts;
        self.touches += other.touches;
        self.hang_ups += other.hang_ups;
        self.dropped_saves += other.dropped_saves;
        self.expiries += other.expiries;
    }
}
