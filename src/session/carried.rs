//! Sessions that travel in their own cookie: nothing is kept, and so nothing is asked.
//!
//! Loading opens the cookie, committing seals a new one, and a logout makes the browser forget it.
//! There is no version to write on and no record to mark: of requests that run at the same time the
//! last answer wins, and a copy of a cookie stays good until it expires or is
//! [revoked](super::revocation).

mod options;

use std::time::Duration;

use http::HeaderMap;
use tokio::time::Instant;

use super::decision::{Decision, decide};
use super::lazy::Shared;
use super::revocation::Revocations;
use super::state::{Base, Begun, CookieChange, Live, Stage};
use crate::clock::Timestamp;
use crate::cookie::{CookieOptions, Pieces, Presented, Sealer, SetCookies};
use crate::error::SessionError;
use crate::id::{CommitId, StoreKey};
use crate::keys::KeyRing;
use crate::record::Record;
use crate::store::Version;

pub use options::CookieSessions;

/// [`CookieSessions`] in the hands of one layer: with its keys and its cookie's name.
#[derive(Clone, Debug)]
pub(crate) struct Carrier {
    options: CookieSessions,
    sealer: Sealer,
    pieces: Pieces,
}

impl CookieSessions {
    pub(super) fn carrier(&self, keys: &KeyRing, cookie: &CookieOptions) -> Box<Carrier> {
        Box::new(Carrier {
            options: self.clone(),
            sealer: Sealer::new(self.form, keys, cookie.name()),
            pieces: Pieces::new(cookie.name()),
        })
    }
}

impl Carrier {
    pub(super) fn present(&self, headers: &HeaderMap) -> Presented {
        Presented::hold(headers)
    }

    /// A read does not issue the cookie anew: its answer may come after a logout's.
    pub(super) fn slides(&self) -> bool {
        self.options.slides_on_reads
    }

    pub(super) async fn load(
        &self,
        shared: &Shared,
        now: Timestamp,
        deadline: Option<Instant>,
    ) -> Result<Base, SessionError> {
        let Some((record, written)) = self.open(shared, now)? else { return Ok(Base::Nothing) };
        let live = live(record, written);
        match &self.options.revocations {
            None => Ok(Base::Live(live)),
            // Boxed, so that the loads of those who ask nobody stay small.
            Some(revocations) => {
                let limit = shared.settings.command_timeout;
                Box::pin(unrevoked(live, revocations, limit, deadline)).await
            }
        }
    }

    /// Of all cookies with our name that can be proven and are live, the one that was written last:
    /// an older one may linger under another path or domain.
    fn open(
        &self,
        shared: &Shared,
        now: Timestamp,
    ) -> Result<Option<(Record, Timestamp)>, SessionError> {
        let mut newest: Option<(Record, Timestamp)> = None;
        let mut refused = false;
        for text in self.pieces.texts(&shared.presented) {
            let opened = self.sealer.open(&text).map(Record::decode_compact).transpose()?;
            let live = opened.filter(|(record, written)| record.deadline(*written) > now);
            refused |= live.is_none();
            if live.as_ref().map(|(_, at)| at) > newest.as_ref().map(|(_, at)| at) {
                newest = live;
            }
        }
        if newest.is_none() && refused {
            // Old bookmarks, expired sessions and curious people; nobody has to act on it.
            tracing::debug!("session cookie refused");
        }
        Ok(newest)
    }

    pub(super) async fn commit(
        &self,
        shared: &Shared,
        deadline: Instant,
    ) -> Result<(), SessionError> {
        while begun(shared)?.is_some() {
            shared.end(deadline).await?;
        }
        let now = shared.settings.clock.now();
        let committed = shared
            .weigh(now)
            .and_then(|(record, facts)| self.carry_out(shared, decide(facts), record, now));
        if committed.is_err() {
            shared.state().put_back();
        }
        committed
    }

