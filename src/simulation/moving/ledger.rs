//! The record of what the callers of one key were told, and what must follow from it.
//!
//! Every write has contents of its own, which name the contents that their writer had seen. So the
//! contents of one session form a tree, and a store that keeps its contract shows one path of it, from
//! the root on. Whoever calls later sees a place on the path that is not nearer to the root.

use std::collections::HashMap;
use std::time::Duration;

use super::setup::{JUNK, SKEW};
use crate::clock::Timestamp;
use crate::id::CommitId;
use crate::store::{Entry, Version};

const MAGIC: &[u8] = b"coat";

/// One thing that somebody wanted to store.
#[derive(Debug)]
struct Content {
    incarnation: usize,
    parent: Option<usize>,
    commit: CommitId,
    is_mark: bool,
    /// The deadline of each time that it was sent, and whether the store refused it.
    attempts: Vec<(Timestamp, bool)>,
    touches: Vec<Timestamp>,
    /// The latest deadline that somebody was told of.
    proved: Timestamp,
    /// What that was when the first move of these contents as they are began. A touch keeps the version, and the
    /// fence asks for the version alone, so it overrules a touch that came between, as every write does.
    before_move: Option<Timestamp>,
}

/// The life of a key from its creation to its end. A key may have several.
#[derive(Debug)]
struct Incarnation {
    created: Op,
    is_seen: bool,
    /// Whether somebody has sent a `delete` that may end it.
    is_deleted: bool,
    /// The number of the call after which nobody may see it.
    over_since: Option<u64>,
}

/// A call that has begun: what its caller could know.
#[derive(Clone, Copy, Debug)]
pub(super) struct Op {
    number: u64,
    at: Timestamp,
    latest: Option<usize>,
}

/// What was found under a key: the number of the contents, and the version.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) content: usize,
    pub(super) version: Version,
    pub(super) deadline: Timestamp,
}

#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) violation: Option<String>,
    contents: Vec<Content>,
    incarnations: Vec<Incarnation>,
    versions: HashMap<Version, usize>,
    /// The versions of what the move writes for itself.
    junk: Vec<Version>,
    /// Touches that were skipped, with the number of the call that came next.
    skipped: Vec<(Version, Timestamp, u64)>,
    latest: Option<usize>,
    deletes_running: usize,
    late_delete: bool,
    moves_running: usize,
    /// Whether somebody has tried to create the key, where that is done once.
    is_used: bool,
    last_number: u64,
}

impl Ledger {
    pub(super) fn begin(&mut self, now: Timestamp) -> Op {
        self.last_number += 1;
        Op { number: self.last_number, at: now, latest: self.latest }
    }

    pub(super) fn demand(&mut self, holds: bool, promise: &str, details: impl FnOnce() -> String) {
        if !holds && self.violation.is_none() {
            self.violation = Some(format!("{promise}: {}", details()));
        }
    }

    /// Notes the version of something that no caller may see.
    pub(super) fn note_junk(&mut self, commit: CommitId) {
        self.junk.push(commit.into());
    }

    pub(super) fn is_used(&self) -> bool {
        self.is_used
    }

    pub(super) fn use_up(&mut self) {
        self.is_used = true;
    }

    /// Whether the last session under the key is over.
    pub(super) fn is_over(&self) -> bool {
        self.incarnations.last().is_some_and(|life| life.over_since.is_some())
    }

    /// Draws up new contents: of a new session, or with those that its writer has seen.
    pub(super) fn draw_up(
        &mut self,
        op: Op,
        parent: Option<usize>,
        commit: CommitId,
        is_mark: bool,
    ) -> usize {
        let incarnation = match parent {
            Some(parent) => self.contents[parent].incarnation,
            None => {
                let is_deleted = self.deletes_running > 0;
                let (is_seen, over_since) = (false, None);
                self.incarnations.push(Incarnation {
                    created: op,
                    is_seen,
                    is_deleted,
                    over_since,
                });
                self.incarnations.len() - 1
            }
        };
        let proved = Timestamp::default();
        self.contents.push(Content {
            incarnation,
            parent,
            commit,
            is_mark,
            attempts: Vec::new(),
            touches: Vec::new(),
            proved,
            before_move: (self.moves_running > 0).then_some(proved),
        });
        self.contents.len() - 1
    }

    /// Notes that contents are sent. Returns the number of the attempt.
    pub(super) fn sent(&mut self, content: usize, deadline: Timestamp) -> usize {
        let attempts = &mut self.contents[content].attempts;
        attempts.push((deadline, false));
        attempts.len() - 1
    }

