//! Sessions in cookies, as an app chooses them.

use crate::cookie::{Form, MOST_PIECES, SIGNED};

/// Sessions without a store: the whole session travels in the visitor's cookie,
/// [signed](Self::signed) or [encrypted](crate::guide::signed_cookie).
///
/// The visitor can read a signed session and cannot change it; an encrypted one only its owner's
/// servers can read. Both timeouts are part of the protected bytes, so a copied cookie ends on time. The keys are
/// those of the layer, and are replaced as for tickets (see [`KeyRing`](crate::KeyRing)).
///
/// # What it cannot do
///
/// Only the visitor has the session, so:
///
/// * **A logout removes the cookie and cannot stop a copy.** Whoever has copied the cookie goes on
///   with it until it expires. The same holds for a cookie from before a
///   [`renew`](crate::Session::renew). [`Revocations`](crate::Revocations) help: one small shared record with which "log
///   out everywhere" works.
/// * **Of parallel requests the last answer wins.** Each changes the session that its own request
///   brought; the change of the answer that arrives first is lost. Nothing answers 409 for it.
/// * **A late answer undoes a logout, or a login.** If a request that changes the session is
///   answered after a logout in the same browser, it sets the old cookie again; after a login, the
///   visitor is logged out again.
/// * **Visitors can go back** to an older cookie of their own while it lives. Do not keep attempts
///   left, used coupons or one-time codes in it.
/// * **Idle time counts from the last change.** A read sets no cookie, for the reason above;
///   [an option](CookieSessions::insecure_slide_on_reads) changes that.
/// * **About 3 KB fit**: browsers keep 4096 bytes of name and value. What is larger is
///   [`SessionError::TooLarge`](crate::SessionError::TooLarge), 413, and the visitor keeps the
///   session as it was.
/// * [`save`](crate::Session::save) and [`destroy`](crate::Session::destroy) after the response's
///   head has left are [`TooLate`](crate::SessionError::TooLate): no cookie can be set any more.
///
/// The session is not compressed. Where a visitor can put text of their choice beside a secret, the
/// length of compressed bytes tells the secret, even if they are encrypted (CRIME, BREACH).
///
/// ```
/// use cloakroom::{CookieSessions, Key, SessionLayer};
/// use std::time::Duration;
///
/// let layer = SessionLayer::new(CookieSessions::signed(), Key::generate()?)
///     .idle_timeout(Duration::from_secs(15 * 60)); // the shorter, the less a copy is worth
/// assert!(layer.to_string().contains("idle timeout 15m"));
/// # Ok::<(), cloakroom::KeyError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct CookieSessions {
    pub(super) form: &'static Form,
    pub(super) chunks: usize,
    pub(super) slides_on_reads: bool,
}

impl CookieSessions {
    /// Signed: the visitor can read the session and cannot change it. One cookie.
    ///
    /// ```
    /// use cloakroom::{CookieSessions, Key, SessionLayer};
    ///
    /// let layer = SessionLayer::new(CookieSessions::signed().chunks(2), Key::generate()?);
    /// assert!(format!("{layer:?}").contains("form 1")); // signed
    /// # Ok::<(), cloakroom::KeyError>(())
    /// ```
    pub fn signed() -> Self {
        Self::protected_by(SIGNED)
    }

    pub(super) fn protected_by(form: &'static Form) -> Self {
        Self { form, chunks: 1, slides_on_reads: false }
    }

    /// Spreads a session over up to `most` cookies (`name`, `name.1`, …). Default 1; 0 counts as 1,
    /// over 4 as 4.
    ///
    /// They are read all or not at all, and what a shorter session leaves over is removed. Every
    /// request carries all of them: nginx, Apache and many proxies refuse a header line over 8 KB,
    /// so more than two need their settings changed (a longer text is warned about in the log). A
    /// server reads up to four cookies whatever its own `most`, so it can be raised in a roll-out.
    ///
    /// ```
    /// use cloakroom::CookieSessions;
    ///
    /// let backend = CookieSessions::signed().chunks(2);
    /// assert!(format!("{backend:?}").contains("chunks: 2"));
    /// ```
    pub fn chunks(mut self, most: usize) -> Self {
        self.chunks = most.clamp(1, MOST_PIECES);
        self
    }

    /// Issues the cookie anew when a session was only read, once a part of its idle time has passed
    /// ([a tenth](crate::SessionLayer::slide_after_percent) unless set otherwise). Default off:
    /// the idle time counts from the last change.
    ///
    /// The risk: a page that was slow to answer puts a logged-in cookie back after the visitor has
    /// logged out, in the visitor's own browser, for whoever uses it next.
    ///
    /// ```
    /// use cloakroom::CookieSessions;
    ///
    /// let sessions = CookieSessions::signed().insecure_slide_on_reads();
    /// assert!(format!("{sessions:?}").contains("slides_on_reads: true"));
    /// ```
    pub fn insecure_slide_on_reads(mut self) -> Self {
        self.slides_on_reads = true;
        self
    }
}

#[cfg(feature = "private")]
impl CookieSessions {
    /// Encrypted (AES-256-GCM-SIV, RFC 8452), so that the visitor cannot read the session either.
    ///
    /// The length still shows. Cookies of the other kind are refused: switching between signed and
    /// encrypted logs everybody out.
    ///
    /// ```
    /// use cloakroom::{CookieSessions, Key, SessionLayer};
    ///
    /// let layer = SessionLayer::new(CookieSessions::encrypted(), Key::generate()?);
    /// assert!(format!("{layer:?}").contains("form 2")); // encrypted
    /// # Ok::<(), cloakroom::KeyError>(())
    /// ```
    pub fn encrypted() -> Self {
        Self::protected_by(crate::cookie::PRIVATE)
    }
}
