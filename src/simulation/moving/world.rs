//! Everything that one run shares: the two stores, the ledgers, the trace and the chance.

use std::sync::{Arc, Mutex, MutexGuard};

use super::coverage::Coverage;
use super::ledger::Ledger;
use super::setup::{JUNK, LATEST, key};
use crate::clock::{ManualClock, Timestamp};
use crate::id::StoreKey;
use crate::poison::IgnorePoison;
use crate::simulation::model::{Command, Model, Reply};
use crate::simulation::network::Wire;
use crate::simulation::random::Random;
use crate::simulation::setup::START;
use crate::simulation::trip::{CallResult, Trip};
use crate::store::{Created, Entry, Replaced, Touched};

/// One of the two stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    From,
    To,
}

/// One run's clock and state.
pub(super) struct World {
    pub(super) clock: ManualClock,
    state: Mutex<State>,
}

pub(super) struct State {
    pub(super) ledgers: Vec<Ledger>,
    pub(super) coverage: Coverage,
    /// The history, in a run that writes one.
    pub(super) trace: Option<String>,
    fault_percent: u64,
    pub(super) commands_under_way: usize,
    /// The latest moment at which a command has found a session in the old store.
    pub(super) found_in_from: Timestamp,
    from: Store,
    to: Store,
    random: Random,
    last_serial: usize,
}

struct Store {
    model: Model,
    /// The difference between the store's clock and the true time, in milliseconds.
    skew: i64,
    down_until: Timestamp,
}

/// The way from a server to one store.
pub(super) struct Line {
    pub(super) world: Arc<World>,
    pub(super) side: Side,
}

impl World {
    pub(super) fn new(seed: u64, fault_percent: u64, skews: [i64; 2], traced: bool) -> Self {
        let store = |skew| Store { model: Model::default(), skew, down_until: START };
        let state = State {
            ledgers: vec![Ledger::default()],
            coverage: Coverage::default(),
            trace: traced.then(String::new),
            fault_percent,
            commands_under_way: 0,
            found_in_from: START,
            from: store(skews[0]),
            to: store(skews[1]),
            random: Random::new(seed, 6),
            last_serial: 0,
        };
        Self { clock: ManualClock::at(START), state: Mutex::new(state) }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().ignore_poison()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Adds a line to the trace.
    pub(super) fn note(&self, event: impl FnOnce() -> String) {
        self.state().note(self.now(), event);
    }
}

impl Wire for Line {
    fn send(&self, key: StoreKey, command: &Command) -> (usize, Trip) {
        self.world.state().send(self.side, key, command, self.world.now())
    }

    fn execute(&self, serial: usize, key: StoreKey, command: &Command) -> Reply {
        self.world.state().execute(self.side, serial, key, command, self.world.now())
    }
}

impl State {
    pub(super) fn note(&mut self, now: Timestamp, event: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            let at = now.since(START);
            *trace += &format!("{:>10.3} s  {}\n", at.as_secs_f64(), event());
        }
    }

    /// Returns the key that visitors use now. One that is used up is followed by another.
    pub(super) fn current_key(&mut self) -> usize {
        if self.ledgers.last().is_none_or(|ledger| ledger.is_used() && ledger.is_over()) {
            self.ledgers.push(Ledger::default());
        }
        self.ledgers.len() - 1
    }

    /// Takes a store out of service.
    pub(super) fn take_down(&mut self, side: Side, until: Timestamp) {
        match side {
            Side::From => self.coverage.down_from += 1,
            Side::To => self.coverage.down_to += 1,
        }
        self.store(side).down_until = until;
    }

    /// Ends all faults, for the audit.
    pub(super) fn end_faults(&mut self) {
        self.fault_percent = 0;
        (self.from.down_until, self.to.down_until) = (START, START);
    }

    fn store(&mut self, side: Side) -> &mut Store {
        match side {
            Side::From => &mut self.from,
            Side::To => &mut self.to,
        }
    }

    fn send(
        &mut self,
        side: Side,
        key: StoreKey,
        command: &Command,
        now: Timestamp,
    ) -> (usize, Trip) {
        let trip = match self.store(side).down_until > now {
            true => self.refuse(),
            false => self.draw_trip(command),
        };
        self.commands_under_way += usize::from(trip.executed_after.is_some());
        self.coverage.late_executions += u64::from(trip.is_late);
        self.last_serial += 1;
        let serial = self.last_serial;
        self.note_junk(key, command);
        self.note(now, || {
            format!("      #{serial} {side:?} {}: {trip:?}", describe_command(command))
        });
        (serial, trip)
    }

