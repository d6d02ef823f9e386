//! The cookie's name and attributes, and the `Set-Cookie` headers made from them.

use std::borrow::Cow;
use std::time::Duration;

use http::HeaderValue;
use smallvec::SmallVec;

use crate::error::SessionError;

/// The most bytes of name and value together that browsers keep (RFC 6265bis section 5.6).
pub(crate) const MAX_COOKIE_BYTES: usize = 4096;
/// The longest Max-Age that browsers honour (RFC 6265bis section 5.5).
const MAX_AGE: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// When a browser sends the cookie with requests that other sites cause.
///
/// ```
/// use cloakroom::{CookieOptions, SameSite};
///
/// assert_eq!(SameSite::default(), SameSite::Lax);
/// let options = CookieOptions::builder().same_site(SameSite::None).build()?;
/// # let _ = options;
/// let plain = CookieOptions::builder().name("id").insecure_plain_http();
/// assert!(plain.same_site(SameSite::None).build().is_err()); // browsers demand `Secure` with it
/// # Ok::<(), cloakroom::CookieError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum SameSite {
    /// Never, not even when somebody follows a link: the visitor then seems to be logged out.
    Strict,
    /// When somebody follows a link, but not with forms or scripts of other sites. The default.
    #[default]
    Lax,
    /// Always. Browsers demand `Secure` with it, and the app itself must stop forged requests.
    None,
}

/// The cookie's name and attributes, checked against the rules that browsers enforce.
///
/// The cookie that brings a ticket and the one that removes it are made from the same options:
/// a browser removes a cookie only if name, path and domain are the same.
///
/// ```
/// use cloakroom::{CookieOptions, SameSite};
///
/// let options = CookieOptions::builder().name("__Host-shop").same_site(SameSite::Strict).build()?;
/// assert_eq!(options.name(), "__Host-shop");
/// assert!(CookieOptions::builder().domain("example.org").build().is_err()); // `__Host-` forbids it
/// # Ok::<(), cloakroom::CookieError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CookieOptions {
    pub(super) name: Cow<'static, str>,
    /// `; HttpOnly; …`, rendered once: it follows every value.
    pub(super) attributes: String,
    /// The cookie outlives the browser, as long as its session may.
    pub(super) persistent: bool,
}

impl CookieOptions {
    /// Returns the cookie's name.
    ///
    /// ```
    /// use cloakroom::CookieOptions;
    ///
    /// assert_eq!(CookieOptions::default().name(), "__Host-id");
    /// ```
    #[doc(alias = "cookie_name")]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn is_secure(&self) -> bool {
        self.attributes.contains("; Secure")
    }

    /// Returns the Max-Age for a session with this much `left` of its absolute lifetime. Without one the
    /// browser forgets the cookie when it closes (ASVS and NIST ask for that).
    pub(crate) fn max_age(&self, remembered: bool, left: Duration) -> Option<Duration> {
        (remembered || self.persistent).then_some(left)
    }

    /// Renders the `Set-Cookie` header with this value. More than 400 days are sent as 400 days.
    pub(crate) fn live(
        &self,
        value: &str,
        max_age: Option<Duration>,
    ) -> Result<HeaderValue, SessionError> {
        let size = self.name.len() + value.len();
        // Browsers drop a larger cookie without a word. Sent with a warning in the log, it would turn a
        // success into a lost session.
        if size > MAX_COOKIE_BYTES {
            return Err(SessionError::TooLarge { size, limit: MAX_COOKIE_BYTES });
        }
        Ok(self.header("", value, max_age))
    }

    /// Renders the `Set-Cookie` header that makes the browser forget the cookie.
    pub(crate) fn removal(&self) -> HeaderValue {
        self.header("", "", Some(Duration::ZERO))
    }

    /// Renders the `Set-Cookie` header of a cookie whose name is ours with `suffix` at its end.
    pub(super) fn header(
        &self,
        suffix: &str,
        value: &str,
        max_age: Option<Duration>,
    ) -> HeaderValue {
        // No `Expires` beside it: all browsers follow Max-Age, and `Expires` goes by the visitor's clock.
        // Rounded up, because zero seconds would remove the cookie.
        let seconds = |age: Duration| age.as_secs() + u64::from(age.subsec_nanos() > 0);
        let max_age = max_age.map(|age| format!("; Max-Age={}", seconds(age.min(MAX_AGE))));
        let max_age = max_age.as_deref().unwrap_or_default();
        // Not by the `cookie` crate: it would render all attributes again for every response.
        let header = [&*self.name, suffix, "=", value, &*self.attributes, max_age].concat();
        #[expect(clippy::expect_used, reason = "`build` admits visible ASCII only")]
        let mut header =
            HeaderValue::try_from(header).expect("checked when the options were built");
        // Layers that log headers then print `Sensitive` in place of the ticket.
        header.set_sensitive(true);
        header
    }
}

