//! The name of a session in logs and events.

use std::fmt;

use crate::hex::Hex;
use crate::id::StoreKey;

/// The name that logs and events give to a session: eight hexadecimal digits of a hash of its id.
///
/// It changes with every renewal, as the id does, and no id or ticket can be made from it. Two sessions have
/// the same one by chance, once in some billions of pairs: it is for finding one's way in a log, not for
/// decisions. A session that travels in its own cookie has no id; its name is random, and also changes with
/// every renewal.
///
/// ```
/// use cloakroom::events::{Fingerprint, SessionEvent};
///
/// fn line(event: &SessionEvent) -> String {
///     let session: Option<Fingerprint> = event.session;
///     let name = session.map(|session| session.to_string()); // as `session=` in the logs
///     format!("{} {}", event.change.name(), name.unwrap_or_default())
/// }
/// # use std::sync::{Arc, Mutex};
/// # struct Lines(Arc<Mutex<Vec<String>>>);
/// # impl cloakroom::Observer for Lines {
/// #     fn session(&self, event: &SessionEvent) { self.0.lock().unwrap().push(line(event)); }
/// # }
/// # let lines = Arc::default();
/// # let mut visitor = cloakroom::documentation::Visitor::observed_by(Lines(Arc::clone(&lines)));
/// # visitor.visit(async |session| session.insert("name", "Ada"));
/// # let lines = lines.lock().unwrap();
/// # let line = &lines[0];
/// assert_eq!(line.len(), "created ".len() + 8);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 4]);

impl From<&StoreKey> for Fingerprint {
    fn from(key: &StoreKey) -> Self {
        let [a, b, c, d, ..] = *key.as_bytes();
        Self([a, b, c, d])
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.0).fmt(f)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}