    /// Returns the way of a command to a store that is down.
    fn refuse(&mut self) -> Trip {
        let result = match self.random.chance(70) {
            true => CallResult::Unavailable(self.random.below(20)),
            false => CallResult::Never,
        };
        Trip { executed_after: None, result, is_late: false }
    }

    fn draw_trip(&mut self, command: &Command) -> Trip {
        let trip = Trip::draw(&mut self.random, self.fault_percent, command);
        match trip.is_late && self.random.chance(35) {
            true => Trip { executed_after: Some(self.random.between(60_000, LATEST)), ..trip },
            false => trip,
        }
    }

    fn note_junk(&mut self, key: StoreKey, command: &Command) {
        let Some(entry) = command.entry().filter(|entry| entry.bytes.starts_with(&JUNK)) else {
            return;
        };
        let commit = entry.commit;
        self.ledger(key).note_junk(commit);
    }

    fn ledger(&mut self, of: StoreKey) -> &mut Ledger {
        let number = (0..self.ledgers.len()).find(|number| key(*number) == of);
        &mut self.ledgers[number.unwrap_or_default()]
    }

    fn execute(
        &mut self,
        side: Side,
        serial: usize,
        key: StoreKey,
        command: &Command,
        now: Timestamp,
    ) -> Reply {
        self.commands_under_way -= 1;
        let store = self.store(side);
        let store_now = skewed(now, store.skew);
        let before = store.model.live(&key, store_now).map(|entry| is_junk(&entry.bytes));
        let reply = store.model.execute(key, command, store_now);
        if side == Side::From && before == Some(false) {
            self.found_in_from = now;
        }
        self.count(side, before, command, &reply);
        self.note(now, || format!("      #{serial} {side:?} executed: {}", describe_reply(&reply)));
        let plain = |store: &Store| {
            let live = store.model.live(&key, skewed(now, store.skew));
            live.is_some_and(|entry| !is_junk(&entry.bytes))
        };
        let both = plain(&self.from) && plain(&self.to);
        self.ledger(key).demand(!both, "both stores have a plain entry", String::new);
        reply
    }

    fn count(&mut self, side: Side, before: Option<bool>, command: &Command, reply: &Reply) {
        let is_done =
            matches!(reply, Reply::Created(Created::Done(_)) | Reply::Replaced(Replaced::Done(_)));
        let Some(entry) = command.entry().filter(|_| is_done) else { return };
        let coverage = &mut self.coverage;
        match (side, command, is_junk(&entry.bytes)) {
            (Side::From, Command::Create(_), true) => coverage.open_fences += 1,
            (Side::From, _, true) => coverage.fences += 1,
            (Side::To, Command::Create(_), true) => coverage.tents += 1,
            (Side::To, Command::Replace(..), false) => {
                coverage.settled_tents += u64::from(before == Some(true));
            }
            _ => {}
        }
    }
}

fn is_junk(bytes: &[u8]) -> bool {
    bytes.starts_with(&JUNK)
}

/// Returns what a clock shows that differs by so many milliseconds.
pub(super) fn skewed(now: Timestamp, skew: i64) -> Timestamp {
    Timestamp::from_millis(now.as_millis().saturating_add_signed(skew))
}

fn describe_command(command: &Command) -> String {
    let entry = command.entry().map(|entry| {
        let deadline = entry.deadline.since(START).as_secs();
        format!(" commit {:?} until {deadline} s {}", entry.commit, describe_bytes(&entry.bytes))
    });
    let (name, entry) = (command.name(), entry.unwrap_or_default());
    match command {
        Command::Replace(expected, _) => format!("{name} {expected:?} by{entry}"),
        Command::Touch(expected, to) => format!("{name} {expected:?} to {:?}", to.since(START)),
        _ => format!("{name}{entry}"),
    }
}

pub(super) fn describe_entry(entry: &Entry) -> String {
    let deadline = entry.deadline.since(START).as_secs();
    format!("{:?} until {deadline} s {}", entry.version, describe_bytes(&entry.bytes))
}

fn describe_bytes(bytes: &[u8]) -> String {
    format!("{:?}", String::from_utf8_lossy(bytes))
}

fn describe_reply(reply: &Reply) -> String {
    match reply {
        Reply::Loaded(Some(entry)) => describe_entry(entry),
        Reply::Replaced(Replaced::Conflict(entry)) => format!("conflict {}", describe_entry(entry)),
        Reply::Touched(Touched::Done) => "touched".to_owned(),
        other => format!("{other:?}"),
    }
}
