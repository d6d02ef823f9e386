//! From an entry of a roster to the session that it leads to.

use tokio::time::Instant;

use super::access::Rosters;
use crate::error::{SessionError, StoreErrorKind};
use crate::events::{EndedBy, SessionChange};
use crate::id::{SessionHandle, StoreKey};
use crate::record::{Listed, MARK_LIFETIME, Mark, Record, RecordError, StoredRoster};
use crate::session::found::{Address, Found, Live};
use crate::session::report::Named;
use crate::session::retry::Retry;
use crate::store::{Entry, NewEntry, Replaced};

/// Renewals that may follow each other within the lifetime of their marks and still be followed.
const MAX_FOLLOWS: usize = 16;
const ENDLESS: SessionError = SessionError::Corrupt("marks that lead on and on");

/// The end of the way from an entry.
pub(crate) enum Reached {
    /// A live session of the principal, and whether the mark of a renewal leads to it.
    Live {
        live: Live,
        by_mark: bool,
    },
    /// A session that has an entry of its own.
    Other(StoreKey),
    Nothing,
}

impl Reached {
    pub(crate) fn live(self) -> Option<Live> {
        match self {
            Self::Live { live, .. } => Some(live),
            Self::Other(_) | Self::Nothing => None,
        }
    }
}

/// The sessions that are to be ended, among those that an entry may lead to.
#[derive(Clone, Copy)]
pub(crate) struct Meant<'a> {
    pub(crate) principal: &'a str,
    /// `None` for every handle.
    pub(crate) only: Option<SessionHandle>,
    pub(crate) spared: Option<SessionHandle>,
    /// Who ends them, for the report.
    pub(crate) by: EndedBy,
}

impl Meant<'_> {
    /// The handle counts as well as the principal: a browser in which the same user has logged in again
    /// between other users has a new one, and an old entry's marks lead there.
    pub(crate) fn includes(&self, record: &Record) -> bool {
        is_of(record, self.principal)
            && self.only.is_none_or(|only| record.handle.is_none_or(|handle| handle == only))
            && self.spared.is_none_or(|spared| record.handle != Some(spared))
    }
}

