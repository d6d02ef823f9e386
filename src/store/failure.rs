//! Failures of commands, and whether they prove that the command was not applied.
//!
//! Each store that talks to a server classifies its client's errors as one of two: the command was
//! certainly not applied, or it may have been. What follows from that for a read and for a write is
//! decided here, once for all stores.

use std::error::Error;

use crate::error::{StoreError, StoreErrorKind};

type Source = Box<dyn Error + Send + Sync>;

/// A command that failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The command was not applied and will not be: it was never sent, or the server refused it.
    NotApplied(StoreErrorKind, Source),
    /// The command was sent and its answer was lost. It may have been applied, or may yet be.
    Indeterminate(Source),
}

impl Failure {
    /// Creates the failure of a command that was certainly not applied.
    pub(super) fn not_applied(kind: StoreErrorKind, source: impl Into<Source>) -> Self {
        Self::NotApplied(kind, source.into())
    }

    /// Creates the failure of a command that was sent and whose answer was lost.
    pub(super) fn indeterminate(source: impl Into<Source>) -> Self {
        Self::Indeterminate(source.into())
    }

    /// Names the server in front of the error itself, so that the operator sees where to look. Errors
    /// end up in logs, so `server` must hold neither a user nor a password.
    pub(super) fn at(self, server: impl Into<String>) -> Self {
        let server = server.into();
        match self {
            Self::NotApplied(kind, source) => {
                Self::not_applied(kind, NamedServer { server, source })
            }
            Self::Indeterminate(source) => Self::indeterminate(NamedServer { server, source }),
        }
    }

    /// Returns the error of a command that changes nothing. A lost answer is `Unavailable` there: it
    /// does not matter whether the server carried the command out.
    pub(super) fn for_read(self) -> StoreError {
        self.into_error(StoreErrorKind::Unavailable)
    }

    /// Returns the error of a command that changes something. Only here is a lost answer
    /// `Indeterminate`, upon which the library finds out what became of the write.
    pub(super) fn for_write(self) -> StoreError {
        self.into_error(StoreErrorKind::Indeterminate)
    }

    fn into_error(self, lost_answer: StoreErrorKind) -> StoreError {
        match self {
            Self::NotApplied(kind, source) => StoreError::new(kind, source),
            Self::Indeterminate(source) => StoreError::new(lost_answer, source),
        }
    }
}

/// The server that gave an error, or that could not be reached. The error itself is the source.
#[derive(Debug, thiserror::Error)]
#[error("{server}")]
struct NamedServer {
    server: String,
    source: Source,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(failure: fn() -> Failure) -> (StoreErrorKind, StoreErrorKind) {
        (failure().for_read().kind(), failure().for_write().kind())
    }

    #[test]
    fn a_refusal_means_the_same_for_a_read_and_a_write() {
        for kind in [StoreErrorKind::Unavailable, StoreErrorKind::Denied] {
            let failure = || Failure::not_applied(kind, "refused");
            assert_eq!((failure().for_read().kind(), failure().for_write().kind()), (kind, kind));
        }
    }

    #[test]
    fn a_lost_answer_is_unavailable_for_a_read_and_indeterminate_for_a_write() {
        use StoreErrorKind::{Indeterminate, Unavailable};
        assert_eq!(kinds(|| Failure::indeterminate("lost")), (Unavailable, Indeterminate));
    }

    #[test]
    fn the_server_stands_in_front_of_the_error() {
        let error = Failure::indeterminate("it closed the connection");
        let error = error.at("the server cache:11211").for_write();
        assert_eq!(error.kind(), StoreErrorKind::Indeterminate);
        let server = error.source().map(ToString::to_string);
        assert_eq!(server.as_deref(), Some("the server cache:11211"));
        let cause = error.source().and_then(Error::source).map(ToString::to_string);
        assert_eq!(cause.as_deref(), Some("it closed the connection"));
    }
}
