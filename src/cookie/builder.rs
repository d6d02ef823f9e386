//! Choosing the cookie's name and attributes, and checking them against what browsers accept.

use std::borrow::Cow;

use cookie::Cookie;

use super::attributes::{CookieOptions, MAX_COOKIE_BYTES, SameSite};
use super::error::CookieError;
use super::rules::{Prefix, check_name, check_path, normal_domain};
use super::ticket::TICKET_LEN;

/// Collects [`CookieOptions`]; [`build`](Self::build) checks that they fit together.
///
/// ```
/// use cloakroom::CookieOptions;
///
/// let shop = CookieOptions::builder().name("__Secure-shop").path("/shop").build()?;
/// assert_eq!(shop.name(), "__Secure-shop");
/// # Ok::<(), cloakroom::CookieError>(())
/// ```
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
    persistent: bool,
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
            persistent: false,
        }
    }
}

impl CookieOptions {
    /// Starts from the defaults: `__Host-id`, `Secure`, `HttpOnly`, `SameSite=Lax`, `Path=/`.
    ///
    /// ```
    /// use cloakroom::CookieOptions;
    ///
    /// assert_eq!(CookieOptions::builder().build()?, CookieOptions::default());
    /// # Ok::<(), cloakroom::CookieError>(())
    /// ```
    pub fn builder() -> CookieOptionsBuilder {
        CookieOptionsBuilder::default()
    }
}

impl Default for CookieOptions {
    fn default() -> Self {
        CookieOptionsBuilder::default().render()
    }
}

impl CookieOptionsBuilder {
    /// Sets the cookie's name, of letters, digits and ``!#$%&'*+-.^_`|~``.
    ///
    /// The default is `__Host-id`. Browsers accept a name with the prefix `__Host-` only from this
    /// host and over TLS, so neither a neighbouring subdomain nor an attacker on the network can
    /// plant a session. `__Host-Http-` demands `HttpOnly` too, so in browsers that know it (Chromium)
    /// scripts cannot plant one either. `id` does not tell which software runs here (OWASP "Session ID Name
    /// Fingerprinting").
    ///
    /// Browsers tell cookies apart by host, and not by port. So two apps in development, on
    /// `localhost:3000` and `localhost:4000`, overwrite each other's cookie, and every login in one is a
    /// logout in the other: give them different names. Apps that share a secret should also
    /// [derive](crate::Key::derived_for) a key each.
    ///
    /// ```
    /// use cloakroom::CookieOptions;
    ///
    /// assert_eq!(CookieOptions::builder().name("__Host-shop").build()?.name(), "__Host-shop");
    /// assert!(CookieOptions::builder().name("my cookie").build().is_err());
    /// # Ok::<(), cloakroom::CookieError>(())
    /// ```
    #[doc(alias = "with_name")]
    #[doc(alias = "cookie_name")]
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets the path below which browsers send the cookie.
    ///
    /// The default is `/`, which the prefix `__Host-` demands. Write it as browsers send it: what a URL
    /// escapes is escaped here too, and a path that no URL can have is refused. A path keeps nothing secret: scripts of
    /// other paths of the same host can still read what this one answers.
    ///
    /// A cookie for `/shop` is sent to `/shop` and to all that is below it. One for `/shop/`, with a slash at
    /// the end, is not sent to `/shop` itself (RFC 6265 section 5.1.4).
    ///
    /// ```
    /// use cloakroom::CookieOptions;
    ///
    /// assert!(CookieOptions::builder().name("__Secure-id").path("/shop").build().is_ok());
    /// assert!(CookieOptions::builder().path("/shop").build().is_err()); // still `__Host-id`
    /// ```
    #[doc(alias = "with_path")]
    #[doc(alias = "cookie_path")]
    pub fn path(mut self, path: impl Into<Cow<'static, str>>) -> Self {
        self.path = path.into();
        self
    }

