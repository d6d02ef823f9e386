//! The session as a handler sees it: one await, then plain typed access.

mod backend;
mod carried;
mod changes;
mod commit;
mod decision;
mod field;
mod head;
mod lazy;
mod load;
mod revocation;
mod settings;
mod state;
mod termination;
mod value;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use backend::Backend;
pub use carried::CookieSessions;
use changes::{Change, Rerun};
pub use field::{Field, FieldName, FieldOf};
pub use lazy::LazySession;
pub(crate) use lazy::Outcome;
pub use revocation::{Revocations, RevocationsBuilder, Revoke};
pub(crate) use settings::Settings;
use state::State;

use crate::error::SessionError;
use crate::record::Text;
use lazy::Shared;

/// A visitor's session, loaded.
///
/// A handle: clones are the same session, and everything but [`destroy`](Self::destroy) and
/// [`save`](Self::save) is immediate. What a handler changes is stored after it has returned and
/// before the response leaves; if that fails, the client gets an error instead of the handler's
/// answer, and if the handler answers 5xx, nothing is stored.
///
/// Requests that change the same session at the same time do not lose each other's changes:
///
/// * different keys never meet;
/// * [`update`](Self::update) runs again on the newer value;
/// * [`insert`](Self::insert) and [`remove`](Self::remove) overwrite a key that this request has
///   not read, and answer 409 for one that it has read and that is different by now.
///
/// A request whose changes leave the session as it was loaded writes nothing, and counts as having
/// come before whatever others have changed since.
///
/// ```
/// use cloakroom::{Field, Session, SessionError};
///
/// const VISITS: Field<u32> = Field::new("visits");
///
/// fn count(session: &Session) -> Result<u32, SessionError> {
///     session.update(VISITS, |visits| {
///         *visits += 1;
///         *visits
///     })
/// }
/// # use cloakroom::{Key, LazySession, SessionLayer, store::MemoryStore};
/// # use tower::{Layer, Service, ServiceExt, service_fn};
/// # let layer = SessionLayer::new(MemoryStore::new(), Key::generate()?);
/// # let app = layer.layer(service_fn(|request: http::Request<()>| async move {
/// #     let lazy = request.extensions().get::<LazySession>().cloned().unwrap();
/// #     let session = lazy.load().await?;
/// #     assert_eq!(count(&session)?, 1);
/// #     assert_eq!(session.get(VISITS)?, Some(1));
/// #     Ok::<_, SessionError>(http::Response::new(()))
/// # }));
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
/// # let response = runtime.block_on(app.oneshot(http::Request::new(())))?;
/// # assert!(response.headers().contains_key("set-cookie"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Session(Arc<Shared>);

impl Session {
    /// Reads a value; `None` when the key is absent.
    ///
    /// Only this value is decoded. The key counts as read from here on: see [`Session`].
    ///
    /// # Errors
    ///
    /// [`SessionError::Decode`] when the stored value is not a `T`; it stays as it is.
    pub fn get<T: DeserializeOwned>(
        &self,
        key: impl FieldOf<T>,
    ) -> Result<Option<T>, SessionError> {
        let bytes = self.look(key.key())?;
        bytes.map(|bytes| value::decode(key.key(), &bytes)).transpose()
    }

    /// Stores a value.
    ///
    /// # Errors
    ///
    /// [`SessionError::Encode`] when MessagePack cannot express the value, and
    /// [`SessionError::KeyTooLong`]; the session is as it was. The store's error when the session
    /// could not be read and the app chose to [go on without](crate::OutagePolicy::Anonymous): what
    /// was not read is never written.
    pub fn insert<T: Serialize + ?Sized>(
        &self,
        key: impl FieldOf<T>,
        value: &T,
    ) -> Result<(), SessionError> {
        let value = value::encode(key.key(), value)?;
        let mut state = self.0.writable()?;
        let key = text(&state, key.key())?;
        let seen = state.sight(&key);
        state.push(&key, Change::Set { key: key.clone(), value, seen });
        Ok(())
    }

