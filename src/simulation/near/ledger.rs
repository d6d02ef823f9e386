//! The ledger: all that was acknowledged, and which reads must show it.
//!
//! A read must show a change, a logout and the renewal of its id that was acknowledged
//!
//! * the staleness before the read began, or earlier, on whatever server;
//! * at any time before, if the read is fresh;
//! * before a write of the same process to the same id began that has ended by now. Its own changes are among them; and
//!   a write that was refused or got no answer leaves nothing older in the memory. A commit that is refused because its
//!   handler has reloaded the session sends no write.

use std::collections::HashMap;
use std::time::Duration;

use super::coverage::Coverage;
use crate::SessionError;
use crate::clock::Timestamp;
use crate::id::StoreKey;
use crate::simulation::setup::{ABSOLUTE_LIFETIME, IDLE_TIMEOUT, START};

/// The number of a process. A server that was started again is another one.
pub(super) type ProcessId = usize;

pub(super) struct Ledger {
    /// The first promise that was broken.
    pub(super) violation: Option<String>,
    staleness: Duration,
    has_faults: bool,
    visits: Vec<Visit>,
    changes: Vec<Change>,
    ends: Vec<End>,
    last_number: u64,
    /// The entry of the last write that was sent from each memory.
    last_writes: HashMap<Memory, u64>,
    /// When the last acknowledged change was begun, which has moved the idle deadline.
    last_use: Timestamp,
    pub(super) coverage: Coverage,
}

struct Visit {
    memory: Memory,
    /// The renewal that it has asked for: its place among the ends.
    renewal: Option<usize>,
    commit: Option<Commit>,
}

/// The place where a process may hold the session of one id.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Memory {
    process: ProcessId,
    /// The id that was presented, if any.
    key: Option<StoreKey>,
}

/// A commit under way.
#[derive(Clone)]
struct Commit {
    begun: Moment,
    tags: Vec<usize>,
}

/// A moment, by the clock and among all entries of the ledger.
#[derive(Clone, Copy, Debug)]
struct Moment {
    number: u64,
    at: Timestamp,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ChangeKind {
    Add,
    GetAndInsert,
}

struct Change {
    visit: usize,
    kind: ChangeKind,
    status: Status,
    fact: Fact,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Status {
    /// Not sent yet. Only its own handler may see it.
    Made,
    /// Sent: it may be stored now, later or never, unless it is acknowledged.
    Sent,
    /// Not stored, and never will be.
    Refused,
}

/// The end of an id.
struct End {
    /// The id that was renewed. A logout has none: it ends whatever the session was renewed to.
    of: Option<StoreKey>,
    fact: Fact,
}

/// Something that may have been acknowledged.
#[derive(Default)]
struct Fact {
    acknowledged: Option<Moment>,
    /// The memories that cannot lack it any more, each with the entry of the ledger since which that is so.
    known_to: Vec<(Memory, u64)>,
}

/// A read that has begun.
#[derive(Clone, Copy)]
pub(super) struct Read {
    visit: usize,
    memory: Memory,
    is_fresh: bool,
    begun: Moment,
}

impl Fact {
    fn acknowledge(&mut self, by: Memory, now: Moment) {
        self.acknowledged = Some(now);
        self.known_to.push((by, now.number));
    }

    fn is_acknowledged_before(&self, moment: Moment) -> bool {
        self.acknowledged.is_some_and(|told| told.number < moment.number)
    }

    /// Whether a read has to show it.
    fn must_be_shown(&self, read: &Read, staleness: Duration) -> bool {
        let is_old = self
            .acknowledged
            .is_some_and(|told| told.at.saturating_add(staleness) <= read.begun.at);
        let is_known =
            |(memory, since): &(Memory, u64)| *memory == read.memory && *since < read.begun.number;
        is_old
            || read.is_fresh && self.is_acknowledged_before(read.begun)
            || self.known_to.iter().any(is_known)
    }
}

impl Ledger {
    pub(super) fn new(staleness: Duration, has_faults: bool) -> Self {
        Self {
            violation: None,
            staleness,
            has_faults,
            visits: Vec::new(),
            changes: Vec::new(),
            ends: Vec::new(),
            last_number: 0,
            last_writes: HashMap::new(),
            last_use: START,
            coverage: Coverage::default(),
        }
    }

    /// Records a violation of `promise` unless `holds`. The first violation counts: later ones often follow from it.
    pub(super) fn demand(&mut self, holds: bool, promise: &str, detail: impl FnOnce() -> String) {
        if !holds && self.violation.is_none() {
            self.violation = Some(format!("{promise}: {}", detail()));
        }
    }

    fn moment(&mut self, at: Timestamp) -> Moment {
        self.last_number += 1;
        Moment { number: self.last_number, at }
    }

    /// From now on an outage has no reason.
    pub(super) fn end_faults(&mut self) {
        self.has_faults = false;
    }

