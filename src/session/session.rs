//! The session as a handler sees it: one await, then plain typed access.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::changes::Change;
use super::terms::LEAST_TIME;
use super::visit::Visit;
use crate::error::SessionError;
use crate::record::Assurance;

/// A visitor's session, loaded.
///
/// A handle: clones are the same session. Only [`save`](Self::save), [`destroy`](Self::destroy),
/// [`reload`](Self::reload) and [`touch`](Self::touch) talk to the store, and [`log_in`](Self::log_in) in a
/// layer with a [roster](crate::Roster), which it reads. Everything else is immediate. A login takes effect at
/// the commit, as every other change.
///
/// The commit comes after the handler has returned and before the response leaves: it stores what the
/// handler has changed. If that fails, the client gets an error instead of the handler's response. If
/// the handler fails, as by a 5xx, nothing is stored (see
/// [`SessionLayer::commit_when`](crate::SessionLayer::commit_when)), except for what it has already
/// done with `save` or `destroy`.
///
/// Requests that change the same session at the same time do not lose each other's changes:
///
/// * Changes of different keys are merged.
/// * [`update`](Self::update) runs again on the newer value.
/// * [`insert`](Self::insert) and [`remove`](Self::remove) overwrite a key that this request has not
///   read. If it has read the key and another request has changed it since, the request is answered
///   409 ([`SessionError::Conflict`]). The call returns `Ok`; the conflict arises at the commit.
///
/// A request whose changes leave the session as it was loaded writes nothing. It counts as having
/// come before whatever others have changed since.
///
/// ```
/// use cloakroom::{Field, Session, SessionError};
///
/// const VISITS: Field<u32> = Field::new("visits");
///
/// fn count(session: &Session) -> Result<u32, SessionError> {
///     session.update(VISITS, |visits| {
///         *visits += 1;
///         *visits
///     })
/// }
/// # let mut visitor = cloakroom::documentation::Visitor::new();
/// # visitor.visit(async |session| {
/// assert_eq!(count(&session)?, 1);
/// # Ok(()) });
/// # visitor.visit(async |session| {
/// assert_eq!(count(&session)?, 2); // the next request
/// # Ok(()) });
/// ```
#[derive(Clone)]
pub struct Session(pub(super) Arc<Visit>);

/// # Login, logout and lifetime
impl Session {
    /// Gives the session a new id. Call it at every change of rights; [`log_in`](Self::log_in) and
    /// [`log_out_keeping_data`](Self::log_out_keeping_data) do it by themselves.
    ///
    /// The data and the idle timeout stay. The absolute lifetime starts anew, with the length that the
    /// layer has now. Once the response leaves, the old id is worthless, whoever else knew it (session
    /// fixation; ASVS 7.2.4). Requests in flight with the old id get 409 for their changes. A
    /// "remembered" session stays remembered, and keeps its own lifetime.
    ///
    /// For a visitor who has no session and for whom nothing is stored, it does nothing.
    ///
    /// # Errors
    ///
    /// As [`remove`](Self::remove).
    ///
    /// ```
    /// # let mut visitor = cloakroom::documentation::Visitor::new();
    /// # visitor.visit(async |session| session.insert("name", "Ada"));
    /// # let response = visitor.visit(async |session| {
    /// session.renew()?;
    /// # Ok(()) });
    /// assert!(response.headers().contains_key("set-cookie")); // the new id
    /// # visitor.visit(async |session| {
    /// assert_eq!(session.get("name")?, Some("Ada".to_owned())); // the next request
    /// # Ok(()) });
    /// ```
    #[doc(alias("cycle_id", "regenerate", "rotate", "renew_token"))]
    pub fn renew(&self) -> Result<(), SessionError> {
        self.push(Change::Renew { remember: None })
    }

    /// "Remember me": a [`renew`](Self::renew) after which the session outlives the browser.
    ///
    /// From here on, through later writes and renewals, `idle` and `lifetime` take the place of the
    /// layer's timeouts for this session. The cookie carries `lifetime` as its Max-Age (at most 400
    /// days, the longest that browsers keep a cookie). The shorter of the two ends the session; zero
    /// counts as one millisecond.
    ///
    /// The session stays remembered through a later login of a visitor who was not logged in, or of the same
    /// user, even if that login does not ask for it. If a login is to have the layer's timeouts, call
    /// [`destroy`](Self::destroy) before it, and insert again what is to stay. After the login of another
    /// user, or [`log_out_keeping_data`](Self::log_out_keeping_data), the session is no longer remembered.
    ///
    /// For a visitor who has no session, it does nothing unless the same request stores something, such
    /// as a login.
    ///
    /// # Errors
    ///
    /// As [`log_in`](Self::log_in).
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    /// # let response = cloakroom::documentation::Visitor::new().visit(async |session| {
    /// session.remember(7 * DAY, 30 * DAY)?;
    /// session.log_in("ada").await?;
    /// # Ok(()) });
    /// assert!(response.headers()["set-cookie"].to_str()?.contains("Max-Age=2592000"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias("set_expiry", "persistent", "max_age"))]
    pub fn remember(&self, idle: Duration, lifetime: Duration) -> Result<(), SessionError> {
        let remember = (idle.max(LEAST_TIME), lifetime.max(LEAST_TIME));
        let change = Change::Renew { remember: Some(remember) };
        self.0.slot.writable_for_login()?.changes.push(change);
        Ok(())
    }