    /// Changes a value by what it is: counters, carts, lists.
    ///
    /// The closure gets the value, or `T::default()` when the key is absent, and may run again on a
    /// newer value if another request was quicker, so it should do nothing but compute. The result
    /// is what its last run in the handler returned. The key counts as read.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get) and [`insert`](Self::insert).
    pub fn update<T, R>(
        &self,
        key: impl FieldOf<T>,
        change: impl Fn(&mut T) -> R + Send + Sync + 'static,
    ) -> Result<R, SessionError>
    where
        T: Serialize + DeserializeOwned + Default,
    {
        let changed = self.try_update(key, move |value| Ok::<R, Never>(change(value)))?;
        let Ok(result) = changed;
        Ok(result)
    }

    /// [`update`](Self::update) with a closure that may refuse.
    ///
    /// A refusal in the handler is returned as the inner error and changes nothing. A refusal when
    /// the closure runs again on a newer value is [`SessionError::Conflict`] (409) for the request:
    /// the handler had been told yes.
    ///
    /// # Errors
    ///
    /// As [`update`](Self::update).
    pub fn try_update<T, R, E>(
        &self,
        key: impl FieldOf<T>,
        change: impl Fn(&mut T) -> Result<R, E> + Send + Sync + 'static,
    ) -> Result<Result<R, E>, SessionError>
    where
        T: Serialize + DeserializeOwned + Default,
    {
        let key = text(&*self.0.writable()?, key.key())?;
        let change = Arc::new(change);
        loop {
            let input = self.look(key.as_str())?;
            let (result, output) = match run(&key, input.as_ref(), &*change)? {
                Ok(done) => done,
                Err(refusal) => return Ok(Err(refusal)),
            };
            let mut state = self.0.writable()?;
            // No lock was held while the closure ran, so a clone of this handle may have been here.
            if state.value(key.as_str()) == input.as_ref() {
                let rerun = rerun(key.clone(), Arc::clone(&change));
                let update = Change::Update { key: key.clone(), input, output, rerun };
                state.push(&key, update);
                return Ok(Ok(result));
            }
        }
    }

    /// Removes a value and returns it; `None` when the key is absent.
    ///
    /// One [`get`](Self::get) and one [`remove`](Self::remove): the key counts as read, so if another
    /// request changes it meanwhile the commit answers [`Conflict`](SessionError::Conflict), and of
    /// two requests that take the same value at once only one is acknowledged.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get) and [`remove`](Self::remove); after [`SessionError::Decode`] the value
    /// is still there.
    pub fn take<T: DeserializeOwned>(
        &self,
        key: impl FieldOf<T>,
    ) -> Result<Option<T>, SessionError> {
        drop(self.0.writable()?);
        let Some(bytes) = self.look(key.key())? else { return Ok(None) };
        let value = value::decode(key.key(), &bytes)?;
        self.remove_key(key.key())?;
        Ok(Some(value))
    }

    /// Removes a key; its absence is success.
    ///
    /// # Errors
    ///
    /// The store's error when the session could not be read and the app chose to
    /// [go on without](crate::OutagePolicy::Anonymous).
    pub fn remove(&self, key: impl FieldName) -> Result<(), SessionError> {
        self.remove_key(key.key())
    }

    fn remove_key(&self, key: &str) -> Result<(), SessionError> {
        let mut state = self.0.writable()?;
        // A key too long to be stored cannot be there.
        let Ok(key) = text(&state, key) else { return Ok(()) };
        let seen = state.sight(&key);
        state.push(&key, Change::Remove { key: key.clone(), seen });
        Ok(())
    }

    /// Removes every key, whoever wrote it. The session, its id and its principal stay.
    ///
    /// # Errors
    ///
    /// As [`remove`](Self::remove).
    pub fn clear(&self) -> Result<(), SessionError> {
        let mut state = self.0.writable()?;
        state.changes.push(Change::Clear);
        state.seen.all_cleared();
        Ok(())
    }

    /// Whether a key is there; counts as reading it.
    ///
    /// # Errors
    ///
    /// [`SessionError::KeyTooLong`].
    pub fn contains(&self, key: impl FieldName) -> Result<bool, SessionError> {
        Ok(self.look(key.key())?.is_some())
    }

    /// The keys that are there, sorted; their values do not count as read.
    pub fn keys(&self) -> Vec<String> {
        let state = self.0.state();
        let written =
            state.sending.iter().chain(&state.changes).filter_map(|change| match change {
                Change::Set { key, .. } | Change::Update { key, .. } => Some(key.as_str()),
                _ => None,
            });
        let loaded = state.base.live().into_iter().flat_map(|live| live.record.fields.keys());
        let names: std::collections::BTreeSet<&str> = loaded.chain(written).collect();
        names.into_iter().filter(|key| state.value(key).is_some()).map(str::to_owned).collect()
    }

