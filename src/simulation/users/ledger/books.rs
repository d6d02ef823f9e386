//! The ledger's data and the questions that its recording and its checks ask.

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::Timestamp;
use crate::id::{SessionHandle, StoreKey};
use crate::simulation::users::coverage::Coverage;
use crate::simulation::users::plan::Limit;
use crate::simulation::users::setup::{PRINCIPALS, Principal, SKEW};
use crate::simulation::users::stored::Stored;

/// A point in the order of what happens.
pub(crate) type Tick = u64;

/// Everything that users and handlers of a run were told.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) stored: Stored,
    pub(crate) coverage: Coverage,
    pub(super) rules: Rules,
    pub(super) visits: Vec<Visit>,
    /// The acknowledged logins.
    pub(super) logins: BTreeMap<SessionHandle, Login>,
    /// The ids that a ticket went out for.
    pub(super) issued: BTreeSet<StoreKey>,
    /// The ids that a handler was told of by `save`.
    pub(super) saved: BTreeSet<StoreKey>,
    pub(super) ends: Vec<End>,
    pub(super) tags: Vec<Tag>,
    /// Ids that a logout began with.
    pub(super) destroyed: Vec<StoreKey>,
    /// When the roster of each principal was last lost.
    pub(super) evicted: Vec<Option<Tick>>,
    /// The sessions that were ever hidden by that.
    pub(super) hidden_once: BTreeSet<SessionHandle>,
    /// The handles that somebody has seen.
    pub(super) seen: Vec<Vec<SessionHandle>>,
    /// The first promise that was broken.
    pub(crate) violation: Option<String>,
    last_tick: Tick,
}

/// What a run has that decides about the promises.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) limit: Option<Limit>,
    pub(crate) evicts: bool,
    /// Commands are lost, or servers die.
    pub(crate) has_faults: bool,
    /// Answers of the store are lost.
    pub(crate) loses_answers: bool,
}

/// A request.
#[derive(Debug)]
pub(super) struct Visit {
    pub(super) start: Tick,
    pub(super) began: Timestamp,
    pub(super) ticket: Option<StoreKey>,
    /// Whether the handler has found a live session.
    pub(super) found: bool,
    pub(super) login: Option<LoginCall>,
    pub(super) tags: Vec<usize>,
    /// The handler has logged out.
    pub(super) logs_out: bool,
}

/// A login that a handler has begun.
#[derive(Clone, Copy, Debug)]
pub(super) struct LoginCall {
    pub(super) principal: Principal,
    pub(super) called_at: Timestamp,
    pub(super) called: Tick,
    pub(super) returned: Option<Tick>,
}

/// An acknowledged login, through all its renewals.
#[derive(Debug)]
pub(super) struct Login {
    pub(super) principal: Principal,
    /// When it had begun, the last time: when the call had returned.
    pub(super) at: Tick,
    pub(super) called_at: Timestamp,
    pub(super) acknowledged: Tick,
    pub(super) visit: usize,
    pub(super) last_use: Timestamp,
    /// Somebody has tried to log out of it, or to log in as another.
    pub(super) is_left: bool,
    /// A request of it got no answer, and with that perhaps not the ticket that it was renewed with.
    pub(super) lacks_answer: bool,
}

/// The sessions that an end is meant for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Aim {
    pub(crate) visit: usize,
    pub(crate) principal: Principal,
    pub(crate) only: Option<SessionHandle>,
    pub(crate) spared: Option<SessionHandle>,
    /// Whether a login of the same visit goes on.
    pub(crate) spares_visit: bool,
}

/// An end of one or several sessions.
#[derive(Debug)]
pub(super) struct End {
    pub(super) aim: Aim,
    pub(super) begun: Tick,
    /// When it returned, and whether it succeeded.
    pub(super) returned: Option<(Tick, bool)>,
}

/// A key that was inserted into one session, or by an edit into all of a principal.
#[derive(Debug)]
pub(super) enum Tag {
    Change {
        acknowledged: Option<(Tick, StoreKey)>,
    },
    Edit {
        principal: Principal,
        begun: Tick,
        acknowledged: Option<Tick>,
        /// The sessions that it had to reach.
        due: BTreeSet<SessionHandle>,
    },
}

impl Aim {
    /// All sessions of a principal.
    pub(crate) fn all(visit: usize, principal: Principal) -> Self {
        Self { visit, principal, only: None, spared: None, spares_visit: false }
    }

