//! The layer: options, and the service they make.

use std::sync::Arc;
use std::time::Duration;

use tower_layer::Layer;

use super::config::Config;
use super::error_answer::EmptyBody;
use super::service::SessionService;
use crate::clock::Clock;
use crate::keys::KeyRing;
use crate::observer::Observer;
use crate::session::{Backend, LEAST_TIME, Revocations, Roster, Settings, Terms, Users};

/// Gives every request a session.
///
/// Put it around the routes that need one, with `Router::layer` in axum or with `tower::Layer`
/// anywhere else. Requests that do not use their session pay one small allocation.
///
/// # Order of layers
///
/// * **Inside of it** goes whatever uses the session: the handlers, and layers that check a login.
/// * **Outside of it** goes whatever has to see the final response: tracing, error pages, and
///   compression. The answer of a failed commit is made here, so a layer inside never sees it.
/// * **Outside of it** goes a time-out too. When it drops the request while the handler runs, nothing
///   is stored. When it drops the request during the commit, the commit still runs to its end.
/// * **Outside of it** goes a layer that retries: each attempt then loads the session anew. Inside, all
///   attempts share one handle. When one succeeds, the changes of the failed ones are stored with its
///   own, and a load that failed is not repeated. Retry only what may be done twice: after a 503 the
///   changes may be stored.
///
/// With `Router::layer`, the layer that is added last is the outermost, and routes that are added
/// after it have no session. In a `tower::ServiceBuilder`, the first layer is the outermost.
///
/// # Responses
///
/// The inner service's error type passes through. Its response body needs a `Default`, from which
/// error responses are made; map a body that has none into one that does (axum's, tonic's and
/// `http_body_util`'s `Empty`, `Full` and `Either` all do).
///
/// Layers with different cookie names, or one with a cookie and one with a [header](Self::header), can be
/// nested; see [`LazySession::named`](crate::LazySession::named). A layer within one of
/// its own cookie name, as around a mounted router, does nothing: it hands the outer layer's session
/// on, and the outer layer commits it by its own options. A request that is made of the extensions of an
/// earlier one, as for the messages of a websocket, is within that one's layer until that one's response
/// has left. After that the layer begins a session of its own for it, from the request's own headers.
///
/// A response carries at most one `Set-Cookie` of ours (a session that
/// [travels in cookies](crate::CookieSessions) may need one for each of its pieces). With it,
/// `Cache-Control: no-store` takes the place of whatever the app had set, and headers that some caches
/// obey instead (`Expires`, `CDN-Cache-Control`, `Surrogate-Control`) are removed. When the session
/// was used, the response gets `Vary: Cookie`,
/// and `Cache-Control: private, no-cache` if the app set no `Cache-Control`.
///
/// When a commit fails, an error takes the place of the handler's response. It keeps the headers that
/// do not describe that response: other cookies, CORS, security policies, a request's id.
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
pub struct SessionLayer<E = EmptyBody>(Arc<Config>, E);

/// # Creation
impl SessionLayer {
    /// Creates a layer whose sessions are kept in `backend` (a store, an `Arc` of one,
    /// [`CookieSessions`](crate::CookieSessions), or what [`connect`](crate::connect) returns), with tickets signed by `keys` (a
    /// [`Key`](crate::Key) or a [`KeyRing`]).
    ///
    /// ```
    /// use cloakroom::{Key, SessionLayer, store::MemoryStore};
    ///
    /// let layer = SessionLayer::new(MemoryStore::new(), Key::generate()?);
    /// assert_eq!(
    ///     layer.to_string(),
    ///     "sessions in cookie __Host-id: idle timeout 30m, absolute lifetime 12h"
    /// );
    /// # Ok::<(), cloakroom::KeyError>(())
    /// ```
    pub fn new(backend: impl Into<Backend>, keys: impl Into<KeyRing>) -> Self {
        Self(Config::new(Settings::new(backend.into(), keys.into())).into(), EmptyBody)
    }
}