    /// Logs the principal out and keeps what is in the session, such as a cart, under a new id.
    ///
    /// Requests in flight with the old id get 409 for their changes. If nobody is logged in, it does
    /// nothing. To end the session with all that is in it, use [`destroy`](Self::destroy).
    ///
    /// # Errors
    ///
    /// As [`remove`](Self::remove).
    ///
    /// ```
    /// # cloakroom::documentation::Visitor::new().visit(async |session| {
    /// session.insert("cart", &["apple"])?;
    /// session.log_in("ada").await?;
    /// session.log_out_keeping_data()?;
    /// assert_eq!(session.principal(), None);
    /// assert!(session.contains("cart")?);
    /// # Ok(()) });
    /// ```
    pub fn log_out_keeping_data(&self) -> Result<(), SessionError> {
        if self.principal().is_none() {
            let state = self.0.slot.writable()?;
            // Where the session goes on under another id, somebody may be logged in to it.
            if !state.is_over() {
                return Ok(());
            }
        }
        let at = self.0.settings.terms.now();
        let assurance = Assurance::default();
        self.push(Change::Principal { principal: None, at, assurance, known: None })
    }

    fn push(&self, change: Change) -> Result<(), SessionError> {
        self.0.slot.writable()?.changes.push(change);
        Ok(())
    }

    /// Returns who is logged in, as [`log_in`](Self::log_in) was told; `None` when nobody is.
    ///
    /// Principals are compared byte by byte: `Ada` and `ada` are two users, each with sessions of their own.
    /// So log in with one form of the id, such as a primary key, and not with the name that somebody typed.
    ///
    /// ```
    /// # cloakroom::documentation::Visitor::new().visit(async |session| {
    /// assert_eq!(session.principal(), None);
    /// session.log_in("ada").await?;
    /// assert_eq!(session.principal().as_deref(), Some("ada"));
    /// # Ok(()) });
    /// ```
    #[doc(alias("user", "user_id", "identity"))]
    pub fn principal(&self) -> Option<String> {
        self.0.slot.read().principal().map(|principal| principal.as_str().to_owned())
    }

    /// Returns whether the visitor had no live session when it was loaded, and none has been saved
    /// since.
    ///
    /// It is `true` again after [`destroy`](Self::destroy). It is also `true` in an outage that the app
    /// [goes on without](crate::OutagePolicy::Anonymous), although the visitor may have a session.
    ///
    /// ```
    /// # let mut visitor = cloakroom::documentation::Visitor::new();
    /// # visitor.visit(async |session| {
    /// assert!(session.is_new());
    /// session.insert("name", "Ada")?;
    /// # Ok(()) });
    /// # visitor.visit(async |session| {
    /// assert!(!session.is_new()); // the next request
    /// # Ok(()) });
    /// ```
    #[doc(alias("is_empty", "is_modified"))]
    pub fn is_new(&self) -> bool {
        self.0.slot.read().found.live().is_none()
    }

    /// Logout: ends the session in the store, now.
    ///
    /// When it returns, the session is over on every server: no request in flight can bring it
    /// back. (One that travels in a signed cookie is over only in browsers that get the response.)
    /// The response removes the cookie. Changes made before are dropped; changes made after begin an
    /// empty session under a new id.
    ///
    /// A browser sends several tickets if a cookie of our name lingers under another path or domain.
    /// `destroy` ends the session of each.
    ///
    /// If another request has logged in or renewed the session since this handle loaded it, `destroy`
    /// ends the renewed session too. From a request that comes with an old id it does so for a minute after
    /// the renewal, and answers [`Gone`](SessionError::Gone) later. See the [page on open
    /// handles](crate::guide::open_handles). A session from [`Users::sessions_of`](crate::Users::sessions_of) is
    /// ended only as long as the same login goes on in it.
    ///
    /// The browser's back button may show a page from before the logout, out of the browser's own memory and
    /// without a request. To prevent that, answer such pages with `Cache-Control: no-store`. The layer's
    /// [`clear_site_data`](crate::SessionLayer::clear_site_data) with [`Cache`](crate::SiteData::Cache) empties
    /// that memory too, in some browsers.
    ///
    /// # Errors
    ///
    /// When the store did not confirm it. The session may live on, so answer with the error (503):
    /// the cookie stays and the visitor can try again. If the handler goes on regardless, the layer
    /// answers 503 unless the logout succeeds after all.
    ///
    /// ```
    /// # let mut visitor = cloakroom::documentation::Visitor::new();
    /// # visitor.visit(async |session| session.log_in("ada").await);
    /// # visitor.visit(async |session| {
    /// session.destroy().await?;
    /// assert_eq!(session.principal(), None);
    /// # Ok(()) });
    /// # visitor.visit(async |session| {
    /// assert!(session.is_new()); // the next request
    /// # Ok(()) });
    /// ```
    #[doc(alias("logout", "flush", "purge", "delete", "invalidate"))]
    pub async fn destroy(&self) -> Result<(), SessionError> {
        Arc::clone(&self.0).destroy().await
    }

