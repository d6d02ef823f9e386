//! Typed access to what is in a session.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::changes::{self, Change, Rerun};
use super::field::{FieldName, FieldOf};
use super::reads::ReadValue;
use super::session::Session;
use super::slot::StateGuard;
use super::state::State;
use super::value;
use crate::error::SessionError;
use crate::record::Text;

/// # Values
impl Session {
    /// Returns a value; `None` when the key is absent.
    ///
    /// Only this value is decoded. The key counts as read from here on: see [`Session`]. A stored `None` is not
    /// an absent key; [`insert`](Self::insert) says how to read it.
    ///
    /// # Errors
    ///
    /// [`SessionError::Decode`] when the stored value is not a `T`; it stays as it is.
    /// [`SessionError::KeyTooLong`].
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
    /// `insert` are refused with 409 when another request was quicker. The refusal comes at the commit;
    /// `insert` itself returns `Ok`.
    ///
    /// A value with the bytes that are stored already is no change: see [`Session`]. A `HashMap` or `HashSet`
    /// that was read and is stored again usually has its entries in another order, and so other bytes: use a
    /// `BTreeMap` or `BTreeSet`.
    ///
    /// MessagePack has one nil, so `Some(())` and `Some(None)` come back as `None`. A stored `None` is not an
    /// absent key: [`contains`](Self::contains) returns `true`, `get::<Option<T>>` returns `Some(None)`, and
    /// `get::<T>` of most types is [`SessionError::Decode`]. To make the key absent, call
    /// [`remove`](Self::remove).
    ///
    /// # Errors
    ///
    /// [`SessionError::Encode`] when MessagePack cannot express the value, and
    /// [`SessionError::KeyTooLong`]; the session is as it was. The store's error when the session
    /// could not be read and the app chose to go on without, in an [outage](crate::OutagePolicy::Anonymous)
    /// or over a [damaged record](crate::UnreadablePolicy::Anonymous): a session that was not read is
    /// never written.
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
        let mut state = self.writable()?;
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
    /// The second run may come after the handler has returned. So the closure must own what it uses:
    /// write `move`, and clone what a run would otherwise use up.
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
    ///
    /// let sku = String::from("apple");
    /// session.update("cart", move |cart: &mut Vec<String>| cart.push(sku.clone()))?;
    /// assert_eq!(session.get("cart")?, Some(vec!["apple".to_owned()]));
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
        let key = text(&*self.writable()?, key.key())?;
        let change = Arc::new(change);
        loop {
            let input = self.read(key.as_str())?;
            let (result, output) = match run(&key, input.as_ref(), &*change)? {
                Ok(done) => done,
                Err(refusal) => return Ok(Err(refusal)),
            };
            let mut state = self.writable()?;
            // No lock was held while the closure ran, so a clone of this handle may have changed the
            // value meanwhile.
            if state.value(key.as_str()) == input.as_ref() {
                let rerun = rerun(key.clone(), Arc::clone(&change));
                let update = Change::Update { key: key.clone(), input, output, rerun };
                state.changes.push(update);
                // The key counts as read, even if a clone has discarded something while the closure ran.
                drop(state.note_read(key));
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
        drop(self.writable()?);
        let Some(bytes) = self.read(key.key())? else { return Ok(None) };
        let value = value::decode(key.key(), &bytes)?;
        self.remove_key(key.key(), Some(Some(bytes)))?;
        Ok(Some(value))
    }

    /// Removes a key; its absence is success.
    ///
    /// If this request has read the key and another request has changed it since, the commit is refused
    /// with 409; `remove` itself returns `Ok`.
    ///
    /// # Errors
    ///
    /// The store's error when the session could not be read and the app chose to go on without, in an
    /// [outage](crate::OutagePolicy::Anonymous) or over a [damaged
    /// record](crate::UnreadablePolicy::Anonymous).
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
        self.remove_key(key.key(), None)
    }

    fn remove_key(&self, key: &str, just_read: Option<ReadValue>) -> Result<(), SessionError> {
        let mut state = self.writable()?;
        // A key too long to be stored cannot be there.
        let Ok(key) = text(&state, key) else { return Ok(()) };
        // A clone may have discarded something since this handle has read the key just now.
        let read = state.reads.last(&key).cloned().or(just_read);
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
        self.writable()?.clear();
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

    /// Returns the keys that are there, sorted; their values do not count as read. Where the values
    /// [are sealed](Self::is_sealed), so are the keys, and there are none.
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
        let state = self.0.slot.read();
        let written =
            state.sending.iter().chain(state.changes.iter()).filter_map(|change| match change {
                Change::Set { key, .. } | Change::Update { key, .. } => Some(key.as_str()),
                _ => None,
            });
        let loaded = state.found.live().into_iter().flat_map(|live| live.record.fields.keys());
        let names: BTreeSet<&str> = loaded.chain(written).collect();
        names.into_iter().filter(|key| state.value(key).is_some()).map(str::to_owned).collect()
    }

    /// Returns whether this handle can see the session's values as little as the store can: they are
    /// [sealed](crate::Sealing), and the handle was found through [`Users`](crate::Users). Every look at a value
    /// and every change of one is then [`Sealed`](SessionError::Sealed). In a request it is always `false`.
    ///
    /// ```
    /// # cloakroom::documentation::Visitor::new().visit(async |session| {
    /// assert!(!session.is_sealed());
    /// # Ok(()) });
    /// ```
    pub fn is_sealed(&self) -> bool {
        self.0.slot.read().found.check_open().is_err()
    }

    /// Returns the encoded value as the handler's own changes leave it, and notes that it was read.
    fn read(&self, key: &str) -> Result<Option<Bytes>, SessionError> {
        let mut state = self.0.slot.state();
        state.found.check_open()?;
        let key = text(&state, key)?;
        Ok(state.note_read(key))
    }

    /// Locks the state for a change of the values.
    fn writable(&self) -> Result<StateGuard<'_>, SessionError> {
        let state = self.0.slot.writable()?;
        state.found.check_open()?;
        Ok(state)
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