    /// Lets browsers send the cookie to this domain and all its subdomains.
    ///
    /// By default the cookie has no domain, and goes only to the host that set it. With a domain,
    /// every subdomain sees the ticket and can set one. A dot at the beginning and upper case change
    /// nothing; a scheme, a port, `*.`, blanks and IP addresses are refused. Names outside of ASCII are
    /// written in their `xn--` form. Browsers drop a cookie whose domain is not the host that sets it or
    /// a parent of it, or is one under which anybody can register (`co.uk`); no server can check that.
    ///
    /// ```
    /// use cloakroom::CookieOptions;
    ///
    /// let shared = CookieOptions::builder().name("__Secure-id").domain("example.org");
    /// assert!(shared.build().is_ok());
    /// assert!(CookieOptions::builder().domain("example.org").build().is_err()); // `__Host-id`
    /// ```
    #[doc(alias = "with_domain")]
    #[doc(alias = "cookie_domain")]
    pub fn domain(mut self, domain: impl Into<Cow<'static, str>>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    /// Sets when browsers send the cookie with requests that other sites cause.
    ///
    /// The default is [`SameSite::Lax`]: with `Strict`, whoever follows a link to the app arrives
    /// logged out; with `None`, a form on another site acts as the visitor.
    ///
    /// A `POST` that another site causes, such as the return from a payment or from a login (SAML, OpenID
    /// Connect with `form_post`), comes without a `Lax` or `Strict` cookie. A handler that stores something
    /// there begins a new session, whose cookie replaces that of the visitor who is logged in. So store
    /// nothing there, and redirect with 303 to a `GET`, which brings a `Lax` cookie if it is not in a frame;
    /// for `Strict`, answer 200 with a page that opens the next one by itself. If the `POST` needs the
    /// session, see [`cookie_when`](crate::SessionLayer::cookie_when).
    ///
    /// ```
    /// use cloakroom::{CookieOptions, SameSite};
    ///
    /// let strict = CookieOptions::builder().same_site(SameSite::Strict).build()?;
    /// assert_ne!(strict, CookieOptions::default());
    /// # Ok::<(), cloakroom::CookieError>(())
    /// ```
    #[doc(alias = "with_same_site")]
    #[doc(alias = "cookie_same_site")]
    pub fn same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = same_site;
        self
    }

    /// Makes browsers keep one cookie for each top-level site, for an app that is embedded in frames
    /// of other sites (`Partitioned`, also called CHIPS). Use it with [`SameSite::None`].
    ///
    /// The default is `false`: most apps are not embedded, and some browsers do not know it yet.
    ///
    /// ```
    /// use cloakroom::{CookieOptions, SameSite};
    ///
    /// let embedded = CookieOptions::builder().same_site(SameSite::None).partitioned(true);
    /// assert!(embedded.build().is_ok());
    /// ```
    #[doc(alias = "with_partitioned")]
    #[doc(alias = "CHIPS")]
    pub fn partitioned(mut self, partitioned: bool) -> Self {
        self.partitioned = partitioned;
        self
    }

    /// Makes the cookie outlive the browser, so that a cart is still there on the next day.
    ///
    /// The cookie carries, as `Max-Age`, what is left of the session's
    /// [absolute lifetime](crate::SessionLayer::absolute_lifetime) when the cookie is sent, at most 400
    /// days. A session in a store sends its cookie once for each id, with the whole lifetime; one that
    /// [travels in cookies](crate::CookieSessions) sends what is left with every change. A cookie that
    /// a browser already has follows at the next of these.
    ///
    /// The server still ends the session by its timeouts: raise the
    /// [idle timeout](crate::SessionLayer::idle_timeout), 30 minutes by default, as well. A session
    /// that [`remember`](crate::Session::remember) was called on keeps the lifetime that it was given,
    /// and a logout removes the cookie as always.
    ///
    /// By default the cookie goes when the browser closes. **On a computer that several people use, a
    /// persistent cookie hands the session on to the next one**: OWASP's cheat sheet on session
    /// management says that sessions should use cookies that are not persistent. Where users log in, leave
    /// this off and call `remember` for those who ask for it.
    ///
    /// ```
    /// use cloakroom::{CookieOptions, Key, SessionLayer, store::MemoryStore};
    /// use std::time::Duration;
    ///
    /// const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    /// let cookie = CookieOptions::builder().persistent().build()?;
    /// assert_ne!(cookie, CookieOptions::default());
    /// let layer = SessionLayer::new(MemoryStore::new(), Key::generate()?)
    ///     .cookie(cookie)
    ///     .idle_timeout(7 * DAY)
    ///     .absolute_lifetime(30 * DAY);
    /// # let _ = layer;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    // No argument: a Max-Age of its own could end before the session, or outlive it for nothing.
    #[doc(alias("max_age", "permanent", "with_expiry", "PersistentSession"))]
    pub fn persistent(mut self) -> Self {
        self.persistent = true;
        self
    }

    /// Drops `HttpOnly`, so that scripts can read the cookie: one cross-site scripting hole then
    /// gives away the session of every visitor who meets it.
    ///
    /// By default the cookie is `HttpOnly`, because scripts of the app have no use for a ticket.
    ///
    /// ```
    /// use cloakroom::CookieOptions;
    ///
    /// let readable = CookieOptions::builder().insecure_script_access().build()?;
    /// assert_ne!(readable, CookieOptions::default());
    /// # Ok::<(), cloakroom::CookieError>(())
    /// ```
    // Not `http_only(false)`: a reviewer who searches for `insecure` has to find it.
    #[doc(alias = "with_http_only")]
    #[doc(alias = "http_only")]
    #[doc(alias = "cookie_http_only")]
    pub fn insecure_script_access(mut self) -> Self {
        self.http_only = false;
        self
    }

