//! The errors of stores and of sessions.

mod login_required;

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use http::StatusCode;

use crate::entropy::EntropyError;
use crate::error_chain::WithCauses;

pub use login_required::LoginRequired;

type Source = Arc<dyn Error + Send + Sync>;

/// The meaning of a store's failure for the command that met it.
///
/// The library acts on the kind: it answers 413 to `TooLarge`, 503 to `Unavailable`, and looks up
/// whether the session was saved after `Indeterminate`. A store must therefore choose it with care.
///
/// ```
/// use cloakroom::store::StoreErrorKind;
///
/// assert_eq!(StoreErrorKind::Denied.to_string(), "the session store denied access");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The store cannot be reached or cannot serve now. The command was **not** applied and will
    /// not be.
    Unavailable,
    /// The command was sent and its answer was lost: it may have been applied, may be applied
    /// later, or never.
    Indeterminate,
    /// The entry is larger than the store takes. Nothing was sent.
    TooLarge,
    /// The store holds bytes under this key that are not an entry of its own.
    Corrupt,
    /// A newer release has written the entry, in a format of the store that this one cannot read.
    /// Nothing may replace, remove or set aside such an entry; during a roll-out another server reads
    /// it.
    NewerFormat,
    /// The store refuses this client, because of its credentials or permissions.
    Denied,
    /// The store's address, table, folder or options are wrong; trying again cannot help.
    Misconfigured,
}

impl fmt::Display for StoreErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unavailable => "the session store is unavailable",
            Self::Indeterminate => {
                "the session store did not confirm whether the command was applied"
            }
            Self::TooLarge => "the session is too large for its store",
            Self::Corrupt => "the session store holds bytes that are not a valid entry",
            Self::NewerFormat => "the session store holds an entry of a newer format",
            Self::Denied => "the session store denied access",
            Self::Misconfigured => "the session store is misconfigured",
        })
    }
}

/// A store's failure: a [kind](StoreErrorKind) to act on, and the precise error as its source.
///
/// The kind decides what the library does next, so a store must choose it with care. One rule has no
/// exception: a write whose answer was lost is [`Indeterminate`](StoreErrorKind::Indeterminate),
/// never `Unavailable`. `Unavailable` promises that the command was not and will not be applied.
///
/// `Display` prints the text of the kind alone. `Debug` prints the [`source`](Error::source)s too,
/// so neither may contain a key or a value that a store holds.
///
/// ```
/// use cloakroom::store::{StoreError, StoreErrorKind};
///
/// let error = StoreError::new(StoreErrorKind::Unavailable, "connection refused");
/// assert_eq!(error.to_string(), "the session store is unavailable");
/// assert_eq!(format!("{error:?}"), "the session store is unavailable: connection refused");
/// ```
// An opaque struct and not an enum with a variant for each client library: those libraries would
// become part of this crate's public API, and none could be replaced without a major release.
#[derive(Clone)]
pub struct StoreError {
    kind: StoreErrorKind,
    source: Source,
}

impl StoreError {
    /// Creates an error of this kind. `source` is the client library's own error, or a message.
    ///
    /// ```
    /// use cloakroom::store::{StoreError, StoreErrorKind};
    /// use std::error::Error;
    ///
    /// let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
    /// let error = StoreError::new(StoreErrorKind::Unavailable, refused);
    /// assert!(error.source().is_some_and(|source| source.is::<std::io::Error>()));
    /// ```
    pub fn new(kind: StoreErrorKind, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind, source: Arc::from(source.into()) }
    }

    /// Creates the error for an entry of `size` bytes where the store takes at most `limit`.
    ///
    /// ```
    /// use cloakroom::store::{StoreError, StoreErrorKind};
    ///
    /// let error = StoreError::too_large(500, 400);
    /// assert_eq!(error.kind(), StoreErrorKind::TooLarge);
    /// assert!(format!("{error:?}").contains("500 bytes"));
    /// ```
    pub fn too_large(size: usize, limit: usize) -> Self {
        let problem = format!("the entry has {size} bytes, the store takes at most {limit}");
        Self::new(StoreErrorKind::TooLarge, problem)
    }

    /// Returns what the failure means.
    ///
    /// ```
    /// use cloakroom::store::{StoreError, StoreErrorKind};
    ///
    /// let error = StoreError::new(StoreErrorKind::Denied, "wrong password");
    /// assert_eq!(error.kind(), StoreErrorKind::Denied);
    /// ```
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl fmt::Debug for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", WithCauses(self))
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