    fn carry_out(
        &self,
        shared: &Shared,
        decision: Decision,
        record: Record,
        now: Timestamp,
    ) -> Result<(), SessionError> {
        match decision {
            Decision::Nothing => {}
            // Costs the visitor some idle time if it fails, so no request does.
            Decision::Touch => drop(self.reissue(shared, record, now)),
            Decision::Create => return self.begin(shared, record, now),
            Decision::Renew => return self.begin(shared, shared.restart(record, now), now),
            Decision::Replace => return self.reissue(shared, record, now),
            Decision::RefuseGone => return Err(SessionError::Gone),
            Decision::RefuseTooLate => return Err(SessionError::TooLate),
        }
        let mut state = shared.state();
        state.sending.clear();
        state.slide = false;
        Ok(())
    }

    /// The session goes on under a new name, which only logs know it by.
    fn begin(
        &self,
        shared: &Shared,
        mut record: Record,
        now: Timestamp,
    ) -> Result<(), SessionError> {
        record.commits = Default::default();
        record.commits.push(CommitId::draw(shared.settings.entropy)?);
        self.reissue(shared, record, now)
    }

    /// Seals the record into the cookie that the response will carry.
    fn reissue(&self, shared: &Shared, record: Record, now: Timestamp) -> Result<(), SessionError> {
        if shared.head.is_closed() {
            return Err(SessionError::TooLate);
        }
        let over = |live: &Live| live.deadline <= now;
        if shared.state().base.live().is_some_and(over) || record.expires <= now {
            return Err(SessionError::Gone);
        }
        let cookies = self.seal(shared, &record, now)?;
        let live = live(record, now);
        tracing::debug!(session = %live.key, "session changed");
        let mut state = shared.state();
        state.committed(live);
        state.slide = false;
        state.cookie = cookies.map(CookieChange::Ready);
        Ok(())
    }

    fn seal(
        &self,
        shared: &Shared,
        record: &Record,
        now: Timestamp,
    ) -> Result<Option<SetCookies>, SessionError> {
        let bytes = record.encode_compact(now);
        let text_len = self.sealer.text_len(bytes.len());
        let count = self.pieces.count(text_len, self.options.chunks)?;
        let text = self.sealer.seal(count, &bytes, shared.settings.entropy)?;
        let max_age = record.remembered.then(|| record.expires.since(now));
        Ok(self.pieces.live(&shared.settings.cookie, &text, max_age, &shared.presented))
    }

    /// A logout is over when its answer has removed the cookie; one that no answer can is not.
    pub(super) fn end(&self, shared: &Shared) -> Result<Option<CookieChange>, SessionError> {
        let removal = self.pieces.removal(&shared.settings.cookie, &shared.presented);
        let state = shared.state();
        let nothing_to_end = match (&state.stage, &state.base) {
            (_, Base::Live(_)) => false,
            (Stage::Loaded, _) => true,
            _ => removal.is_none(),
        };
        if shared.head.is_closed() && !nothing_to_end {
            return Err(SessionError::TooLate);
        }
        tracing::debug!("session ended");
        Ok(removal.map(CookieChange::Ready))
    }
}

async fn unrevoked(
    live: Live,
    revocations: &Revocations,
    limit: Duration,
    deadline: Option<Instant>,
) -> Result<Base, SessionError> {
    if revocations.revoked(&live.record, limit, deadline).await? {
        tracing::debug!(session = %live.key, "session revoked");
        return Ok(Base::Nothing);
    }
    Ok(Base::Live(live))
}

/// By itself, because a lock taken in a loop's head would be held through its body.
fn begun(shared: &Shared) -> Result<Option<Begun>, SessionError> {
    shared.state().begin_commit()
}

fn live(record: Record, written: Timestamp) -> Live {
    let mut key = [0; 32];
    if let Some(began) = record.commits.last() {
        key[..CommitId::LEN].copy_from_slice(began.as_bytes());
    }
    let key = StoreKey::from_bytes(key);
    Live { key, version: Version::EMPTY, deadline: record.deadline(written), record }
}

#[cfg(test)]
mod tests;