    /// Drops `Secure`, for development hosts without TLS: anyone on the network between can take the
    /// session.
    ///
    /// The name must lose its `__Host-` or `__Secure-` prefix too, so call [`name`](Self::name).
    /// Chrome and Firefox keep `Secure` cookies of `http://localhost`, so they do not need this there.
    /// Safari drops such cookies: it needs this, or TLS. By default the cookie is `Secure`.
    ///
    /// ```
    /// use cloakroom::CookieOptions;
    ///
    /// assert!(CookieOptions::builder().name("id").insecure_plain_http().build().is_ok());
    /// assert!(CookieOptions::builder().insecure_plain_http().build().is_err()); // `__Host-id`
    /// ```
    #[doc(alias = "with_secure")]
    #[doc(alias = "secure")]
    #[doc(alias = "cookie_secure")]
    pub fn insecure_plain_http(mut self) -> Self {
        self.secure = false;
        self
    }

    /// Checks the options against each other and returns them.
    ///
    /// # Errors
    ///
    /// [`CookieError`] for options that browsers refuse, most of them silently. Its text says what to
    /// write instead.
    ///
    /// ```
    /// use cloakroom::{CookieError, CookieOptions};
    ///
    /// let refused = CookieOptions::builder().path("/shop").build();
    /// assert_eq!(refused, Err(CookieError::HostPrefix));
    /// ```
    pub fn build(mut self) -> Result<CookieOptions, CookieError> {
        check_name(&self.name)?;
        if self.name.len() + TICKET_LEN > MAX_COOKIE_BYTES {
            return Err(CookieError::NameTooLong);
        }
        check_path(&self.path)?;
        let domain = self.domain.as_deref().map(normal_domain).transpose()?;
        self.domain = domain.map(Cow::Owned);
        let prefix = Prefix::of(&self.name);
        if prefix.secure && !self.secure {
            return Err(CookieError::PrefixNeedsSecure);
        }
        if prefix.http_only && !self.http_only {
            return Err(CookieError::PrefixNeedsHttpOnly);
        }
        if prefix.host && (self.path != "/" || self.domain.is_some()) {
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

    /// Renders the attributes once, because they follow every value.
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
        let attributes = rendered.trim_start_matches('=').to_owned();
        CookieOptions { name: self.name, attributes, persistent: self.persistent }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(options: &CookieOptions) -> String {
        options.live("VALUE", None).unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn r38_to_r42_the_defaults_are_the_safe_ones() {
        let header = live(&CookieOptions::default());
        assert_eq!(header, "__Host-id=VALUE; HttpOnly; SameSite=Lax; Secure; Path=/");
    }

    #[test]
    fn r41_r43_r44_what_browsers_refuse_is_refused_when_built() {
        let new = CookieOptions::builder;
        for (builder, error) in [
            (new().name(""), CookieError::Name),
            (new().name("a b"), CookieError::Name),
            (new().name("n".repeat(4096)), CookieError::NameTooLong),
            (new().path("shop"), CookieError::Path),
            (new().path("/;a"), CookieError::Path),
            (new().name("id").domain(""), CookieError::Domain),
            (new().name("id").domain("https://example.org"), CookieError::Domain),
            (new().name("id").domain("127.0.0.1"), CookieError::DomainIsAddress),
            (new().insecure_plain_http(), CookieError::PrefixNeedsSecure),
            (new().name("__secure-x").insecure_plain_http(), CookieError::PrefixNeedsSecure),
            (new().name("__Http-x").insecure_plain_http(), CookieError::PrefixNeedsSecure),
            (new().name("__http-x").insecure_script_access(), CookieError::PrefixNeedsHttpOnly),
            (
                new().name("__HOST-HTTP-x").insecure_script_access(),
                CookieError::PrefixNeedsHttpOnly,
            ),
            (new().name("__Host-Http-x").path("/shop"), CookieError::HostPrefix),
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
    fn a_name_may_be_as_long_as_a_ticket_leaves_room_for() {
        let named = |len| CookieOptions::builder().name("n".repeat(len)).build().map(drop);
        assert_eq!(named(4096 - 84), Ok(()));
        assert_eq!(named(4096 - 83), Err(CookieError::NameTooLong));
    }

    #[test]
    fn a_domain_is_sent_as_browsers_compare_it() {
        let options = CookieOptions::builder().name("id").domain(".Example.org").build().unwrap();
        assert!(live(&options).contains("; Domain=example.org"), "{}", live(&options));
        let same = CookieOptions::builder().name("id").domain("example.org").build();
        assert_eq!(same.unwrap(), options);
    }

    #[test]
    fn weaker_options_say_so_and_work() {
        let options =
            CookieOptions::builder().name("id").insecure_plain_http().insecure_script_access();
        assert_eq!(live(&options.build().unwrap()), "id=VALUE; SameSite=Lax; Path=/");
    }
}
