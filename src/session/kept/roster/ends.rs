//! Ending and finding the sessions of a principal, from outside of any of them.

use std::cmp::Reverse;

use tokio::time::Instant;

use super::access::{Purpose, Rosters, Written};
use super::join::{has_ended, listed};
use super::look::name;
use super::walk::{Meant, Reached};
use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::events::EndedBy;
use crate::id::{SessionHandle, StoreKey};
use crate::record::{EndId, Listed, StoredRoster};
use crate::session::found::{Address, Live};
use crate::session::known_roster::KnownRoster;
use crate::session::retry::Retry;
use crate::session::together::{self, Boxed};

/// The session that an end of all others leaves alone.
pub(crate) struct Spared<'a> {
    pub(crate) live: &'a Live,
    /// Its own login is under way in the same request, so an end before that is no reason to refuse.
    pub(crate) logs_in: bool,
}

/// An end of all sessions of a principal, as it stands in the roster.
pub(crate) struct WrittenEnd {
    roster: StoredRoster,
    /// The last end before it. A login that has read that one may go on, if it is the caller's own.
    pub(crate) before: Option<EndId>,
    pub(crate) end: Option<EndId>,
}

impl Rosters<'_> {
    /// Returns the live sessions of a principal, one for each handle.
    pub(crate) async fn live_sessions(&self, principal: &str) -> Result<Vec<Live>, SessionError> {
        let KnownRoster { roster, .. } = self.load(self.key(principal)).await?.intact()?;
        let looks = roster.listed.iter().map(|listed| {
            Box::pin(self.follow(listed.key, principal, &roster)) as Boxed<'_, Result<_, _>>
        });
        let (mut found, mut successors): (Vec<Candidate>, Vec<StoreKey>) = Default::default();
        for reached in together::all(looks.collect()).await {
            match reached? {
                Reached::Live { live, by_mark } => found.push(Candidate { live, by_mark }),
                Reached::Other(key) => successors.push(key),
                Reached::Nothing => {}
            }
        }
        let mut sessions: Vec<Candidate> = Vec::new();
        for mut candidate in found {
            candidate.by_mark |= successors.contains(&candidate.live.key);
            match sessions.iter_mut().find(|other| is_same(&other.live, &candidate.live)) {
                Some(other) if candidate.is_rather_the_session_than(other) => *other = candidate,
                Some(_) => {}
                None => sessions.push(candidate),
            }
        }
        Ok(sessions.into_iter().map(|candidate| candidate.live).collect())
    }

    /// Returns the roster of a principal, for whoever has to go through the sessions one by one.
    pub(crate) async fn roster_of(&self, principal: &str) -> Result<StoredRoster, SessionError> {
        Ok(self.load(self.key(principal)).await?.intact()?.roster)
    }

    /// Ends the session of this handle. Returns whether there was one.
    pub(crate) async fn end_one(
        &self,
        principal: &str,
        handle: SessionHandle,
    ) -> Result<bool, SessionError> {
        let known = self.load(self.key(principal)).await?.intact()?;
        let by = EndedBy::Users;
        let meant = Meant { principal, only: Some(handle), spared: None, by };
        let roster = &known.roster;
        let entries = roster.listed.iter().filter(|listed| listed.handle == handle);
        Ok(self.end_each(entries, meant, roster).await? > 0)
    }

    /// Finds a session that is to be spared, and gives it a handle if it has none, so that it can be listed.
    pub(crate) async fn named(
        &self,
        at: Address,
        principal: &str,
    ) -> Result<Option<Live>, SessionError> {
        let nobody = StoredRoster::default();
        while let Some(mut live) = self.follow(at.clone(), principal, &nobody).await?.live() {
            if live.record.handle.is_some() || name(*self, &mut live).await? {
                return Ok(Some(live));
            }
            if self.is_late() {
                return Err(SessionError::Contended);
            }
        }
        Ok(None)
    }

    /// Whether the time of this call is over.
    pub(crate) fn is_late(&self) -> bool {
        Instant::now() >= self.commands.deadline()
    }

    /// Writes into the roster that all sessions end now: whoever has called `log_in` before this is refused.
    ///
    /// # Errors
    ///
    /// [`SessionError::Gone`] where the caller's own session was ended before.
    pub(crate) async fn write_end(
        &self,
        principal: &str,
        spared: Option<&Spared<'_>>,
    ) -> Result<WrittenEnd, SessionError> {
        let key = self.key(principal);
        let (_place, known) = self.take_turn(self.load(key).await?).await;
        let mut known = match known {
            Some(known) => known,
            None => self.load(key).await?,
        };
        let mut retry = Retry::new(self.terms.entropy, self.commands.deadline());
        let (mut before, mut mine) = (known.roster.last_end, Vec::new());
        loop {
            known = known.intact()?;
            let (next, end) = self.ended(&known, spared)?;
            // An attempt of this call whose answer was lost may have been applied late.
            if !known.roster.last_end.is_some_and(|last| mine.contains(&last)) {
                before = known.roster.last_end;
            }
            mine.push(end);
            known = match self.write(&known, &next, Purpose::End).await? {
                Written::Done => return Ok(WrittenEnd { roster: next, before, end: Some(end) }),
                Written::Conflict(current) => {
                    if retry.is_over() {
                        return Err(SessionError::Contended);
                    }
                    current
                }
                Written::Lost => {
                    if !retry.pause().await {
                        return Err(SessionError::Unconfirmed(None));
                    }
                    let current = self.load(key).await.map_err(SessionError::into_unconfirmed)?;
                    // A later end of somebody else does not prove that this one was there before the
                    // logins that it has seen.
                    if current.roster.last_end == Some(end) {
                        let roster = current.roster;
                        return Ok(WrittenEnd { roster, before, end: Some(end) });
                    }
                    current
                }
            };
        }
    }

    /// Ends every session that the roster lists, but the one that is spared. Returns how many there were.
    pub(crate) async fn end_listed(
        &self,
        principal: &str,
        written: &WrittenEnd,
        spared: Option<&Spared<'_>>,
        by: EndedBy,
    ) -> Result<usize, SessionError> {
        let spared = spared.and_then(|spared| spared.live.record.handle);
        let meant = Meant { principal, only: None, spared, by };
        let entries = written.roster.listed.iter();
        let doomed = entries.filter(|listed| Some(listed.handle) != spared);
        self.end_each(doomed, meant, &written.roster).await
    }

    /// Returns how many sessions were ended; one that may live on leaves the whole in doubt.
    async fn end_each<'a>(
        &self,
        entries: impl Iterator<Item = &'a Listed>,
        meant: Meant<'_>,
        roster: &StoredRoster,
    ) -> Result<usize, SessionError> {
        let ends = entries
            .map(|listed| Box::pin(self.end(listed, meant, roster)) as Boxed<'_, Result<_, _>>);
        let mut count = 0;
        for ended in together::all(ends.collect()).await {
            let ended: bool = ended.map_err(SessionError::into_unconfirmed)?;
            count += usize::from(ended);
        }
        Ok(count)
    }

    /// The roster after an end, and the end's name, drawn anew for each attempt.
    fn ended(
        &self,
        known: &KnownRoster,
        spared: Option<&Spared<'_>>,
    ) -> Result<(StoredRoster, EndId), SessionError> {
        let end = EndId::draw(self.terms.entropy)?;
        let mut next = known.roster.clone();
        if let Some(spared) = spared {
            list_spared(&mut next, spared)?;
        }
        // Never the time of an earlier end, which a server with another clock may have written.
        let later = next.ended_at.as_millis().saturating_add(1);
        next.ended_at = self.terms.now().max(Timestamp::from_millis(later));
        next.last_end = Some(end);
        Ok((next, end))
    }
}

