//! Logging in, and the check of a login.

use std::fmt;
use std::time::Duration;

use super::authentication::Authentication;
use super::changes::Change;
use super::session::Session;
use super::settings::Settings;
use super::value;
use crate::error::{LoginRequired, SessionError};
use crate::record::{Assurance, AuthLevel};

/// # Login
impl Session {
    /// Login: sets the principal (a user id, not a secret), the time of authentication and a new
    /// session id, in one.
    ///
    /// Setting the principal under the id that the visitor came with would be session fixation:
    /// whoever planted that id would be logged in too. So a login always implies a
    /// [`renew`](Self::renew), and no other method sets a principal. What a visitor has collected before, such as
    /// a cart, stays; call [`clear`](Self::clear) first to begin with nothing. If another principal is logged in,
    /// the session is cleared, because what it holds is theirs. Call
    /// [`log_out_keeping_data`](Self::log_out_keeping_data) first to leave it to the next one.
    ///
    /// Call it when the password, or whatever proves the user, was right. In a layer with a
    /// [roster](crate::Roster) it reads that of the user; if all sessions of the user are ended between this
    /// call and the commit, the commit is refused with [`Gone`](SessionError::Gone) (409), and the session from before
    /// stays as it was. To refuse also a login whose password was being checked at that moment,
    /// [begin](Self::begin_login) it before the check.
    ///
    /// # Errors
    ///
    /// In a layer with a roster, the store's error when that cannot be read.
    /// [`SessionError::KeyTooLong`] over 65,535 bytes. The store's error when the session could not be read in
    /// an outage that the app chose to [go on without](crate::OutagePolicy::Anonymous). An unreadable record
    /// is no error: the login begins a new session.
    ///
    /// ```
    /// # let mut visitor = cloakroom::documentation::Visitor::new();
    /// # visitor.visit(async |session| {
    /// session.log_in(42).await?; // after the password was checked
    /// # Ok(()) });
    /// # visitor.visit(async |session| {
    /// assert_eq!(session.principal().as_deref(), Some("42")); // the next request
    /// assert!(session.authenticated_at().is_some());
    /// # Ok(()) });
    /// ```
    #[doc(alias("login", "authenticate", "set_principal", "remember_user"))]
    pub async fn log_in(&self, principal: impl fmt::Display) -> Result<(), SessionError> {
        // Boxed, because most layers keep no roster.
        Box::pin(self.begin_login(principal)).await?.finish()
    }

    /// [`log_in`](Self::log_in) with the level of this login, which [`require_login`](Self::require_login) compares.
    ///
    /// The level belongs to this login. A [`renew`](Self::renew) keeps it. Every later login, of whomever, has a level
    /// of its own, the lowest if it names none. So a session never has a higher level than the login that it comes
    /// from. To raise it, as after a second factor, log the user in again.
    ///
    /// Sessions with a level above the lowest are stored in a format that earlier releases do not read. First update
    /// every server, then use levels.
    ///
    /// # Errors
    ///
    /// As [`log_in`](Self::log_in).
    ///
    /// ```
    /// use cloakroom::AuthLevel;
    ///
    /// const SECOND_FACTOR: AuthLevel = AuthLevel::new(2);
    /// # cloakroom::documentation::Visitor::new().visit(async |session| {
    /// session.log_in_with_level("ada", SECOND_FACTOR).await?;
    /// assert_eq!(session.auth_level(), Some(SECOND_FACTOR));
    /// session.log_in("ada").await?;
    /// assert_eq!(session.auth_level(), Some(AuthLevel::default()));
    /// # Ok(()) });
    /// ```
    #[doc(alias("acr", "aal", "mfa", "second_factor"))]
    pub async fn log_in_with_level(
        &self,
        principal: impl fmt::Display,
        level: AuthLevel,
    ) -> Result<(), SessionError> {
        Box::pin(self.begin_login(principal)).await?.level(level).finish()
    }

    /// Begins a [login](Self::log_in), before the password is checked. Nothing changes until it is
    /// [finished](Login::finish).
    ///
    /// Checking a password takes a few hundred milliseconds. In a layer with a [roster](crate::Roster), when
    /// all sessions of the user are ended meanwhile, as after a reset of the password, this login is refused
    /// at its commit with [`Gone`](SessionError::Gone) (409): it may have used the old one. At most five
    /// minutes may pass until the commit. In other layers it is the same as `log_in`.
    ///
    /// # Errors
    ///
    /// As [`log_in`](Self::log_in).
    ///
    /// ```
    /// # let mut visitor = cloakroom::documentation::Visitor::with_roster();
    /// # let is_right = |password: &str| password == "wonderland";
    /// # visitor.visit(async |session| {
    /// let login = session.begin_login("alice").await?;
    /// if is_right("wonderland") {
    ///     login.finish()?;
    /// }
    /// assert_eq!(session.principal().as_deref(), Some("alice"));
    /// # Ok(()) });
    /// ```
    pub async fn begin_login(&self, principal: impl fmt::Display) -> Result<Login, SessionError> {
        let principal = value::text(&principal.to_string())?;
        let Settings { terms, backend, .. } = &*self.0.settings;
        if let Some(outage) = self.0.slot.read().outage().filter(|error| !error.is_unreadable()) {
            return Err(outage.clone());
        }
        // Before the roster is read: an end that it does not show yet is later than this.
        let at = terms.now();
        let known = backend.know_roster(principal.as_str(), terms).await?;
        let (principal, assurance) = (Some(principal), Assurance::default());
        let change = Change::Principal { principal, at, assurance, known };
        Ok(Login { session: self.clone(), change })
    }