/// # Options
impl<E> SessionLayer<E> {
    /// Sets how long a session lives without being used. Default 30 minutes: the upper end of what
    /// OWASP suggests for low-risk apps, and what NIST SP 800-63B asks at AAL2.
    ///
    /// Loading a session is using it. A shorter timeout holds for sessions that exist, too; a longer
    /// one does not reach them, not even through [renewals](crate::Session::renew), except for the login of
    /// a visitor who was not logged in. "Remembered" sessions keep their own. Near the end of its absolute
    /// lifetime a session may end sooner than a shorter timeout says, because the store no longer tells when it was
    /// last used.
    ///
    /// One that is longer than the [absolute lifetime](Self::absolute_lifetime) never ends a session, so
    /// `Duration::MAX` means "no idle timeout"; a warning is logged, because it is rarely meant. Zero
    /// counts as one millisecond: every session ends at once.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use cloakroom::{Key, SessionLayer, store::MemoryStore};
    /// # let layer = SessionLayer::new(MemoryStore::new(), Key::generate()?);
    /// let layer = layer.idle_timeout(Duration::from_secs(15 * 60));
    /// assert!(layer.to_string().contains("idle timeout 15m"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias("with_expiry", "max_age", "session_ttl", "OnInactivity"))]
    pub fn idle_timeout(self, timeout: Duration) -> Self {
        self.set(|settings| settings.terms.idle_timeout = timeout.max(LEAST_TIME))
    }

