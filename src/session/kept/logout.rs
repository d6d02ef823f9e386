//! Logout: ends a session in a store so that nothing in flight can bring it back.

use tokio::time::Instant;

use super::commands::Commands;
use super::roster::Meant;
use crate::clock::Timestamp;
use crate::error::{SessionError, StoreErrorKind};
use crate::events::{EndedBy, SessionChange};
use crate::id::{SessionHandle, StoreKey};
use crate::record::{MARK_LIFETIME, Mark, Record, RecordError};
use crate::session::found::{Lost, Owner};
use crate::session::report::Named;
use crate::session::retry::Retry;
use crate::session::terms::Terms;
use crate::store::{Entry, NewEntry, Replaced, Version};

/// Renewals that may follow each other within the lifetime of their marks and still be ended.
const MAX_FOLLOWS: usize = 16;

/// One logout, under way.
#[derive(Clone, Copy)]
pub(super) struct Logout<'a> {
    pub(super) commands: Commands<'a>,
    pub(super) terms: &'a Terms,
    pub(super) by: EndedBy,
}

/// The session to end.
pub(super) struct Target {
    pub(super) key: StoreKey,
    /// The step that the handle's own look allows; `None` if the session must be looked up.
    pub(super) first: Option<Next>,
    pub(super) known: Known,
    /// The session's public name, for the report; `None` if it was not read.
    pub(super) handle: Option<SessionHandle>,
    /// The login whose session is to be ended. Marks may lead to a session of somebody else, as after another
    /// login in the same browser; that one is spared. `None` to end whatever they lead to.
    pub(super) only: Option<Owner>,
}

impl Target {
    /// The session that a handle had loaded.
    pub(super) fn loaded(lost: &Lost, version: Option<Version>) -> Self {
        let Lost { key, marked_until, .. } = *lost;
        let (first, known) = (version.map(Next::Replace), Known::Session { marked_until });
        Self { key, first, known, handle: None, only: None }
    }

    /// The session whose mark the request has found. The mark is not looked up again: it may have expired
    /// since, and then nothing would tell where the session has gone.
    pub(super) fn marked(key: StoreKey, to: StoreKey, at: Timestamp) -> Self {
        Self { first: Some(Next::Follow { to, at }), ..Self::by_id(key) }
    }

    /// The session that a ticket leads to.
    pub(super) fn by_id(key: StoreKey) -> Self {
        Self { key, first: None, known: Known::Id, handle: None, only: None }
    }
}

/// The knowledge of the session that a logout starts from.
#[derive(Clone, Copy)]
pub(super) enum Known {
    /// Its id alone. Whoever has an old id can end the new session for a minute after the renewal.
    Id,
    /// The session: this handle had loaded it, or a renewal of it was followed from one that had. If
    /// it has been renewed again before this moment, its mark is still there.
    Session { marked_until: Timestamp },
}

/// The result of ending one session.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// This logout has ended it.
    Here,
    /// It was over, or never there.
    Before,
    /// Nothing is where it was, and a mark that would tell where it has gone may have expired.
    NotFound,
}

/// The results of ending every session that one request must end.
pub(super) struct Tally {
    result: Result<(), SessionError>,
    /// The request had a live session, and it is over now.
    had_one: bool,
    /// One of its ids is from before a login or a renewal, and finds no session any more.
    is_too_old: bool,
}

impl Default for Tally {
    fn default() -> Self {
        Self { result: Ok(()), had_one: false, is_too_old: false }
    }
}

impl Tally {
    pub(super) fn add(&mut self, run: Result<Ended, SessionError>, was_loaded: bool) {
        let result = match run {
            Ok(ended) => {
                self.had_one |= ended == Ended::Here || ended == Ended::Before && was_loaded;
                match ended {
                    // A logout must not be acknowledged while its session may live on elsewhere.
                    Ended::NotFound => Err(SessionError::Unconfirmed(None)),
                    Ended::Here | Ended::Before => Ok(()),
                }
            }
            Err(SessionError::Gone) => {
                self.is_too_old = true;
                Ok(())
            }
            Err(error) => Err(error),
        };
        if self.result.is_ok() {
            self.result = result;
        }
    }

