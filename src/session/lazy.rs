//! The handle that is in every request, and costs nothing until it is used.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use super::Session;
use super::head::Head;
use super::settings::Settings;
use super::state::{CookieChange, Stage, State};
use crate::cookie::{Presented, SetCookies};
use crate::error::SessionError;
use crate::poison::IgnorePoison;

/// A session that has not been asked for yet.
///
/// The layer puts one into every request's extensions. Nothing is verified and no store is asked
/// before [`load`](Self::load). With axum, take [`Session`] as an argument instead, unless the
/// handler only sometimes needs it.
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
/// # assert!(runtime.block_on(greet(http::Request::new(()))).is_err());
/// ```
#[derive(Clone)]
pub struct LazySession(Arc<Shared>);

/// Everything of one request and one layer, in one allocation.
pub(super) struct Shared {
    pub(super) settings: Arc<Settings>,
    pub(super) presented: Presented,
    /// The session of the layer around this one.
    outer: Option<LazySession>,
    /// When the store cannot be read: go on as for an anonymous visitor.
    pub(super) anonymous_on_outage: bool,
    pub(super) head: Head,
    /// Loads, commits and logouts of all clones, one at a time.
    pub(super) turn: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

/// What the response gets.
#[derive(Default)]
pub(crate) struct Outcome {
    /// The session was used, so the response depends on the cookie.
    pub(crate) used: bool,
    pub(crate) set_cookies: Option<SetCookies>,
}

impl LazySession {
    pub(crate) fn new(
        settings: Arc<Settings>,
        presented: Presented,
        outer: Option<Self>,
        anonymous_on_outage: bool,
    ) -> Self {
        Self(Arc::new(Shared {
            settings,
            presented,
            outer,
            anonymous_on_outage,
            head: Head::default(),
            turn: tokio::sync::Mutex::new(()),
            state: Mutex::default(),
        }))
    }

    /// The session: verified and read from the store the first time, at hand after that.
    ///
    /// A visitor without a valid ticket or without a live session gets an empty one, which is
    /// stored when something is put into it.
    ///
    /// # Errors
    ///
    /// When the store cannot be read ([`SessionError::Store`]), or holds what this release cannot
    /// read. A failed load is not repeated within the request.
    pub async fn load(&self) -> Result<Session, SessionError> {
        self.0.load().await?;
        Ok(Session(Arc::clone(&self.0)))
    }

    /// Logout without loading; see [`Session::destroy`].
    ///
    /// Nothing is decoded, so a session that can no longer be read can still be left.
    ///
    /// # Errors
    ///
    /// As [`Session::destroy`]; also [`SessionError::NewerFormat`], because a newer release's
    /// record is never overwritten.
    pub async fn destroy(&self) -> Result<(), SessionError> {
        self.0.destroy().await
    }

    /// The session of the layer that uses this cookie name, among this layer and those around it.
    ///
    /// With several layers around a handler the extension and the extractors give the innermost.
    pub fn named(&self, cookie_name: &str) -> Option<Self> {
        let mut candidate = Some(self);
        while let Some(lazy) = candidate {
            if lazy.0.settings.cookie.name() == cookie_name {
                return Some(lazy.clone());
            }
            candidate = lazy.0.outer.as_ref();
        }
        None
    }

    /// Closes the response's head if the session was not used at all.
    pub(crate) fn close_unused_head(&self) -> bool {
        self.0.head.close_if_unused()
    }

    /// The request ends without an answer of ours: no ticket can reach the visitor any more.
    pub(crate) fn abandon_head(&self) {
        self.0.head.close();
    }

    /// Closes the response's head at once, if nothing has to be stored for it and no clone is just
    /// talking to the store. A handler that `failed` has nothing to store.
    pub(crate) fn close_head(&self, failed: bool) -> bool {
        let Ok(_turn) = self.0.turn.try_lock() else { return false };
        let state = self.0.state();
        if !failed && (state.slide || state.has_work()) {
            return false;
        }
        self.0.head.close();
        true
    }

    /// Stores what there is to store, after whatever a clone is doing, and closes the head.
    pub(crate) async fn commit_and_close_head(self, failed: bool) -> Result<(), SessionError> {
        let result = self.0.commit(!failed, true).await;
        // A clone may hold its turn beyond all deadlines; what it stores then is too late.
        self.0.head.close();
        result
    }

    /// What the response has to carry, once the head is closed.
    pub(crate) fn outcome(&self) -> Result<Outcome, SessionError> {
        let cookie = self.0.state().cookie.take();
        let settings = &self.0.settings;
        let set_cookies = match cookie {
            None => None,
            Some(CookieChange::Ready(cookies)) => Some(cookies),
            Some(CookieChange::Issue { ticket, max_age }) => {
                Some([settings.cookie.live(&settings.mint.sign(&ticket), max_age)?].into())
            }
        };
        Ok(Outcome { used: self.0.head.was_used(), set_cookies })
    }
}

impl Shared {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // No user code runs under this lock, so a poisoned one means the state is still whole.
        self.state.lock().ignore_poison()
    }

    /// The state for a change that reports its errors at once: never after a failed read.
    pub(super) fn writable(&self) -> Result<MutexGuard<'_, State>, SessionError> {
        let state = self.state();
        match state.outage() {
            Some(outage) => Err(outage.clone()),
            None => Ok(state),
        }
    }

    pub(super) fn fmt_as(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        let stage = match state.stage {
            Stage::Untouched => "untouched",
            Stage::Loaded => "loaded",
            Stage::Failed(_) => "failed",
            Stage::Outage(_) => "outage",
        };
        let fingerprint = state.base.live().map(|live| live.key.to_string());
        f.debug_struct(name)
            .field("cookie", &self.settings.cookie.name())
            .field("stage", &stage)
            .field("session", &fingerprint)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for LazySession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt_as("LazySession", f)
    }
}
