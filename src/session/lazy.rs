//! The handle that is in every request, and costs nothing until it is used.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderMap;
use tokio::runtime::Handle;

use super::head::ResponseEffect;
use super::reading::{Reading, Tolerated};
use super::session::Session;
use super::settings::Settings;
use super::visit::Visit;
use crate::cookie::Carrier;
use crate::error::SessionError;

/// A session that has not been asked for yet.
///
/// The layer puts one into every request's extensions. Nothing is verified and no store is asked
/// before [`load`](Self::load). With axum, take [`Session`] as an argument instead, unless the
/// handler needs it only sometimes.
///
/// ```
/// use cloakroom::{LazySession, SessionError};
///
/// async fn greet(request: http::Request<()>) -> Result<String, SessionError> {
///     let lazy = request.extensions().get::<LazySession>().ok_or(SessionError::MissingLayer)?;
///     if request.uri().path() == "/healthz" {
///         return Ok("ok".into()); // no store was asked
///     }
///     let session = lazy.load().await?;
///     Ok(session.get::<String>("name")?.unwrap_or_else(|| "stranger".into()))
/// }
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// assert!(runtime.block_on(greet(http::Request::new(()))).is_err()); // no layer is around it
/// ```
#[derive(Clone)]
pub struct LazySession {
    visit: Arc<Visit>,
    /// Where a layer of the same name has handed this handle on: the visit to the innermost layer, from
    /// which `named` searches.
    within: Option<Arc<Visit>>,
}

impl LazySession {
    pub(crate) fn new(
        settings: Arc<Settings>,
        headers: &HeaderMap,
        outer: Option<&Self>,
        tolerated: Tolerated,
        client: Option<IpAddr>,
    ) -> Self {
        let mut presented = settings.backend.present(headers);
        presented.client = client;
        // A request may be made of the kept parts of one whose response has left. Nobody commits that one's
        // sessions any more, and if each held the one before it, the chain would grow without end.
        let is_open = |visit: &&Arc<Visit>| !visit.slot.head_is_closed();
        let outer = outer.and_then(|lazy| lazy.innermost().with_outer().find(is_open)).cloned();
        Arc::new(Visit::new(settings, presented, outer, tolerated)).into()
    }

    fn innermost(&self) -> &Arc<Visit> {
        self.within.as_ref().unwrap_or(&self.visit)
    }

    /// Returns the handle that a layer with this carrier hands on, if there is a layer with the same one
    /// around it. Two sessions for one cookie would each answer with a ticket of their own, and
    /// the browser would keep one of them.
    ///
    /// A layer whose response has left is not around this request: the request was made of the kept
    /// extensions of an earlier one, and that layer would commit nothing of it.
    pub(crate) fn handed_on(&self, carrier: &Carrier) -> Option<Self> {
        let is_same = |other: &Carrier| other.bound_name() == carrier.bound_name();
        let visit = self.innermost().carried_by(is_same)?;
        if visit.slot.head_is_closed() {
            return None;
        }
        let within = (!Arc::ptr_eq(visit, self.innermost())).then(|| Arc::clone(self.innermost()));
        Some(Self { visit: Arc::clone(visit), within })
    }

    /// Returns the session: verified and read from the store the first time, at hand after that.
    ///
    /// A visitor without a valid ticket or without a live session gets an empty one, which is
    /// stored when something is put into it.
    ///
    /// # Errors
    ///
    /// When the store cannot be read ([`SessionError::Store`]), or holds bytes that this release
    /// cannot read. A failed load is not repeated within the request.
    ///
    /// ```
    /// # cloakroom::documentation::Visitor::new().ask(async |lazy| {
    /// let session = lazy.load().await?;
    /// session.insert("name", "Ada")?;
    /// let again = lazy.load().await?; // the same session, and no second store command
    /// assert_eq!(again.get("name")?, Some("Ada".to_owned()));
    /// # Ok(()) });
    /// ```
    #[doc(alias = "extract")]
    pub async fn load(&self) -> Result<Session, SessionError> {
        self.visit.load(Reading::Use).await?;
        Ok(Session(Arc::clone(&self.visit)))
    }