impl Rosters<'_> {
    /// Finds the live session of `principal` that an entry leads to.
    ///
    /// Marks are followed: a renewal that has not joined yet is found by no other way. A mark that leads to
    /// somebody else's session, as after another login in the same browser, leads to nothing here. Nor does
    /// one to a session that `roster` lists itself: in a browser that changes users all day the marks would
    /// lead through all of its logins.
    pub(crate) async fn follow(
        &self,
        at: impl Into<Address>,
        principal: &str,
        roster: &StoredRoster,
    ) -> Result<Reached, SessionError> {
        let mut at: Address = at.into();
        for follows in 0..=MAX_FOLLOWS {
            let entry = match self.commands.load(&at.key).await {
                // Bytes that nobody can read are a session that nobody can use.
                Err(error) if error.kind() == StoreErrorKind::Corrupt => {
                    return Ok(Reached::Nothing);
                }
                entry => entry?,
            };
            match self.terms.read(at, entry) {
                Ok(Found::Mark { mark: Mark::Moved { to, .. }, .. }) if roster.lists(&to) => {
                    return Ok(Reached::Other(to));
                }
                Ok(Found::Mark { mark: Mark::Moved { to, .. }, .. }) => at = to.into(),
                Ok(Found::Live(live)) => {
                    let counts =
                        is_of(&live.record, principal) && !self.terms.know_revoked(&live.record);
                    let by_mark = follows > 0;
                    return Ok(if counts {
                        Reached::Live { live, by_mark }
                    } else {
                        Reached::Nothing
                    });
                }
                Ok(Found::Mark { .. } | Found::Nothing | Found::Outdated { .. })
                | Err(SessionError::Corrupt(_)) => {
                    return Ok(Reached::Nothing);
                }
                Err(error) => return Err(error),
            }
        }
        Err(ENDLESS)
    }

    /// Ends the session that an entry of `roster` leads to, if it is `meant`. Returns whether this call has ended it;
    /// `Ok` says that it is over in any case.
    pub(super) async fn end(
        &self,
        listed: &Listed,
        meant: Meant<'_>,
        roster: &StoredRoster,
    ) -> Result<bool, SessionError> {
        let ended = self.end_at(&listed.key, meant, roster).await?;
        if let Some(key) = ended {
            let named = Named::new(&key, Some(listed.handle));
            self.terms.report.session(named, SessionChange::Ended(meant.by));
        }
        Ok(ended.is_some())
    }

    /// See [`end`](Self::end). Returns the key of the session that this call has ended.
    async fn end_at(
        &self,
        listed: &StoreKey,
        meant: Meant<'_>,
        roster: &StoredRoster,
    ) -> Result<Option<StoreKey>, SessionError> {
        let mut retry = Retry::new(self.terms.entropy, self.commands.deadline());
        let (mut key, mut follows, mut in_doubt) = (*listed, 0, false);
        let mut found = self.entry(&key).await?;
        loop {
            // Its own mark, perhaps, if an answer was lost.
            let Some(entry) = found else { return Ok(in_doubt.then_some(key)) };
            match Mark::find(&entry.bytes) {
                Ok(None) => {}
                Ok(Some(Mark::Ended { .. })) => return Ok(in_doubt.then_some(key)),
                // Its own entry is ended beside this one.
                Ok(Some(Mark::Moved { to, .. })) if roster.lists(&to) => return Ok(None),
                Ok(Some(Mark::Moved { .. })) if follows == MAX_FOLLOWS => return Err(ENDLESS),
                Ok(Some(Mark::Moved { to, .. })) => {
                    (key, in_doubt, follows) = (to, false, follows + 1);
                    found = self.entry(&key).await?;
                    continue;
                }
                Err(RecordError::Corrupt(_)) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
            match Record::decode(&entry.bytes) {
                Ok(record) if !meant.includes(&record) => return Ok(None),
                Ok(_) => {}
                // Under a listed key there was never anybody else's session.
                Err(RecordError::Corrupt(_)) if key == *listed => {}
                Err(RecordError::Corrupt(_)) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
            found = match self.replace_by_ended(&key, &entry).await {
                Ok(Replaced::Done(_)) => return Ok(Some(key)),
                Ok(Replaced::Gone) => return Ok(in_doubt.then_some(key)),
                Ok(Replaced::Conflict(_)) if Instant::now() >= self.commands.deadline() => {
                    return Err(SessionError::Unconfirmed(None));
                }
                // Somebody else's success, so there is no pause.
                Ok(Replaced::Conflict(entry)) => Some(entry),
                Err(SessionError::Store(error))
                    if error.kind() == StoreErrorKind::Indeterminate =>
                {
                    in_doubt = true;
                    if !retry.pause().await {
                        return Err(SessionError::Unconfirmed(Some(error)));
                    }
                    self.entry(&key).await.map_err(SessionError::into_unconfirmed)?
                }
                Err(error) => return Err(error.into_unconfirmed_if(in_doubt)),
            };
        }
    }

    /// Replaces an entry that was read by the mark of a session that is over. Deleting it instead would
    /// leave a renewal in flight unable to tell the end from an expiry.
    pub(super) async fn replace_by_ended(
        &self,
        key: &StoreKey,
        entry: &Entry,
    ) -> Result<Replaced, SessionError> {
        let mark = self.ended_mark()?;
        Ok(self.commands.replace(key, &entry.version, &mark).await?)
    }

    pub(super) fn ended_mark(&self) -> Result<NewEntry, SessionError> {
        let commit = self.terms.draw_commit_id()?;
        let deadline = self.terms.now().saturating_add(MARK_LIFETIME);
        Ok(NewEntry::new(commit, deadline, Mark::Ended { commit }.encode()).last_word())
    }

    async fn entry(&self, key: &StoreKey) -> Result<Option<Entry>, SessionError> {
        match self.commands.load(key).await {
            Err(error) if error.kind() == StoreErrorKind::Corrupt => Ok(None),
            entry => Ok(entry?),
        }
    }
}

pub(super) fn is_of(record: &Record, principal: &str) -> bool {
    record.principal.as_ref().is_some_and(|name| name.as_str() == principal)
}
