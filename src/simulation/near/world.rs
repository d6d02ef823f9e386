//! Everything that one run shares: the model, the ledger, the trace and the chance.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use super::ledger::{Ledger, ProcessId};
use super::plan::Plan;
use super::setup::{LONGEST_ANSWER, SLOW_ANSWERS};
use crate::clock::{ManualClock, Timestamp};
use crate::id::StoreKey;
use crate::poison::IgnorePoison;
use crate::simulation::model::{Command, Model, Reply};
use crate::simulation::network::Wire;
use crate::simulation::random::Random;
use crate::simulation::setup::START;
use crate::simulation::trace::{Event, Trace};
use crate::simulation::trip::{CallResult, Trip};

/// One run's clock and state, which all its tasks share.
pub(super) struct World {
    pub(super) clock: ManualClock,
    state: Mutex<State>,
}

pub(super) struct State {
    pub(super) ledger: Ledger,
    pub(super) trace: Trace,
    /// The share of commands that meet a network fault.
    pub(super) fault_percent: u64,
    /// The number of commands that are on their way to the store.
    pub(super) commands_under_way: usize,
    processes: ProcessId,
    model: Model,
    random: Random,
    last_serial: usize,
}

/// One process of a server, until it dies. Its commands go through here.
pub(super) struct Process {
    pub(super) world: Arc<World>,
    pub(super) id: ProcessId,
    is_dead: AtomicBool,
}

impl World {
    /// Creates a world without faults.
    pub(super) fn new(seed: u64, plan: &Plan) -> Self {
        let state = State {
            ledger: Ledger::new(plan.staleness, plan.has_faults()),
            trace: Trace::default(),
            fault_percent: 0,
            commands_under_way: 0,
            processes: 0,
            model: Model::default(),
            random: Random::new(seed, 16),
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

    /// Enters something in the ledger.
    pub(super) fn enter<T>(&self, enter: impl FnOnce(&mut Ledger, Timestamp) -> T) -> T {
        let now = self.now();
        enter(&mut self.state().ledger, now)
    }
}

impl Process {
    pub(super) fn new(world: Arc<World>, server: usize) -> Self {
        let id = {
            let mut state = world.state();
            state.processes += 1;
            state.processes
        };
        world.note(usize::MAX, format!("server {server} starts as process {id}"));
        Self { world, id, is_dead: AtomicBool::new(false) }
    }

    pub(super) fn is_dead(&self) -> bool {
        self.is_dead.load(Ordering::Relaxed)
    }

    pub(super) fn kill(&self) {
        self.is_dead.store(true, Ordering::Relaxed);
        self.world.note(usize::MAX, format!("process {} dies", self.id));
        self.world.state().ledger.coverage.crashes += 1;
    }
}

impl Wire for Process {
    /// A dead process may go on in memory, but its commands reach nobody.
    fn send(&self, key: StoreKey, command: &Command) -> (usize, Trip) {
        if self.is_dead() {
            let result = CallResult::Never;
            return (0, Trip { executed_after: None, result, is_late: false });
        }
        let now = self.world.now();
        if command.is_write() {
            self.world.state().ledger.write_sent(self.id, key, now);
        }
        self.world.state().send(key, command, now)
    }

    fn execute(&self, serial: usize, key: StoreKey, command: &Command) -> Reply {
        self.world.state().execute(serial, key, command, self.world.now())
    }
}

impl State {
    fn send(&mut self, key: StoreKey, command: &Command, now: Timestamp) -> (usize, Trip) {
        let mut trip = Trip::draw(&mut self.random, self.fault_percent, command);
        if !command.is_write() && self.random.chance(SLOW_ANSWERS) {
            let millis = self.random.between(60, LONGEST_ANSWER);
            if let CallResult::Reply(after) = &mut trip.result {
                *after = millis;
            }
        }
        self.commands_under_way += usize::from(trip.executed_after.is_some());
        if command.is_write() {
            let is_lost = matches!(trip.result, CallResult::Indeterminate(_));
            self.ledger.coverage.lost_replies += u64::from(is_lost);
            self.ledger.coverage.late_executions += u64::from(trip.is_late);
        } else {
            self.ledger.coverage.loads += 1;
        }
        self.last_serial += 1;
        let serial = self.last_serial;
        let event = Event::Sent { serial, command: command.name(), key, trip: format!("{trip:?}") };
        self.trace.push(now, event);
        (serial, trip)
    }

    fn execute(
        &mut self,
        serial: usize,
        key: StoreKey,
        command: &Command,
        now: Timestamp,
    ) -> Reply {
        self.commands_under_way -= 1;
        let reply = self.model.execute(key, command, now);
        let (command, reply_name) = (command.name(), reply.name());
        self.trace.push(now, Event::Executed { serial, command, key, reply: reply_name });
        self.ledger.coverage.store_conflicts += u64::from(reply_name == "conflict");
        self.ledger.coverage.touches += u64::from((command, reply_name) == ("touch", "done"));
        reply
    }
}
