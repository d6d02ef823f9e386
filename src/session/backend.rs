//! Where sessions are kept: the one place that knows both kinds, in a store and in a cookie.

use std::sync::Arc;

use http::HeaderMap;

use super::command::TimeLimit;
use super::decision::Decision;
use super::found::{Found, Live};
use super::in_cookie::{CookieSessions, InCookie};
use super::kept::{Kept, Rosters};
use super::known_roster::KnownRoster;
use super::reading::Reading;
use super::report::Named;
use super::slot::{Draft, Slot};
use super::terms::Terms;
use super::work::Work;
use crate::clock::Timestamp;
use crate::cookie::{Carrier, CookieOptions, HeaderError, Presented, SetCookies};
use crate::error::{SessionError, StoreErrorKind};
use crate::events::{EndedBy, SessionChange};
use crate::id::SessionId;
use crate::keys::KeyRing;
use crate::store::SessionStore;

/// The place where sessions are kept; what [`SessionLayer::new`](crate::SessionLayer::new) takes.
///
/// Every [`SessionStore`] converts into one, an `Arc<dyn SessionStore>` included, and so does
/// [`CookieSessions`](crate::CookieSessions). [`connect`](crate::connect) makes one from a URL.
///
/// ```
/// use cloakroom::store::{MemoryStore, SessionStore};
/// use cloakroom::{Backend, CookieSessions};
/// use std::sync::Arc;
///
/// let chosen_at_run_time: Arc<dyn SessionStore> = Arc::new(MemoryStore::new());
/// for backend in [
///     Backend::from(MemoryStore::new()),
///     Backend::from(chosen_at_run_time),
///     Backend::from(CookieSessions::signed()),
/// ] {
///     assert!(format!("{backend:?}").starts_with("Backend("));
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Backend(Choice);

#[derive(Clone, Debug)]
enum Choice {
    Store(Arc<dyn SessionStore>),
    Cookie(CookieSessions),
}

impl<S: SessionStore> From<S> for Backend {
    fn from(store: S) -> Self {
        Self(Choice::Store(Arc::new(store)))
    }
}

impl From<CookieSessions> for Backend {
    fn from(sessions: CookieSessions) -> Self {
        Self(Choice::Cookie(sessions))
    }
}

impl Backend {
    /// Asks whether sessions can be read at this moment, for a server's readiness probe.
    ///
    /// It reads one entry that does not exist, under a random key, and writes nothing. That is the cost of
    /// one more request: one read unit with DynamoDB. In a cluster each
    /// probe asks a node by chance, so a node that is down is met after a few probes.
    /// It waits for at most 2 seconds, the default of
    /// [`command_timeout`](crate::SessionLayer::command_timeout), or the store's own limit if that is
    /// shorter. [`CookieSessions`] are always ready; their [`Revocations`](crate::Revocations) are not
    /// asked for.
    ///
    /// Use it for readiness ("send me requests") and not for liveness ("restart me"): a restart repairs no
    /// store. If all servers share the store, all of them become unready with it. A load balancer without a
    /// ready server answers errors, or sends to all of them; let a probe fail only if that is better than
    /// the 503 of the pages that need a session.
    ///
    /// # Errors
    ///
    /// [`SessionError::Store`] with what the store answered, or that it did not answer in time.
    ///
    /// ```
    /// use cloakroom::{Key, SessionLayer, connect};
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    /// # runtime.block_on(async {
    /// let backend = connect("memory:").await?;
    /// let sessions = SessionLayer::new(backend.clone(), Key::generate()?);
    /// // In the handler of `/readyz`, which stands outside of the session layer:
    /// assert!(backend.check().await.is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias("ping", "health", "ready"))]
    pub async fn check(&self) -> Result<(), SessionError> {
        let Choice::Store(store) = &self.0 else { return Ok(()) };
        let Terms { command_timeout, entropy, .. } = Terms::default();
        let (nobodys, _) = SessionId::draw_with_commit(entropy)?;
        let limit = TimeLimit { command: command_timeout, deadline: None };
        let key = nobodys.store_key();
        limit.run(StoreErrorKind::Unavailable, store.load(&key)).await?;
        Ok(())
    }
}

impl Backend {
    /// Returns the store, if the sessions are kept in one.
    pub(crate) fn into_store(self) -> Option<Arc<dyn SessionStore>> {
        match self.0 {
            Choice::Store(store) => Some(store),
            Choice::Cookie(_) => None,
        }
    }
}

