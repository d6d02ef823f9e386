//! Stores that break the contract, each in one way. They show that the ledger notices.

use super::model::{Command, Model, Reply};
use super::random::Random;
use super::trip::{CallResult, Trip};
use crate::clock::Timestamp;
use crate::id::StoreKey;
use crate::record::{Mark, Record};
use crate::store::{Created, Entry, Replaced, StoreError, StoreErrorKind, Touched};

/// The one thing that a store does wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum StoreFault {
    /// A logout deletes whatever is there, where it should replace the version it saw by a mark.
    LogoutDeletes,
    /// A renewal deletes the old record, on its version, where it should replace it by a mark.
    RenewalDeletes,
    /// A touch writes back the record of the version that it names.
    TouchWritesBack,
    /// A replace needs a live entry and compares no version.
    ReplaceIgnoresVersion,
    /// A replace writes where no live entry is.
    ReplaceCreates,
    /// The client library sends a write again by itself when the answer was lost.
    Resends,
    /// The client library sends a write again by itself, on the version that is there by then.
    ResendsOnCurrentVersion,
    /// A write whose answer was lost fails with `Unavailable`.
    LostReplyIsUnavailable,
    /// A replace whose answer was lost succeeds.
    LostReplyIsDone,
    /// A replace is acknowledged first and executed a little later.
    AcknowledgesEarly,
    /// Every other load returns the entry before the current one.
    StaleReads,
    /// The store returns expired entries and replaces them.
    ServesExpired,

    /// A logout deletes the record on its version. Visitors cannot tell: the marks make up for
    /// stores that lose more than that.
    LogoutDeletesOnVersion,
    /// A create overwrites. The library never creates an id twice.
    CreateOverwrites,
    /// Every record comes back without its list of commits. The library then answers 503 where it
    /// could have settled the doubt.
    CommitsForgotten,
}

impl StoreFault {
    /// The faults that break a promise.
    pub(super) const BREAKING: [Self; 12] = [
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

    /// The faults that the library makes up for.
    pub(super) const TOLERATED: [Self; 3] =
        [Self::LogoutDeletesOnVersion, Self::CreateOverwrites, Self::CommitsForgotten];

    /// Changes the way of a command.
    pub(super) fn redirect(self, random: &mut Random, command: &Command, trip: Trip) -> Trip {
        match (self, command) {
            (Self::AcknowledgesEarly, Command::Replace(..)) if random.chance(30) => {
                let executed_after = Some(random.between(5, 400));
                Trip { executed_after, result: CallResult::Early(2), ..trip }
            }
            _ => trip,
        }
    }

    /// Executes a command the wrong way.
    pub(super) fn execute(
        self,
        model: &mut Model,
        random: &mut Random,
        key: StoreKey,
        command: &Command,
        now: Timestamp,
    ) -> Reply {
        let mark = command.mark();
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
            (Self::StaleReads, Command::Load, _) if random.chance(50) => {
                let stale = model.history(&key).iter().rev().nth(1).cloned();
                Reply::Loaded(stale.or_else(|| model.live(&key, now).cloned()))
            }
            (Self::ServesExpired, Command::Load, _) => Reply::Loaded(model.entry(&key).cloned()),
            (Self::ServesExpired, Command::Replace(..), _) => {
                let alive = model.entry(&key).map_or(now, |entry| entry.deadline);
                let before = Timestamp::from_millis(alive.as_millis().saturating_sub(1));
                model.execute(key, command, now.min(before))
            }
            (Self::CommitsForgotten, ..) => forget_commits(model.execute(key, command, now)),
            _ => model.execute(key, command, now),
        }
    }

    /// Returns what the client library reports when the answer was lost.
    pub(super) fn report_loss(
        self,
        model: &mut Model,
        key: StoreKey,
        command: &Command,
        now: Timestamp,
    ) -> Result<Reply, StoreError> {
        let indeterminate = Err(StoreError::new(StoreErrorKind::Indeterminate, "reply lost"));
        match (self, command) {
            (Self::Resends, _) => Ok(model.execute(key, command, now)),
            (Self::ResendsOnCurrentVersion, Command::Replace(_, entry)) => {
                let current = model.live(&key, now).map(|entry| entry.version);
                current.map_or(indeterminate, |current| {
                    let again = Command::Replace(current, entry.clone());
                    Ok(model.execute(key, &again, now))
                })
            }
            (Self::LostReplyIsUnavailable, _) => {
                Err(StoreError::new(StoreErrorKind::Unavailable, "reply lost"))
            }
            (Self::LostReplyIsDone, Command::Replace(_, entry)) => {
                Ok(Reply::Replaced(Replaced::Done(entry.commit.into())))
            }
            _ => indeterminate,
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
