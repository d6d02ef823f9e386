//! Sessions that travel in their own cookie: the server keeps nothing, so it asks nobody.
//!
//! Loading opens the cookie, committing seals a new one, and a logout makes the browser forget it.
//! There is no version to write on and no record to mark: of requests that run at the same time the
//! last answer wins, and a copy of a cookie stays good until it expires or is
//! [revoked](super::revocations).

mod options;

use http::HeaderMap;

use super::decision::Decision;
use super::found::{Found, Live};
use super::report::Named;
use super::slot::Draft;
use super::state::Stage;
use super::terms::Terms;
use super::work::Work;
use crate::clock::Timestamp;
use crate::cookie::{CookieOptions, Pieces, Presented, Refusal, Sealer, SetCookies};
use crate::error::SessionError;
use crate::events::{EndedBy, SessionChange};
use crate::id::{CommitId, StoreKey};
use crate::keys::KeyRing;
use crate::record::Record;
use crate::store::Version;

pub use options::CookieSessions;

/// The most texts that one request may have verified; a text in several cookies counts once. The client
/// chooses how many it sends, and each costs a signature.
const MOST_VERIFIED: usize = 8;

/// [`CookieSessions`] together with one layer's keys and cookie.
#[derive(Clone, Debug)]
pub(crate) struct InCookie {
    options: CookieSessions,
    sealer: Sealer,
    pieces: Pieces,
    pub(super) cookie: CookieOptions,
}

impl InCookie {
    pub(super) fn new(options: &CookieSessions, keys: &KeyRing, cookie: &CookieOptions) -> Self {
        Self {
            options: options.clone(),
            sealer: Sealer::new(options.form, keys, cookie.name()),
            pieces: Pieces::new(cookie.name()),
            cookie: cookie.clone(),
        }
    }

    /// Clones the `Cookie` headers, which shares their bytes: the session may be of any length and
    /// in several cookies.
    pub(super) fn present(&self, headers: &HeaderMap) -> Presented {
        Presented::hold(headers)
    }

    /// By default a read does not issue the cookie anew: its answer may come after a logout's, and
    /// would bring the session back.
    pub(super) fn slides_on_reads(&self) -> bool {
        self.options.slides_on_reads
    }

    /// Opens the newest session among the request's cookies.
    pub(super) fn load(&self, presented: &Presented, terms: &Terms) -> Result<Found, SessionError> {
        Ok(self.open(presented, terms)?.map_or(Found::Nothing, Found::Live))
    }

    /// Opens the cookies with our name that are sealed by us, and returns the live session that was
    /// written last: an older one may linger under another path or domain.
    fn open(&self, presented: &Presented, terms: &Terms) -> Result<Option<Live>, SessionError> {
        let now = terms.now();
        let mut newest: Option<(Box<Record>, Timestamp)> = None;
        let mut refusal = None;
        let mut verified = 0;
        for text in self.pieces.texts(presented) {
            let opened = match self.sealer.recognize(&text) {
                Ok(_) if verified == MOST_VERIFIED => break,
                Ok(sealed) => {
                    verified += 1;
                    sealed.open()
                }
                Err(why) => Err(why),
            };
            match opened.map(Record::decode_compact) {
                Ok(decoded) => {
                    let (mut record, written) = decoded?;
                    terms.tighten(&mut record);
                    if record.deadline(written) <= now {
                        refusal = refusal.max(Some(Refusal::Expired));
                    } else if newest.as_ref().is_none_or(|(_, at)| written > *at) {
                        newest = Some((Box::new(record), written));
                    }
                }
                Err(why) => refusal = refusal.max(Some(why)),
            }
        }
        if newest.is_none() && self.pieces.any(presented) && presented.is_first_report() {
            let why = refusal.unwrap_or(Refusal::Malformed);
            terms.report.cookie_refused(why, presented.client);
        }
        Ok(newest.map(|(record, written)| live_since(written, record)))
    }

    pub(super) fn carry_out(
        &self,
        decision: Decision,
        draft: &mut Draft,
        now: Timestamp,
        work: &Work<'_>,
    ) -> Result<(), SessionError> {
        let (record, renewal) = (draft.take_record(), draft.renewal);
        match decision {
            // `Look` waits for the revocations, so it has a function of its own.
            Decision::Nothing | Decision::Look => {}
            // A failure costs the visitor some idle time, so the request goes on.
            Decision::Touch => drop(self.reissue(record, now, work, None)),
            Decision::Create => self.begin(record, now, work, SessionChange::Created)?,
            Decision::LogInAnew => {
                let record = work.slot.draft_on(work.terms.new_record(now))?;
                let lifetime = renewal.and_then(|renewal| renewal.lifetime);
                let record = work.terms.renew_lifetime(record, lifetime, now);
                self.begin(record, now, work, SessionChange::Created)?;
            }
            Decision::Renew => {
                let lifetime = renewal.and_then(|renewal| renewal.lifetime);
                let record = work.terms.renew_lifetime(record, lifetime, now);
                self.begin(record, now, work, SessionChange::Renewed)?;
            }
            Decision::Replace => self.reissue(record, now, work, Some(SessionChange::Changed))?,
            Decision::RefuseGone => return Err(SessionError::Gone),
            Decision::RefuseTooLate => return Err(SessionError::TooLate),
        }
        let mut state = work.slot.state();
        state.forget_sending();
        state.touch_due = false;
        Ok(())
    }