/// Why a session could not be read or changed.
///
/// With the `axum` feature it is a response, so `?` works in handlers. The layer answers with the
/// same status when a commit fails, and puts the error into the response's extensions, where outer
/// layers find it. A response that carries one stores no change of its handler: whoever makes the
/// response by hand, as with plain hyper, puts the error into its extensions too. The client sees a status and nothing else. `Display`, `Debug` and `source` are
/// for the operator, and contain no session id, ticket, key or stored value.
///
/// | error | status |
/// |---|---|
/// | `LoginRequired`: nobody is logged in | 401 |
/// | `CsrfRefused`, `LoginRequired` otherwise | 403 |
/// | `Conflict`, `Gone`, `TooManySessions` | 409 |
/// | `TooLarge`, a store's `TooLarge` | 413 |
/// | `Contended`, `Unconfirmed`, `NewerFormat`, a store's `NewerFormat`, a store that is `Unavailable` or lost an answer | 503 with `Retry-After` |
/// | `Sealed`, `Unsupported` | 501 |
/// | everything else | 500 |
///
/// ```
/// use cloakroom::SessionError;
///
/// let error = SessionError::KeyTooLong { length: 70_000 };
/// assert_eq!(error.status(), 500);
/// assert!(format!("{error:?}").contains("at most 65535 bytes"));
/// ```
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// A key that this request has read was changed by another request before this one's `insert`
    /// or `remove` of it, or a `try_update` was refused when it ran again. Nothing was stored.
    #[error("another request changed {key:?} in this session first")]
    Conflict {
        /// The key.
        key: Arc<str>,
    },
    /// The session was ended (logout, renewal, expiry) while this request was changing it. Nothing
    /// was stored, and no cookie is set.
    #[error("the session ended while this request was changing it")]
    Gone,
    /// Other requests changed the session so quickly that this one found no gap before its commit
    /// deadline. Nothing was stored.
    #[error("too many requests are changing this session at once")]
    Contended,
    /// The store's answer to the commit was lost, and no later answer told whether it was applied.
    /// The changes may or may not be there.
    #[error("the store did not confirm whether the session was saved")]
    Unconfirmed(#[source] Option<StoreError>),
    /// The response's head has left, so that no cookie can be set any more: a new session or a new
    /// id would reach nobody. Where the session travels in the cookie, no change and no logout can.
    ///
    /// Every [`save`](crate::Session::save) gets it, too, if the handle has outlived a request that failed,
    /// whose changes were dropped, until the loss is noted with [`discard`](crate::Session::discard).
    #[error("the response has already begun, so the session's cookie can no longer be set")]
    TooLate,
    /// The session would be larger than the layer allows
    /// ([`max_session_bytes`](crate::SessionLayer::max_session_bytes)), or its cookie larger than
    /// browsers take. What a store refuses is [`Store`](Self::Store).
    #[error("the session would have {size} bytes, at most {limit} are allowed")]
    TooLarge {
        /// Bytes of the record, or of the cookie's name and value together.
        size: usize,
        /// The most that is allowed.
        limit: usize,
    },
    /// The request brought no token of this session, so it may come from a page of another site; see
    /// [`Session::verify_csrf`](crate::Session::verify_csrf).
    #[error("the request has no CSRF token of this session")]
    CsrfRefused,
    /// The session's login is not good enough for this step; see
    /// [`Session::require_login`](crate::Session::require_login).
    #[error(transparent)]
    LoginRequired(#[from] LoginRequired),
    /// The user has as many sessions as the layer allows, and logins are then
    /// [refused](crate::WhenFull::Refuse). Nothing was stored.
    #[error("this user has {limit} sessions already, which is the limit")]
    TooManySessions {
        /// The most sessions that are allowed.
        limit: usize,
    },
    /// The layer cannot do this with its users' sessions: it keeps no [roster](crate::Roster), or the
    /// sessions travel in cookies.
    #[error("{0}")]
    Unsupported(&'static str),
    /// The values of this session are [sealed](crate::Sealing), and this handle cannot open them: it was found
    /// through [`Users`](crate::Users), and not by the visitor's ticket. In a layer that writes sealed values,
    /// such a handle cannot change values that are still in the clear either.
    #[error("the values of this session are sealed, and only its visitor's requests can open them")]
    Sealed,
    /// A value cannot be expressed in MessagePack, or has over 128 levels of lists and maps within each
    /// other. The change was not made, nothing else is lost.
    #[error("the value for {key:?} cannot be encoded")]
    Encode {
        /// The key.
        key: Arc<str>,
        /// The problem. The text quotes nothing of the value.
        // Boxed, so that the reasons can change.
        #[source]
        source: Arc<dyn Error + Send + Sync>,
    },
    /// The stored value is not of the type that was asked for. It stays as it is.
    #[error("the stored value of {key:?} cannot be read as {type_name}")]
    Decode {
        /// The key.
        key: Arc<str>,
        /// The Rust type that was asked for.
        type_name: &'static str,
        /// The problem. The text quotes nothing of the stored value.
        #[source]
        source: Arc<dyn Error + Send + Sync>,
    },
    /// A key longer than 65,535 bytes.
    #[error("a session key may have at most 65535 bytes, this one has {length}")]
    KeyTooLong {
        /// Bytes of the key.
        length: usize,
    },
    /// The stored bytes are not a session record. They stay as they are until a logout or their
    /// expiry.
    #[error("the stored session record is unreadable: {0}")]
    Corrupt(&'static str),
    /// The stored record was written by a newer release. It stays as it is; during a roll-out a
    /// repeat may reach a server that can read it.
    #[error(
        "the stored session record has format {version}, which is newer than this release reads"
    )]
    NewerFormat {
        /// The record's format version.
        version: u8,
    },
    /// The operating system returned no random bytes, so no session id could be generated.
    #[error("no session id could be generated")]
    Entropy(#[source] Arc<dyn Error + Send + Sync>),
    /// No `SessionLayer` is around this handler.
    #[error(
        "this handler has no session layer: add `.layer(SessionLayer::new(store, keys))` to the router, outside this route"
    )]
    MissingLayer,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SessionError {
    /// Returns the status of the response that this error becomes, as the table above lists it.
    ///
    /// ```
    /// use cloakroom::SessionError;
    ///
    /// assert_eq!(SessionError::Gone.status(), 409);
    /// assert_eq!(SessionError::Contended.status(), 503);
    /// ```
    pub fn status(&self) -> StatusCode {
        match self {
            Self::LoginRequired(LoginRequired::Any) => StatusCode::UNAUTHORIZED,
            Self::CsrfRefused | Self::LoginRequired(_) => StatusCode::FORBIDDEN,
            Self::Conflict { .. } | Self::Gone | Self::TooManySessions { .. } => {
                StatusCode::CONFLICT
            }
            Self::Sealed | Self::Unsupported(_) => StatusCode::NOT_IMPLEMENTED,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Contended | Self::Unconfirmed(_) | Self::NewerFormat { .. } => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Store(error) => store_status(error.kind()),
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Returns whether the store could not be reached or did not answer.
    ///
    /// `Contended` and `NewerFormat` are 503 too, but the store is fine: a repeat may succeed.
    ///
    /// ```
    /// use cloakroom::SessionError;
    /// use cloakroom::store::{StoreError, StoreErrorKind};
    ///
    /// let refused = StoreError::new(StoreErrorKind::Unavailable, "connection refused");
    /// assert!(SessionError::from(refused).is_outage());
    /// assert!(!SessionError::Contended.is_outage());
    /// ```
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Unconfirmed(_) => true,
            Self::Store(error) => {
                matches!(error.kind(), StoreErrorKind::Unavailable | StoreErrorKind::Indeterminate)
            }
            _ => false,
        }
    }

    /// Returns whether something is stored that this release cannot read.
    pub(crate) fn is_unreadable(&self) -> bool {
        match self {
            Self::Corrupt(_) | Self::NewerFormat { .. } => true,
            Self::Store(error) => error.kind() == StoreErrorKind::Corrupt,
            _ => false,
        }
    }

    /// Turns the failure of a part into doubt about the whole.
    pub(crate) fn into_unconfirmed(self) -> Self {
        match self {
            Self::Store(source) => Self::Unconfirmed(Some(source)),
            Self::Unconfirmed(source) => Self::Unconfirmed(source),
            _ => Self::Unconfirmed(None),
        }
    }

    /// After a write whose answer was lost, no later failure proves that it was not applied.
    pub(crate) fn into_unconfirmed_if(self, in_doubt: bool) -> Self {
        match self {
            Self::Store(source) if in_doubt => Self::Unconfirmed(Some(source)),
            error => error,
        }
    }

    /// Returns whether a person has to look into it. The other errors belong to normal operation.
    pub(crate) fn needs_operator(&self) -> bool {
        self.is_outage()
            || matches!(
                self,
                Self::Store(_) | Self::Corrupt(_) | Self::NewerFormat { .. } | Self::Entropy(_)
            )
    }
}

impl fmt::Debug for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", WithCauses(self))
    }
}

