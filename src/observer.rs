//! The trait that an app implements to be told of its sessions.

use std::sync::Arc;

use crate::events::{Conflict, CookieRefused, Outage, SessionEvent, StoreCommand};

/// A listener that is told what happens to the sessions of a layer: for counters, an audit log, an alarm.
///
/// [`SessionLayer::observer`](crate::SessionLayer::observer) sets it. Every method does nothing unless it is
/// implemented, and later releases may add methods. The [guide](crate::guide::observing) has an example for
/// metrics and one that slows down clients that send forged cookies.
///
/// # Contract
///
/// * **When**: an event is told after it has happened, in the task that has caused it. What concerns the
///   request's own cookie and load is told in the task of the request, before the handler gets its session.
///   Others may come from a task of the library.
/// * **Locks**: no lock that a call of a [`Session`](crate::Session) needs is held. The observer may use a [`Session`](crate::Session), even the
///   one that the event is about, as long as it awaits nothing.
/// * **Time**: the request waits until the method returns. So it counts, sends into a channel or writes to a
///   buffer, and does not block.
/// * **Order**: the events of one request come in the order in which they happened. Those of different
///   requests may come at the same time, on several threads.
/// * **Panics**: a panic is caught and logged as a warning. Neither the request nor its session notices, and
///   the other observers are told the event. (With `panic = "abort"` nothing can be caught.)
/// * **Silence**: no event has an id, a ticket, a cookie, a principal or a value of a session.
///
/// An `Arc` of an observer is one, too, so that the app can keep another to read its counts.
///
/// ```
/// use cloakroom::events::{SessionChange, SessionEvent};
/// use cloakroom::{Key, Observer, SessionLayer, store::MemoryStore};
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// #[derive(Default)]
/// struct Logins(AtomicU64);
///
/// impl Observer for Logins {
///     fn session(&self, event: &SessionEvent) {
///         if event.change == SessionChange::LoggedIn {
///             self.0.fetch_add(1, Ordering::Relaxed);
///         }
///     }
/// }
///
/// let logins = Arc::new(Logins::default());
/// let layer = SessionLayer::new(MemoryStore::new(), Key::generate()?).observer(Arc::clone(&logins));
/// # let mut visitor = cloakroom::documentation::Visitor::before(layer);
/// # visitor.visit(async |session| session.log_in("ada").await);
/// // After a visitor has logged in:
/// assert_eq!(logins.0.load(Ordering::Relaxed), 1);
/// # Ok::<(), cloakroom::KeyError>(())
/// ```
pub trait Observer: Send + Sync + 'static {
    /// A session was created, loaded, changed, renewed or ended, or somebody has logged in or out.
    fn session(&self, event: &SessionEvent) {
        let _ = event;
    }

    /// A request has brought tickets, in cookies or in the layer's header, and none of them was good. Once per
    /// request.
    fn cookie_refused(&self, event: &CookieRefused) {
        let _ = event;
    }

    /// A commit has met the change of another request.
    fn conflict(&self, event: &Conflict) {
        let _ = event;
    }

    /// The store was sent a command. A request has several, so this is called most often.
    fn command(&self, event: &StoreCommand) {
        let _ = event;
    }

    /// The store has stopped answering, or answers again.
    fn outage(&self, event: &Outage) {
        let _ = event;
    }
}

#[deny(clippy::missing_trait_methods)]
impl<O: Observer + ?Sized> Observer for Arc<O> {
    fn session(&self, event: &SessionEvent) {
        (**self).session(event);
    }

    fn cookie_refused(&self, event: &CookieRefused) {
        (**self).cookie_refused(event);
    }

    fn conflict(&self, event: &Conflict) {
        (**self).conflict(event);
    }

    fn command(&self, event: &StoreCommand) {
        (**self).command(event);
    }

    fn outage(&self, event: &Outage) {
        (**self).outage(event);
    }
}