    /// Looks whether the session has expired or was revoked since it was loaded. Nothing else can happen
    /// to it: this request's cookie is all there is.
    pub(super) async fn look(&self, work: &Work<'_>) -> Result<(), SessionError> {
        let now = work.terms.now();
        let Some(live) = work.slot.read().found.live().cloned() else { return Ok(()) };
        match live.deadline <= now || work.terms.is_revoked(&live, work.limit()).await? {
            true => work.slot.looked_again(Found::Nothing),
            false => Ok(()),
        }
    }

    /// Issues the cookie anew, with the session as it is stored.
    pub(super) async fn touch(&self, work: &Work<'_>) -> Result<(), SessionError> {
        self.look(work).await?;
        let record = work.slot.read().found.live().map(|live| live.record.clone());
        record.map_or(Ok(()), |record| self.reissue(record, work.terms.now(), work, None))
    }

    /// Seals a session that goes on under a new name, which only logs know it by.
    fn begin(
        &self,
        mut record: Box<Record>,
        now: Timestamp,
        work: &Work<'_>,
        change: SessionChange,
    ) -> Result<(), SessionError> {
        record.commits = Default::default();
        record.commits.push(work.terms.draw_commit_id()?);
        self.reissue(record, now, work, Some(change))
    }

    /// Seals the record into the cookies that the response will carry, and reports the `change`.
    ///
    /// Sealing happens here and not when the head leaves, so that a session which is too large is an
    /// error of `save` like any other.
    fn reissue(
        &self,
        record: Box<Record>,
        now: Timestamp,
        work: &Work<'_>,
        change: Option<SessionChange>,
    ) -> Result<(), SessionError> {
        if work.slot.head_is_closed() {
            return Err(SessionError::TooLate);
        }
        let is_over = |live: &Live| live.deadline <= now;
        if work.slot.read().found.live().is_some_and(is_over) {
            work.slot.state().lose(Found::Nothing);
            return Err(SessionError::Gone);
        }
        if record.expires <= now {
            return Err(SessionError::Gone);
        }
        let cookies = self.seal(&record, now, work)?;
        work.slot.stored(live_since(now, record), cookies, change, &work.terms.report);
        Ok(())
    }

    fn seal(
        &self,
        record: &Record,
        now: Timestamp,
        work: &Work<'_>,
    ) -> Result<Option<SetCookies>, SessionError> {
        let bytes = record.encode_compact(now);
        let text_len = self.sealer.text_len(bytes.len());
        let count = self.pieces.count(text_len, self.options.chunks)?;
        work.terms.check_size(record)?;
        let text = self.sealer.seal(count, &bytes, work.terms.entropy)?;
        let max_age = self.cookie.max_age(record.remembered, record.expires.since(now));
        Ok(self.pieces.live(&self.cookie, &text, max_age, work.presented))
    }

    /// Returns the cookies that make the browser forget the session. A logout that no response can
    /// tell the browser about is an error: the session would go on.
    pub(super) fn removal(&self, work: &Work<'_>) -> Result<Option<SetCookies>, SessionError> {
        let removal = self.pieces.removal(&self.cookie, work.presented);
        let nothing_to_end = {
            let state = work.slot.read();
            match (&state.found, &state.stage) {
                (Found::Live(_), _) => false,
                (_, Stage::Loaded) => true,
                _ => removal.is_none(),
            }
        };
        if work.slot.head_is_closed() && !nothing_to_end {
            return Err(SessionError::TooLate);
        }
        if let Some(named) = self.to_end(work) {
            work.terms.report.session(named, SessionChange::Ended(EndedBy::Visitor));
        }
        Ok(removal)
    }

    /// Names the session that a logout ends, if there is one. Only a cookie that is good counts: whoever makes
    /// one up has no session to end.
    fn to_end(&self, work: &Work<'_>) -> Option<Named> {
        {
            let state = work.slot.read();
            match (&state.found, &state.stage) {
                (Found::Live(live), _) => return Some(live.into()),
                (_, Stage::Loaded) => return None,
                _ => {}
            }
        }
        match self.open(work.presented, work.terms) {
            Ok(live) => live.as_ref().map(Named::from),
            // Sealed by us, in a format that this release cannot read.
            Err(_) => Some(Named::UNKNOWN),
        }
    }
}

/// Makes a live session of a record that was written into its cookie at `written`.
fn live_since(written: Timestamp, record: Box<Record>) -> Live {
    let mut key = [0; 32];
    if let Some(began) = record.commits.last() {
        key[..CommitId::LEN].copy_from_slice(began.as_bytes());
    }
    let key = StoreKey::from_bytes(key);
    Live::new(key.into(), Version::EMPTY, record.deadline(written), record, written)
}

#[cfg(test)]
mod tests;
