//! The token that ties a form to the session that it was shown in.

use super::changes;
use super::session::Session;
use super::state::State;
use crate::cookie::CsrfToken;
use crate::error::SessionError;
use crate::id::StoreKey;

/// # Cross-site requests
impl Session {
    /// Returns a token for the forms and scripts of this page. A page of another site cannot know it, so a
    /// request that brings it was meant by the visitor (CSRF; ASVS 3.5.1).
    ///
    /// Put it into a hidden field of each form, or let a script send it in a header. The handler that gets
    /// the request calls [`verify_csrf`](Self::verify_csrf). Nothing is stored: the token is signed with the
    /// layer's key, and bound to the cookie's name and to the session's present id. So it is good on every
    /// server, for as long as the session has this id. A login or a [`renew`](Self::renew) ends it, like the
    /// id itself. Each call returns another token.
    ///
    /// `None` where there is no id to bind it to:
    ///
    /// * while nothing is stored for the visitor, who then has no session that a request could misuse;
    /// * between a [`log_in`](Self::log_in) or [`renew`](Self::renew) and the commit that gives the session
    ///   its new id. Call [`save`](Self::save) first, if this response is to carry a token.
    ///
    /// `SameSite=Lax`, the default of the cookie, keeps most cross-site requests out already. It does not
    /// keep out requests of other hosts of the same domain, nor those of browsers that ignore it.
    ///
    /// # Errors
    ///
    /// [`SessionError::Entropy`] when the operating system returns no random bytes.
    ///
    /// ```
    /// # let mut visitor = cloakroom::documentation::Visitor::new();
    /// # visitor.visit(async |session| {
    /// assert!(session.csrf_token()?.is_none()); // nothing is stored yet
    /// session.log_in("ada").await?;
    /// session.save().await?;
    /// let token = session.csrf_token()?.expect("the session is stored");
    /// assert!(session.verify_csrf(token.as_str()).is_ok());
    /// # Ok(()) });
    /// ```
    #[doc(alias("xsrf", "authenticity_token", "form_token"))]
    pub fn csrf_token(&self) -> Result<Option<CsrfToken>, SessionError> {
        let settings = &self.0.settings;
        let Some(session) = lasting_id(&self.0.slot.read()) else { return Ok(None) };
        Ok(Some(settings.csrf.issue(&session, settings.terms.entropy)?))
    }

    /// Refuses a request that does not bring a token of this session, as
    /// [`csrf_token`](Self::csrf_token) made it.
    ///
    /// Call it in every handler that changes something, before it does. The error is a 403, and a handler
    /// that answers with it changes nothing. `token` is what the client sent, of any length and form; if
    /// it sent none, pass `""`. Call it before `log_in`, `renew` and `destroy`: after the commit, the
    /// session has another id than the one that the token was made for.
    ///
    /// Where the visitor has no stored session, every token is refused. An app that lets such visitors
    /// change something has to decide by other means, such as the `Origin` or `Sec-Fetch-Site` header.
    ///
    /// # Errors
    ///
    /// [`SessionError::CsrfRefused`].
    ///
    /// ```
    /// use cloakroom::{Session, SessionError};
    ///
    /// fn change_address(session: &Session, token: &str, address: &str) -> Result<(), SessionError> {
    ///     session.verify_csrf(token)?;
    ///     session.insert("address", address)
    /// }
    /// # let mut visitor = cloakroom::documentation::Visitor::new();
    /// # visitor.visit(async |session| session.log_in("ada").await);
    /// # visitor.visit(async |session| {
    /// let token = session.csrf_token()?.expect("the session is stored");
    /// assert!(change_address(&session, token.as_str(), "1 Main St").is_ok());
    /// let refused = change_address(&session, "forged", "2 Main St").unwrap_err();
    /// assert_eq!(refused.status(), 403);
    /// # Ok(()) });
    /// ```
    #[doc(alias("xsrf", "check_csrf"))]
    pub fn verify_csrf(&self, token: impl AsRef<[u8]>) -> Result<(), SessionError> {
        let session = self.0.slot.read().found.live().map(|live| live.key);
        let settings = &self.0.settings;
        if session.is_some_and(|session| settings.csrf.verify(token.as_ref(), &session)) {
            return Ok(());
        }
        tracing::debug!("csrf token refused");
        Err(SessionError::CsrfRefused)
    }
}

/// Returns the name of the stored session, unless the changes of this request give it a new id.
///
/// For a session in a store that is its key there. One in a cookie has a name of its own, which changes
/// with each login and renewal, too.
fn lasting_id(state: &State) -> Option<StoreKey> {
    let logs = [&state.sending, &state.changes];
    let is_renewed = logs.into_iter().any(|log| changes::renewal(log).is_some());
    state.found.live().filter(|_| !is_renewed).map(|live| live.key)
}
