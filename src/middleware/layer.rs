//! The layer: options, and the service they make.

use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use tower_layer::Layer;

use super::config::{Config, OutagePolicy};
use super::service::SessionService;
use crate::clock::Clock;
use crate::cookie::CookieOptions;
use crate::keys::KeyRing;
use crate::session::{Backend, Settings};

/// Gives every request a session.
///
/// Put it around the routes that need one: with axum `Router::layer`, with anything else that takes
/// a tower layer as that does. Requests that do not use their session pay one small allocation.
///
/// The inner service's error type passes through, and its response body needs a `Default`, from
/// which error answers are made; map a body that has none into one that does (axum's, tonic's and
/// `http_body_util`'s `Empty`, `Full` and `Either` all do).
///
/// What a response carries: at most one `Set-Cookie` of ours; with it `Cache-Control: no-store` in
/// place of whatever the app had set; `Vary: Cookie` when the session was used, and then
/// `Cache-Control: private, no-cache` if the app set none.
///
/// ```
/// use cloakroom::{Key, SessionLayer, store::MemoryStore};
/// use std::time::Duration;
///
/// let layer = SessionLayer::new(MemoryStore::new(), Key::generate()?)
///     .idle_timeout(Duration::from_secs(15 * 60))
///     .absolute_lifetime(Duration::from_secs(8 * 60 * 60));
/// assert!(layer.to_string().contains("idle timeout 15m"));
/// # Ok::<(), cloakroom::KeyError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct SessionLayer(Config);

impl SessionLayer {
    /// Sessions kept in `backend` (a store, an `Arc` of one, or what [`connect`](crate::connect)
    /// gives), with tickets signed by `keys` (a [`Key`](crate::Key) or a [`KeyRing`]).
    pub fn new(backend: impl Into<Backend>, keys: impl Into<KeyRing>) -> Self {
        Self(Config::new(Settings::new(backend.into(), keys.into())))
    }

    /// The cookie's name and attributes. Default: [`CookieOptions::default`].
    pub fn cookie(self, cookie: CookieOptions) -> Self {
        self.set(|settings| settings.set_cookie(cookie))
    }

    /// How long a session lives without being used. Default 30 minutes: the upper end of what
    /// OWASP suggests for low-risk apps, and what NIST SP 800-63B asks at AAL2.
    ///
    /// Loading a session is using it. Sessions that exist keep the timeout they began with.
    pub fn idle_timeout(self, timeout: Duration) -> Self {
        self.set(|settings| settings.terms.idle_timeout = timeout)
    }

    /// How long a session lives at most, from its creation or last renewal. Default 12 hours, as in
    /// NIST SP 800-63B at AAL2.
    pub fn absolute_lifetime(self, lifetime: Duration) -> Self {
        self.set(|settings| settings.terms.absolute_lifetime = lifetime)
    }

    /// The part of the idle timeout, in percent, that passes before using a session moves its
    /// deadline. Default 10: a visitor who comes back within 27 of 30 minutes is never surprised,
    /// and at most one request in three minutes pays for a second store command. 0 moves it every
    /// time; over 100 counts as 100.
    pub fn slide_after_percent(self, percent: u32) -> Self {
        self.set(|settings| settings.terms.slide_after_percent = percent.min(100))
    }

    /// The longest that one store command may take. Default 2 seconds: long for every store here,
    /// short enough for a person.
    pub fn command_timeout(self, timeout: Duration) -> Self {
        self.set(|settings| settings.terms.command_timeout = timeout)
    }

    /// The longest that a whole commit or logout may take, conflicts and lost answers included.
    /// Default 5 seconds: two operations that time out, and a little. More than 30 seconds count
    /// as 30: the mark that a logout leaves must outlive every commit.
    pub fn commit_timeout(self, timeout: Duration) -> Self {
        self.set(|settings| settings.terms.commit_timeout = timeout.min(Duration::from_secs(30)))
    }

    /// What a request is told when the store cannot be read. Default: every one
    /// [fails closed](OutagePolicy::FailClosed).
    ///
    /// ```
    /// use cloakroom::{Key, OutagePolicy, SessionLayer, store::MemoryStore};
    ///
    /// let layer = SessionLayer::new(MemoryStore::new(), Key::generate()?).on_outage(|request| {
    ///     if request.uri.path().starts_with("/catalogue") {
    ///         OutagePolicy::Anonymous
    ///     } else {
    ///         OutagePolicy::FailClosed
    ///     }
    /// });
    /// # let _ = layer;
    /// # Ok::<(), cloakroom::KeyError>(())
    /// ```
    pub fn on_outage(
        mut self,
        policy: impl Fn(&Parts) -> OutagePolicy + Send + Sync + 'static,
    ) -> Self {
        self.0.outage = Some(Arc::new(policy));
        self
    }

    /// Where the time is read. Default: the system's clock.
    pub fn clock(self, clock: impl Into<Clock>) -> Self {
        self.set(|settings| settings.terms.clock = clock.into())
    }

    /// Where random bytes come from, for the simulation.
    #[cfg(test)]
    pub(crate) fn entropy(self, entropy: crate::entropy::Entropy) -> Self {
        self.set(|settings| settings.terms.entropy = entropy)
    }

    fn set(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(Arc::make_mut(&mut self.0.settings));
        self
    }
}

impl<S> Layer<S> for SessionLayer {
    type Service = SessionService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        SessionService::new(inner, self.0.clone())
    }
}

impl std::fmt::Display for SessionLayer {
    /// The timeouts and the cookie that are in force, for the security record (ASVS 7.1.1).
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let settings = &self.0.settings;
        write!(
            f,
            "sessions in cookie {}: idle timeout {}, absolute lifetime {}",
            settings.cookie.name(),
            Span(settings.terms.idle_timeout),
            Span(settings.terms.absolute_lifetime),
        )
    }
}

struct Span(Duration);

impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.as_secs() {
            seconds if seconds % 3600 == 0 => write!(f, "{}h", seconds / 3600),
            seconds if seconds % 60 == 0 => write!(f, "{}m", seconds / 60),
            seconds => write!(f, "{seconds}s"),
        }
    }
}