    /// Whether the session has begun, which is when its first change was acknowledged.
    pub(super) fn is_begun(&self) -> bool {
        self.changes.first().is_some_and(|change| change.fact.acknowledged.is_some())
    }

    pub(super) fn visit_begins(&mut self, process: ProcessId, key: Option<StoreKey>) -> usize {
        let memory = Memory { process, key };
        self.visits.push(Visit { memory, renewal: None, commit: None });
        self.visits.len() - 1
    }

    pub(super) fn read_begins(&mut self, visit: usize, is_fresh: bool, now: Timestamp) -> Read {
        Read { visit, memory: self.visits[visit].memory, is_fresh, begun: self.moment(now) }
    }

    /// Checks what a read has found: the tags of the changes, or no session.
    pub(super) fn read_ends(&mut self, read: Read, found: Option<&[u32]>, now: Timestamp) {
        self.coverage.reads += u64::from(!read.is_fresh);
        self.coverage.fresh_reads += u64::from(read.is_fresh);
        let Some(tags) = found else {
            let may_be_over = self.may_be_over(read.visit, now);
            self.demand(may_be_over, "a live session is not found", || read.describe());
            return;
        };
        self.check_contents(&read, tags);
        let is_missing = |tag: &usize| tags.iter().all(|shown| *shown as usize != *tag);
        // A handler's own update that is not saved shows the value that it computed, also after a reload.
        let shows_stored = self.unsaved(read.visit).next().is_none();
        let missing = (0..self.changes.len()).filter(is_missing).filter(|_| shows_stored);
        let missing: Vec<_> = missing.map(|tag| &self.changes[tag].fact).collect();
        let ends = self.ends.iter().filter(|end| self.applies(end, read.visit));
        let ends: Vec<_> = ends.map(|end| &end.fact).collect();
        let must_be_shown = |fact: &&Fact| fact.must_be_shown(&read, self.staleness);
        let was_told = |fact: &&Fact| fact.is_acknowledged_before(read.begun);
        let (is_old, is_ended) = (missing.iter().any(was_told), ends.iter().any(was_told));
        let (is_lost, comes_back) =
            (missing.iter().any(must_be_shown), ends.iter().any(must_be_shown));
        self.coverage.old_reads += u64::from(is_old);
        self.coverage.reads_of_ended += u64::from(is_ended);
        self.demand(!is_lost, "an acknowledged change is not shown", || {
            format!("{} shows {tags:?}", read.describe())
        });
        self.demand(!comes_back, "an ended session is shown", || read.describe());
    }

    /// Checks that each change is there once, and none that was not sent.
    fn check_contents(&mut self, read: &Read, tags: &[u32]) {
        for (place, tag) in tags.iter().enumerate() {
            let is_possible =
                self.changes.get(*tag as usize).is_some_and(|change| match change.status {
                    Status::Made => change.visit == read.visit,
                    Status::Sent => true,
                    Status::Refused => false,
                });
            self.demand(is_possible, "a change is there that nobody stored", || {
                format!("{} shows change {tag}", read.describe())
            });
            self.demand(!tags[..place].contains(tag), "a change is applied twice", || {
                format!("{} shows change {tag}", read.describe())
            });
        }
    }

    /// Whether the end is one of the id that the visit has presented.
    fn applies(&self, end: &End, visit: usize) -> bool {
        end.of.is_none() || end.of == self.visits[visit].memory.key
    }

    /// Whether the session of the visit may be over, as far as anybody was told.
    fn may_be_over(&self, visit: usize, now: Timestamp) -> bool {
        let has_expired = now >= self.last_use.saturating_add(IDLE_TIMEOUT)
            || now >= START.saturating_add(ABSOLUTE_LIFETIME);
        has_expired || self.ends.iter().any(|end| self.applies(end, visit))
    }

    pub(super) fn change_made(&mut self, visit: usize, kind: ChangeKind) -> u32 {
        self.changes.push(Change { visit, kind, status: Status::Made, fact: Fact::default() });
        u32::try_from(self.changes.len() - 1).unwrap_or(u32::MAX)
    }

    pub(super) fn renewal_asked_for(&mut self, visit: usize) {
        self.visits[visit].renewal = Some(self.ends.len());
        self.ends.push(End { of: self.visits[visit].memory.key, fact: Fact::default() });
    }

    /// Records a logout, and returns its place among the ends.
    pub(super) fn logout_begins(&mut self) -> usize {
        self.ends.push(End { of: None, fact: Fact::default() });
        self.ends.len() - 1
    }

    /// Returns the changes of a visit that were not sent yet.
    fn unsaved(&self, visit: usize) -> impl Iterator<Item = usize> {
        let changes = self.changes.iter().enumerate();
        let unsaved = changes
            .filter(move |(_, change)| change.visit == visit && change.status == Status::Made);
        unsaved.map(|(tag, _)| tag)
    }

