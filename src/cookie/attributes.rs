//! What the cookie is called and how browsers are told to treat it.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use cookie::Cookie;
use http::HeaderValue;
use smallvec::SmallVec;

use super::ticket::TICKET_LEN;
use crate::error::SessionError;
use crate::error_chain::WithCauses;

/// The most bytes of name and value together that browsers keep (RFC 6265bis section 5.6).
pub(super) const MAX_COOKIE_BYTES: usize = 4096;
/// The longest Max-Age that browsers honour (RFC 6265bis section 5.5).
const MAX_AGE: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// When a browser sends the cookie along with requests that other sites cause.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum SameSite {
    /// Never, links included: a visitor who follows a link arrives logged out.
    Strict,
    /// With links, not with forms or scripts of other sites. The default.
    #[default]
    Lax,
    /// Always. Browsers demand `Secure` with it, and forgery of requests is then yours to stop.
    None,
}

/// The cookie's name and attributes, checked against the rules browsers enforce.
///
/// Live and removal cookies are made from the same options, so that a browser takes the one for
/// the other.
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
    name: Cow<'static, str>,
    /// `; HttpOnly; …`, rendered once: it follows every value.
    attributes: String,
}

impl Default for CookieOptions {
    fn default() -> Self {
        CookieOptionsBuilder::default().render()
    }
}

impl CookieOptions {
    /// Starts from the defaults: `__Host-id`, `Secure`, `HttpOnly`, `SameSite=Lax`, `Path=/`.
    pub fn builder() -> CookieOptionsBuilder {
        CookieOptionsBuilder::default()
    }

    /// The cookie's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `Set-Cookie` with this value.
    ///
    /// Without `max_age` the browser forgets it when it closes (ASVS and NIST ask for that); more
    /// than 400 days are sent as 400 days.
    pub(crate) fn live(
        &self,
        value: &str,
        max_age: Option<Duration>,
    ) -> Result<HeaderValue, SessionError> {
        let size = self.name.len() + value.len();
        if size > MAX_COOKIE_BYTES {
            return Err(SessionError::TooLarge { size, limit: MAX_COOKIE_BYTES });
        }
        Ok(self.header("", value, max_age))
    }

    /// `Set-Cookie` that makes the browser forget it.
    pub(crate) fn removal(&self) -> HeaderValue {
        self.header("", "", Some(Duration::ZERO))
    }

    /// `Set-Cookie` of a cookie whose name is ours with `suffix` at its end.
    pub(super) fn header(
        &self,
        suffix: &str,
        value: &str,
        max_age: Option<Duration>,
    ) -> HeaderValue {
        let max_age = max_age.map(|age| format!("; Max-Age={}", age.min(MAX_AGE).as_secs()));
        let max_age = max_age.as_deref().unwrap_or_default();
        let header = [&*self.name, suffix, "=", value, &*self.attributes, max_age].concat();
        #[expect(clippy::expect_used, reason = "`build` admits visible ASCII only")]
        let mut header =
            HeaderValue::try_from(header).expect("checked when the options were built");
        // Hides it in `Debug`, where layers that log headers would show it.
        header.set_sensitive(true);
        header
    }
}

/// The `Set-Cookie` headers of one response, nearly always a single one.
pub(crate) type SetCookies = SmallVec<[HeaderValue; 1]>;

/// Chooses [`CookieOptions`]; [`build`](Self::build) checks that they fit together.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use]
pub struct CookieOptionsBuilder {
    name: Cow<'static, str>,
    path: Cow<'static, str>,
    domain: Option<Cow<'static, str>>,
    secure: bool,
    http_only: bool,
    same_site: SameSite,
    partitioned: bool,
}

impl Default for CookieOptionsBuilder {
    fn default() -> Self {
        Self {
            name: Cow::Borrowed("__Host-id"),
            path: Cow::Borrowed("/"),
            domain: None,
            secure: true,
            http_only: true,
            same_site: SameSite::Lax,
            partitioned: false,
        }
    }
}

