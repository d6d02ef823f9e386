//! Everything that one run shares: the model, the ledger, the trace and the chance.

use std::fmt;
use std::sync::{Mutex, MutexGuard};

use super::coverage::Coverage;
use super::ledger::{Ledger, Move};
use super::model::{Command, Model, Reply};
use super::network::Wire;
use super::random::Random;
use super::setup::{LONGEST_COMMIT, START};
use super::store_fault::StoreFault;
use super::trace::{Event, Trace};
use super::trip::{CallResult, Trip};
use crate::clock::{ManualClock, Timestamp};
use crate::id::StoreKey;
use crate::poison::IgnorePoison;
use crate::record::{Mark, Record};
use crate::store::{Replaced, StoreError, StoreErrorKind};

/// One run's clock and state, which all its tasks share.
pub(super) struct World {
    pub(super) clock: ManualClock,
    state: Mutex<State>,
}

pub(super) struct State {
    pub(super) ledger: Ledger,
    pub(super) coverage: Coverage,
    pub(super) trace: Trace,
    /// The share of commands that meet a network fault.
    pub(super) fault_percent: u64,
    /// The number of commands that are on their way to the store.
    pub(super) commands_under_way: usize,
    model: Model,
    random: Random,
    store_fault: Option<StoreFault>,
    last_serial: usize,
}

impl World {
    pub(super) fn new(seed: u64, fault_percent: u64, store_fault: Option<StoreFault>) -> Self {
        let state = State {
            ledger: Ledger::default(),
            coverage: Coverage::default(),
            trace: Trace::default(),
            fault_percent,
            commands_under_way: 0,
            model: Model::default(),
            random: Random::new(seed, 2),
            store_fault,
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

    /// Adds an event of a visit to the trace.
    pub(super) fn note(&self, visit: usize, event: impl Into<String>) {
        let event = Event::Visit { visit, event: event.into() };
        self.state().trace.push(self.now(), event);
    }
}

impl Wire for World {
    fn send(&self, key: StoreKey, command: &Command) -> (usize, Trip) {
        self.state().send(key, command, self.now())
    }

    fn execute(&self, serial: usize, key: StoreKey, command: &Command) -> Reply {
        self.state().execute(serial, key, command, self.now())
    }

    fn report_loss(&self, key: StoreKey, command: &Command) -> Result<Reply, StoreError> {
        self.state().report_loss(key, command, self.now())
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("World(..)")
    }
}

impl State {
    /// Sends a command, and checks what must hold for it whatever the store does with it. Returns
    /// its serial number and its way.
    fn send(&mut self, key: StoreKey, command: &Command, now: Timestamp) -> (usize, Trip) {
        let trip = self.draw_trip(command);
        self.commands_under_way += usize::from(trip.executed_after.is_some());
        self.last_serial += 1;
        let serial = self.last_serial;
        let event = Event::Sent { serial, command: command.name(), key, trip: format!("{trip:?}") };
        self.trace.push(now, event);
        if let Some(entry) = command.entry()
            && !matches!(Mark::find(&entry.bytes), Ok(Some(_)))
            && Record::decode(&entry.bytes).is_err()
        {
            self.ledger
                .demand(false, "P10 whole or nothing", || "unreadable bytes were sent".into());
        }
        if let Some(entry) = command.entry()
            && let Ok(record) = Record::decode(&entry.bytes)
        {
            // A create that is tried again under another id keeps its deadline, within one commit.
            let is_fresh = entry.deadline >= record.deadline(now.saturating_sub(LONGEST_COMMIT));
            self.ledger.demand(is_fresh, "P8 a write's deadline counts from its sending", || {
                format!("{key} by command {serial}")
            });
        }
        if matches!(command, Command::Create(_)) {
            self.ledger.key_created(key);
        }
        if let (Some(deadline), None) = (command.deadline(), command.mark()) {
            self.ledger.lineages.record_deadline(key, deadline);
        }
        (serial, trip)
    }

    fn draw_trip(&mut self, command: &Command) -> Trip {
        let trip = Trip::draw(&mut self.random, self.fault_percent, command);
        if command.is_write() {
            let is_lost = matches!(trip.result, CallResult::Indeterminate(_));
            self.coverage.lost_replies += u64::from(is_lost);
            self.coverage.late_executions += u64::from(trip.is_late);
        }
        match self.store_fault {
            Some(fault) => fault.redirect(&mut self.random, command, trip),
            None => trip,
        }
    }

    fn execute(
        &mut self,
        serial: usize,
        key: StoreKey,
        command: &Command,
        now: Timestamp,
    ) -> Reply {
        self.commands_under_way -= 1;
        let reply = match self.store_fault {
            Some(fault) => fault.execute(&mut self.model, &mut self.random, key, command, now),
            None => self.model.execute(key, command, now),
        };
        let event = Event::Executed { serial, command: command.name(), key, reply: reply.name() };
        self.trace.push(now, event);
        match (&reply, command) {
            (Reply::Replaced(Replaced::Done(_)), Command::Replace(_, entry)) => {
                let lineages = &mut self.ledger.lineages;
                match command.mark() {
                    Some(Mark::Moved { to, at, .. }) => {
                        let mark_expires = entry.deadline;
                        lineages.record_move(Move { from: key, to, at, mark_expires });
                    }
                    Some(Mark::Ended { .. }) => lineages.record_end(key),
                    None => {
                        lineages.record_rewrite(key, now);
                        if let Ok(record) = Record::decode(&entry.bytes) {
                            self.ledger.tickets.record_turn(key, record.turn.number, now);
                        }
                    }
                }
            }
            (Reply::Replaced(Replaced::Conflict(_)), _) => self.coverage.conflicts += 1,
            _ => {}
        }
        if let (Some(deadline), None, "done") = (command.deadline(), command.mark(), reply.name()) {
            self.ledger.lineages.record_stored_deadline(key, deadline);
        }
        self.coverage.touches += u64::from((command.name(), reply.name()) == ("touch", "done"));
        reply
    }

    fn report_loss(
        &mut self,
        key: StoreKey,
        command: &Command,
        now: Timestamp,
    ) -> Result<Reply, StoreError> {
        match self.store_fault {
            Some(fault) => fault.report_loss(&mut self.model, key, command, now),
            None => Err(StoreError::new(StoreErrorKind::Indeterminate, "reply lost")),
        }
    }
}