    /// Gives the session a new id; call it at every change of rights. [`log_in`](Self::log_in) and
    /// [`log_out_keeping_data`](Self::log_out_keeping_data) do it by themselves.
    ///
    /// Data stays, the absolute lifetime starts anew, and the old id is worthless once the response
    /// leaves, whoever else knew it (session fixation; ASVS 7.2.4). Requests in flight with the old
    /// id get 409 for their changes. A "remembered" session stays remembered.
    ///
    /// # Errors
    ///
    /// As [`remove`](Self::remove).
    pub fn renew(&self) -> Result<(), SessionError> {
        self.push(Change::Renew { remember: None })
    }

    /// "Remember me": a [`renew`](Self::renew) after which the session outlives the browser.
    ///
    /// `idle` and `lifetime` take the place of the layer's for this session from here on, through
    /// later writes and renewals, and the cookie carries `lifetime` as its Max-Age (at most 400
    /// days, which is what browsers keep).
    ///
    /// # Errors
    ///
    /// As [`remove`](Self::remove).
    pub fn remember(&self, idle: Duration, lifetime: Duration) -> Result<(), SessionError> {
        self.push(Change::Renew { remember: Some((idle, lifetime)) })
    }

    /// Who is logged in, as [`log_in`](Self::log_in) was told; `None` when nobody is.
    pub fn principal(&self) -> Option<String> {
        let state = self.0.state();
        let changes = state.sending.iter().chain(&state.changes);
        let set = changes.rev().find_map(|change| match change {
            Change::Principal { principal, .. } => Some(principal.as_ref()),
            _ => None,
        });
        let loaded = || state.base.live()?.record.principal.as_ref();
        set.unwrap_or_else(loaded).map(|principal| principal.as_str().to_owned())
    }

    /// Login: sets the principal (a user id, not a secret), the time of authentication and a new
    /// session id, in one.
    ///
    /// Setting the principal under the id that the visitor came with would be session fixation:
    /// whoever planted that id would be logged in too. So a login always implies a
    /// [`renew`](Self::renew), and there is no way to set a principal without one. Data stays; call
    /// [`clear`](Self::clear) before it to begin with none.
    ///
    /// # Errors
    ///
    /// [`SessionError::KeyTooLong`] over 65,535 bytes; otherwise as [`remove`](Self::remove).
    pub async fn log_in(&self, principal: impl fmt::Display) -> Result<(), SessionError> {
        let principal = Some(value::text(&principal.to_string())?);
        self.push(Change::Principal { principal, at: self.0.settings.clock.now() })
    }

    /// Logs the principal out and keeps what is in the session, such as a cart, under a new id.
    ///
    /// Requests in flight with the old id get 409 for their changes. Where nobody is logged in it does
    /// nothing. To end the session with all that is in it, use [`destroy`](Self::destroy).
    ///
    /// # Errors
    ///
    /// As [`remove`](Self::remove).
    pub fn log_out_keeping_data(&self) -> Result<(), SessionError> {
        if self.principal().is_none() {
            return self.0.writable().map(drop);
        }
        self.push(Change::Principal { principal: None, at: self.0.settings.clock.now() })
    }

    fn push(&self, change: Change) -> Result<(), SessionError> {
        self.0.writable()?.changes.push(change);
        Ok(())
    }

    /// When the principal was last set: how fresh the login is, for steps that need a fresh one
    /// (ASVS 7.5.3).
    pub fn authenticated_at(&self) -> Option<SystemTime> {
        let state = self.0.state();
        let changes = state.sending.iter().chain(&state.changes);
        let set = changes.rev().find_map(|change| match change {
            Change::Principal { principal, at } => Some(principal.as_ref().map(|_| *at)),
            _ => None,
        });
        set.unwrap_or_else(|| state.base.live()?.record.authenticated).map(SystemTime::from)
    }

    /// Whether the visitor had no live session when it was loaded, nor has one been saved since.
    pub fn is_new(&self) -> bool {
        self.0.state().base.live().is_none()
    }

