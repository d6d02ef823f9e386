//! Stores that break the contract, each in one way, to show that the ledger would notice.

use super::model::{Command, Reply};
use super::network::{Answer, Trip};
use super::world::State;
use crate::clock::Timestamp;
use crate::id::StoreKey;
use crate::record::{Mark, Record};
use crate::store::{Created, Entry, Replaced, StoreError, StoreErrorKind, Touched};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    /// A logout deletes whatever is there instead of replacing what it saw by a mark.
    LogoutDeletes,
    /// A renewal deletes the old record, on its version, instead of replacing it by a mark.
    RenewalDeletes,
    /// A touch writes back the record that it saw.
    TouchWritesBack,
    /// A replace looks for a live entry and at no version.
    ReplaceIgnoresVersion,
    /// A replace writes where nothing is.
    ReplaceCreates,
    /// The client library sends a write again by itself when the answer was lost.
    Resends,
    /// So it does, and on the version that is there by then.
    ResendsOnCurrentVersion,
    LostReplyIsUnavailable,
    LostReplyIsDone,
    /// A replace is acknowledged first and carried out a little later.
    AcknowledgesEarly,
    /// Every other load answers with the entry before the current one.
    StaleReads,
    /// Deadlines are kept and heeded by nobody but the library.
    ServesExpired,

    /// A logout deletes the record on its version. The library's marks serve stores that would
    /// lose more than that, so no visitor can tell.
    LogoutDeletesOnVersion,
    /// A create overwrites. The library never uses an id twice.
    CreateOverwrites,
    /// Every record comes back without its list of commits. Doubt stays doubt, and is said.
    CommitsForgotten,
}

impl Fault {
    /// Faults that break a promise.
    pub(super) const SEEN: [Self; 12] = [
        Self::LogoutDeletes,
        Self::RenewalDeletes,
        Self::TouchWritesBack,
        Self::ReplaceIgnoresVersion,
        Self::ReplaceCreates,
        Self::Resends,
        Self::ResendsOnCurrentVersion,
        Self::LostReplyIsUnavailable,
        Self::LostReplyIsDone,
        Self::AcknowledgesEarly,
        Self::StaleReads,
        Self::ServesExpired,
    ];

    /// Faults that the library makes up for.
    pub(super) const WEATHERED: [Self; 3] =
        [Self::LogoutDeletesOnVersion, Self::CreateOverwrites, Self::CommitsForgotten];

    /// What becomes of the command on its way.
    pub(super) fn trip(self, state: &mut State, command: &Command, trip: Trip) -> Trip {
        match (self, command) {
            (Self::AcknowledgesEarly, Command::Replace(..)) if state.random.chance(30) => {
                let late = state.random.between(5, 400);
                Trip { executes: Some(late), answer: Answer::Early(2) }
            }
            _ => trip,
        }
    }

    /// What the store makes of it.
    pub(super) fn execute(
        self,
        state: &mut State,
        key: StoreKey,
        command: &Command,
        now: Timestamp,
    ) -> Reply {
        let mark = command.mark();
        let model = &mut state.model;
        match (self, command, mark) {
            (Self::LogoutDeletes, Command::Replace(_, entry), Some(Mark::Ended { .. })) => {
                model.execute(key, &Command::Delete, now);
                Reply::Replaced(Replaced::Done(entry.commit.into()))
            }
            (Self::LogoutDeletesOnVersion, _, Some(Mark::Ended { .. }))
            | (Self::RenewalDeletes, _, Some(Mark::Moved { .. })) => {
                let reply = model.execute(key, command, now);
                if matches!(reply, Reply::Replaced(Replaced::Done(_))) {
                    model.execute(key, &Command::Delete, now);
                }
                reply
            }
            (Self::TouchWritesBack, Command::Touch(seen, deadline), _) => {
                let seen = model.history(&key).iter().find(|entry| entry.version == *seen);
                if let Some(seen) = seen.cloned() {
                    model.restore(key, Entry { deadline: *deadline, ..seen });
                }
                Reply::Touched(Touched::Done)
            }
            (Self::ReplaceIgnoresVersion, Command::Replace(_, entry), _)
                if model.live(&key, now).is_some() =>
            {
                Reply::Replaced(Replaced::Done(model.put(key, entry)))
            }
            (Self::ReplaceCreates, Command::Replace(_, entry), _)
                if model.live(&key, now).is_none() =>
            {
                Reply::Replaced(Replaced::Done(model.put(key, entry)))
            }
            (Self::CreateOverwrites, Command::Create(entry), _) => {
                Reply::Created(Created::Done(model.put(key, entry)))
            }
            (Self::StaleReads, Command::Load, _) if state.random.chance(50) => {
                let stale = state.model.history(&key).iter().rev().nth(1).cloned();
                Reply::Loaded(stale.or_else(|| state.model.live(&key, now).cloned()))
            }
            (Self::ServesExpired, Command::Load, _) => Reply::Loaded(model.slot(&key).cloned()),
            (Self::ServesExpired, Command::Replace(..), _) => {
                let alive = model.slot(&key).map_or(now, |entry| entry.deadline);
                let before = Timestamp::from_millis(alive.as_millis().saturating_sub(1));
                model.execute(key, command, now.min(before))
            }
            (Self::CommitsForgotten, ..) => forget_commits(model.execute(key, command, now)),
            _ => model.execute(key, command, now),
        }
    }

    /// What the client library says when the answer was lost.
    pub(super) fn lost(
        self,
        state: &mut State,
        key: StoreKey,
        command: &Command,
        now: Timestamp,
    ) -> Result<Reply, StoreError> {
        let unknown = Err(StoreError::new(StoreErrorKind::Indeterminate, "reply lost"));
        match (self, command) {
            (Self::Resends, _) => Ok(state.model.execute(key, command, now)),
            (Self::ResendsOnCurrentVersion, Command::Replace(_, entry)) => {
                let current = state.model.live(&key, now).map(|entry| entry.version);
                current.map_or(unknown, |current| {
                    let again = Command::Replace(current, entry.clone());
                    Ok(state.model.execute(key, &again, now))
                })
            }
            (Self::LostReplyIsUnavailable, _) => {
                Err(StoreError::new(StoreErrorKind::Unavailable, "reply lost"))
            }
            (Self::LostReplyIsDone, Command::Replace(_, entry)) => {
                Ok(Reply::Replaced(Replaced::Done(entry.commit.into())))
            }
            _ => unknown,
        }
    }
}

fn forget_commits(reply: Reply) -> Reply {
    let forget = |entry: Entry| match Record::decode(&entry.bytes) {
        Ok(mut record) => {
            record.commits = Default::default();
            Entry { bytes: record.encode(), ..entry }
        }
        _ => entry,
    };
    match reply {
        Reply::Loaded(entry) => Reply::Loaded(entry.map(forget)),
        Reply::Replaced(Replaced::Conflict(entry)) => {
            Reply::Replaced(Replaced::Conflict(forget(entry)))
        }
        other => other,
    }
}
