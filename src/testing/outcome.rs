//! The outcome of a request for its session.

use std::fmt;

use http::HeaderValue;

/// The outcome of a request for its session, as [`TestSession::commit`](crate::testing::TestSession::commit)
/// found it in the store afterwards.
///
/// The values and the principal are in the `TestSession` itself, loaded again.
///
/// ```
/// use cloakroom::testing::TestSession;
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
/// # runtime.block_on(async {
/// let mut session = TestSession::new().logged_in_as("ada");
/// session.destroy().await?;
/// let outcome = session.commit().await?;
/// assert!(outcome.ended() && !outcome.renewed());
/// # Ok::<(), cloakroom::SessionError>(())
/// # })?;
/// # Ok::<(), cloakroom::SessionError>(())
/// ```
#[derive(Clone, Default)]
pub struct Outcome {
    pub(super) renewed: bool,
    pub(super) ended: bool,
    pub(super) saved: bool,
    pub(super) set_cookies: Vec<HeaderValue>,
}

impl Outcome {
    /// Returns whether a session that was there when the request began has a new id now, so that the old
    /// one is worthless: after a login, a [`renew`](crate::Session::renew) and the like.
    ///
    /// It is `false` for a visitor who had no session, since there was no id to replace, and for sessions
    /// that travel in cookies, which have none.
    ///
    /// ```
    /// use cloakroom::testing::TestSession;
    ///
    /// let mut session = TestSession::new().with_value("cart", &["apple"]);
    /// session.renew()?;
    /// assert!(session.commit_now()?.renewed());
    /// session.insert("cart", &["pear"])?;
    /// assert!(!session.commit_now()?.renewed());
    /// # Ok::<(), cloakroom::SessionError>(())
    /// ```
    pub fn renewed(&self) -> bool {
        self.renewed
    }

    /// Returns whether a session that was there when the request began is over: after a
    /// [`destroy`](crate::Session::destroy), or because it has expired.
    ///
    /// Changes after a `destroy` begin another session, which is then the present one.
    ///
    /// ```
    /// use cloakroom::testing::TestSession;
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    /// # runtime.block_on(async {
    /// let mut session = TestSession::new().logged_in_as("ada");
    /// session.destroy().await?;
    /// session.insert("message", "You are logged out.")?;
    /// assert!(session.commit().await?.ended());
    /// assert!(session.contains("message")? && session.principal().is_none());
    /// # Ok::<(), cloakroom::SessionError>(())
    /// # })?;
    /// # Ok::<(), cloakroom::SessionError>(())
    /// ```
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// Returns whether something was stored before the commit: by [`save`](crate::Session::save).
    ///
    /// A `save` leaves no trace if it had nothing to store, or if the session was destroyed after it.
    /// Of sessions that travel in cookies only the `save` of a new one is seen: they have no version.
    ///
    /// ```
    /// use cloakroom::testing::TestSession;
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    /// # runtime.block_on(async {
    /// let mut session = TestSession::new();
    /// session.insert("order", &1)?;
    /// session.save().await?;
    /// assert!(session.commit().await?.saved());
    /// session.insert("order", &2)?;
    /// assert!(!session.commit().await?.saved());
    /// # Ok::<(), cloakroom::SessionError>(())
    /// # })?;
    /// # Ok::<(), cloakroom::SessionError>(())
    /// ```
    pub fn saved(&self) -> bool {
        self.saved
    }

    /// Returns the `Set-Cookie` headers that the response would have.
    ///
    /// ```
    /// use cloakroom::testing::TestSession;
    /// use std::time::Duration;
    ///
    /// const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    /// # runtime.block_on(async {
    /// let mut session = TestSession::new();
    /// session.remember(7 * DAY, 30 * DAY)?;
    /// session.log_in("ada").await?;
    /// let outcome = session.commit().await?;
    /// assert!(outcome.set_cookies()[0].to_str().unwrap().contains("Max-Age=2592000"));
    /// # Ok::<(), cloakroom::SessionError>(())
    /// # })?;
    /// # Ok::<(), cloakroom::SessionError>(())
    /// ```
    pub fn set_cookies(&self) -> &[HeaderValue] {
        &self.set_cookies
    }
}

impl fmt::Debug for Outcome {
    /// Shows how many cookies there are, and no ticket.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcome")
            .field("renewed", &self.renewed)
            .field("ended", &self.ended)
            .field("saved", &self.saved)
            .field("set_cookies", &self.set_cookies.len())
            .finish()
    }
}
