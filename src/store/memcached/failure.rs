//! What a failed command says about whether it was carried out.

use std::error::Error;

use crate::error::{StoreError, StoreErrorKind};

type Source = Box<dyn Error + Send + Sync>;

/// A command that was not answered as it should.
#[derive(Debug)]
pub(super) enum Failure {
    /// It was not sent, or the server declined. Nothing was carried out.
    Refused(StoreErrorKind, Source),
    /// No answer. It may have been carried out, now or later.
    Lost(Source),
    /// The same, after all the time that a command has.
    Silent,
}

impl Failure {
    pub(super) fn refused(kind: StoreErrorKind, source: impl Into<Source>) -> Self {
        Self::Refused(kind, source.into())
    }

    pub(super) fn unavailable(source: impl Into<Source>) -> Self {
        Self::refused(StoreErrorKind::Unavailable, source)
    }

    pub(super) fn misconfigured(source: impl Into<Source>) -> Self {
        Self::refused(StoreErrorKind::Misconfigured, source)
    }

    pub(super) fn lost(source: impl Into<Source>) -> Self {
        Self::Lost(source.into())
    }

    /// What a line that is no reply of a meta command says; memcached has three kinds of them.
    ///
    /// The line is not repeated unless it is one of the server's own sentences: what stands where a
    /// reply should may be a session's bytes.
    pub(super) fn of_line(line: &[u8]) -> Self {
        let says = |part: &str| memchr::memmem::find(line, part.as_bytes()).is_some();
        let known = |kind| Self::refused(kind, String::from_utf8_lossy(line).into_owned());
        if line.starts_with(b"SERVER_ERROR") {
            return match says("too large") {
                true => known(StoreErrorKind::TooLarge),
                false if says("out of memory storing") => known(StoreErrorKind::Unavailable),
                // Said of the connection or of the server as a whole; proves nothing.
                false => Self::lost(String::from_utf8_lossy(line).into_owned()),
            };
        }
        match line.starts_with(b"CLIENT_ERROR") {
            true if says("unauthenticated") || says("authentication") => {
                known(StoreErrorKind::Denied)
            }
            true => known(StoreErrorKind::Misconfigured),
            false if line == b"ERROR" => Self::misconfigured(
                "the server does not know meta commands: memcached 1.6.18 or later is needed",
            ),
            false => Self::lost("the server answered with something that is no reply"),
        }
    }

    /// While connecting, when nothing can have been carried out yet.
    pub(super) fn of_connecting(self) -> Self {
        let error = self.of_a_read();
        Self::refused(error.kind(), error)
    }

    /// As the answer to a command that changes nothing: there it does not matter what was lost.
    pub(super) fn of_a_read(self) -> StoreError {
        self.with_doubt_as(StoreErrorKind::Unavailable)
    }

    pub(super) fn of_a_write(self) -> StoreError {
        self.with_doubt_as(StoreErrorKind::Indeterminate)
    }

    fn with_doubt_as(self, doubt: StoreErrorKind) -> StoreError {
        match self {
            Self::Refused(kind, source) => StoreError::new(kind, source),
            Self::Lost(source) => StoreError::new(doubt, source),
            Self::Silent => StoreError::new(doubt, "the server did not answer in time"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(line: &str) -> (StoreErrorKind, StoreErrorKind) {
        let failure = || Failure::of_line(line.as_bytes());
        (failure().of_a_read().kind(), failure().of_a_write().kind())
    }

    #[test]
    fn a_refusal_proves_that_nothing_was_done() {
        use StoreErrorKind::{Denied, Misconfigured, TooLarge, Unavailable};
        for (line, kind) in [
            ("SERVER_ERROR object too large for cache", TooLarge),
            ("SERVER_ERROR out of memory storing object", Unavailable),
            ("CLIENT_ERROR unauthenticated", Denied),
            ("CLIENT_ERROR authentication failure", Denied),
            ("CLIENT_ERROR bad command line format", Misconfigured),
            ("ERROR", Misconfigured),
        ] {
            assert_eq!(kinds(line), (kind, kind), "{line}");
        }
    }

    #[test]
    fn anything_else_proves_nothing() {
        use StoreErrorKind::{Indeterminate, Unavailable};
        for line in ["SERVER_ERROR out of memory reading request", "secret", "HD", ""] {
            assert_eq!(kinds(line), (Unavailable, Indeterminate), "{line}");
        }
        assert!(!format!("{:?}", Failure::of_line(b"secret")).contains("secret"));
    }
}