    /// Returns the session as [`load`](Self::load) does, but the look does not count as use.
    ///
    /// A page that asks every minute how long the session still lasts would otherwise keep it alive for
    /// as long as the browser is open, which is not what an idle timeout is for (ASVS 7.3.1). The
    /// deadline stays where it is, and so do the cookies of sessions that travel in one.
    ///
    /// Use is counted after all if the request loads the session too, before or after, or changes it.
    /// [`Session::expires_at`] tells what holds after the request.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    ///
    /// ```
    /// # use cloakroom::{Key, SessionLayer, store::MemoryStore};
    /// use cloakroom::LazySession;
    ///
    /// async fn seconds_left(lazy: LazySession) -> Result<u64, cloakroom::SessionError> {
    ///     let ends = lazy.peek().await?.expires_at();
    ///     let left = ends.and_then(|ends| ends.duration_since(std::time::SystemTime::now()).ok());
    ///     Ok(left.map_or(0, |left| left.as_secs()))
    /// }
    /// # let mut visitor = cloakroom::documentation::Visitor::new();
    /// # visitor.visit(async |session| session.insert("name", "Ada"));
    /// # visitor.ask(async |lazy| {
    /// # let lazy = lazy.clone();
    /// assert!(seconds_left(lazy).await? > 29 * 60);
    /// # Ok(()) });
    /// ```
    pub async fn peek(&self) -> Result<Session, SessionError> {
        self.visit.load(Reading::Peek).await?;
        Ok(Session(Arc::clone(&self.visit)))
    }

