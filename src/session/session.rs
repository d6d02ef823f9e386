//! The session as a handler sees it: one await, then plain typed access.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::changes::{self, Change, Rerun};
use super::field::{FieldName, FieldOf};
use super::state::State;
use super::value;
use super::visit::Visit;
use crate::error::SessionError;
use crate::record::Text;

/// A visitor's session, loaded.
///
/// A handle: clones are the same session. Everything but [`log_in`](Self::log_in),
/// [`save`](Self::save) and [`destroy`](Self::destroy) is immediate and asks no store. What a handler
/// changes is stored after it has returned and before the response leaves. If storing fails, the
/// client gets an error instead of the handler's response; if the handler answers 5xx, nothing is
/// stored.
///
/// Requests that change the same session at the same time do not lose each other's changes:
///
/// * Changes of different keys are merged.
/// * [`update`](Self::update) runs again on the newer value.
/// * [`insert`](Self::insert) and [`remove`](Self::remove) overwrite a key that this request has not
///   read. If it has read the key and another request has changed it since, the request is answered
///   409 ([`SessionError::Conflict`]).
///
/// A request whose changes leave the session as it was loaded writes nothing. It counts as having
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
/// # let mut visitor = cloakroom::documentation::Visitor::new();
/// # visitor.visit(async |session| { assert_eq!(count(&session)?, 1); Ok(()) });
/// # visitor.visit(async |session| { assert_eq!(count(&session)?, 2); Ok(()) });
/// ```
#[derive(Clone)]
pub struct Session(pub(super) Arc<Visit>);

impl Session {
    /// Returns a value; `None` when the key is absent.
    ///
    /// Only this value is decoded. The key counts as read from here on: see [`Session`].
    ///
    /// # Errors
    ///
    /// [`SessionError::Decode`] when the stored value is not a `T`; it stays as it is.
    ///
    /// ```
    /// # cloakroom::documentation::Visitor::new().visit(async |session| {
    /// session.insert("name", "Ada")?;
    /// assert_eq!(session.get("name")?, Some("Ada".to_owned()));
    /// assert_eq!(session.get::<String>("mail")?, None);
    /// assert!(session.get::<u32>("name").is_err());
    /// # Ok(()) });
    /// ```
    #[doc(alias = "get_value")]
    pub fn get<T: DeserializeOwned>(
        &self,
        key: impl FieldOf<T>,
    ) -> Result<Option<T>, SessionError> {
        let bytes = self.read(key.key())?;
        bytes.map(|bytes| value::decode(key.key(), &bytes)).transpose()
    }

    /// Stores a value.
    ///
    /// To change a value depending on what it is, use [`update`](Self::update): a `get` and an
    /// `insert` are refused with 409 when another request was quicker.
    ///
    /// # Errors
    ///
    /// [`SessionError::Encode`] when MessagePack cannot express the value, and
    /// [`SessionError::KeyTooLong`]; the session is as it was. The store's error when the session
    /// could not be read and the app chose to [go on without](crate::OutagePolicy::Anonymous): a
    /// session that was not read is never written.
    ///
    /// ```
    /// # cloakroom::documentation::Visitor::new().visit(async |session| {
    /// session.insert("theme", "dark")?;
    /// session.insert("theme", "light")?;
    /// assert_eq!(session.get("theme")?, Some("light".to_owned()));
    /// # Ok(()) });
    /// ```
    #[doc(alias("insert_value", "set"))]
    pub fn insert<T: Serialize + ?Sized>(
        &self,
        key: impl FieldOf<T>,
        value: &T,
    ) -> Result<(), SessionError> {
        let value = value::encode(key.key(), value)?;
        let mut state = self.0.slot.writable()?;
        let key = text(&state, key.key())?;
        let read = state.reads.last(&key).cloned();
        state.push(&key, Change::Set { key: key.clone(), value, read });
        Ok(())
    }