/// A backend together with one layer's keys and carrier.
#[derive(Clone, Debug)]
pub(super) enum LayerBackend {
    Store(Box<Kept>),
    Cookie(Box<InCookie>),
}

impl LayerBackend {
    pub(super) fn new(backend: &Backend, keys: &KeyRing, cookie: &CookieOptions) -> Self {
        match &backend.0 {
            Choice::Store(store) => {
                let carrier = Carrier::Cookie(cookie.clone());
                Self::Store(Box::new(Kept::new(Arc::clone(store), keys, &carrier)))
            }
            Choice::Cookie(sessions) => {
                Self::Cookie(Box::new(InCookie::new(sessions, keys, cookie)))
            }
        }
    }

    /// Makes a backend whose tickets travel in a header. A whole session does not: it may need several
    /// cookies, and its size is bounded by what browsers take.
    pub(super) fn in_header(
        backend: &Backend,
        keys: &KeyRing,
        carrier: &Carrier,
    ) -> Result<Self, HeaderError> {
        match &backend.0 {
            Choice::Store(store) => {
                Ok(Self::Store(Box::new(Kept::new(Arc::clone(store), keys, carrier))))
            }
            Choice::Cookie(_) => Err(HeaderError::NeedsStore),
        }
    }

    /// Changes the attributes of the cookie, whose name stays.
    pub(super) fn set_attributes(&mut self, cookie: &CookieOptions) {
        match self {
            Self::Store(kept) => kept.carrier = Carrier::Cookie(cookie.clone()),
            Self::Cookie(in_cookie) => in_cookie.cookie.clone_from(cookie),
        }
    }

    /// Copies the cookies that `load` may need out of the request.
    pub(super) fn present(&self, headers: &HeaderMap) -> Presented {
        match self {
            Self::Store(kept) => kept.present(headers),
            Self::Cookie(in_cookie) => in_cookie.present(headers),
        }
    }

    /// Whether a request that only reads the session may move its deadline.
    pub(super) fn slides_on_reads(&self) -> bool {
        match self {
            Self::Store(_) => true,
            Self::Cookie(in_cookie) => in_cookie.slides_on_reads(),
        }
    }

    /// Reads the session that the request's cookie leads to.
    pub(super) async fn load(
        &self,
        presented: &Presented,
        reading: Reading,
        terms: &Terms,
        limit: &mut TimeLimit,
    ) -> Result<Found, SessionError> {
        if terms.revocations.is_some() {
            // Boxed, so that the loads of layers without revocations stay small.
            return Box::pin(self.load_unless_revoked(presented, reading, terms, limit)).await;
        }
        self.load_stored(presented, reading, terms, limit).await
    }

    async fn load_unless_revoked(
        &self,
        presented: &Presented,
        reading: Reading,
        terms: &Terms,
        limit: &mut TimeLimit,
    ) -> Result<Found, SessionError> {
        limit.begin();
        let found = self.load_stored(presented, reading, terms, limit).await?;
        match found.live() {
            Some(live) if terms.is_revoked(live, *limit).await? => Ok(Found::Nothing),
            _ => Ok(found),
        }
    }

    async fn load_stored(
        &self,
        presented: &Presented,
        reading: Reading,
        terms: &Terms,
        limit: &mut TimeLimit,
    ) -> Result<Found, SessionError> {
        match self {
            Self::Store(kept) => kept.load(presented, reading, terms, limit).await,
            Self::Cookie(in_cookie) => in_cookie.load(presented, terms),
        }
    }

    /// Whether the end of a request that only reads is to move the deadline, or to look whether the session is
    /// still listed.
    pub(super) fn is_touch_due(&self, live: &Live, terms: &Terms) -> bool {
        let looks = || match self {
            Self::Store(kept) if terms.roster.is_some() => kept.is_look_due(live, terms),
            _ => false,
        };
        let now = match self {
            // Read when it was loaded. What became due since then waits for the next request.
            Self::Store(_) if !live.held => live.known_at,
            Self::Store(_) | Self::Cookie(_) => terms.now(),
        };
        terms.touch_due(live, now).is_some() || looks()
    }

