//! A live session looks whether it is still listed. Needed only where a roster can be lost.

use super::access::Rosters;
use super::join::{Joining, has_ended};
use crate::error::SessionError;
use crate::events::{EndedBy, SessionChange};
use crate::id::{SessionHandle, StoreKey};
use crate::record::{Mark, StoredRoster};
use crate::session::found::Live;
use crate::session::retry::Retry;
use crate::store::{NewEntry, Replaced};

/// The result of a look.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::session::kept) enum Standing {
    /// The session may go on.
    Listed,
    /// Others have changed it meanwhile. The next look finds what they have made of it.
    Changed,
    /// All sessions of its principal were ended since its login, and this one now, too.
    Ended,
}

/// Looks at the roster of a live session's principal, and lists the session if it is missing there.
///
/// Only this version of it is ended, and no mark followed: what the session has become meanwhile is looked
/// at by its own requests.
pub(in crate::session::kept) async fn look(
    rosters: Rosters<'_>,
    mut live: Live,
) -> Result<Standing, SessionError> {
    let Some(principal) = live.record.principal.clone() else { return Ok(Standing::Listed) };
    let known = rosters.load(rosters.key(principal.as_str())).await?;
    if live.record.handle.is_some() && known.roster.lists(&live.key) {
        return Ok(Standing::Listed);
    }
    let mut from = live.key;
    let login = live.record.authenticated.unwrap_or(live.record.created);
    if has_ended(&known.roster, login) {
        match renewed_from(rosters, &known.roster, &live).await? {
            Some(key) => from = key,
            None => return end(rosters, &live).await,
        }
    }
    if live.record.handle.is_none() && !name(rosters, &mut live).await? {
        return Ok(Standing::Changed);
    }
    let joined = match Joining::again(&live, from) {
        Some(joining) => joining.list(rosters, &live).await,
        None => Ok(()),
    };
    match joined {
        Err(SessionError::Gone) => end(rosters, &live).await,
        joined => joined.map(|()| Standing::Listed),
    }
}

/// Returns the listed id whose mark leads to this session.
///
/// A renewal marks the old id and lists the new one at the same time. In between, whoever ends all sessions
/// finds this one by the mark, so no end that is past was meant for it. The handle alone would not tell: a
/// renewal that came to nothing may have listed it under an id that is not there any more.
async fn renewed_from(
    rosters: Rosters<'_>,
    roster: &StoredRoster,
    live: &Live,
) -> Result<Option<StoreKey>, SessionError> {
    let Some(principal) = &live.record.principal else { return Ok(None) };
    for listed in &roster.listed {
        if Some(listed.handle) == live.record.handle {
            let reached = rosters.follow(listed.key, principal.as_str(), roster).await?;
            if reached.live().is_some_and(|found| found.key == live.key) {
                return Ok(Some(listed.key));
            }
        }
    }
    Ok(None)
}

async fn end(rosters: Rosters<'_>, live: &Live) -> Result<Standing, SessionError> {
    let mark = rosters.ended_mark()?;
    match rosters.commands.replace(&live.key, &live.version, &mark).await? {
        Replaced::Done(_) => {
            report_end(rosters, live);
            Ok(Standing::Ended)
        }
        Replaced::Gone => Ok(Standing::Ended),
        Replaced::Conflict(_) => Ok(Standing::Changed),
    }
}

/// Reports the end of a session that the end of all sessions of its user has missed.
fn report_end(rosters: Rosters<'_>, live: &Live) {
    rosters.terms.report.session(live.into(), SessionChange::Ended(EndedBy::Users));
}

/// Ends a session that was not listed when all of its principal's were ended, whichever version of it is
/// there: under one id there is one login only. Marks are not followed, because the next login may be there.
pub(in crate::session::kept) async fn end_unlisted(
    rosters: Rosters<'_>,
    live: Live,
) -> Result<(), SessionError> {
    let mut version = live.version;
    let mut retry = Retry::new(rosters.terms.entropy, rosters.commands.deadline());
    loop {
        let mark = rosters.ended_mark()?;
        match rosters.commands.replace(&live.key, &version, &mark).await? {
            Replaced::Done(_) => {
                report_end(rosters, &live);
                return Ok(());
            }
            Replaced::Gone => return Ok(()),
            Replaced::Conflict(entry) if matches!(Mark::find(&entry.bytes), Ok(None)) => {
                version = entry.version;
            }
            Replaced::Conflict(_) => return Ok(()),
        }
        if !retry.pause().await {
            return Err(SessionError::Contended);
        }
    }
}

/// Gives a handle to a session from before its layer kept a roster. Returns whether it has one; if others
/// were quicker, that waits for the next look.
pub(super) async fn name(rosters: Rosters<'_>, live: &mut Live) -> Result<bool, SessionError> {
    let mut record = live.record.clone();
    record.handle = Some(SessionHandle::draw(rosters.terms.entropy)?);
    let commit = rosters.terms.draw_commit_id()?;
    record.commits.push(commit);
    // From now, because a touch of the same request may have moved it; and by the layer's own timeout, which
    // the record has been held to.
    let deadline = record.deadline(rosters.terms.now());
    let bytes = rosters.terms.encode(&record, live.seal.as_deref())?;
    let entry = NewEntry::new(commit, deadline, bytes);
    match rosters.commands.replace(&live.key, &live.version, &entry).await? {
        Replaced::Done(version) => {
            *live = Live::new(live.address(), version, deadline, record, live.known_at);
            Ok(true)
        }
        Replaced::Conflict(_) | Replaced::Gone => Ok(false),
    }
}