    /// Notes that the store has not applied an attempt and never will.
    pub(super) fn refused(&mut self, content: usize, attempt: usize) {
        self.contents[content].attempts[attempt].1 = true;
    }

    pub(super) fn touching(&mut self, content: usize, deadline: Timestamp) {
        self.contents[content].touches.push(deadline);
    }

    /// Notes that a server may move what is there, with the deadline that it finds or gives.
    pub(super) fn moving(&mut self) {
        self.moves_running += 1;
        for content in &mut self.contents {
            content.before_move.get_or_insert(content.proved);
        }
    }

    pub(super) fn moved(&mut self) {
        self.moves_running -= 1;
    }

    pub(super) fn skipped(&mut self, version: Version, deadline: Timestamp) {
        self.skipped.push((version, deadline, self.last_number + 1));
    }

    /// Notes an entry that a caller has got.
    pub(super) fn found(&mut self, op: Op, entry: &Entry, now: Timestamp) -> Option<Held> {
        let bytes = &entry.bytes[..];
        let number = bytes.strip_prefix(MAGIC).and_then(|rest| rest.first_chunk());
        let Some(content) = number.map(|number| u32::from_be_bytes(*number) as usize) else {
            let is_junk = bytes.starts_with(&JUNK);
            self.demand(!is_junk, "a caller gets what the move wrote for itself", String::new);
            self.demand(is_junk, "a caller gets bytes that nobody wrote", String::new);
            return None;
        };
        let held = Held { content, version: entry.version, deadline: entry.deadline };
        let is_new = self.skipped.iter().all(|(version, deadline, since)| {
            *version != held.version || *since > op.number || *deadline <= held.deadline
        });
        self.demand(is_new, "a touch that applied was skipped", || format!("{held:?}"));
        self.holds(op, held, now);
        Some(held)
    }

    /// Notes that an entry was there at some moment of a call.
    pub(super) fn holds(&mut self, op: Op, held: Held, now: Timestamp) {
        self.check_entry(op, held);
        let Held { content, deadline, .. } = held;
        let incarnation = self.contents[content].incarnation;
        let life = &self.incarnations[incarnation];
        let is_over = life.over_since.is_some_and(|over| over < op.number);
        self.demand(!is_over, "an ended session comes back", || format!("{held:?}"));
        if let Some(known) = op.latest.filter(|known| self.is_of(*known, incarnation)) {
            let holds = self.descends(content, known);
            self.demand(holds, "an acknowledged change is lost", || {
                format!("{held:?} after contents {known}")
            });
        }
        self.contents[content].proved = self.contents[content].proved.max(deadline);
        match self.latest {
            Some(latest) if self.is_of(latest, incarnation) => {
                let is_newer = self.descends(content, latest);
                let is_one_path = is_newer || self.descends(latest, content);
                self.demand(is_one_path, "two writes on one version are both applied", || {
                    format!("contents {content} and {latest}")
                });
                if is_newer {
                    self.latest = Some(content);
                }
            }
            _ if self.incarnations[incarnation].is_seen => {}
            before => self.first_seen(op, content, before, now),
        }
        self.incarnations[incarnation].is_seen = true;
    }

    fn check_entry(&mut self, op: Op, held: Held) {
        let Held { content, version, deadline } = held;
        let details = || format!("{held:?}");
        let known = &self.contents[content];
        let is_possible = known.is_possible();
        let was_asked = known.touches.contains(&deadline)
            || known.attempts.iter().any(|(asked, _)| *asked == deadline);
        let is_live = deadline.saturating_add(SKEW) > op.at;
        let one_content = *self.versions.entry(version).or_insert(content) == content;
        let is_junk = self.junk.iter().any(|junk| junk.as_bytes() == version.as_bytes());
        self.demand(is_possible, "a refused write is there", details);
        self.demand(was_asked, "an entry has a deadline that nobody gave it", details);
        self.demand(is_live, "an expired entry is returned", details);
        self.demand(one_content, "a version stands for two contents", details);
        self.demand(!is_junk, "a caller gets the version of a fence or a tent", details);
    }