    /// Changes a value depending on what it is: counters, carts, lists.
    ///
    /// The closure gets the value, or `T::default()` when the key is absent. It may run again on a
    /// newer value if another request was quicker, so it should do nothing but compute. The key
    /// counts as read.
    ///
    /// The result is what the closure returned in this handler. If the commit merges with another
    /// request's change, the stored value may be another: after [`save`](Self::save) a
    /// [`get`](Self::get) shows what is stored.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get) and [`insert`](Self::insert).
    ///
    /// ```
    /// # cloakroom::documentation::Visitor::new().visit(async |session| {
    /// let add_one = |count: &mut u32| {
    ///     *count += 1;
    ///     *count
    /// };
    /// assert_eq!(session.update("count", add_one)?, 1);
    /// assert_eq!(session.update("count", add_one)?, 2);
    /// # Ok(()) });
    /// ```
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
    /// the closure runs again on a newer value is [`SessionError::Conflict`] (409) for the request,
    /// because the handler was told yes.
    ///
    /// # Errors
    ///
    /// As [`update`](Self::update).
    ///
    /// ```
    /// # cloakroom::documentation::Visitor::new().visit(async |session| {
    /// let take_seat = |taken: &mut u32| {
    ///     if *taken == 1 {
    ///         return Err("sold out");
    ///     }
    ///     *taken += 1;
    ///     Ok(())
    /// };
    /// assert_eq!(session.try_update("seats", take_seat)?, Ok(()));
    /// assert_eq!(session.try_update("seats", take_seat)?, Err("sold out"));
    /// # Ok(()) });
    /// ```
    pub fn try_update<T, R, E>(
        &self,
        key: impl FieldOf<T>,
        change: impl Fn(&mut T) -> Result<R, E> + Send + Sync + 'static,
    ) -> Result<Result<R, E>, SessionError>
    where
        T: Serialize + DeserializeOwned + Default,
    {
        let key = text(&*self.0.slot.writable()?, key.key())?;
        let change = Arc::new(change);
        loop {
            let input = self.read(key.as_str())?;
            let (result, output) = match run(&key, input.as_ref(), &*change)? {
                Ok(done) => done,
                Err(refusal) => return Ok(Err(refusal)),
            };
            let mut state = self.0.slot.writable()?;
            // No lock was held while the closure ran, so a clone of this handle may have changed the
            // value meanwhile.
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
    /// One [`get`](Self::get) and one [`remove`](Self::remove): the key counts as read, so of two
    /// requests that take the same value at once only one is acknowledged, and the other is answered
    /// 409.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get) and [`remove`](Self::remove); after [`SessionError::Decode`] the value
    /// is still there.
    ///
    /// ```
    /// # cloakroom::documentation::Visitor::new().visit(async |session| {
    /// session.insert("notice", "saved")?;
    /// assert_eq!(session.take("notice")?, Some("saved".to_owned()));
    /// assert_eq!(session.take::<String>("notice")?, None);
    /// # Ok(()) });
    /// ```
    #[doc(alias = "pop")]
    pub fn take<T: DeserializeOwned>(
        &self,
        key: impl FieldOf<T>,
    ) -> Result<Option<T>, SessionError> {
        drop(self.0.slot.writable()?);
        let Some(bytes) = self.read(key.key())? else { return Ok(None) };
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
    ///
    /// ```
    /// # cloakroom::documentation::Visitor::new().visit(async |session| {
    /// session.insert("name", "Ada")?;
    /// session.remove("name")?;
    /// session.remove("never there")?;
    /// assert!(!session.contains("name")?);
    /// # Ok(()) });
    /// ```
    #[doc(alias = "remove_value")]
    pub fn remove(&self, key: impl FieldName) -> Result<(), SessionError> {
        self.remove_key(key.key())
    }

    fn remove_key(&self, key: &str) -> Result<(), SessionError> {
        let mut state = self.0.slot.writable()?;
        // A key too long to be stored cannot be there.
        let Ok(key) = text(&state, key) else { return Ok(()) };
        let read = state.reads.last(&key).cloned();
        state.push(&key, Change::Remove { key: key.clone(), read });
        Ok(())
    }

    /// Removes every key, whichever request wrote it. The session, its id and its principal stay.
    ///
    /// # Errors
    ///
    /// As [`remove`](Self::remove).
    ///
    /// ```
    /// # cloakroom::documentation::Visitor::new().visit(async |session| {
    /// session.log_in("ada").await?;
    /// session.insert("cart", &["apple"])?;
    /// session.clear()?;
    /// assert!(session.keys().is_empty());
    /// assert_eq!(session.principal().as_deref(), Some("ada"));
    /// # Ok(()) });
    /// ```
    pub fn clear(&self) -> Result<(), SessionError> {
        let mut state = self.0.slot.writable()?;
        state.changes.push(Change::Clear);
        state.reads.clear_values();
        Ok(())
    }

    /// Returns whether a key is there; counts as reading it.
    ///
    /// # Errors
    ///
    /// [`SessionError::KeyTooLong`].
    ///
    /// ```
    /// # cloakroom::documentation::Visitor::new().visit(async |session| {
    /// session.insert("name", "Ada")?;
    /// assert!(session.contains("name")?);
    /// assert!(!session.contains("mail")?);
    /// # Ok(()) });
    /// ```
    #[doc(alias = "contains_key")]
    pub fn contains(&self, key: impl FieldName) -> Result<bool, SessionError> {
        Ok(self.read(key.key())?.is_some())
    }

    /// Returns the keys that are there, sorted; their values do not count as read.
    ///
    /// ```
    /// # cloakroom::documentation::Visitor::new().visit(async |session| {
    /// session.insert("name", "Ada")?;
    /// session.insert("cart", &["apple"])?;
    /// assert_eq!(session.keys(), ["cart", "name"]);
    /// # Ok(()) });
    /// ```
    #[doc(alias = "entries")]
    pub fn keys(&self) -> Vec<String> {
        let state = self.0.slot.state();
        let written =
            state.sending.iter().chain(&state.changes).filter_map(|change| match change {
                Change::Set { key, .. } | Change::Update { key, .. } => Some(key.as_str()),
                _ => None,
            });
        let loaded = state.found.live().into_iter().flat_map(|live| live.record.fields.keys());
        let names: BTreeSet<&str> = loaded.chain(written).collect();
        names.into_iter().filter(|key| state.value(key).is_some()).map(str::to_owned).collect()
    }

    /// Gives the session a new id. Call it at every change of rights; [`log_in`](Self::log_in) and
    /// [`log_out_keeping_data`](Self::log_out_keeping_data) do it by themselves.
    ///
    /// The data stays and the absolute lifetime starts anew. Once the response leaves, the old id is
    /// worthless, whoever else knew it (session fixation; ASVS 7.2.4). Requests in flight with the
    /// old id get 409 for their changes. A "remembered" session stays remembered.
    ///
    /// # Errors
    ///
    /// As [`remove`](Self::remove).
    ///
    /// ```
    /// # let mut visitor = cloakroom::documentation::Visitor::new();
    /// # visitor.visit(async |session| session.insert("name", "Ada"));
    /// # let response = visitor.visit(async |session| {
    /// session.renew()?;
    /// # Ok(()) });
    /// assert!(response.headers().contains_key("set-cookie")); // the new id
    /// # visitor.visit(async |session| {
    /// assert_eq!(session.get("name")?, Some("Ada".to_owned())); // the next request
    /// # Ok(()) });
    /// ```
    #[doc(alias("cycle_id", "regenerate", "rotate", "renew_token"))]
    pub fn renew(&self) -> Result<(), SessionError> {
        self.push(Change::Renew { remember: None })
    }

    /// "Remember me": a [`renew`](Self::renew) after which the session outlives the browser.
    ///
    /// From here on, through later writes and renewals, `idle` and `lifetime` take the place of the
    /// layer's timeouts for this session. The cookie carries `lifetime` as its Max-Age (at most 400
    /// days, the longest that browsers keep a cookie).
    ///
    /// # Errors
    ///
    /// As [`remove`](Self::remove).
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    /// # let response = cloakroom::documentation::Visitor::new().visit(async |session| {
    /// session.remember(7 * DAY, 30 * DAY)?;
    /// session.log_in("ada").await?;
    /// # Ok(()) });
    /// assert!(response.headers()["set-cookie"].to_str()?.contains("Max-Age=2592000"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias("set_expiry", "persistent", "max_age"))]
    pub fn remember(&self, idle: Duration, lifetime: Duration) -> Result<(), SessionError> {
        self.push(Change::Renew { remember: Some((idle, lifetime)) })
    }

    /// Login: sets the principal (a user id, not a secret), the time of authentication and a new
    /// session id, in one.
    ///
    /// Setting the principal under the id that the visitor came with would be session fixation:
    /// whoever planted that id would be logged in too. So a login always implies a
    /// [`renew`](Self::renew), and no other method sets a principal. The data stays; call
    /// [`clear`](Self::clear) first to begin with none.
    ///
    /// # Errors
    ///
    /// [`SessionError::KeyTooLong`] over 65,535 bytes; otherwise as [`remove`](Self::remove).
    ///
    /// ```
    /// # let mut visitor = cloakroom::documentation::Visitor::new();
    /// # visitor.visit(async |session| {
    /// session.log_in(42).await?; // after the password was checked
    /// # Ok(()) });
    /// # visitor.visit(async |session| {
    /// assert_eq!(session.principal().as_deref(), Some("42")); // the next request
    /// assert!(session.authenticated_at().is_some());
    /// # Ok(()) });
    /// ```
    #[doc(alias("login", "authenticate", "set_principal", "remember_user"))]
    pub async fn log_in(&self, principal: impl fmt::Display) -> Result<(), SessionError> {
        let principal = Some(value::text(&principal.to_string())?);
        self.push(Change::Principal { principal, at: self.0.settings.terms.now() })
    }

    /// Logs the principal out and keeps what is in the session, such as a cart, under a new id.
    ///
    /// Requests in flight with the old id get 409 for their changes. If nobody is logged in, it does
    /// nothing. To end the session with all that is in it, use [`destroy`](Self::destroy).
    ///
    /// # Errors
    ///
    /// As [`remove`](Self::remove).
    ///
    /// ```
    /// # cloakroom::documentation::Visitor::new().visit(async |session| {
    /// session.insert("cart", &["apple"])?;
    /// session.log_in("ada").await?;
    /// session.log_out_keeping_data()?;
    /// assert_eq!(session.principal(), None);
    /// assert!(session.contains("cart")?);
    /// # Ok(()) });
    /// ```
    pub fn log_out_keeping_data(&self) -> Result<(), SessionError> {
        if self.principal().is_none() {
            return self.0.slot.writable().map(drop);
        }
        self.push(Change::Principal { principal: None, at: self.0.settings.terms.now() })
    }

    fn push(&self, change: Change) -> Result<(), SessionError> {
        self.0.slot.writable()?.changes.push(change);
        Ok(())
    }

    /// Returns who is logged in, as [`log_in`](Self::log_in) was told; `None` when nobody is.
    ///
    /// ```
    /// # cloakroom::documentation::Visitor::new().visit(async |session| {
    /// assert_eq!(session.principal(), None);
    /// session.log_in("ada").await?;
    /// assert_eq!(session.principal().as_deref(), Some("ada"));
    /// # Ok(()) });
    /// ```
    #[doc(alias("user", "user_id", "identity"))]
    pub fn principal(&self) -> Option<String> {
        let state = self.0.slot.state();
        let changes = state.sending.iter().chain(&state.changes);
        let set = changes.rev().find_map(|change| match change {
            Change::Principal { principal, .. } => Some(principal.as_ref()),
            _ => None,
        });
        let loaded = || state.found.live()?.record.principal.as_ref();
        set.unwrap_or_else(loaded).map(|principal| principal.as_str().to_owned())
    }

    /// Returns when the principal logged in, for steps that need a fresh login (ASVS 7.5.3); `None`
    /// when nobody is logged in.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # cloakroom::documentation::Visitor::new().visit(async |session| {
    /// session.log_in("ada").await?;
    /// let login = session.authenticated_at().expect("somebody is logged in");
    /// assert!(login.elapsed().is_ok_and(|age| age < Duration::from_secs(300)));
    /// # Ok(()) });
    /// ```
    pub fn authenticated_at(&self) -> Option<SystemTime> {
        let state = self.0.slot.state();
        let changes = state.sending.iter().chain(&state.changes);
        let set = changes.rev().find_map(|change| match change {
            Change::Principal { principal, at } => Some(principal.as_ref().map(|_| *at)),
            _ => None,
        });
        set.unwrap_or_else(|| state.found.live()?.record.authenticated).map(SystemTime::from)
    }

    /// Returns whether the visitor had no live session when it was loaded, and none has been saved
    /// since.
    ///
    /// ```
    /// # let mut visitor = cloakroom::documentation::Visitor::new();
    /// # visitor.visit(async |session| {
    /// assert!(session.is_new());
    /// session.insert("name", "Ada")?;
    /// # Ok(()) });
    /// # visitor.visit(async |session| {
    /// assert!(!session.is_new()); // the next request
    /// # Ok(()) });
    /// ```
    #[doc(alias("is_empty", "is_modified"))]
    pub fn is_new(&self) -> bool {
        self.0.slot.state().found.live().is_none()
    }

    /// Returns when the session began: its first change, or its last [`renew`](Self::renew). `None`
    /// while it is new.
    ///
    /// ```
    /// # cloakroom::documentation::Visitor::new().visit(async |session| {
    /// assert_eq!(session.created_at(), None);
    /// session.insert("name", "Ada")?;
    /// session.save().await?;
    /// assert!(session.created_at().is_some());
    /// # Ok(()) });
    /// ```
    pub fn created_at(&self) -> Option<SystemTime> {
        Some(self.0.slot.state().found.live()?.record.created.into())
    }

    /// Returns when the session ends if it is not used again; using it moves this, up to the end of
    /// its absolute lifetime. `None` while it is new.
    ///
    /// ```
    /// # cloakroom::documentation::Visitor::new().visit(async |session| {
    /// session.insert("name", "Ada")?;
    /// session.save().await?;
    /// let ends = session.expires_at().expect("it is stored");
    /// assert!(ends > std::time::SystemTime::now());
    /// # Ok(()) });
    /// ```
    #[doc(alias("expiry_date", "expiry_age", "expiry"))]
    pub fn expires_at(&self) -> Option<SystemTime> {
        let state = self.0.slot.state();
        let live = state.found.live()?;
        Some(live.deadline.min(live.record.expires).into())
    }

    /// Logout: ends the session in the store, now.
    ///
    /// When it returns, the session is over on every server: no request in flight can bring it
    /// back. (One that travels in a signed cookie is over only in browsers that get the response.)
    /// The response removes the cookie. Changes made before are dropped; changes made after begin an
    /// empty session under a new id.
    ///
    /// If another request has renewed the session since this handle was loaded, the renewed one is
    /// ended too, for 60 seconds after the renewal. A handle that is older than that, as in a
    /// websocket, no longer leads to it: load the session anew.
    ///
    /// # Errors
    ///
    /// When the store did not confirm it. The session may live on, so answer with the error (503):
    /// the cookie stays and the visitor can try again. If the handler goes on regardless, the layer
    /// answers 503 unless the logout succeeds after all.
    ///
    /// ```
    /// # let mut visitor = cloakroom::documentation::Visitor::new();
    /// # visitor.visit(async |session| session.log_in("ada").await);
    /// # visitor.visit(async |session| {
    /// session.destroy().await?;
    /// assert_eq!(session.principal(), None);
    /// # Ok(()) });
    /// # visitor.visit(async |session| {
    /// assert!(session.is_new()); // the next request
    /// # Ok(()) });
    /// ```
    #[doc(alias("logout", "flush", "purge", "delete", "invalidate"))]
    pub async fn destroy(&self) -> Result<(), SessionError> {
        self.0.destroy().await
    }

    /// Stores the changes made so far, now: for streams, websockets and spawned tasks, which go on
    /// after the response's head has left.
    ///
    /// What it has stored stands, whatever the handler answers. After the head has left it can
    /// change a session, but no longer create or renew one.
    ///
    /// # Errors
    ///
    /// Those of a commit: [`Conflict`](SessionError::Conflict), [`Gone`](SessionError::Gone),
    /// [`Contended`](SessionError::Contended), [`Unconfirmed`](SessionError::Unconfirmed),
    /// [`TooLate`](SessionError::TooLate), the store's. The changes stay, and are tried again by
    /// the next `save` or at the end of the request, unless they are
    /// [discarded](Self::discard).
    ///
    /// ```
    /// # cloakroom::documentation::Visitor::new().visit(async |session| {
    /// session.insert("order", &1)?;
    /// session.save().await?;
    /// // From here on the order is stored, even if the handler fails.
    /// assert!(!session.is_new());
    /// # Ok(()) });
    /// ```
    #[doc(alias = "commit")]
    pub async fn save(&self) -> Result<(), SessionError> {
        self.0.save().await
    }

    /// Forgets the changes that are not stored, so that a handle can go on after a
    /// [`save`](Self::save) that met a [`Conflict`](SessionError::Conflict): read again, decide
    /// again. A write whose answer was lost cannot be taken back and stays.
    ///
    /// ```
    /// # cloakroom::documentation::Visitor::new().visit(async |session| {
    /// session.insert("name", "Ada")?;
    /// session.discard();
    /// assert!(!session.contains("name")?);
    /// # Ok(()) });
    /// ```
    pub fn discard(&self) {
        let discarded = {
            let mut state = self.0.slot.state();
            let sending = match state.in_flight {
                None => std::mem::take(&mut state.sending),
                Some(_) => Vec::new(),
            };
            (sending, std::mem::take(&mut state.changes))
        };
        // Without the lock: a closure among them may hold this very handle.
        drop(discarded);
    }

    /// Returns the encoded value as the handler's own changes leave it, and notes that it was read.
    fn read(&self, key: &str) -> Result<Option<Bytes>, SessionError> {
        let mut state = self.0.slot.state();
        let key = text(&state, key)?;
        state.note_read(&key);
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

/// Decodes the value, runs the closure, and encodes what it left.
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
        Err(_) => Err(changes::conflict(&key)),
    })
}
