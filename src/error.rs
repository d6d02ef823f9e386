//! What can go wrong: with a store, and with a session.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use http::StatusCode;

use crate::entropy::EntropyError;

type Source = Arc<dyn Error + Send + Sync>;

/// What a store's failure means for the command that met it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The store cannot be reached or cannot serve now. The command was **not** applied.
    Unavailable,
    /// The command was sent and its answer was lost: it may have been applied, may be applied
    /// later, or never.
    Indeterminate,
    /// The entry is larger than the store takes. Nothing was sent.
    TooLarge,
    /// What the store holds under this key is not what it once wrote.
    Corrupt,
    /// The store refuses this client: credentials, permissions.
    Denied,
    /// The store's address, table, folder or options are wrong; trying again cannot help.
    Misconfigured,
}

impl fmt::Display for StoreErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unavailable => "the session store is unavailable",
            Self::Indeterminate => "the session store's answer was lost",
            Self::TooLarge => "the session is too large for its store",
            Self::Corrupt => "the session store holds unreadable bytes",
            Self::Denied => "the session store denies access",
            Self::Misconfigured => "the session store is misconfigured",
        })
    }
}

/// A store's failure: a [kind](StoreErrorKind) to act on, and the precise error as its source.
///
/// The kind decides what the library does next, so a store must choose it with care. The one rule
/// that must not be bent: a write whose answer was lost is [`Indeterminate`](StoreErrorKind::Indeterminate),
/// never `Unavailable`. `Unavailable` promises that the command was not and will not be applied.
///
/// `Display` prints the kind alone, because the text may reach a log beside other people's data;
/// walk [`source`](Error::source) for the rest.
///
/// ```
/// use cloakroom::store::{StoreError, StoreErrorKind};
///
/// let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
/// let error = StoreError::new(StoreErrorKind::Unavailable, refused);
/// assert_eq!(error.kind(), StoreErrorKind::Unavailable);
/// assert!(std::error::Error::source(&error).is_some());
/// ```
#[derive(Clone, Debug)]
pub struct StoreError {
    kind: StoreErrorKind,
    source: Source,
}

impl StoreError {
    /// An error of this kind; `source` is the client library's own error, or a message.
    pub fn new(kind: StoreErrorKind, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind, source: Arc::from(source.into()) }
    }

    /// An entry of `size` bytes where `limit` is the most the store takes.
    pub fn too_large(size: usize, limit: usize) -> Self {
        Self::new(StoreErrorKind::TooLarge, format!("{size} bytes, at most {limit} fit"))
    }

    /// What the failure means.
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
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
/// layers find it. The client sees a status and nothing else; `Display` and `source` are for the
/// operator, and contain no session id, ticket or key.
///
/// | error | status |
/// |---|---|
/// | `Conflict`, `Gone` | 409 |
/// | `TooLarge`, a store's `TooLarge` | 413 |
/// | `Contended`, `Unconfirmed`, `NewerFormat`, a store that is `Unavailable` or lost an answer | 503 with `Retry-After` |
/// | everything else | 500 |
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// A key that this request has read was changed by another request before this one's `insert`
    /// or `remove` of it, or a `try_update` was refused when it ran again. Nothing was stored.
    #[error("the session's {key:?} was changed by another request")]
    Conflict {
        /// The key.
        key: Arc<str>,
    },
    /// The session was ended (logout, renewal, expiry) while this request was changing it. Nothing
    /// was stored, and no cookie is set.
    #[error("the session has ended meanwhile")]
    Gone,
    /// Other requests changed the session so quickly that this one found no gap before its commit
    /// deadline. Nothing was stored.
    #[error("too many requests are changing this session at once")]
    Contended,
    /// The store's answer to the commit was lost and nothing since tells whether it was applied.
    /// This acknowledges nothing and denies nothing.
    #[error("it could not be learned whether the session was stored")]
    Unconfirmed(#[source] Option<StoreError>),
    /// The response's head has left, so that no cookie can be set any more: a new session or a new
    /// id would reach nobody. Where the session travels in the cookie, no change and no logout can.
    #[error("the response has begun, so the session's cookie can no longer be set")]
    TooLate,
    /// The finished cookie would be larger than browsers take.
    #[error("the session cookie would be {size} bytes, at most {limit} are kept by browsers")]
    TooLarge {
        /// Bytes of name and value together.
        size: usize,
        /// The most that is allowed.
        limit: usize,
    },
    /// A value cannot be expressed in MessagePack. The change was not made, nothing else is lost.
    #[error("the value for {key:?} cannot be encoded")]
    Encode {
        /// The key.
        key: Arc<str>,
        /// What the encoder said.
        #[source]
        source: Arc<rmp_serde::encode::Error>,
    },
    /// The stored value is not of the type that was asked for. It stays as it is.
    #[error("the stored value of {key:?} cannot be read as {type_name}")]
    Decode {
        /// The key.
        key: Arc<str>,
        /// The Rust type that was asked for.
        type_name: &'static str,
        /// What the decoder said.
        #[source]
        source: Arc<rmp_serde::decode::Error>,
    },
    /// A key longer than 65,535 bytes.
    #[error("a session key may have at most 65535 bytes, this one has {length}")]
    KeyTooLong {
        /// Bytes of the key.
        length: usize,
    },
    /// The stored record is not one of ours. It stays as it is until a logout or its expiry.
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
    /// The operating system gave no random bytes, so no id could be drawn.
    #[error("no session id could be drawn")]
    Entropy(#[source] Arc<dyn Error + Send + Sync>),
    /// No `SessionLayer` is around this handler.
    #[error(
        "no session here: add `.layer(SessionLayer::new(store, keys))` to the router, outside this route"
    )]
    MissingLayer,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SessionError {
    /// The status of the answer that this error becomes; see the table above.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Conflict { .. } | Self::Gone => StatusCode::CONFLICT,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Contended | Self::Unconfirmed(_) | Self::NewerFormat { .. } => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Store(error) => store_status(error.kind()),
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Whether the store could not be reached or did not answer.
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Unconfirmed(_))
            || matches!(self, Self::Store(error) if store_status(error.kind()) == StatusCode::SERVICE_UNAVAILABLE)
    }

    /// Whether a person has to mend something; the rest is weather.
    pub(crate) fn needs_operator(&self) -> bool {
        self.is_outage()
            || matches!(
                self,
                Self::Store(_) | Self::Corrupt(_) | Self::NewerFormat { .. } | Self::Entropy(_)
            )
    }
}

fn store_status(kind: StoreErrorKind) -> StatusCode {
    match kind {
        StoreErrorKind::Unavailable | StoreErrorKind::Indeterminate => {
            StatusCode::SERVICE_UNAVAILABLE
        }
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