    fn first_seen(&mut self, op: Op, content: usize, before: Option<usize>, now: Timestamp) {
        let incarnation = self.contents[content].incarnation;
        let known = self.incarnations[incarnation].created.latest;
        let is_over = known.is_none_or(|known| !self.is_certainly_live(known, now));
        self.demand(is_over, "a create overwrites a live entry", || {
            format!("contents {content} over {known:?}")
        });
        if let Some(before) = before
            && op.latest.is_some_and(|latest| self.shares_life(latest, before))
        {
            self.end_life(before);
        }
        self.latest = Some(content);
    }

    /// Notes that nothing was there at some moment of a call.
    pub(super) fn absent(&mut self, op: Op, now: Timestamp) {
        if let Some(known) = op.latest {
            let is_lost = self.is_certainly_live(known, now);
            self.demand(!is_lost, "a live entry is answered absent", || {
                format!("contents {known}")
            });
            self.end_life(known);
        }
    }

    /// Notes that something was there, though nobody says what.
    pub(super) fn exists(&mut self, op: Op) {
        let holds = self.contents.iter().any(|content| {
            let attempts = content.attempts.iter().filter(|(_, refused)| !refused);
            let latest = attempts.map(|(deadline, _)| deadline).chain(&content.touches).max();
            let over = self.incarnations[content.incarnation].over_since;
            content.is_possible()
                && over.is_none_or(|over| over >= op.number)
                && latest.is_some_and(|latest| latest.saturating_add(SKEW) > op.at)
        });
        self.demand(holds, "a create or a touch finds something where nothing is", String::new);
    }

    pub(super) fn deleting(&mut self) {
        self.deletes_running += 1;
        self.incarnations.iter_mut().for_each(|life| life.is_deleted = true);
    }

    /// Notes the end of a `delete`. It may still be carried out if its caller is in doubt.
    pub(super) fn deleted(&mut self, op: Op, is_done: bool, in_doubt: bool) {
        self.deletes_running -= 1;
        self.late_delete |= in_doubt;
        if let Some(known) = op.latest.filter(|_| is_done) {
            self.end_life(known);
        }
    }

    /// Whether the contents, or those that they go back to, are of this commit.
    pub(super) fn lists(&self, content: usize, commit: CommitId) -> bool {
        self.line(content).any(|content| self.contents[content].commit == commit)
    }

    pub(super) fn descends(&self, content: usize, from: usize) -> bool {
        self.line(content).any(|content| content == from)
    }

    pub(super) fn is_mark(&self, content: usize) -> bool {
        self.contents[content].is_mark
    }

    /// Returns when the session of these contents was created.
    pub(super) fn created_at(&self, content: usize) -> Timestamp {
        self.incarnations[self.contents[content].incarnation].created.at
    }

    fn line(&self, content: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(content), |content| self.contents[*content].parent)
    }

    fn is_of(&self, content: usize, incarnation: usize) -> bool {
        self.contents[content].incarnation == incarnation
    }

    fn shares_life(&self, one: usize, other: usize) -> bool {
        self.is_of(one, self.contents[other].incarnation)
    }

    fn end_life(&mut self, content: usize) {
        let incarnation = self.contents[content].incarnation;
        self.incarnations[incarnation].over_since.get_or_insert(self.last_number);
    }

    /// Whether these contents, or others that may have replaced them by now, were live all the time.
    fn is_certainly_live(&self, known: usize, now: Timestamp) -> bool {
        let life = &self.incarnations[self.contents[known].incarnation];
        let is_over = life.is_deleted || self.late_delete || life.over_since.is_some();
        !is_over
            && self.contents.iter().enumerate().all(|(number, content)| {
                !content.is_possible()
                    || !self.descends(number, known)
                    || content.least_deadline() > now.saturating_add(SKEW)
            })
    }
}

impl Content {
    fn is_possible(&self) -> bool {
        self.attempts.iter().any(|(_, refused)| !refused)
    }

    fn least_deadline(&self) -> Timestamp {
        let open = self.attempts.iter().filter(|(_, refused)| !refused);
        let least = open.map(|(deadline, _)| *deadline).min();
        least.unwrap_or_default().max(self.before_move.unwrap_or(self.proved))
    }
}

/// Returns the bytes of contents.
pub(super) fn bytes_of(content: usize) -> Vec<u8> {
    let number = u32::try_from(content).unwrap_or(u32::MAX);
    [MAGIC, &number.to_be_bytes(), &[7; 4]].concat()
}

/// Returns the later of two deadlines that a session may have.
pub(super) fn within(now: Timestamp, idle: Duration, end: Timestamp) -> Timestamp {
    now.saturating_add(idle).min(end)
}