/// The `Set-Cookie` headers of one response, nearly always a single one.
pub(crate) type SetCookies = SmallVec<[HeaderValue; 1]>;

#[cfg(test)]
mod tests {
    use super::*;

    fn live(options: &CookieOptions, age: Option<Duration>) -> String {
        options.live("VALUE", age).unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn r25_the_removal_has_the_attributes_of_the_live_cookie() {
        let options = CookieOptions::builder()
            .name("__Secure-s")
            .domain("example.org")
            .path("/shop")
            .partitioned(true)
            .build()
            .unwrap();
        let removal = options.removal().to_str().unwrap().to_owned();
        let with_age = live(&options, Some(Duration::ZERO)).replace("VALUE", "");
        assert_eq!(removal, with_age);
        assert!(removal.starts_with("__Secure-s=; ") && removal.contains("Domain=example.org"));
        assert!(removal.contains("Max-Age=0") && removal.contains("Partitioned"));
    }

    #[test]
    fn r47_max_age_is_capped_at_400_days() {
        let header = live(&CookieOptions::default(), Some(Duration::MAX));
        assert!(header.contains("Max-Age=34560000"), "{header}");
    }

    #[test]
    fn a_fraction_of_a_second_makes_a_max_age_longer_and_never_zero() {
        for (millis, seconds) in [(1, 1), (999, 1), (1_000, 1), (1_001, 2), (59_500, 60)] {
            let header = live(&CookieOptions::default(), Some(Duration::from_millis(millis)));
            assert!(header.ends_with(&format!("; Max-Age={seconds}")), "{millis} ms: {header}");
        }
    }

    #[test]
    fn only_persistent_and_remembered_cookies_have_a_max_age() {
        let left = Duration::from_secs(60);
        let persistent = CookieOptions::builder().persistent().build().unwrap();
        for (options, remembered, expected) in [
            (&CookieOptions::default(), false, None),
            (&CookieOptions::default(), true, Some(left)),
            (&persistent, false, Some(left)),
            (&persistent, true, Some(left)),
        ] {
            assert_eq!(options.max_age(remembered, left), expected, "{options:?} {remembered}");
        }
    }

    #[test]
    fn a_cookie_is_secure_unless_plain_http_was_asked_for() {
        assert!(CookieOptions::default().is_secure());
        let plain = CookieOptions::builder().name("Secure").path("/Secure").insecure_plain_http();
        assert!(!plain.build().unwrap().is_secure());
    }

    #[test]
    fn r46_a_cookie_of_4096_bytes_is_sent_and_of_4097_refused() {
        let options = CookieOptions::default();
        let room = 4096 - options.name().len();
        assert!(options.live(&"v".repeat(room), None).is_ok());
        let refused = options.live(&"v".repeat(room + 1), None).unwrap_err();
        assert!(matches!(refused, SessionError::TooLarge { size: 4097, limit: 4096 }));
    }
}
