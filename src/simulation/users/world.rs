//! Everything that one run shares: the model, the ledger, the trace and the chance.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use super::ledger::{Ledger, Rules};
use super::plan::{Plan, Trouble};
use super::setup::Principal;
use super::stored::RosterWrite;
use crate::clock::{ManualClock, Timestamp};
use crate::id::StoreKey;
use crate::poison::IgnorePoison;
use crate::record::{Mark, StoredRoster};
use crate::simulation::model::{Command, Model, Reply};
use crate::simulation::network::Wire;
use crate::simulation::random::Random;
use crate::simulation::setup::START;
use crate::simulation::trace::{Event, Trace};
use crate::simulation::trip::{CallResult, Trip};
use crate::store::{Created, Replaced};

/// One run's clock and state, which all its tasks share.
pub(super) struct World {
    /// The store's clock.
    pub(super) clock: ManualClock,
    state: Mutex<State>,
}

pub(super) struct State {
    pub(super) ledger: Ledger,
    pub(super) trace: Trace,
    /// The share of commands that meet a network fault.
    pub(super) fault_percent: u64,
    /// The share of writes that a lossy network loses.
    pub(super) lossy_percent: u64,
    only_refuses: bool,
    /// The number of commands that are on their way to the store.
    pub(super) commands_under_way: usize,
    /// Those that will be executed after their caller was left in doubt.
    late: Vec<usize>,
    model: Model,
    random: Random,
    last_serial: usize,
}

/// One process of a server, until it dies. Its commands go through here.
pub(super) struct Process {
    pub(super) world: Arc<World>,
    trouble: Trouble,
    is_dead: AtomicBool,
}

impl World {
    pub(super) fn new(seed: u64, plan: &Plan) -> Self {
        let rules = Rules {
            limit: plan.limit,
            evicts: !plan.evictions.is_empty(),
            has_faults: plan.has_faults() || !plan.crashes.is_empty(),
            loses_answers: plan.has_faults() && !plan.only_refuses,
        };
        let state = State {
            ledger: Ledger::new(rules),
            trace: Trace::default(),
            fault_percent: plan.fault_percent,
            lossy_percent: 50,
            only_refuses: plan.only_refuses,
            commands_under_way: 0,
            late: Vec::new(),
            model: Model::default(),
            random: Random::new(seed, 4),
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

    /// Loses a principal's roster.
    pub(super) fn evict(&self, principal: Principal) {
        let now = self.now();
        let mut state = self.state();
        let key = state.ledger.stored.roster(principal).key;
        state.model.execute(key, &Command::Delete, now);
        state.ledger.roster_lost(principal, now);
        state.ledger.coverage.evictions += 1;
        let event = Event::Visit { visit: usize::MAX, event: format!("{key} is evicted") };
        state.trace.push(now, event);
    }
}

impl Process {
    pub(super) fn new(world: Arc<World>, trouble: Trouble) -> Self {
        Self { world, trouble, is_dead: AtomicBool::new(false) }
    }

    pub(super) fn is_dead(&self) -> bool {
        self.is_dead.load(Ordering::Relaxed)
    }

    pub(super) fn kill(&self) {
        self.is_dead.store(true, Ordering::Relaxed);
    }
}

impl Wire for Process {
    /// What a dead process still does in memory reaches nobody.
    fn send(&self, key: StoreKey, command: &Command) -> (usize, Trip) {
        if self.is_dead() {
            let result = CallResult::Never;
            return (0, Trip { executed_after: None, result, is_late: false });
        }
        let now = self.world.now();
        self.world.state().send(self.trouble, key, command, now)
    }

    fn execute(&self, serial: usize, key: StoreKey, command: &Command) -> Reply {
        let now = self.world.now();
        self.world.state().execute(serial, key, command, now)
    }
}

impl State {
    fn send(
        &mut self,
        trouble: Trouble,
        key: StoreKey,
        command: &Command,
        now: Timestamp,
    ) -> (usize, Trip) {
        let trip = Trip::draw(&mut self.random, self.fault_percent, command);
        let trip = match trouble {
            Trouble::Lossy if command.is_write() && self.random.chance(self.lossy_percent) => {
                trip.lost_on_the_way()
            }
            Trouble::Slow => trip.times(self.random.between(2, 6)),
            Trouble::None | Trouble::Lossy => trip,
        };
        let trip = if self.only_refuses { trip.without_doubt() } else { trip };
        self.commands_under_way += usize::from(trip.executed_after.is_some());
        self.last_serial += 1;
        let serial = self.last_serial;
        if command.is_write() {
            let coverage = &mut self.ledger.coverage;
            let is_lost = matches!(trip.result, CallResult::Indeterminate(_));
            coverage.lost_replies += u64::from(is_lost);
            coverage.late_executions += u64::from(trip.is_late);
            self.late.extend(trip.is_late.then_some(serial));
        }
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
        let event = Event::Executed { serial, command: command.name(), key, reply: reply.name() };
        self.trace.push(now, event);
        self.count(serial, key, command, &reply);
        if let Some(write) = self.ledger.stored.executed(key, command, &reply, now) {
            self.count_roster(serial, &write, now);
            self.ledger.roster_written(&write, now);
        }
        reply
    }

    /// Counts what is only seen before the command has changed anything.
    fn count(&mut self, serial: usize, key: StoreKey, command: &Command, reply: &Reply) {
        let mark = command.entry().and_then(|entry| Mark::find(&entry.bytes).ok().flatten());
        let ends = matches!(mark, Some(Mark::Ended { .. }));
        let stored = &self.ledger.stored;
        let coverage = &mut self.ledger.coverage;
        match reply {
            Reply::Created(Created::Done(_)) if ends => coverage.absent_marked += 1,
            Reply::Replaced(Replaced::Done(_)) if ends => {
                coverage.late_marks += u64::from(self.late.contains(&serial));
                let is_hidden = stored.rosters.iter().any(|roster| roster.hidden.contains(&key));
                coverage.hidden_ended += u64::from(is_hidden);
            }
            Reply::Replaced(Replaced::Conflict(_)) => {
                let sent =
                    command.entry().and_then(|entry| StoredRoster::decode(&entry.bytes).ok());
                let roster = stored.roster_at(key).map(|principal| stored.roster(principal));
                let joins =
                    roster.zip(sent).is_some_and(|(roster, sent)| sent.last_end == roster.last_end);
                coverage.join_conflicts += u64::from(joins);
            }
            _ => {}
        }
    }

    fn count_roster(&mut self, serial: usize, write: &RosterWrite, now: Timestamp) {
        let RosterWrite { principal, removed, added, is_end, shown_again } = write;
        let is_late = self.late.contains(&serial);
        let creates = *is_end && self.ledger.is_creating(*principal, now);
        let renews = *is_end && self.ledger.is_renewing(*principal, now);
        let moves = *is_end && self.ledger.is_moving(*principal, now);
        let is_new_id = added.iter().any(|listed| self.ledger.has_new_id(*principal, listed));
        let coverage = &mut self.ledger.coverage;
        coverage.late_ends += u64::from(*is_end && is_late);
        coverage.ends_between_create_and_join += u64::from(creates);
        coverage.ends_between_join_and_mark += u64::from(renews);
        coverage.ends_between_mark_and_join += u64::from(moves);
        coverage.new_ids_joined += u64::from(is_new_id);
        coverage.pruned += removed.len() as u64;
        coverage.shown_again += *shown_again as u64;
    }
}
