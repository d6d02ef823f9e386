//! Events of a session.

use super::fingerprint::Fingerprint;
use crate::id::SessionHandle;

/// An event of a session.
///
/// ```
/// use cloakroom::events::{SessionChange, SessionEvent};
///
/// fn is_login(event: &SessionEvent) -> bool {
///     matches!(event.change, SessionChange::LoggedIn)
/// }
/// # use std::sync::{Arc, Mutex};
/// # struct Logins(Arc<Mutex<u32>>);
/// # impl cloakroom::Observer for Logins {
/// #     fn session(&self, event: &SessionEvent) { *self.0.lock().unwrap() += u32::from(is_login(event)); }
/// # }
/// # let logins = Arc::default();
/// # let mut visitor = cloakroom::documentation::Visitor::observed_by(Logins(Arc::clone(&logins)));
/// # visitor.visit(async |session| session.log_in("ada").await);
/// # let logins = *logins.lock().unwrap();
/// assert_eq!(logins, 1); // after a visitor has logged in
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct SessionEvent {
    /// The kind of event.
    pub change: SessionChange,
    /// The session's name in the logs. After a renewal it is the new one. `None` for a session in a cookie
    /// that was ended although it could not be read.
    pub session: Option<Fingerprint>,
    /// The public handle of the login, if the layer keeps a [roster](crate::Roster) and the session was read.
    pub handle: Option<SessionHandle>,
}

/// The kind of a session's event.
///
/// ```
/// use cloakroom::events::{EndedBy, SessionChange};
///
/// assert_eq!(SessionChange::FoundExpired.name(), "found_expired");
/// assert_eq!(SessionChange::Ended(EndedBy::Limit).name(), "ended");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum SessionChange {
    /// A visitor without a session has got one. If it comes with a login, [`LoggedIn`](Self::LoggedIn)
    /// follows.
    Created,
    /// A request has loaded a live session. Once per request.
    Loaded,
    /// A request has brought a good ticket that leads to nothing: the idle timeout is over, the session was
    /// ended more than a minute ago, or the store has lost it. Once per request. A ticket whose own time is
    /// over, and a session in a cookie whose time is over, are [refused](crate::events::Refusal::Expired) instead.
    FoundExpired,
    /// The values of a session have changed, and are stored.
    Changed,
    /// A session has got a new id, and the old one is worthless.
    Renewed,
    /// Somebody has logged in. It follows `Created` or `Renewed`. In a layer without a roster,
    /// [`Users::end_others`](crate::Users::end_others) logs its caller in anew, which is told, too.
    LoggedIn,
    /// The principal has left and the values have stayed, by
    /// [`log_out_keeping_data`](crate::Session::log_out_keeping_data). It follows `Renewed`.
    LoggedOut,
    /// A session was ended. One that ends by itself is told as `FoundExpired`, if a request comes with it.
    Ended(EndedBy),
}

impl SessionChange {
    /// Returns a short name, as for the label of a metric.
    ///
    /// ```
    /// use cloakroom::events::SessionChange;
    ///
    /// assert_eq!(SessionChange::LoggedIn.name(), "logged_in");
    /// ```
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Loaded => "loaded",
            Self::FoundExpired => "found_expired",
            Self::Changed => "changed",
            Self::Renewed => "renewed",
            Self::LoggedIn => "logged_in",
            Self::LoggedOut => "logged_out",
            Self::Ended(_) => "ended",
        }
    }
}

/// The one who has ended a session.
///
/// ```
/// use cloakroom::events::EndedBy;
///
/// assert_eq!(EndedBy::OtherDevice.name(), "other_device");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum EndedBy {
    /// The visitor: [`destroy`](crate::Session::destroy) in a request or in a handle that it has left open.
    Visitor,
    /// The same user from another session: [`Users::end_others`](crate::Users::end_others).
    OtherDevice,
    /// [`Users::end`](crate::Users::end), [`Users::end_all`](crate::Users::end_all) or a handle that
    /// [`Users::sessions_of`](crate::Users::sessions_of) has returned: an administrator, a reset of the
    /// password, or a page of the user's devices. Also a session that had escaped from one of the ends of all sessions and was
    /// caught later.
    Users,
    /// A login, because its user had as many sessions as [`Roster::limit`](crate::Roster::limit) allows.
    Limit,
    /// [`Revocations`](crate::Revocations). Nobody can list the sessions that are revoked, so this is told
    /// whenever one of them is met, and again when it comes back.
    Revocation,
}

impl EndedBy {
    /// Returns a short name, as for the label of a metric.
    ///
    /// ```
    /// use cloakroom::events::EndedBy;
    ///
    /// assert_eq!(EndedBy::Visitor.name(), "visitor");
    /// ```
    pub const fn name(self) -> &'static str {
        match self {
            Self::Visitor => "visitor",
            Self::OtherDevice => "other_device",
            Self::Users => "users",
            Self::Limit => "limit",
            Self::Revocation => "revocation",
        }
    }
}
