//! Messages that one request leaves for the next page.
//!
//! They wait in one value of the session, each encoded by itself, so that one app can flash texts and
//! another structs.

use std::fmt;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use serde::de::{DeserializeOwned, Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::changes::{Change, Receive};
use super::field::Field;
use super::session::Session;
use super::value;
use crate::error::SessionError;
use crate::poison::IgnorePoison;
use crate::record::Text;

const WAITING: Field<Vec<Message>> = Field::new(Session::FLASH_KEY);

/// # Flash messages
impl Session {
    /// The key under which [`flash`](Self::flash) keeps its messages.
    ///
    /// It is an ordinary key: [`keys`](Self::keys) lists it while messages wait,
    /// [`clear`](Self::clear) and [`remove`](Self::remove) drop them. A value of another kind that an app
    /// stores under it is no list of messages: `flash` and [`take_flashes`](Self::take_flashes) then
    /// answer [`SessionError::Decode`].
    pub const FLASH_KEY: &'static str = "cloakroom flash";

    /// The most messages that wait: 32. One more takes the place of the oldest.
    ///
    /// A visitor who never opens a page that shows them would otherwise fill the session, until some
    /// other change is refused as too large.
    pub const MOST_FLASHES: usize = 32;

    /// Leaves a message for the next page that takes it, such as "saved" before a redirect.
    ///
    /// It is stored with the other changes of this request, so a request that fails leaves none. A
    /// login keeps the messages and a logout ends them, unless they were left after it. A visitor without a
    /// session gets one.
    ///
    /// Of the messages that wait, the newest [`MOST_FLASHES`](Self::MOST_FLASHES) are kept.
    ///
    /// # Errors
    ///
    /// As [`update`](Self::update).
    ///
    /// ```
    /// # let mut visitor = cloakroom::documentation::Visitor::new();
    /// # visitor.visit(async |session| {
    /// session.flash("Your address was changed.")?;
    /// # Ok(()) });
    /// # visitor.visit(async |session| {
    /// let messages: Vec<String> = session.take_flashes().await?; // the next request
    /// assert_eq!(messages, ["Your address was changed."]);
    /// # Ok(()) });
    /// ```
    #[doc(alias("notice", "message", "toast"))]
    pub fn flash<T: Serialize + ?Sized>(&self, message: &T) -> Result<(), SessionError> {
        let message = Message(value::encode(Self::FLASH_KEY, message)?);
        self.update(WAITING, move |waiting| {
            waiting.push(message.clone());
            let surplus = waiting.len().saturating_sub(Self::MOST_FLASHES);
            waiting.drain(..surplus);
        })
    }

    /// Takes the messages that wait, the oldest first.
    ///
    /// Each message is given to one taker only, also when several tabs ask several servers at once: the
    /// messages are removed from the store before this returns. That is a [`save`](Self::save), which
    /// stores this request's other changes too. If no message waits, nothing is stored.
    ///
    /// A message is shown at most once: one that was taken is gone if the response does not reach the
    /// browser, or if the handler fails after this. So take them last, when the page is written.
    ///
    /// It takes them whatever the request is. axum calls the handler of `GET` for `HEAD` too, and browsers may
    /// fetch a page before anybody asks for it, with a header `Sec-Purpose` or `Purpose` that begins with
    /// `prefetch`. Take none in such a request: the messages wait for the next page.
    ///
    /// An open handle, as of a websocket, sees the messages that were there when it last read the
    /// session; call [`reload`](Self::reload) first.
    ///
    /// Sessions that [travel in cookies](crate::CookieSessions) cannot keep this apart: of parallel
    /// requests the last response wins, so a message may be shown twice, or get lost.
    ///
    /// # Errors
    ///
    /// [`SessionError::Decode`] if one of the messages is not a `T`; all of them stay. Otherwise as
    /// [`save`](Self::save): the messages stay, unless the store did not confirm that they were removed.
    ///
    /// ```
    /// # let mut visitor = cloakroom::documentation::Visitor::new();
    /// # visitor.visit(async |session| session.flash("Welcome back!"));
    /// # visitor.visit(async |session| {
    /// assert_eq!(session.take_flashes::<String>().await?, ["Welcome back!"]);
    /// assert!(session.take_flashes::<String>().await?.is_empty());
    /// # Ok(()) });
    /// ```
    pub async fn take_flashes<T: DeserializeOwned>(&self) -> Result<Vec<T>, SessionError> {
        let Some(waiting) = self.get(WAITING)? else { return Ok(Vec::new()) };
        let messages = decode::<T>(&waiting)?;
        if messages.is_empty() {
            return Ok(messages);
        }
        let taken = Arc::new(Mutex::new(None));
        let key = value::text(Self::FLASH_KEY)?;
        let receive =
            self.push_take(&key, Arc::clone(&taken), |waiting| decode::<T>(waiting).map(drop))?;
        if let Err(error) = self.save().await {
            // Or the next commit of this request would remove what nobody was given.
            self.0.slot.state().take_back(&key, &receive);
            return Err(error);
        }
        let taken = taken.lock().ignore_poison().take();
        taken.map_or_else(|| Ok(Vec::new()), |taken| decode(&taken))
    }

    /// Pushes the removal of the messages. The commit may run it several times, on what others have
    /// stored meanwhile, and the last run leaves in `taken` what was removed.
    ///
    /// `check` is a plain function, so that the closure, which outlives this call, does not depend on the
    /// messages' type.
    fn push_take(
        &self,
        key: &Text,
        taken: Arc<Mutex<Option<Vec<Message>>>>,
        check: fn(&[Message]) -> Result<(), SessionError>,
    ) -> Result<Receive, SessionError> {
        let receive: Receive = Arc::new(move |stored| {
            let waiting = stored.map(|bytes| value::decode::<Vec<Message>>(Self::FLASH_KEY, bytes));
            let waiting = waiting.transpose()?;
            check(waiting.as_deref().unwrap_or_default())?;
            *taken.lock().ignore_poison() = waiting;
            Ok(())
        });
        let take = Change::Take { key: key.clone(), receive: Arc::clone(&receive) };
        self.0.slot.writable()?.push(key, take);
        Ok(receive)
    }
}

fn decode<T: DeserializeOwned>(messages: &[Message]) -> Result<Vec<T>, SessionError> {
    messages.iter().map(|Message(bytes)| value::decode(Session::FLASH_KEY, bytes)).collect()
}

/// An encoded message. It is read from a byte string and from nothing else, so that another value under
/// the key is not taken for messages.
#[derive(Clone)]
struct Message(Bytes);

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(ByteString)
    }
}

struct ByteString;

impl Visitor<'_> for ByteString {
    type Value = Message;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a byte string")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Message, E> {
        Ok(Message(Bytes::copy_from_slice(bytes)))
    }
}