impl CookieOptionsBuilder {
    /// The name. Default `__Host-id`: the prefix makes browsers refuse the cookie from a
    /// neighbouring subdomain or over plain HTTP, and the rest does not tell what runs here (OWASP
    /// "Session ID Name Fingerprinting").
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.name = name.into();
        self
    }

    /// The path below which browsers send it. Default `/`, which `__Host-` demands.
    pub fn path(mut self, path: impl Into<Cow<'static, str>>) -> Self {
        self.path = path.into();
        self
    }

    /// Sends it to this domain and all its subdomains. Default none: only the host that set it.
    pub fn domain(mut self, domain: impl Into<Cow<'static, str>>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    /// See [`SameSite`]. Default `Lax`.
    pub fn same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = same_site;
        self
    }

    /// Keeps one cookie per top-level site when the app runs in other sites' frames (CHIPS).
    /// Default off.
    pub fn partitioned(mut self, partitioned: bool) -> Self {
        self.partitioned = partitioned;
        self
    }

    /// Lets scripts read the cookie: one cross-site scripting hole then gives every session away.
    /// Default off.
    pub fn insecure_script_access(mut self) -> Self {
        self.http_only = false;
        self
    }

    /// Drops `Secure`, for development hosts without TLS: anyone on the way can take the session.
    ///
    /// The name must lose its `__Host-` or `__Secure-` prefix too, so call [`name`](Self::name).
    /// Browsers treat `http://localhost` as secure, so it does not need this. Default off.
    pub fn insecure_plain_http(mut self) -> Self {
        self.secure = false;
        self
    }

    /// Checks the options.
    ///
    /// # Errors
    ///
    /// [`CookieError`], whose text says what to write instead.
    pub fn build(self) -> Result<CookieOptions, CookieError> {
        if self.name.is_empty() || !self.name.bytes().all(is_token_byte) {
            return Err(CookieError::Name);
        }
        if self.name.len() + TICKET_LEN > MAX_COOKIE_BYTES {
            return Err(CookieError::NameTooLong);
        }
        if !self.path.starts_with('/') || !is_attribute_value(&self.path) {
            return Err(CookieError::Path);
        }
        if self
            .domain
            .as_deref()
            .is_some_and(|domain| domain.is_empty() || !is_attribute_value(domain))
        {
            return Err(CookieError::Domain);
        }
        // Browsers compare prefixes without case, so `__host-` is held to the same rules.
        let name = self.name.to_ascii_lowercase();
        let host = name.starts_with("__host-");
        if (host || name.starts_with("__secure-")) && !self.secure {
            return Err(CookieError::PrefixNeedsSecure);
        }
        if host && (self.path != "/" || self.domain.is_some()) {
            return Err(CookieError::HostPrefix);
        }
        if self.same_site == SameSite::None && !self.secure {
            return Err(CookieError::SameSiteNoneNeedsSecure);
        }
        if self.partitioned && !self.secure {
            return Err(CookieError::PartitionedNeedsSecure);
        }
        Ok(self.render())
    }

    fn render(self) -> CookieOptions {
        let mut cookie = Cookie::build(("", ""))
            .path(self.path)
            .secure(self.secure)
            .http_only(self.http_only)
            .same_site(match self.same_site {
                SameSite::Strict => cookie::SameSite::Strict,
                SameSite::Lax => cookie::SameSite::Lax,
                SameSite::None => cookie::SameSite::None,
            })
            .partitioned(self.partitioned);
        if let Some(domain) = self.domain {
            cookie = cookie.domain(domain);
        }
        // Rendered as `=; HttpOnly; …`, because it has neither name nor value yet.
        let rendered = cookie.build().to_string();
        CookieOptions { name: self.name, attributes: rendered.trim_start_matches('=').to_owned() }
    }
}

/// RFC 9110 section 5.6.2.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// RFC 6265bis: no control characters, no `;`, at most 1024 bytes.
fn is_attribute_value(value: &str) -> bool {
    value.len() <= 1024 && value.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b';')
}