    /// Stores the changes made so far, now: for streams, websockets and spawned tasks, which go on
    /// after the response's head has left.
    ///
    /// The changes that it has stored stand, whatever the handler answers. After the head has left it can
    /// change a session, but no longer create or renew one. A session that
    /// [travels in cookies](crate::CookieSessions) can then no longer be changed at all.
    ///
    /// # Errors
    ///
    /// Those of a commit: [`Conflict`](SessionError::Conflict), [`Gone`](SessionError::Gone),
    /// [`Contended`](SessionError::Contended), [`Unconfirmed`](SessionError::Unconfirmed),
    /// [`TooLate`](SessionError::TooLate), [`TooLarge`](SessionError::TooLarge) for sessions in
    /// cookies, the store's. The changes stay, and are tried again by
    /// the next `save` or at the end of the request, unless they are
    /// [discarded](Self::discard). There are two exceptions. After `Gone` the session is over and the handle is
    /// empty. A request that failed has lost its changes: every `save` of a handle that outlives it
    /// answers `TooLate`, until the loss is noted with `discard`.
    ///
    /// ```
    /// # cloakroom::documentation::Visitor::new().visit(async |session| {
    /// session.insert("order", &1)?;
    /// session.save().await?;
    /// // From here on the order is stored, even if the handler fails.
    /// assert!(!session.is_new());
    /// # Ok(()) });
    /// ```
    #[doc(alias = "commit")]
    pub async fn save(&self) -> Result<(), SessionError> {
        Arc::clone(&self.0).save().await
    }

    /// Reads the session again, for a handle that stays open: a websocket, a stream, a job.
    ///
    /// After that the handle shows what is stored now, with the changes on top that were made through
    /// it and are not saved yet. An unsaved [`update`](Self::update) shows the value that it computed; its
    /// closure runs again on the newer one when it is saved. Then [`get`](Self::get) shows the result.
    ///
    /// A handle never follows a [`renew`](Self::renew) or a login that another request has made: whoever
    /// knew the old id would get the new login. So connect again after a login, with the new cookie.
    /// A visitor for whom nothing is stored yet has nothing to read, which is a success.
    ///
    /// # Errors
    ///
    /// [`SessionError::Gone`] when the session is over: logged out, expired, or renewed. The handle is
    /// then empty, without principal and values, and stays so. Otherwise the store's error; the
    /// handle is as it was.
    ///
    /// ```
    /// # let mut visitor = cloakroom::documentation::Visitor::new();
    /// # visitor.visit(async |session| session.insert("name", "Ada"));
    /// # visitor.visit(async |session| {
    /// session.reload().await?;
    /// assert_eq!(session.get("name")?, Some("Ada".to_owned()));
    /// # Ok(()) });
    /// ```
    #[doc(alias = "refresh")]
    pub async fn reload(&self) -> Result<(), SessionError> {
        Arc::clone(&self.0).reload().await
    }

    /// Moves the idle timeout on, as a request does, for a handle that stays open.
    ///
    /// Call it when the visitor does something, not by a timer: a session that a forgotten tab keeps
    /// alive for ever has no idle timeout. Changes that are not saved stay unsaved.
    ///
    /// # Errors
    ///
    /// As [`reload`](Self::reload). Sessions in cookies: [`SessionError::TooLate`] once the response's
    /// head has left.
    ///
    /// ```
    /// # let mut visitor = cloakroom::documentation::Visitor::new();
    /// # visitor.visit(async |session| session.insert("name", "Ada"));
    /// # visitor.visit(async |session| {
    /// let before = session.expires_at();
    /// session.touch().await?;
    /// assert!(session.expires_at() >= before);
    /// # Ok(()) });
    /// ```
    #[doc(alias("keep_alive", "ping"))]
    pub async fn touch(&self) -> Result<(), SessionError> {
        Arc::clone(&self.0).touch().await
    }

    /// Forgets the changes that are not stored, so that a handle can go on after a
    /// [`save`](Self::save) that met a [`Conflict`](SessionError::Conflict): read again, decide
    /// again. A write whose answer was lost cannot be taken back and stays.
    ///
    /// ```
    /// # cloakroom::documentation::Visitor::new().visit(async |session| {
    /// session.insert("name", "Ada")?;
    /// session.discard();
    /// assert!(!session.contains("name")?);
    /// # Ok(()) });
    /// ```
    pub fn discard(&self) {
        let mut state = self.0.slot.state();
        state.discard();
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt_as("Session", f)
    }
}