    /// Beside a session that was ended, an old id does no harm; where nothing was, the session that it led
    /// to may be the visitor's.
    pub(super) fn confirmed(self) -> Result<(), SessionError> {
        match self.is_too_old && !self.had_one {
            true => self.result.and(Err(SessionError::Gone)),
            false => self.result,
        }
    }
}

/// The failure to end a further session leaves the whole in doubt.
pub(super) fn unconfirmed_unless_gone(error: SessionError) -> SessionError {
    match error {
        SessionError::Gone => error,
        _ => error.into_unconfirmed(),
    }
}

impl Logout<'_> {
    pub(super) async fn run(self, mut target: Target) -> Result<Ended, SessionError> {
        let key = target.key;
        let ended = self.mark_and_follow(&mut target).await;
        match &ended {
            Ok(Ended::Here) => {
                let named = Named::new(&target.key, target.handle);
                self.terms.report.session(named, SessionChange::Ended(self.by));
            }
            Ok(Ended::Before) => tracing::debug!(session = %key, "session ended before"),
            Ok(Ended::NotFound) => tracing::warn!(session = %key, "session to end not found"),
            Err(error) => {
                let error = error as &dyn std::error::Error;
                tracing::warn!(session = %key, error, "logout not confirmed");
            }
        }
        ended
    }

    /// Replaces the entry by a mark, on its version, and starts over with what is there now if that
    /// met a conflict or its answer was lost. `target` is then the session to which the marks have led.
    async fn mark_and_follow(self, target: &mut Target) -> Result<Ended, SessionError> {
        let mut retry = Retry::new(self.terms.entropy, self.commands.deadline());
        let (mut follows, mut in_doubt) = (0, false);
        loop {
            let found = match target.first.take() {
                // Under the first key there was never anybody else's session.
                None if follows > 0 => self.look_for(&target.key, target.only.as_ref()).await,
                None => self.look(&target.key).await,
                Some(Next::Replace(version)) => self.replace_by_mark(&target.key, &version).await,
                Some(next) => Ok(next),
            };
            match found.map_err(|error| error.into_unconfirmed_if(in_doubt))? {
                Next::Marked => return Ok(Ended::Here),
                // Perhaps by this logout, if an answer was lost.
                Next::Over if in_doubt => return Ok(Ended::Here),
                Next::Over => return Ok(Ended::Before),
                Next::OfAnother => return Ok(Ended::Before),
                Next::Nothing => return Ok(self.nothing_found(target.known)),
                Next::LookAgain => {
                    in_doubt = true;
                    if !retry.pause().await {
                        return Err(SessionError::Unconfirmed(None));
                    }
                }
                Next::Replace(version) => target.first = Some(Next::Replace(version)),
                // A renewal leads to a new id, never back; damaged marks might.
                Next::Follow { .. } if follows == MAX_FOLLOWS => {
                    return Err(SessionError::Corrupt("marks that lead on and on"));
                }
                // The mark stays: a request that still has the old id must go on finding it.
                Next::Follow { to, at } => {
                    follows += 1;
                    let Some(known) = self.follow(target.known, at) else {
                        return self.refuse_unless_over(&to).await.map(|()| Ended::Before);
                    };
                    let only = target.only.take();
                    *target = Target { known, only, ..Target::by_id(to) };
                }
                Next::Delete => {
                    self.commands.delete(&target.key).await?;
                    return Ok(Ended::Here);
                }
            }
        }
    }

    /// Nothing is where the session was. Had it been renewed since it was seen there, a mark would be
    /// found, unless that is long ago.
    fn nothing_found(self, known: Known) -> Ended {
        match known {
            Known::Session { marked_until } if marked_until <= self.terms.now() => Ended::NotFound,
            _ => Ended::Before,
        }
    }

    /// Decides whether a mark may be followed that was put there at `at`.
    ///
    /// A handle that had loaded the session may end it wherever it has gone since. An id alone may be
    /// one that somebody has planted, so its right to end the visitor's login runs out.
    fn follow(self, known: Known, at: Timestamp) -> Option<Known> {
        // The shortest that the mark of a next renewal lives.
        let marked_until = at.saturating_add(MARK_LIFETIME);
        match known {
            Known::Id if marked_until <= self.terms.now() => None,
            Known::Id => Some(Known::Id),
            Known::Session { .. } => Some(Known::Session { marked_until }),
        }
    }

    /// Answers one who may not follow a mark. `Ok` is for a session that has ended there too; to answer it
    /// always would tell a visitor who has a newer cookie that its session is over.
    async fn refuse_unless_over(self, to: &StoreKey) -> Result<(), SessionError> {
        match self.look(to).await? {
            Next::Over => Ok(()),
            _ => Err(SessionError::Gone),
        }
    }

    async fn look(self, key: &StoreKey) -> Result<Next, SessionError> {
        match self.commands.load(key).await {
            Ok(Some(entry)) => Next::after(&entry),
            Ok(None) => Ok(Next::Nothing),
            Err(error) if error.kind() == StoreErrorKind::Corrupt => Ok(Next::Delete),
            Err(error) => Err(error.into()),
        }
    }

    /// Looks under a key to which a mark has led. Bytes that nobody can read are a session that nobody can
    /// use; they stay, because they may be somebody else's.
    async fn look_for(self, key: &StoreKey, only: Option<&Owner>) -> Result<Next, SessionError> {
        let Some(Owner { principal, handle }) = only else { return self.look(key).await };
        let entry = match self.commands.load(key).await {
            Err(error) if error.kind() == StoreErrorKind::Corrupt => return Ok(Next::OfAnother),
            entry => entry?,
        };
        let Some(entry) = entry else { return Ok(Next::Nothing) };
        let next = match Next::after(&entry)? {
            Next::Delete => return Ok(Next::OfAnother),
            next @ Next::Replace(_) => next,
            next => return Ok(next),
        };
        let (principal, by) = (principal.as_str(), self.by);
        let meant = Meant { principal, only: *handle, spared: None, by };
        match Record::decode(&entry.bytes) {
            Ok(record) if meant.includes(&record) => Ok(next),
            Ok(_) | Err(RecordError::Corrupt(_)) => Ok(Next::OfAnother),
            Err(error) => Err(error.into()),
        }
    }

    /// Deleting the entry instead would leave a moment in which a renewal in flight could not tell a
    /// logout from an expiry, and no trace of the logout for a store that lost its answer.
    async fn replace_by_mark(
        self,
        key: &StoreKey,
        version: &Version,
    ) -> Result<Next, SessionError> {
        let commit = self.terms.draw_commit_id()?;
        let deadline = self.terms.now().saturating_add(MARK_LIFETIME);
        let mark = NewEntry::new(commit, deadline, Mark::Ended { commit }.encode()).last_word();
        match self.commands.replace(key, version, &mark).await {
            Ok(Replaced::Done(_)) => Ok(Next::Marked),
            Ok(Replaced::Gone) => Ok(Next::Nothing),
            Ok(Replaced::Conflict(entry)) => {
                // A conflict is somebody else's success, so there is no pause; but there is an end.
                if Instant::now() >= self.commands.deadline() {
                    return Err(SessionError::Unconfirmed(None));
                }
                tokio::task::yield_now().await;
                Next::after(&entry)
            }
            Err(error) if error.kind() == StoreErrorKind::Indeterminate => Ok(Next::LookAgain),
            Err(error) => Err(error.into()),
        }
    }
}

/// The next step of a logout.
pub(super) enum Next {
    /// The session was live, and is over now.
    Marked,
    Over,
    /// A session that is not to be ended.
    OfAnother,
    /// No session, no mark.
    Nothing,
    LookAgain,
    /// Replace the entry of this version by a mark.
    Replace(Version),
    /// Go on with the id that the session got at `at`.
    Follow {
        to: StoreKey,
        at: Timestamp,
    },
    /// Remove bytes that are not a session.
    Delete,
}

impl Next {
    /// Decides by the entry's kind alone. A live record is not decoded, so that a session which can
    /// no longer be read can still be left.
    fn after(entry: &Entry) -> Result<Self, SessionError> {
        match Mark::find(&entry.bytes) {
            Ok(None) => Ok(Self::Replace(entry.version)),
            Ok(Some(Mark::VACANT)) => Ok(Self::Nothing),
            Ok(Some(Mark::Ended { .. })) => Ok(Self::Over),
            Ok(Some(Mark::Moved { to, at, .. })) => Ok(Self::Follow { to, at }),
            Err(RecordError::Corrupt(_)) => Ok(Self::Delete),
            Err(error @ RecordError::Newer(_)) => Err(error.into()),
        }
    }
}
