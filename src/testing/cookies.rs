//! The cookies of a visitor, to look at and to change.

use cookie::Cookie;
use http::HeaderValue;

use super::visitor::TestVisitor;
use crate::browser::StoredCookie;

/// # Cookies
impl<S> TestVisitor<S> {
    /// Returns the value of the cookie with this name. Of several, under different paths, it is the one that
    /// came first.
    ///
    /// ```
    /// use cloakroom::testing::TestVisitor;
    ///
    /// let visitor = TestVisitor::new(());
    /// visitor.set_cookie("theme", "dark");
    /// assert_eq!(visitor.cookie("theme").as_deref(), Some("dark"));
    /// assert_eq!(visitor.cookie("Theme"), None);
    /// ```
    pub fn cookie(&self, name: &str) -> Option<String> {
        let mut cookies = self.cookies().into_iter();
        cookies.find(|(kept, _)| kept == name).map(|(_, value)| value)
    }

    /// Returns the names and values of all cookies, in the order in which they came.
    ///
    /// ```
    /// use cloakroom::testing::TestVisitor;
    ///
    /// let visitor = TestVisitor::new(());
    /// visitor.set_cookie("theme", "dark");
    /// assert_eq!(visitor.cookies(), [("theme".to_owned(), "dark".to_owned())]);
    /// ```
    pub fn cookies(&self) -> Vec<(String, String)> {
        let pair = |kept: &StoredCookie| {
            let (name, value) = kept.cookie.name_value();
            (name.to_owned(), value.to_owned())
        };
        self.jar.with(|cookies| cookies.iter().map(pair).collect())
    }

    /// Sets a cookie for all paths, as one who has stolen or forged it would. It takes the place of every
    /// cookie with this name.
    ///
    /// # Panics
    ///
    /// If no header can hold it, such as one with a line break.
    ///
    /// ```
    /// use cloakroom::testing::TestVisitor;
    /// use cloakroom::{Key, SessionLayer, store::MemoryStore};
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    /// # runtime.block_on(async {
    /// let layer = SessionLayer::new(MemoryStore::new(), Key::generate()?);
    /// let visitor = TestVisitor::new(());
    /// visitor.set_cookie("__Host-id", "forged");
    /// assert!(visitor.with_session(&layer, async |session| Ok(session.is_new())).await?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_cookie(&self, name: &str, value: &str) {
        let fits = HeaderValue::try_from(format!("{name}={value}")).is_ok();
        assert!(fits, "no header can hold the cookie {name:?}");
        self.remove_cookie(name);
        let cookie = Cookie::new(name.to_owned(), value.to_owned());
        self.jar.store(StoredCookie { cookie, path: "/".to_owned() });
    }

    /// Removes the cookies with this name, as somebody who clears them would. The server learns nothing.
    ///
    /// ```
    /// use cloakroom::testing::TestVisitor;
    ///
    /// let visitor = TestVisitor::new(());
    /// visitor.set_cookie("theme", "dark");
    /// visitor.remove_cookie("theme");
    /// assert!(visitor.cookies().is_empty());
    /// ```
    pub fn remove_cookie(&self, name: &str) {
        self.jar.with(|cookies| cookies.retain(|kept| kept.cookie.name() != name));
    }

    /// Closes the browser and opens it again: cookies without `Max-Age` and `Expires` are gone.
    ///
    /// (Browsers that restore the last tabs keep them. The session's own timeouts are what counts.)
    ///
    /// ```
    /// use cloakroom::testing::TestVisitor;
    /// use cloakroom::{Key, SessionLayer, store::MemoryStore};
    /// use std::time::Duration;
    ///
    /// const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    /// # runtime.block_on(async {
    /// let layer = SessionLayer::new(MemoryStore::new(), Key::generate()?);
    /// let (ada, bob) = (TestVisitor::new(()), TestVisitor::new(()));
    /// ada.with_session(&layer, async |session| {
    ///     session.remember(7 * DAY, 30 * DAY)?;
    ///     session.log_in("ada").await
    /// }).await?;
    /// bob.with_session(&layer, async |session| session.log_in("bob").await).await?;
    ///
    /// for (visitor, principal) in [(ada, Some("ada")), (bob, None)] {
    ///     visitor.restart();
    ///     let found = visitor.with_session(&layer, async |session| Ok(session.principal())).await?;
    ///     assert_eq!(found.as_deref(), principal);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn restart(&self) {
        let is_persistent = |kept: &StoredCookie| {
            kept.cookie.max_age().is_some() || kept.cookie.expires_datetime().is_some()
        };
        self.jar.with(|cookies| cookies.retain(is_persistent));
    }
}