    /// When the session began: its first change, or its last [`renew`](Self::renew). `None` while
    /// it is new.
    pub fn created_at(&self) -> Option<SystemTime> {
        Some(self.0.state().base.live()?.record.created.into())
    }

    /// When the session ends if it is not used again; using it moves this up to the end of its
    /// absolute lifetime. `None` while it is new.
    pub fn expires_at(&self) -> Option<SystemTime> {
        let state = self.0.state();
        let live = state.base.live()?;
        Some(live.deadline.min(live.record.expires).into())
    }

    /// Logout: ends the session in the store, now.
    ///
    /// When it returns, the session is over on every server: no request in flight can bring it
    /// back (one that travels in a signed cookie is over only in browsers that get the response).
    /// The response removes the cookie. Changes made before are dropped; changes made after
    /// begin an empty session under a new id.
    ///
    /// If another request has renewed the session since this handle was loaded, the renewed one is
    /// ended too, for 60 seconds after the renewal. A handle that is older than that, as in a
    /// websocket, no longer leads to it: load the session anew.
    ///
    /// # Errors
    ///
    /// When the store did not confirm it. The session may live on, so answer with the error (503):
    /// the cookie stays and the visitor can try again. A handler that goes on regardless is
    /// answered 503 by the layer unless the logout succeeds after all.
    pub async fn destroy(&self) -> Result<(), SessionError> {
        self.0.destroy().await
    }

    /// Stores the changes made so far, now: for streams, websockets and spawned tasks, which go on
    /// after the response's head has left.
    ///
    /// What it has stored stands, whatever the handler answers. After the head has left it can
    /// change a session, no longer create or renew one.
    ///
    /// # Errors
    ///
    /// Those of a commit: [`Conflict`](SessionError::Conflict), [`Gone`](SessionError::Gone),
    /// [`Contended`](SessionError::Contended), [`Unconfirmed`](SessionError::Unconfirmed),
    /// [`TooLate`](SessionError::TooLate), the store's. The changes stay, and are tried again by
    /// the next `save` or at the end of the request, unless they are
    /// [discarded](Self::discard).
    pub async fn save(&self) -> Result<(), SessionError> {
        self.0.commit(true, false).await
    }

    /// Forgets the changes that are not stored, so that a handle goes on after a
    /// [`save`](Self::save) that met a [`Conflict`](SessionError::Conflict): read again, decide
    /// again. A write whose answer was lost cannot be taken back and stays.
    pub fn discard(&self) {
        let mut state = self.0.state();
        state.changes.clear();
        if state.in_flight.is_none() {
            state.sending.clear();
        }
    }

    /// The encoded value as the handler's own changes leave it, which counts as reading.
    fn look(&self, key: &str) -> Result<Option<Bytes>, SessionError> {
        let mut state = self.0.state();
        let key = text(&state, key)?;
        state.saw(&key);
        Ok(state.value(key.as_str()).cloned())
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt_as("Session", f)
    }
}

/// The refusal of a closure that cannot refuse.
enum Never {}

fn text(state: &State, key: &str) -> Result<Text, SessionError> {
    state.known_text(key).map_or_else(|| value::text(key), Ok)
}

type Ran<R, E> = Result<(R, Bytes), E>;

/// Decodes, runs the closure, encodes.
fn run<T, R, E>(
    key: &Text,
    input: Option<&Bytes>,
    change: &impl Fn(&mut T) -> Result<R, E>,
) -> Result<Ran<R, E>, SessionError>
where
    T: Serialize + DeserializeOwned + Default,
{
    let mut current = match input {
        Some(bytes) => value::decode(key.as_str(), bytes)?,
        None => T::default(),
    };
    match change(&mut current) {
        Ok(result) => Ok(Ok((result, value::encode(key.as_str(), &current)?))),
        Err(refusal) => Ok(Err(refusal)),
    }
}

fn rerun<T, R, E>(
    key: Text,
    change: Arc<impl Fn(&mut T) -> Result<R, E> + Send + Sync + 'static>,
) -> Rerun
where
    T: Serialize + DeserializeOwned + Default,
{
    Arc::new(move |input| match run(&key, input, &*change)? {
        Ok((_, output)) => Ok(output),
        Err(_) => Err(SessionError::Conflict { key: state::name(&key) }),
    })
}