    /// Records that a logout was acknowledged. The changes that its handler had not saved are dropped with the session.
    pub(super) fn logout_acknowledged(&mut self, visit: usize, end: usize, now: Timestamp) {
        for tag in self.unsaved(visit).collect::<Vec<_>>() {
            self.changes[tag].status = Status::Refused;
        }
        self.coverage.logouts += 1;
        let moment = self.moment(now);
        self.ends[end].fact.acknowledge(self.visits[visit].memory, moment);
    }

    pub(super) fn write_sent(&mut self, process: ProcessId, key: StoreKey, now: Timestamp) {
        let number = self.moment(now).number;
        self.last_writes.insert(Memory { process, key: Some(key) }, number);
    }

    pub(super) fn commit_begins(&mut self, visit: usize, now: Timestamp) {
        let (begun, tags) = (self.moment(now), self.unsaved(visit).collect::<Vec<_>>());
        for tag in &tags {
            self.changes[*tag].status = Status::Sent;
        }
        self.visits[visit].commit = Some(Commit { begun, tags });
    }

    /// Records the result of the visit's commit.
    pub(super) fn commit_ends(
        &mut self,
        visit: usize,
        result: Result<&(), &SessionError>,
        now: Timestamp,
    ) {
        let Some(Commit { begun, tags }) = self.visits[visit].commit.take() else { return };
        match result {
            Ok(()) => self.stored(visit, begun, &tags, now),
            Err(error) => self.not_stored(visit, &tags, error, now),
        }
        if !tags.is_empty() && self.visits[visit].renewal.is_none() {
            self.write_ends(visit, begun, now);
        }
    }

    fn stored(&mut self, visit: usize, begun: Moment, tags: &[usize], now: Timestamp) {
        let Visit { memory, renewal, .. } = self.visits[visit];
        let is_over = self
            .ends
            .iter()
            .any(|end| self.applies(end, visit) && end.fact.is_acknowledged_before(begun));
        self.demand(
            tags.is_empty() || !is_over,
            "a change of an ended session is acknowledged",
            || format!("{tags:?} of visit {visit}"),
        );
        let moment = self.moment(now);
        for tag in tags {
            self.changes[*tag].fact.acknowledge(memory, moment);
            self.last_use = self.last_use.max(begun.at);
        }
        self.coverage.changes += tags.len() as u64;
        if let Some(end) = renewal {
            self.ends[end].fact.acknowledge(memory, moment);
            self.coverage.renewals += 1;
        }
    }

    fn not_stored(&mut self, visit: usize, tags: &[usize], error: &SessionError, now: Timestamp) {
        self.refused(visit, error, now);
        if matches!(error, SessionError::Gone | SessionError::Conflict { .. }) {
            for tag in tags {
                self.changes[*tag].status = Status::Refused;
            }
        }
    }

    /// Checks that there is a reason for an error.
    pub(super) fn refused(&mut self, visit: usize, error: &SessionError, now: Timestamp) {
        let (has_reason, count): (bool, fn(&mut Coverage) -> &mut u64) = match error {
            SessionError::Gone => (self.may_be_over(visit, now), |coverage| &mut coverage.gone),
            SessionError::Conflict { .. } => {
                let inserts = |change: &Change| change.kind == ChangeKind::GetAndInsert;
                let others = |change: &&Change| change.visit != visit && inserts(change);
                (self.changes.iter().any(|change| others(&change)), |coverage| {
                    &mut coverage.conflicting
                })
            }
            _ => (self.has_faults, |coverage| &mut coverage.unconfirmed),
        };
        *count(&mut self.coverage) += 1;
        self.demand(has_reason, "an error without a reason", || {
            format!("visit {visit}: {error:?}")
        });
    }

    /// Records that a write of this visit has ended in whatever way: no later read of its id by its process may lack
    /// what was acknowledged before it began.
    fn write_ends(&mut self, visit: usize, begun: Moment, now: Timestamp) {
        let memory = self.visits[visit].memory;
        if self.last_writes.get(&memory).is_none_or(|sent| *sent < begun.number) {
            return;
        }
        let number = self.moment(now).number;
        let facts = self.changes.iter_mut().map(|change| &mut change.fact);
        for fact in facts.chain(self.ends.iter_mut().map(|end| &mut end.fact)) {
            if fact.is_acknowledged_before(begun) {
                fact.known_to.push((memory, number));
            }
        }
    }
}

impl Read {
    /// Returns a further read of the same handler, which has to show no more.
    pub(super) fn again(self, is_fresh: bool) -> Self {
        Self { is_fresh, ..self }
    }

    fn describe(&self) -> String {
        let Self { visit, memory: Memory { process, .. }, is_fresh, .. } = self;
        let fresh = if *is_fresh { "a fresh read" } else { "a read" };
        format!("{fresh} of visit {visit} in process {process}")
    }
}