/// Cookie options that browsers would refuse; the text says what to write instead.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CookieError {
    /// Empty, or with characters that a cookie name cannot have.
    #[error("a cookie name is made of letters, digits and !#$%&'*+-.^_`|~ only: rename it")]
    Name,
    /// Name and ticket together would exceed 4096 bytes.
    #[error("the cookie's name and value may have 4096 bytes together: choose a shorter name")]
    NameTooLong,
    /// Not a path.
    #[error(
        "a cookie's path begins with `/` and has visible ASCII without `;`, at most 1024 bytes"
    )]
    Path,
    /// Not a domain.
    #[error("a cookie's domain has visible ASCII without `;`, 1 to 1024 bytes: give a host name")]
    Domain,
    /// A prefixed name without `Secure`.
    #[error(
        "names that begin with `__Host-` or `__Secure-` need Secure: drop `insecure_plain_http`, or rename the cookie, for example to `id`"
    )]
    PrefixNeedsSecure,
    /// `__Host-` with a path or a domain.
    #[error(
        "names that begin with `__Host-` need path `/` and no domain: drop `path` and `domain`, or use the prefix `__Secure-`"
    )]
    HostPrefix,
    /// `SameSite=None` without `Secure`.
    #[error("`SameSite::None` needs Secure: drop `insecure_plain_http`, or use `SameSite::Lax`")]
    SameSiteNoneNeedsSecure,
    /// `Partitioned` without `Secure`.
    #[error("`partitioned` needs Secure: drop `insecure_plain_http`, or `partitioned`")]
    PartitionedNeedsSecure,
}

impl fmt::Debug for CookieError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", WithCauses(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(options: &CookieOptions, age: Option<Duration>) -> String {
        options.live("VALUE", age).unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn r38_to_r42_the_defaults_are_the_safe_ones() {
        let header = live(&CookieOptions::default(), None);
        assert_eq!(header, "__Host-id=VALUE; HttpOnly; SameSite=Lax; Secure; Path=/");
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
    fn r46_a_cookie_of_4096_bytes_is_sent_and_of_4097_refused() {
        let options = CookieOptions::default();
        let room = 4096 - options.name().len();
        assert!(options.live(&"v".repeat(room), None).is_ok());
        let refused = options.live(&"v".repeat(room + 1), None).unwrap_err();
        assert!(matches!(refused, SessionError::TooLarge { size: 4097, limit: 4096 }));
    }

    #[test]
    fn r41_r43_what_browsers_refuse_is_refused_when_built() {
        let new = CookieOptions::builder;
        for (builder, error) in [
            (new().name(""), CookieError::Name),
            (new().name("a b"), CookieError::Name),
            (new().name("n".repeat(4096)), CookieError::NameTooLong),
            (new().path("shop"), CookieError::Path),
            (new().path("/;a"), CookieError::Path),
            (new().name("id").domain(""), CookieError::Domain),
            (new().name("id").domain("a\r\nb"), CookieError::Domain),
            (new().insecure_plain_http(), CookieError::PrefixNeedsSecure),
            (new().name("__secure-x").insecure_plain_http(), CookieError::PrefixNeedsSecure),
            (new().path("/shop"), CookieError::HostPrefix),
            (new().name("__HOST-x").domain("example.org"), CookieError::HostPrefix),
            (
                new().name("id").insecure_plain_http().same_site(SameSite::None),
                CookieError::SameSiteNoneNeedsSecure,
            ),
            (
                new().name("id").insecure_plain_http().partitioned(true),
                CookieError::PartitionedNeedsSecure,
            ),
        ] {
            assert_eq!(builder.build().unwrap_err(), error);
            assert_eq!(format!("{error:?}"), error.to_string());
        }
    }

    #[test]
    fn weaker_options_say_so_and_work() {
        let options =
            CookieOptions::builder().name("id").insecure_plain_http().insecure_script_access();
        assert_eq!(live(&options.build().unwrap(), None), "id=VALUE; SameSite=Lax; Path=/");
    }
}
