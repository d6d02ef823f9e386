//! Where sessions are kept: the one place that knows the kinds there are.

use std::sync::Arc;

use http::HeaderMap;
use tokio::time::Instant;

use super::carried::{Carrier, CookieSessions};
use super::commit::Commit;
use super::lazy::Shared;
use super::state::{Base, CookieChange};
use super::termination::Termination;
use crate::clock::Timestamp;
use crate::cookie::{CookieFinder, CookieOptions, Presented};
use crate::error::SessionError;
use crate::keys::KeyRing;
use crate::store::SessionStore;

/// Where sessions are kept; what [`SessionLayer::new`](crate::SessionLayer::new) takes.
///
/// Any [`SessionStore`] becomes one by itself, an `Arc<dyn SessionStore>` included, and
/// [`connect`](crate::connect) makes one from a URL.
///
/// ```
/// use cloakroom::Backend;
/// use cloakroom::store::{MemoryStore, SessionStore};
/// use std::sync::Arc;
///
/// let _ = Backend::from(MemoryStore::new());
/// let chosen_at_run_time: Arc<dyn SessionStore> = Arc::new(MemoryStore::new());
/// let _ = Backend::from(chosen_at_run_time);
/// ```
#[derive(Clone, Debug)]
pub struct Backend(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Store(Arc<dyn SessionStore>),
    Cookie(CookieSessions),
}

impl Backend {
    /// The backend for a layer with these keys and this cookie.
    pub(super) fn keeper(&self, keys: &KeyRing, cookie: &CookieOptions) -> Keeper {
        match &self.0 {
            Kind::Store(store) => Keeper::Store(Arc::clone(store)),
            Kind::Cookie(signed) => Keeper::Cookie(signed.carrier(keys, cookie)),
        }
    }
}

/// A backend in the hands of one layer: what differs between the kinds, and nothing else.
#[derive(Clone, Debug)]
pub(crate) enum Keeper {
    /// The cookie is a ticket to a record in a store.
    Store(Arc<dyn SessionStore>),
    /// The cookie is the record.
    Cookie(Box<Carrier>),
}

impl Keeper {
    /// What of a request's cookies may be needed later.
    pub(crate) fn present(&self, headers: &HeaderMap, finder: &CookieFinder) -> Presented {
        match self {
            Self::Store(_) => Presented::find(headers, finder),
            Self::Cookie(carrier) => carrier.present(headers),
        }
    }

    /// Whether loading a session, without changing it, may move its deadline.
    pub(super) fn slides(&self) -> bool {
        match self {
            Self::Store(_) => true,
            Self::Cookie(carrier) => carrier.slides(),
        }
    }

    /// The session that the request's cookie leads to.
    pub(super) async fn load(
        &self,
        shared: &Shared,
        now: Timestamp,
        deadline: Option<Instant>,
    ) -> Result<Base, SessionError> {
        match self {
            Self::Store(store) => match shared.prove(now) {
                Some(ticket) => shared.read(&**store, ticket.id.store_key(), deadline).await,
                None => Ok(Base::Nothing),
            },
            Self::Cookie(carrier) => carrier.load(shared, now, deadline).await,
        }
    }

    /// Stores what the handler has changed. The caller holds the turn.
    pub(super) async fn commit(
        &self,
        shared: &Shared,
        deadline: Instant,
    ) -> Result<(), SessionError> {
        match self {
            Self::Store(store) => Commit::new(shared, &**store, deadline).run().await,
            Self::Cookie(carrier) => carrier.commit(shared, deadline).await,
        }
    }

    /// Ends the session wherever it is kept, and says what becomes of the cookie.
    pub(super) async fn end(
        &self,
        shared: &Shared,
        deadline: Instant,
    ) -> Result<Option<CookieChange>, SessionError> {
        match self {
            Self::Store(store) => {
                Termination::new(shared, &**store, deadline).run().await?;
                // Only who sent a cookie has one to lose; a visitor without one may just be
                // logging in.
                let removal = || CookieChange::Ready([shared.settings.cookie.removal()].into());
                Ok(shared.presented.any().then(removal))
            }
            Self::Cookie(carrier) => carrier.end(shared),
        }
    }
}

impl<S: SessionStore> From<S> for Backend {
    fn from(store: S) -> Self {
        Self(Kind::Store(Arc::new(store)))
    }
}

impl From<CookieSessions> for Backend {
    fn from(cookie: CookieSessions) -> Self {
        Self(Kind::Cookie(cookie))
    }
}
