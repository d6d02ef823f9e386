//! The options of a layer about what carries its tickets: a cookie, or a header.

use std::sync::Arc;

use http::request;

use super::headers::is_taken_off;
use super::layer::SessionLayer;
use crate::cookie::{CookieError, CookieOptions, HeaderError, TicketHeader};

/// # Cookie or header
impl<E> SessionLayer<E> {
    /// Sets the cookie's name and attributes. Default: [`CookieOptions::default`], whose attributes
    /// are the strictest that work with links from other sites.
    ///
    /// It takes the place of the cookie before and of all its variants; call
    /// [`cookie_when`](Self::cookie_when) after it.
    ///
    /// ```
    /// use cloakroom::CookieOptions;
    ///
    /// # use cloakroom::{Key, SessionLayer, store::MemoryStore};
    /// # let layer = SessionLayer::new(MemoryStore::new(), Key::generate()?);
    /// let cookie = CookieOptions::builder().name("__Host-shop").build()?;
    /// assert!(layer.cookie(cookie).to_string().contains("__Host-shop"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias("with_name", "with_secure", "with_same_site", "with_http_only", "with_domain"))]
    #[doc(alias("with_path", "with_cookie_name", "cookie_name"))]
    pub fn cookie(mut self, cookie: CookieOptions) -> Self {
        self.config().set_cookie(cookie);
        self
    }

    /// Gives the cookies that answer some requests other attributes, such as `SameSite=None` for a login
    /// at another site, or a domain for some tenants. Default: every cookie has the attributes of
    /// [`cookie`](Self::cookie).
    ///
    /// Call it after `cookie`, once for each variant. Before the handler runs, the rules are asked in
    /// the order of these calls; the first that returns `true` decides, and where none does, the layer's
    /// own cookie is sent. The removal cookie of a logout has the attributes that its own request
    /// chooses. Where a layer of the same cookie name is [around this one](SessionLayer#responses),
    /// that one's rules decide.
    ///
    /// The variants differ in attributes alone: signatures hold for the name, so a session that was
    /// begun with one variant is read with any other. A cookie of a session in a store is sent when the
    /// session begins or gets a new id, so [renew](crate::Session::renew) a session whose cookie is to
    /// change.
    ///
    /// A form that another site posts back rarely needs a variant: see
    /// [`same_site`](crate::CookieOptionsBuilder::same_site). While a browser has a cookie with `SameSite=None`,
    /// forms of other sites act as the visitor. So [check a token](crate::Session::verify_csrf) in every form,
    /// and renew the session again after the return.
    ///
    /// **A browser keeps one cookie for each domain, path and partition.** Let the rule choose between
    /// those by the host alone. Otherwise one browser has two cookies of this name, and a logout removes the
    /// one whose attributes its request chooses. A session in a store is then over, and the
    /// cookie that stays leads nowhere. A session that [travels in cookies](crate::CookieSessions) stays
    /// in the other cookie, and goes on until it expires or is [revoked](crate::Revocations).
    ///
    /// # Errors
    ///
    /// [`CookieError::OtherName`] when the options have another name than the layer's cookie, and
    /// [`CookieError::NoCookie`] when the layer sends its tickets in a [header](Self::header).
    ///
    /// ```
    /// use cloakroom::{CookieError, CookieOptions, SameSite};
    ///
    /// # use cloakroom::{Key, SessionLayer, store::MemoryStore};
    /// # let layer = SessionLayer::new(MemoryStore::new(), Key::generate()?);
    /// // The handler renews the session, and the other site's form brings its cookie back.
    /// let embedded = CookieOptions::builder().same_site(SameSite::None).build()?;
    /// let layer = layer.cookie_when(embedded, |request| request.uri.path() == "/login/elsewhere")?;
    /// assert!(format!("{layer:?}").contains("cookie_variants: 1"));
    ///
    /// let other = CookieOptions::builder().name("other").build()?;
    /// assert_eq!(layer.cookie_when(other, |_| true).unwrap_err(), CookieError::OtherName);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    // A rule for each variant, and not one that returns an index into a list: an index can be wrong.
    #[doc(alias("same_site", "domain", "tenant", "dynamic_cookie"))]
    pub fn cookie_when(
        mut self,
        cookie: CookieOptions,
        rule: impl Fn(&request::Parts) -> bool + Send + Sync + 'static,
    ) -> Result<Self, CookieError> {
        let config = self.config();
        let own = config.settings().carrier.cookie().ok_or(CookieError::NoCookie)?;
        if cookie.name() != own.name() {
            return Err(CookieError::OtherName);
        }
        config.add_variant(cookie, Arc::new(rule));
        Ok(self)
    }

    /// Sends tickets in this header of requests and responses, instead of a cookie, for clients that keep no
    /// cookies: mobile apps, gRPC, agents. Default: a cookie.
    ///
    /// The client keeps the value of the header that a response carries, sends it with every request, and
    /// puts a later one in its place. **An empty value tells it to forget the ticket**: that is how a
    /// logout answers. A request whose header is empty or missing is a new visitor's. There are no
    /// attributes and no `Max-Age`; the server's timeouts end the session. Everything else is as with a
    /// cookie, `Cache-Control: no-store` beside a ticket included; `Vary` names this header.
    ///
    /// A script of another origin can read the header of a response only if the app lists it in
    /// `Access-Control-Expose-Headers`, and send it only if the app lists it in `Access-Control-Allow-Headers`.
    ///
    /// Signatures hold for the header's name, so a ticket from a cookie is worth nothing in a header, and
    /// the reverse. `header` takes the place of the [cookie](Self::cookie) and its variants, and a later
    /// `cookie` that of the header. For browsers and other clients side by side, give each set of routes a
    /// layer of its own, or nest two layers: they share a store, and each has its own sessions and
    /// [users](Self::users).
    ///
    /// # Security
    ///
    /// * Whoever has the header's value has the session. Send it over TLS only, and keep it out of
    ///   logs: the value in a response is marked sensitive, and `tower_http`'s
    ///   `SetSensitiveRequestHeadersLayer`, around the layer that logs, does so for requests.
    /// * Browsers do not send such a header by themselves, so other sites cannot forge requests with it
    ///   (CSRF). That holds as long as no cookie logs in to the same routes.
    /// * For pages in a browser use the cookie: scripts would have to keep the ticket, where one cross-site
    ///   scripting hole gives it away.
    ///
    /// # Errors
    ///
    /// [`HeaderError::Name`] for other characters than letters, digits and `-`, [`HeaderError::Taken`] for a
    /// name with a meaning of its own (`authorization`, `cookie`, `connection`, `grpc-…`, `…-bin`), and
    /// [`HeaderError::NeedsStore`] for sessions that [travel in cookies](crate::CookieSessions).
    ///
    /// ```
    /// use cloakroom::{CookieSessions, HeaderError, Key, SessionLayer, store::MemoryStore};
    ///
    /// let layer = SessionLayer::new(MemoryStore::new(), Key::generate()?).header("x-session")?;
    /// assert!(layer.to_string().starts_with("sessions in header x-session"));
    ///
    /// let in_cookies = SessionLayer::new(CookieSessions::signed(), Key::generate()?);
    /// assert_eq!(in_cookies.header("x-session").unwrap_err(), HeaderError::NeedsStore);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias("bearer", "metadata", "token", "mobile"))]
    pub fn header(mut self, name: &str) -> Result<Self, HeaderError> {
        let header = TicketHeader::new(name)?;
        if is_taken_off(header.name().as_str()) {
            return Err(HeaderError::Taken);
        }
        self.config().set_header(header)?;
        Ok(self)
    }
}
