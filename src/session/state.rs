//! One request's session between load and commit. Everything here is short and synchronous, under
//! one lock that is never held across an await or across user code.

use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;

use super::changes::{self, Change, Said, Sight};
use super::decision::{Found, Sent};
use crate::clock::Timestamp;
use crate::cookie::{SetCookies, Ticket};
use crate::error::SessionError;
use crate::id::{CommitId, StoreKey};
use crate::record::{Record, Text};
use crate::store::{NewEntry, Version};

#[derive(Default)]
pub(super) struct State {
    pub(super) stage: Stage,
    pub(super) base: Base,
    /// When it was loaded, the idle timeout had stood still for long enough to be moved.
    pub(super) slide: bool,
    /// Operations of a commit that is under way, or in doubt.
    pub(super) sending: Vec<Change>,
    /// Operations since.
    pub(super) changes: Vec<Change>,
    pub(super) seen: Seen,
    /// A conditional write that was sent and not answered for.
    pub(super) in_flight: Option<Box<InFlight>>,
    /// `destroy` was called and has not succeeded yet.
    pub(super) ending: bool,
    pub(super) cookie: Option<CookieChange>,
}

/// What the handler knows of each key that it has read. Most requests read one.
#[derive(Default)]
pub(super) struct Seen(SmallVec<[(Text, Sight); 1]>);

#[derive(Default)]
pub(super) enum Stage {
    #[default]
    Untouched,
    Loaded,
    Failed(SessionError),
    /// The store could not be read, and the app chose to go on as for an anonymous visitor.
    Outage(SessionError),
}

/// What the store held when this request last heard of it.
#[derive(Default)]
#[expect(clippy::large_enum_variant, reason = "one per request, and mostly live")]
pub(super) enum Base {
    #[default]
    Nothing,
    Moved(StoreKey),
    Live(Live),
}

pub(super) struct Live {
    pub(super) key: StoreKey,
    pub(super) version: Version,
    pub(super) deadline: Timestamp,
    pub(super) record: Record,
}

/// A conditional write on `base`, as it was sent and as it may have to be sent again.
pub(super) struct InFlight {
    pub(super) commit: CommitId,
    pub(super) entry: NewEntry,
    pub(super) becomes: Becomes,
    pub(super) doubtful: bool,
}

/// What a dropped future has left to be finished.
pub(super) enum Begun {
    /// A logout: it ends everything.
    Destroy,
    /// A commit, which may have been applied.
    Save,
}

/// What the session is once the write is known to be applied.
pub(super) enum Becomes {
    /// The same id with this record.
    Changed(Record),
    /// The new id, whose record is written already.
    Moved(Box<NewHome>),
}

pub(super) struct NewHome {
    pub(super) live: Live,
    pub(super) cookie: CookieChange,
}

/// What the response does to the cookie.
#[derive(Clone)]
pub(super) enum CookieChange {
    Issue {
        ticket: Ticket,
        max_age: Option<std::time::Duration>,
    },
    /// As it will be sent.
    Ready(SetCookies),
}

impl Base {
    pub(super) fn live(&self) -> Option<&Live> {
        match self {
            Self::Live(live) => Some(live),
            Self::Nothing | Self::Moved(_) => None,
        }
    }

    pub(super) fn found(&self) -> Found {
        match self {
            Self::Nothing => Found::Nothing,
            Self::Moved(_) => Found::Moved,
            Self::Live(_) => Found::Live,
        }
    }
}

impl State {
    /// The value of a key as the handler's own changes leave it.
    pub(super) fn value(&self, key: &str) -> Option<&Bytes> {
        match changes::said(self.sending.iter().chain(&self.changes), key) {
            Said::Value(value) => Some(value),
            Said::Removed => None,
            Said::Nothing => self.base.live()?.record.fields.get(key),
        }
    }

    /// Remembers that the handler has looked at a key and found what is there now.
    pub(super) fn saw(&mut self, key: &Text) {
        let sight = self.value(key.as_str()).cloned();
        self.seen.note(key, sight);
    }

    /// What the handler knows of a key, if it has ever looked.
    pub(super) fn sight(&self, key: &Text) -> Option<Sight> {
        self.seen.of(key).cloned()
    }

    /// Adds an operation on one key. What it leaves there is then what the handler knows, if it
    /// knew the key before.
    pub(super) fn push(&mut self, key: &Text, change: Change) {
        self.changes.push(change);
        if self.seen.of(key).is_some() {
            self.saw(key);
        }
    }

    /// The key's text, from the record's own buffer where it has it.
    pub(super) fn known_text(&self, key: &str) -> Option<Text> {
        let (text, _) = self.base.live()?.record.fields.entry(key)?;
        Some(text.clone())
    }

    /// What was begun and has to be finished first; once there is nothing, all operations so far
    /// are this commit's. In one step, so that what is done after a clone has called `destroy` is
    /// never sent to the session that is being ended.
    pub(super) fn begin_commit(&mut self) -> Result<Option<Begun>, SessionError> {
        if self.ending {
            return Ok(Some(Begun::Destroy));
        }
        if let (Stage::Outage(outage), true) = (&self.stage, self.has_work()) {
            return Err(outage.clone());
        }
        if let Some(flight) = &mut self.in_flight {
            flight.doubtful = true;
            return Ok(Some(Begun::Save));
        }
        if self.sending.is_empty() {
            self.sending = std::mem::take(&mut self.changes);
        } else {
            self.sending.append(&mut self.changes);
        }
        Ok(None)
    }

    /// The commit has failed for certain: its operations wait for the next one. If a clone has
    /// called `destroy` meanwhile, they were made on the session that is being ended, and must not
    /// turn up in the one that comes after.
    pub(super) fn put_back(&mut self) {
        self.in_flight = None;
        let mut failed = std::mem::take(&mut self.sending);
        if !self.ending {
            failed.append(&mut self.changes);
            self.changes = failed;
        }
    }

    pub(super) fn committed(&mut self, live: Live) {
        self.base = Base::Live(live);
        self.sending.clear();
        self.in_flight = None;
    }

    /// What there is to know for judging the write that is under way.
    pub(super) fn sent(&self) -> Option<Sent> {
        let flight = self.in_flight.as_ref()?;
        let base = self.base.live()?;
        Some(Sent {
            commit: flight.commit,
            expected: base.version,
            base_commit: base.record.commits.last(),
            doubtful: flight.doubtful,
        })
    }

    /// Why the store could not be read, where the app goes on without.
    pub(super) fn outage(&self) -> Option<&SessionError> {
        match &self.stage {
            Stage::Outage(outage) => Some(outage),
            Stage::Untouched | Stage::Loaded | Stage::Failed(_) => None,
        }
    }

    /// Whether anything is to be stored.
    pub(super) fn has_work(&self) -> bool {
        self.ending
            || self.in_flight.is_some()
            || !self.changes.is_empty()
            || !self.sending.is_empty()
    }
}

impl Seen {
    fn of(&self, key: &Text) -> Option<&Sight> {
        self.0.iter().find(|(seen, _)| seen == key).map(|(_, sight)| sight)
    }

    fn note(&mut self, key: &Text, sight: Sight) {
        match self.0.iter_mut().find(|(seen, _)| seen == key) {
            Some((_, last)) => *last = sight,
            None => self.0.push((key.clone(), sight)),
        }
    }

    /// Every key that was read is known to be absent now.
    pub(super) fn all_cleared(&mut self) {
        self.0.iter_mut().for_each(|(_, sight)| *sight = None);
    }
}

/// A key for an error.
pub(super) fn name(key: &Text) -> Arc<str> {
    key.as_str().into()
}
