//! Logging in.

use std::fmt;

use super::changes::Change;
use super::session::Session;
use super::settings::Settings;
use super::value;
use crate::error::SessionError;

/// # Login
impl Session {
    /// Login: sets the principal (a user id, not a secret), the time of authentication and a new
    /// session id, in one.
    ///
    /// Setting the principal under the id that the visitor came with would be session fixation:
    /// whoever planted that id would be logged in too. So a login always implies a
    /// [`renew`](Self::renew), and no other method sets a principal. The data stays; call
    /// [`clear`](Self::clear) first to begin with none.
    ///
    /// Call it when the password, or whatever proves the user, was right. In a layer with a
    /// [roster](crate::Roster) it reads that of the user; if all sessions of the user are ended between this
    /// call and the commit, the commit is refused with [`Gone`](SessionError::Gone) (409). To refuse also a
    /// login whose password was being checked at that moment, [begin](Self::begin_login) it before the check.
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
        let change = Change::Principal { principal: Some(principal), at, known };
        Ok(Login { session: self.clone(), change })
    }
}

/// A login that has begun; [`Session::begin_login`] returns it. If it is dropped, nothing has happened.
#[must_use = "nobody is logged in until the login is finished"]
pub struct Login {
    session: Session,
    change: Change,
}

impl Login {
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
        self.session.0.slot.writable_for_login()?.changes.push(self.change);
        Ok(())
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").finish_non_exhaustive()
    }
}