    /// Returns the level of the login; `None` when nobody is logged in.
    ///
    /// ```
    /// use cloakroom::AuthLevel;
    ///
    /// # cloakroom::documentation::Visitor::new().visit(async |session| {
    /// assert_eq!(session.auth_level(), None);
    /// session.log_in("ada").await?;
    /// assert_eq!(session.auth_level(), Some(AuthLevel::default()));
    /// # Ok(()) });
    /// ```
    pub fn auth_level(&self) -> Option<AuthLevel> {
        Some(Authentication::of(&self.0.slot.read())?.level)
    }

    /// Checks that somebody has logged in with at least this level, and at most `within` ago: for a step that asks
    /// for more than a session, such as a payment or a new password (ASVS 7.5.3).
    ///
    /// It looks at the session as it was loaded. Behind a [memory](crate::store::SessionStore::load_near) in front of the
    /// store load it [fresh](crate::LazySession::load_fresh), which the extractor `RequireLogin` does. A time in the
    /// future, as of a server whose clock runs ahead, counts as now. `Duration::MAX` asks for no time at all.
    ///
    /// # Errors
    ///
    /// [`SessionError::LoginRequired`], which says what is missing: 401 when nobody is logged in, otherwise 403. In an
    /// outage that the app chose to [go on without](crate::OutagePolicy::Anonymous), the store's error.
    ///
    /// ```
    /// use cloakroom::{AuthLevel, LoginRequired, SessionError};
    /// use std::time::Duration;
    ///
    /// const PASSWORD: AuthLevel = AuthLevel::new(1);
    /// const SECOND_FACTOR: AuthLevel = AuthLevel::new(2);
    /// const FIVE_MINUTES: Duration = Duration::from_secs(5 * 60);
    /// # cloakroom::documentation::Visitor::new().visit(async |session| {
    /// session.log_in_with_level("ada", PASSWORD).await?;
    /// session.require_login(PASSWORD, FIVE_MINUTES)?;
    ///
    /// let refused = session.require_login(SECOND_FACTOR, FIVE_MINUTES).unwrap_err();
    /// assert!(matches!(refused, SessionError::LoginRequired(LoginRequired::Stronger)));
    /// # Ok(()) });
    /// ```
    #[doc(alias("step_up", "sudo", "fresh_login", "reauthenticate"))]
    pub fn require_login(&self, level: AuthLevel, within: Duration) -> Result<(), SessionError> {
        let login = {
            let state = self.0.slot.read();
            if let Some(outage) = state.outage() {
                return Err(outage.clone());
            }
            Authentication::of(&state)
        };
        let missing = match login {
            None => LoginRequired::Any,
            Some(login) if login.level < level => LoginRequired::Stronger,
            Some(login) if self.0.settings.terms.now().since(login.at) > within => {
                LoginRequired::Newer
            }
            Some(_) => return Ok(()),
        };
        Err(missing.into())
    }
}

/// A login that has begun; [`Session::begin_login`] returns it. If it is dropped, nothing has happened.
#[must_use = "nobody is logged in until the login is finished"]
pub struct Login {
    session: Session,
    change: Change,
}

impl Login {
    /// Sets the level of this login, which is known when the user is. Default: the lowest. See
    /// [`Session::log_in_with_level`].
    ///
    /// ```
    /// use cloakroom::AuthLevel;
    ///
    /// # cloakroom::documentation::Visitor::new().visit(async |session| {
    /// let login = session.begin_login("alice").await?;
    /// login.level(AuthLevel::new(1)).finish()?;
    /// assert_eq!(session.auth_level(), Some(AuthLevel::new(1)));
    /// # Ok(()) });
    /// ```
    pub fn level(mut self, level: AuthLevel) -> Self {
        if let Change::Principal { assurance, .. } = &mut self.change {
            assurance.level = level;
        }
        self
    }

    /// Logs the user in, when the password was right. See [`Session::log_in`].
    ///
    /// # Errors
    ///
    /// The store's error when the session could not be read in an outage that the app chose to [go on
    /// without](crate::OutagePolicy::Anonymous).
    ///
    /// ```
    /// # let mut visitor = cloakroom::documentation::Visitor::new();
    /// # visitor.visit(async |session| {
    /// let login = session.begin_login("alice").await?;
    /// assert_eq!(session.principal(), None);
    /// login.finish()?;
    /// assert_eq!(session.principal().as_deref(), Some("alice"));
    /// # Ok(()) });
    /// ```
    pub fn finish(self) -> Result<(), SessionError> {
        let mut state = self.session.0.slot.writable_for_login()?;
        let Change::Principal { principal, .. } = &self.change else { return Ok(()) };
        // The session of somebody who has left a shared browser without a logout.
        if state.principal().is_some_and(|present| Some(present) != principal.as_ref()) {
            state.clear();
        }
        state.changes.push(self.change);
        Ok(())
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").finish_non_exhaustive()
    }
}