/// Adds the spared session if it is missing. The roster was lost, perhaps, and with it the caller's entry. At its next look the session would take
/// this end for its own.
fn list_spared(roster: &mut StoredRoster, spared: &Spared<'_>) -> Result<(), SessionError> {
    let live = spared.live;
    if roster.lists(&live.key) {
        return Ok(());
    }
    // Under an earlier id, as while it is being renewed: whoever follows the marks from there finds it.
    let is_known = roster.listed.iter().any(|listed| Some(listed.handle) == live.record.handle);
    let login = live.record.authenticated.unwrap_or(live.record.created);
    match has_ended(roster, login) && !is_known {
        true if spared.logs_in => Ok(()),
        true => Err(SessionError::Gone),
        false => {
            roster.listed.extend(listed(live));
            Ok(())
        }
    }
}

/// A live session of a list.
struct Candidate {
    live: Live,
    /// The mark of a renewal leads to it, so its visitor has the ticket.
    by_mark: bool,
}

impl Candidate {
    /// Decides which of two sessions of one handle its visitor has. A renewal that crashed before its mark
    /// leaves a second one, for which nobody has a ticket: nobody has used it, it has its first commit and
    /// perhaps that of a merge, and it is the younger one.
    fn is_rather_the_session_than(&self, other: &Self) -> bool {
        let used = |live: &Live| {
            live.last_use() > live.record.created || live.record.commits.as_slice().len() > 2
        };
        let rank = |candidate: &Self| {
            let live = &candidate.live;
            let (used, last_use) = (used(live), live.last_use());
            (candidate.by_mark, used, used.then_some(last_use), Reverse(live.record.created))
        };
        rank(self) > rank(other)
    }
}

fn is_same(one: &Live, other: &Live) -> bool {
    one.key == other.key
        || (one.record.handle.is_some() && one.record.handle == other.record.handle)
}