fn store_status(kind: StoreErrorKind) -> StatusCode {
    match kind {
        StoreErrorKind::Unavailable
        | StoreErrorKind::Indeterminate
        | StoreErrorKind::NewerFormat => StatusCode::SERVICE_UNAVAILABLE,
        StoreErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        StoreErrorKind::Corrupt | StoreErrorKind::Denied | StoreErrorKind::Misconfigured => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}

impl From<EntropyError> for SessionError {
    fn from(error: EntropyError) -> Self {
        Self::Entropy(Arc::new(error))
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn refused() -> StoreError {
        let source = io::Error::other(io::Error::other("port 6379 is closed"));
        StoreError::new(StoreErrorKind::Unavailable, source)
    }

    #[test]
    fn debug_of_a_store_error_prints_the_text_and_its_causes() {
        let expected = "the session store is unavailable: port 6379 is closed";
        assert_eq!(format!("{:?}", refused()), expected);
        assert_eq!(format!("{:#?}", refused()), expected);
    }

    #[test]
    fn debug_of_a_session_error_prints_the_text_and_its_causes() {
        let shown = format!("{:?}", SessionError::Unconfirmed(Some(refused())));
        assert_eq!(
            shown,
            "the store did not confirm whether the session was saved: \
             the session store is unavailable: port 6379 is closed"
        );
        // The text is the store error's own: it is not printed twice.
        let shown = format!("{:?}", SessionError::from(refused()));
        assert_eq!(shown, "the session store is unavailable: port 6379 is closed");
        assert_eq!(
            format!("{:?}", SessionError::Gone),
            "the session ended while this request was changing it"
        );
    }
}
