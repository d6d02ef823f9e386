//! Pairs of timeouts that published rules ask for.

use std::time::Duration;

use super::layer::SessionLayer;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// An idle timeout and an absolute lifetime that belong together;
/// [`SessionLayer::timeouts`] sets both.
///
/// A source that gives a range is followed to its upper end, but for the lifetime of
/// [`OWASP_HIGH_VALUE`](Self::OWASP_HIGH_VALUE). An assurance level of NIST asks for more than timeouts.
///
/// ```
/// use cloakroom::Timeouts;
/// use std::time::Duration;
///
/// assert_eq!(Timeouts::NIST_AAL3.idle(), Duration::from_secs(15 * 60));
/// assert_eq!(Timeouts::NIST_AAL3.absolute(), Duration::from_secs(12 * 60 * 60));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Timeouts {
    idle: Duration,
    absolute: Duration,
}

impl Timeouts {
    /// 5 minutes and 4 hours: the OWASP Session Management Cheat Sheet asks for 2 to 5 minutes where much is at
    /// stake, and for 4 to 8 hours in all.
    pub const OWASP_HIGH_VALUE: Self = Self::new(MINUTE.saturating_mul(5), HOUR.saturating_mul(4));

    /// 30 minutes and 8 hours: the same page asks for 15 to 30 minutes where little is at stake, and for 4 to 8
    /// hours in all.
    pub const OWASP_LOW_RISK: Self = Self::new(MINUTE.saturating_mul(30), HOUR.saturating_mul(8));

    /// 30 days without an idle timeout: NIST SP 800-63B, AAL1.
    ///
    /// The cookie ends with the browser all the same, unless it is
    /// [persistent](crate::CookieOptionsBuilder::persistent).
    pub const NIST_AAL1: Self = Self::new(DAY.saturating_mul(30), DAY.saturating_mul(30));

    /// 30 minutes and 12 hours: NIST SP 800-63B, AAL2, and the default of a [`SessionLayer`]. Revision 4, in its
    /// final form, recommends at most one hour and 24 hours.
    pub const NIST_AAL2: Self = Self::new(MINUTE.saturating_mul(30), HOUR.saturating_mul(12));

    /// 15 minutes and 12 hours: NIST SP 800-63B, AAL3.
    pub const NIST_AAL3: Self = Self::new(MINUTE.saturating_mul(15), HOUR.saturating_mul(12));

    /// Creates a pair of the app's own.
    ///
    /// ```
    /// use cloakroom::Timeouts;
    /// use std::time::Duration;
    ///
    /// const KIOSK: Timeouts = Timeouts::new(Duration::from_secs(60), Duration::from_secs(600));
    /// assert_eq!(KIOSK.idle(), Duration::from_secs(60));
    /// ```
    pub const fn new(idle: Duration, absolute: Duration) -> Self {
        Self { idle, absolute }
    }

    /// Returns how long a session lives without being used.
    ///
    /// ```
    /// assert_eq!(cloakroom::Timeouts::OWASP_HIGH_VALUE.idle().as_secs(), 300);
    /// ```
    pub const fn idle(self) -> Duration {
        self.idle
    }

    /// Returns how long a session lives at most.
    ///
    /// ```
    /// assert_eq!(cloakroom::Timeouts::OWASP_HIGH_VALUE.absolute().as_secs(), 4 * 60 * 60);
    /// ```
    pub const fn absolute(self) -> Duration {
        self.absolute
    }
}

/// # Timeouts
impl<E> SessionLayer<E> {
    /// Sets the [idle timeout](Self::idle_timeout) and the [absolute lifetime](Self::absolute_lifetime) together.
    /// Default: those of [`Timeouts::NIST_AAL2`].
    ///
    /// It is the same as to call both, so a later call of either takes the place of its half. An
    /// [`anonymous_idle_timeout`](Self::anonymous_idle_timeout) stays, and so do the timeouts of "remembered" sessions.
    ///
    /// ```
    /// use cloakroom::Timeouts;
    ///
    /// # use cloakroom::{Key, SessionLayer, store::MemoryStore};
    /// # let layer = SessionLayer::new(MemoryStore::new(), Key::generate()?);
    /// let layer = layer.timeouts(Timeouts::OWASP_HIGH_VALUE);
    /// assert!(layer.to_string().ends_with("idle timeout 5m, absolute lifetime 4h"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias("preset", "aal"))]
    pub fn timeouts(self, timeouts: Timeouts) -> Self {
        self.idle_timeout(timeouts.idle).absolute_lifetime(timeouts.absolute)
    }

    /// Renews the ticket of a session whenever it has become this old: the cookie gets another value, and the one before
    /// ends. Default: never, because a [login](crate::Session::log_in) and a [renew](crate::Session::renew) give new ids
    /// already, and the absolute lifetime ends what was stolen. Less than a minute counts as a minute.
    ///
    /// It ends a copied cookie that is not used around the time of a renewal (the renewal timeout of the OWASP Session
    /// Management Cheat Sheet). Whoever has the copy can have it renewed, too; then the owner's is
    /// [outdated](crate::events::Refusal::Outdated), the [observers](crate::Observer) are told, and the owner's next login
    /// ends the session of the copy. A copy that is used as often as the original, within the overlap of each renewal,
    /// goes on beside it and is not noticed.
    ///
    /// **Overlap.** The old ticket stays good until a request has brought the new one, and for a minute from then on, for
    /// requests that were on their way. Every response to the old ticket brings the new one again. So several tabs go on
    /// working, an answer that is lost costs nothing, and a copy lives on while the browser is closed, until the
    /// timeouts end the session. The clocks of the servers may differ by less than that minute.
    ///
    /// **An outdated ticket** leads to no session. A slow request that brings one shortly after its end is refused when it
    /// writes ([`Gone`](crate::SessionError::Gone)), so that no anonymous cookie takes the place of the new ticket. A login
    /// or a logout with it ends the session.
    ///
    /// **What stays.** The session is where it was: its data, its [`created_at`](crate::Session::created_at) and the end
    /// of its absolute lifetime, so no ticket is ever renewed past that. A logout, also from an old ticket, ends all of
    /// the session's tickets, and so does a login or `renew`, without any overlap. Handles that are open stay open.
    ///
    /// **Who.** Sessions in a store that somebody is logged in to. A response that brings a renewed ticket and overtakes
    /// that of a `renew` or another login in the same browser puts the old id's cookie over the new one, and the user has
    /// to log in again: visitors who are about to log in for the first time are spared that. Sessions in cookies get a new
    /// cookie with every change anyway.
    ///
    /// It costs two writes in such a time, at the end of requests, and a load for each further request that still brings
    /// the old ticket. If one fails, the request succeeds and the next one tries again. Renewed tickets, and the records of
    /// their sessions, have a format that earlier releases do not read: first update every server, then switch it on.
    /// Servers without it accept renewed tickets, so it can be switched off again. A renewed ticket is signed by the key of
    /// the one before: a key that is retired from the ring ends it, too.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # use cloakroom::{Key, SessionLayer, store::MemoryStore};
    /// # let layer = SessionLayer::new(MemoryStore::new(), Key::generate()?);
    /// let layer = layer.renew_every(Duration::from_secs(15 * 60));
    /// assert!(layer.to_string().ends_with("tickets renewed every 15m"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias("rotate", "renewal_timeout", "regenerate", "rolling"))]
    pub fn renew_every(self, age: Duration) -> Self {
        self.set(|settings| settings.terms.renew_every = Some(age.max(MINUTE)))
    }
}