    /// Sets a shorter idle timeout for visitors who are not logged in. Default: none, so that
    /// [`idle_timeout`](Self::idle_timeout) holds for everybody.
    ///
    /// Most sessions of a public site are those of visitors who never log in. The shorter they live,
    /// the less memory they take, and the more often a visitor who only reads moves the deadline: at a
    /// [tenth](Self::slide_after_percent) of this timeout. A session whose [`principal`](crate::Session::principal) is set has the
    /// usual idle timeout, from the login on; after
    /// [`log_out_keeping_data`](crate::Session::log_out_keeping_data) it has this one again. "Remembered"
    /// sessions keep their own.
    ///
    /// It holds for sessions that exist as a shortened `idle_timeout` does. One that is longer than
    /// `idle_timeout` counts as `idle_timeout`, whichever is set first; zero counts as one millisecond.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use cloakroom::{Key, SessionLayer, store::MemoryStore};
    /// # let layer = SessionLayer::new(MemoryStore::new(), Key::generate()?);
    /// let layer = layer.anonymous_idle_timeout(Duration::from_secs(5 * 60));
    /// assert!(layer.to_string().contains("idle timeout 30m (5m before a login)"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn anonymous_idle_timeout(self, timeout: Duration) -> Self {
        self.set(|settings| settings.terms.anonymous_idle_timeout = timeout.max(LEAST_TIME))
    }

    /// Sets how long a session lives at most, from its creation or last renewal. Default 12 hours,
    /// as in NIST SP 800-63B at AAL2.
    ///
    /// A shorter lifetime holds for sessions that exist, too. A longer one reaches them when they are
    /// [renewed](crate::Session::renew), by a login for example. `Duration::MAX` lasts until the year 10889; zero counts as one millisecond.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use cloakroom::{Key, SessionLayer, store::MemoryStore};
    /// # let layer = SessionLayer::new(MemoryStore::new(), Key::generate()?);
    /// let layer = layer.absolute_lifetime(Duration::from_secs(8 * 60 * 60));
    /// assert!(layer.to_string().contains("absolute lifetime 8h"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias("lifetime", "AtDateTime"))]
    pub fn absolute_lifetime(self, lifetime: Duration) -> Self {
        self.set(|settings| settings.terms.absolute_lifetime = lifetime.max(LEAST_TIME))
    }

    /// Sets the part of the idle timeout, in percent, that passes before using a session moves its
    /// deadline. Default 10: a visitor who comes back within 27 of 30 minutes is never surprised,
    /// and at most one request in three minutes pays for a second store command. 0 moves it every
    /// time; over 100 counts as 100.
    ///
    /// ```
    /// # use cloakroom::{Key, SessionLayer, store::MemoryStore};
    /// # let layer = SessionLayer::new(MemoryStore::new(), Key::generate()?);
    /// let exact = layer.slide_after_percent(0); // every read writes, too
    /// assert!(format!("{exact:?}").contains("slide_after_percent: 0"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias("with_always_save", "rolling", "touch"))]
    pub fn slide_after_percent(self, percent: u32) -> Self {
        self.set(|settings| settings.terms.slide_after_percent = percent.min(100))
    }

    /// Sets the longest that one store command may take. Default 2 seconds: long for every store
    /// here, short enough for a person.
    ///
    /// Stores have a `command_timeout` of their own. The shorter of the two counts; the layer's holds
    /// for stores that others write, too. More than 30 seconds count as 30, which no commit outlasts;
    /// zero counts as one millisecond.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use cloakroom::{Key, SessionLayer, store::MemoryStore};
    /// # let layer = SessionLayer::new(MemoryStore::new(), Key::generate()?);
    /// let impatient = layer.command_timeout(Duration::from_millis(500));
    /// assert!(format!("{impatient:?}").contains("command_timeout: 500ms"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn command_timeout(self, timeout: Duration) -> Self {
        self.set(|settings| settings.terms.command_timeout = timeout.clamp(LEAST_TIME, MOST_TIME))
    }

    /// Sets the longest that a whole commit or logout may take, conflicts and lost answers included.
    /// Default 5 seconds: two commands that time out, and a little. More than 30 seconds count as
    /// 30: the mark that a logout leaves must outlive every commit. Zero counts as one millisecond.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use cloakroom::{Key, SessionLayer, store::MemoryStore};
    /// # let layer = SessionLayer::new(MemoryStore::new(), Key::generate()?);
    /// let impatient = layer.commit_timeout(Duration::from_secs(1));
    /// assert!(format!("{impatient:?}").contains("commit_timeout: 1s"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn commit_timeout(self, timeout: Duration) -> Self {
        self.set(|settings| settings.terms.commit_timeout = timeout.clamp(LEAST_TIME, MOST_TIME))
    }

    /// Sets the most bytes that a session may have in the store. A change that makes it larger is
    /// refused with 413 ([`SessionError::TooLarge`](crate::SessionError::TooLarge)), and the session
    /// stays as it was. Default 1 MiB: far more than a session needs, and the item limit of Memcached.
    /// Every request reads its session whole, so a large one costs all of them.
    ///
    /// Some stores take less: DynamoDB 400 KB. For sessions in cookies the limit of the cookie comes
    /// first, about 3,000 bytes.
    ///
    /// ```
    /// # use cloakroom::{Key, SessionLayer, store::MemoryStore};
    /// # let layer = SessionLayer::new(MemoryStore::new(), Key::generate()?);
    /// let small = layer.max_session_bytes(64 * 1024);
    /// assert!(format!("{small:?}").contains("max_session_bytes: 65536"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias("limit", "max_size"))]
    pub fn max_session_bytes(self, most: usize) -> Self {
        self.set(|settings| settings.terms.max_session_bytes = most)
    }

    /// Refuses sessions that have been [revoked](Revocations). Default: none is ever revoked.
    ///
    /// A revoked session is not found any more. A handle that had loaded it before learns of it at its next
    /// `save`, `touch` or `reload`.
    ///
    /// ```
    /// use cloakroom::{Revocations, store::MemoryStore};
    ///
    /// # use cloakroom::{Key, SessionLayer};
    /// # let store = MemoryStore::new();
    /// # let layer = SessionLayer::new(store.clone(), Key::generate()?);
    /// let layer = layer.revocations(Revocations::new(store));
    /// assert!(format!("{layer:?}").contains("Revocations"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn revocations(self, revocations: Revocations) -> Self {
        self.set(|settings| settings.terms.revocations = Some(revocations))
    }

    /// Keeps a [roster](Roster) of each user's sessions, for [`users`](Self::users). Default: none.
    ///
    /// It has no effect on sessions that travel in cookies, which nobody can list.
    ///
    /// ```
    /// use cloakroom::Roster;
    ///
    /// # use cloakroom::{Key, SessionLayer, store::MemoryStore};
    /// # let layer = SessionLayer::new(MemoryStore::new(), Key::generate()?);
    /// let layer = layer.roster(Roster::default());
    /// assert!(format!("{layer:?}").contains("Roster"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn roster(self, roster: Roster) -> Self {
        self.set(|settings| settings.terms.roster = Some(roster))
    }

    /// Returns the handle that lists, ends and edits the sessions of this layer's users, with the options
    /// that are set so far. It works without any request, as in a job or after a password reset.
    ///
    /// ```
    /// use cloakroom::{Key, Roster, SessionLayer, store::MemoryStore};
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    /// # runtime.block_on(async {
    /// let layer = SessionLayer::new(MemoryStore::new(), Key::generate()?).roster(Roster::default());
    /// let users = layer.users();
    /// assert!(users.sessions_of("alice").await?.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn users(&self) -> Users {
        Users::new(Arc::clone(self.0.settings()))
    }

    /// Waits for the commits that have been handed to the runtime: those of requests that were dropped while they
    /// stored their session, as when a client hangs up, and the [ends](Users) of sessions whose
    /// callers were dropped. Call it when the server has stopped; a runtime that is shut down before loses
    /// them.
    ///
    /// It waits for nothing else: a request that is still being served is its server's affair, and a
    /// [`save`](crate::Session::save) whose future was dropped is given up. A commit takes at most the
    /// [`commit_timeout`](Self::commit_timeout). All clones of a layer, and layers made from it by an
    /// option, wait for each other's commits. The layer still works afterwards.
    ///
    /// ```no_run
    /// # async fn serve(app: axum::Router, sessions: cloakroom::SessionLayer) -> std::io::Result<()> {
    /// let listener = tokio::net::TcpListener::bind("0.0.0.0:3000").await?;
    /// let told_to_stop = async { drop(tokio::signal::ctrl_c().await) };
    /// axum::serve(listener, app.layer(sessions.clone())).with_graceful_shutdown(told_to_stop).await?;
    /// sessions.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn shutdown(&self) {
        self.0.settings().unwatched.ended().await;
    }

    /// Adds an [`Observer`], which is told what happens to the sessions of this layer. Default: none. Several are
    /// told one after the other.
    ///
    /// With one, the clock is read before and after each store command, and the request waits for the
    /// observer. Without one, nothing is measured.
    ///
    /// ```
    /// use cloakroom::Observer;
    /// use cloakroom::events::Outage;
    ///
    /// struct Pager;
    ///
    /// impl Observer for Pager {
    ///     fn outage(&self, event: &Outage) {
    ///         eprintln!("sessions: the outage is {}", event.name());
    ///     }
    /// }
    /// # use cloakroom::{Key, SessionLayer, store::MemoryStore};
    /// # let layer = SessionLayer::new(MemoryStore::new(), Key::generate()?);
    /// let layer = layer.observer(Pager);
    /// assert!(format!("{layer:?}").contains("observers: 1"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias("metrics", "on_event", "hook", "audit"))]
    pub fn observer(self, observer: impl Observer) -> Self {
        self.set(|settings| settings.terms.report.add(Arc::new(observer)))
    }

    /// Sets where the time is read. Default: the system's clock.
    ///
    /// ```
    /// use cloakroom::{ManualClock, Timestamp};
    ///
    /// # use cloakroom::{Key, SessionLayer, store::MemoryStore};
    /// # let layer = SessionLayer::new(MemoryStore::new(), Key::generate()?);
    /// let clock = ManualClock::at(Timestamp::from_millis(0));
    /// let layer = layer.clock(clock.clone()); // a test moves `clock`, and sessions expire
    /// assert!(format!("{layer:?}").contains("ManualClock"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn clock(self, clock: impl Into<Clock>) -> Self {
        self.set(|settings| settings.terms.clock = clock.into())
    }

    /// Sets where random bytes come from, so that the simulation can replay them.
    #[cfg(test)]
    pub(crate) fn entropy(self, entropy: crate::entropy::Entropy) -> Self {
        self.set(|settings| settings.terms.entropy = entropy)
    }

    /// Returns the layer with another way to answer errors.
    pub(super) fn answering<Other>(self, errors: Other) -> SessionLayer<Other> {
        SessionLayer(self.0, errors)
    }

    pub(super) fn config(&mut self) -> &mut Config {
        Arc::make_mut(&mut self.0)
    }

    pub(super) fn set(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        self.config().change(change);
        self
    }
}