    /// Returns the session as the store has it, not as this server may have it in memory.
    ///
    /// Only where the store is a `Near` (feature `near`) does this differ from [`load`](Self::load), whose session may be
    /// out of date there by the staleness that the app has chosen. Use it where that would matter: a payment, a
    /// page of an administrator, a page that must show what the visitor has just done on another server. With axum,
    /// take a `Fresh` as an argument.
    ///
    /// If the request has loaded its session from memory before, it is [reloaded](Session::reload).
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load); and as [`Session::reload`], if the request has loaded a session that is over.
    ///
    /// ```
    /// # cloakroom::documentation::Visitor::new().ask(async |lazy| {
    /// let session = lazy.load_fresh().await?;
    /// session.insert("paid", &true)?;
    /// # Ok(()) });
    /// ```
    #[doc(alias("consistent", "strong", "bypass"))]
    pub async fn load_fresh(&self) -> Result<Session, SessionError> {
        Arc::clone(&self.visit).load_fresh().await?;
        Ok(Session(Arc::clone(&self.visit)))
    }

    /// Logout without loading; see [`Session::destroy`].
    ///
    /// Nothing is decoded, so a session that can no longer be read can still be left.
    ///
    /// # Errors
    ///
    /// As [`Session::destroy`]; also [`SessionError::NewerFormat`], because the record of a newer
    /// release is never overwritten.
    ///
    /// ```
    /// # let mut visitor = cloakroom::documentation::Visitor::new();
    /// # visitor.visit(async |session| session.insert("name", "Ada"));
    /// # let response = visitor.ask(async |lazy| {
    /// lazy.destroy().await?;
    /// # Ok(()) });
    /// // The response tells the browser to forget the cookie.
    /// assert!(response.headers()["set-cookie"].to_str()?.contains("Max-Age=0"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias("logout", "flush", "purge", "delete"))]
    pub async fn destroy(&self) -> Result<(), SessionError> {
        Arc::clone(&self.visit).destroy().await
    }

    /// Returns the session of the layer that uses this cookie name, or this name for its
    /// [header](crate::SessionLayer::header), among this layer and those around it.
    ///
    /// With several layers around a handler the extension and the extractors give the innermost.
    ///
    /// ```
    /// # cloakroom::documentation::Visitor::new().ask(async |lazy| {
    /// assert!(lazy.named("__Host-id").is_some()); // the default name
    /// assert!(lazy.named("__Host-admin").is_none());
    /// # Ok(()) });
    /// ```
    pub fn named(&self, cookie_name: &str) -> Option<Self> {
        let is_meant = |carrier: &Carrier| carrier.is_called(cookie_name);
        if is_meant(&self.visit.settings.carrier) {
            return Some(self.clone());
        }
        self.innermost().carried_by(is_meant).map(|visit| Arc::clone(visit).into())
    }

    /// Returns the cookie or header that takes the ticket to the client.
    pub(crate) fn carrier(&self) -> &Carrier {
        &self.visit.settings.carrier
    }

    /// Whether the client is known to have sent a cookie that browsers keep only over HTTPS: one of this
    /// name, if its prefix asks for `Secure`. Of sessions that travel in their cookie nothing is known
    /// before they are loaded.
    pub(crate) fn came_with_secure_cookie(&self) -> bool {
        self.visit.presented.any() && self.visit.settings.carrier.name().starts_with("__")
    }

    /// Closes the response's head if the session was not used at all.
    pub(crate) fn close_head_if_unused(&self) -> bool {
        self.visit.slot.close_head_if_unused()
    }

    /// The request ends without a response of ours: no ticket can reach the visitor any more.
    pub(crate) fn abandon_head(&self) {
        self.visit.abandon_head();
    }

    /// Closes the response's head at once, if nothing has to be stored for it.
    pub(crate) fn close_head_if_idle(&self, failed: bool) -> bool {
        self.visit.close_head_if_idle(failed)
    }

    /// Stores what there is to store, after whatever a clone is doing, and closes the head.
    pub(crate) async fn finish(self, failed: bool) -> Result<(), SessionError> {
        self.visit.finish(failed).await
    }

    /// Runs the commit to its end although the request is dropped.
    pub(crate) fn go_on(&self, commit: impl Future<Output = ()> + Send + 'static) {
        // Without a runtime the process is ending, and the store keeps the old record or the new.
        let Ok(runtime) = Handle::try_current() else { return };
        let under_way = self.visit.settings.unwatched.begin();
        runtime.spawn(async move {
            let _under_way = under_way;
            commit.await;
        });
    }

    /// Takes what the session adds to the response, once the head is closed.
    pub(crate) fn take_response_effect(&self) -> ResponseEffect {
        self.visit.take_response_effect()
    }
}

impl From<Arc<Visit>> for LazySession {
    fn from(visit: Arc<Visit>) -> Self {
        Self { visit, within: None }
    }
}

impl fmt::Debug for LazySession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visit.fmt_as("LazySession", f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Key;
    use crate::store::MemoryStore;

    fn lazy() -> LazySession {
        let settings = Settings::new(MemoryStore::new().into(), Key::generate().unwrap().into());
        LazySession::new(Arc::new(settings), &HeaderMap::new(), None, Tolerated::default(), None)
    }

    /// glibc's allocator serves up to 1032 bytes from a cache of the thread, at about a tenth of the
    /// cost of a larger request. The middleware boxes the commit.
    #[test]
    fn the_future_of_a_commit_fits_the_allocators_fast_path() {
        let bytes = size_of_val(&lazy().finish(false));
        assert!(bytes <= 1032, "{bytes} bytes")
    }

    /// A router boxes the handler's future, which holds the load beside the request, about 550 bytes.
    /// Together they should fit the same fast path.
    #[test]
    fn the_future_of_a_load_leaves_room_for_a_handlers() {
        let bytes = size_of_val(&lazy().load());
        assert!(bytes <= 480, "{bytes} bytes");
    }
}