    /// Reads the roster of a principal who is about to log in; `None` in layers that keep none.
    pub(super) async fn know_roster(
        &self,
        principal: &str,
        terms: &Terms,
    ) -> Result<Option<Arc<KnownRoster>>, SessionError> {
        let (Self::Store(kept), Some(_)) = (self, terms.roster) else { return Ok(None) };
        let limit = TimeLimit { command: terms.command_timeout, deadline: None };
        let rosters = kept.rosters(terms, limit);
        let known = rosters.load(rosters.key(principal)).await?;
        Ok(Some(Arc::new(known)))
    }

    /// Returns the rosters of the layer, if it keeps any.
    pub(super) fn rosters<'a>(&'a self, terms: &'a Terms, limit: TimeLimit) -> Option<Rosters<'a>> {
        match self {
            Self::Store(kept) if terms.roster.is_some() => Some(kept.rosters(terms, limit)),
            _ => None,
        }
    }

    /// Moves the deadline of a session that was just loaded. One in a cookie moves with the response
    /// alone.
    pub(super) async fn touch_early(&self, slot: &Slot, terms: &Terms, limit: &TimeLimit) {
        if let Self::Store(kept) = self {
            kept.touch_early(slot, terms, limit).await;
        }
    }

    /// Finds out what became of a write that a dropped commit has left in flight.
    pub(super) async fn settle(&self, work: &Work<'_>) -> Result<(), SessionError> {
        match self {
            Self::Store(kept) => kept.commit(work).settle().await,
            // Sealing a cookie has an answer at once, so nothing is ever in flight.
            Self::Cookie(_) => {
                work.slot.state().in_flight = None;
                Ok(())
            }
        }
    }

    /// Carries out what a commit has decided.
    pub(super) async fn carry_out(
        &self,
        decision: Decision,
        draft: &mut Draft,
        now: Timestamp,
        work: &Work<'_>,
    ) -> Result<(), SessionError> {
        if is_revoked(decision, draft, work) {
            return Err(SessionError::Gone);
        }
        match self {
            Self::Store(kept) => kept.commit(work).carry_out(decision, draft, now).await,
            Self::Cookie(in_cookie) if decision == Decision::Look => {
                Box::pin(in_cookie.look(work)).await
            }
            Self::Cookie(in_cookie) => in_cookie.carry_out(decision, draft, now, work),
        }
    }

    /// Gives the client the session's next ticket, if it is due. A session in a cookie gets a new one with each change.
    pub(super) async fn turn(&self, work: &Work<'_>) {
        if let Self::Store(kept) = self {
            kept.commit(work).turn(work.presented).await;
        }
    }

    /// Looks whether the session is still there, and what it holds now.
    pub(super) async fn look(&self, work: &Work<'_>) -> Result<(), SessionError> {
        match self {
            Self::Store(kept) => kept.commit(work).look().await,
            Self::Cookie(in_cookie) => in_cookie.look(work).await,
        }
    }

    /// Moves the session's deadline.
    pub(super) async fn touch(&self, work: &Work<'_>) -> Result<(), SessionError> {
        match self {
            Self::Store(kept) => kept.commit(work).touch().await,
            Self::Cookie(in_cookie) => in_cookie.touch(work).await,
        }
    }

    /// Ends the session wherever it is kept, and returns the cookies that the response will carry.
    pub(super) async fn end(&self, work: &Work<'_>) -> Result<Option<SetCookies>, SessionError> {
        match self {
            Self::Store(kept) => kept.log_out(work).await,
            Self::Cookie(in_cookie) => in_cookie.removal(work),
        }
    }
}

/// Whether the session that is to be changed is revoked, or one that is to begin would be. A login is judged
/// by its own time, so that whoever revokes and then logs in keeps the session.
fn is_revoked(decision: Decision, draft: &Draft, work: &Work<'_>) -> bool {
    let Work { terms, slot, .. } = *work;
    if terms.revocations.is_none() {
        return false;
    }
    match decision {
        Decision::Create | Decision::LogInAnew | Decision::Renew if draft.facts.login => {
            draft.record().is_some_and(|record| terms.know_revoked(record))
        }
        Decision::Replace | Decision::Renew => {
            let revoked = {
                let state = slot.read();
                let live = state.found.live().filter(|live| terms.know_revoked(&live.record));
                live.map(Named::from)
            };
            let ended = SessionChange::Ended(EndedBy::Revocation);
            revoked.inspect(|&named| terms.report.session(named, ended)).is_some()
        }
        _ => false,
    }
}