#[cfg(feature = "testing")]
impl<E> SessionLayer<E> {
    /// Returns the layer without its page for errors, which is written for the bodies of the app.
    pub(crate) fn without_page(&self) -> SessionLayer {
        SessionLayer(Arc::clone(&self.0), EmptyBody)
    }
}

/// The longest that a command or a commit may take.
const MOST_TIME: Duration = Duration::from_secs(30);

impl<S, E: Clone> Layer<S> for SessionLayer<E> {
    type Service = SessionService<S, E>;

    fn layer(&self, inner: S) -> Self::Service {
        self.0.notices.check(&self.0.settings().terms);
        SessionService::new(inner, self.0.clone(), self.1.clone())
    }
}

impl<E> std::fmt::Display for SessionLayer<E> {
    /// Writes the timeouts and the cookie or header that are in force, for the security record (ASVS 7.1.1).
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Settings { terms, carrier, .. } = &**self.0.settings();
        let Terms { idle_timeout, anonymous_idle_timeout, absolute_lifetime, .. } = terms;
        let kind = carrier.cookie().map_or("header", |_| "cookie");
        write!(f, "sessions in {kind} {}: idle timeout {}", carrier.name(), Span(*idle_timeout))?;
        if anonymous_idle_timeout < idle_timeout {
            write!(f, " ({} before a login)", Span(*anonymous_idle_timeout))?;
        }
        write!(f, ", absolute lifetime {}", Span(*absolute_lifetime))?;
        match terms.renew_every {
            Some(age) => write!(f, ", tickets renewed every {}", Span(age)),
            None => Ok(()),
        }
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