    /// Returns whether it is at the session of a login.
    pub(super) fn includes(&self, handle: SessionHandle, login: &Login) -> bool {
        let is_own = self.spares_visit && login.visit == self.visit;
        self.principal == login.principal
            && self.only.is_none_or(|only| only == handle)
            && self.spared != Some(handle)
            && !is_own
    }
}

impl End {
    /// Returns when it was acknowledged.
    pub(super) fn acknowledged(&self) -> Option<Tick> {
        self.returned.filter(|(_, ok)| *ok).map(|(at, _)| at)
    }

    /// Returns whether a command of it may be executed after `tick`.
    pub(super) fn may_act_after(&self, tick: Tick) -> bool {
        self.returned.is_none_or(|(at, ok)| !ok || at > tick)
    }
}

impl Ledger {
    pub(crate) fn new(rules: Rules) -> Self {
        Self {
            stored: Stored::default(),
            coverage: Coverage::default(),
            rules,
            visits: Vec::new(),
            logins: BTreeMap::new(),
            issued: BTreeSet::new(),
            saved: BTreeSet::new(),
            ends: Vec::new(),
            tags: Vec::new(),
            destroyed: Vec::new(),
            evicted: vec![None; usize::from(PRINCIPALS)],
            hidden_once: BTreeSet::new(),
            seen: vec![Vec::new(); usize::from(PRINCIPALS)],
            violation: None,
            last_tick: 0,
        }
    }

    pub(super) fn tick(&mut self) -> Tick {
        self.last_tick += 1;
        self.last_tick
    }

    /// Records a violation of `promise` unless `holds`. The first violation counts: later ones
    /// often follow from it.
    pub(crate) fn demand(&mut self, holds: bool, promise: &str, detail: impl FnOnce() -> String) {
        if !holds && self.violation.is_none() {
            self.violation = Some(format!("{promise}: {}", detail()));
        }
    }

    /// Returns one of the handles of a principal that somebody has seen.
    pub(crate) fn choose_handle(&self, principal: Principal, choice: u64) -> Option<SessionHandle> {
        let seen = &self.seen[usize::from(principal)];
        let at = choice.checked_rem(seen.len() as u64)?;
        seen.iter().rev().nth(at as usize).copied()
    }

    /// Returns the acknowledged login that a key belongs to.
    pub(super) fn login_at(&self, key: StoreKey) -> Option<(SessionHandle, &Login)> {
        let handle = self.stored.birth(key)?.handle?;
        Some((handle, self.logins.get(&handle)?))
    }

    /// Returns whether an acknowledged id of a login is live, and no server can take it for expired.
    pub(super) fn is_certainly_live(&self, handle: SessionHandle, now: Timestamp) -> bool {
        let is_acknowledged =
            |key: &StoreKey| self.issued.contains(key) || self.saved.contains(key);
        let mut keys = self.stored.keys_of(handle).filter(is_acknowledged);
        keys.any(|key| self.stored.live(key, now.saturating_add(SKEW)).is_some())
    }

    /// Returns whether a login lives under an id that its user knows of, or at least its roster.
    pub(super) fn lives(&self, handle: SessionHandle, now: Timestamp) -> bool {
        let login = &self.logins[&handle];
        let mut known = &self.issued | &self.saved;
        // Where no answer was lost, its user has a ticket.
        if self.rules.loses_answers || login.lacks_answer {
            known.extend(self.stored.reached(login.principal));
            let hidden = &self.stored.roster(login.principal).hidden;
            known.extend(self.stored.follow_all(hidden.iter().copied()));
        }
        let mut keys = self.stored.keys_of(handle).filter(|key| known.contains(key));
        keys.any(|key| self.stored.live(key, now).is_some())
    }

    /// Returns the ids with a ticket under which somebody is logged in.
    pub(super) fn working(&self, principal: Principal, now: Timestamp) -> Vec<StoreKey> {
        let works = |key: &StoreKey| {
            self.stored.live(*key, now).is_some_and(|life| life.principal == Some(principal))
        };
        self.issued.iter().copied().filter(works).collect()
    }

    /// Returns the handles of those, for the audit.
    pub(crate) fn working_handles(
        &self,
        principal: Principal,
        now: Timestamp,
    ) -> BTreeSet<SessionHandle> {
        let keys = self.working(principal, now).into_iter();
        keys.filter_map(|key| self.stored.birth(key)?.handle).collect()
    }
}
