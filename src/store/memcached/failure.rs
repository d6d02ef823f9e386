//! Classifies failures of memcached: was the command certainly not applied, or may it have been?

use std::error::Error;

use crate::error::StoreErrorKind;
use crate::store::failure::Failure;

type Source = Box<dyn Error + Send + Sync>;

/// Returns the failure of a command that was not applied because the server cannot be reached or
/// cannot serve now.
pub(super) fn unavailable(source: impl Into<Source>) -> Failure {
    Failure::not_applied(StoreErrorKind::Unavailable, source)
}

/// Returns the failure of a command that was not applied for a reason that only a person can remove.
pub(super) fn misconfigured(source: impl Into<Source>) -> Failure {
    Failure::not_applied(StoreErrorKind::Misconfigured, source)
}

/// Turns the failure of connecting or logging in into the failure of the command that needed the
/// connection. An answer lost on the way there leaves no doubt about the command: it was never sent.
pub(super) fn before_sending(failure: Failure) -> Failure {
    match failure {
        Failure::Indeterminate(source) => unavailable(source),
        not_applied @ Failure::NotApplied(..) => not_applied,
    }
}

/// Classifies a line that is not a reply of a meta command.
///
/// memcached has three kinds of them. The line is repeated in the error only if it is one of these:
/// anything else in the place of a reply may be the bytes of a session.
pub(super) fn classify_line(line: &[u8]) -> Failure {
    let says = |part: &str| memchr::memmem::find(line, part.as_bytes()).is_some();
    let refused = |kind| Failure::not_applied(kind, String::from_utf8_lossy(line).into_owned());
    if line.starts_with(b"SERVER_ERROR") {
        return match says("too large") {
            true => refused(StoreErrorKind::TooLarge),
            false if says("out of memory storing") => refused(StoreErrorKind::Unavailable),
            // Other texts are about the connection or the server as a whole and prove nothing.
            false => Failure::indeterminate(String::from_utf8_lossy(line).into_owned()),
        };
    }
    match line.starts_with(b"CLIENT_ERROR") {
        true if says("unauthenticated") || says("authentication") => {
            refused(StoreErrorKind::Denied)
        }
        true => refused(StoreErrorKind::Misconfigured),
        false if line == b"ERROR" => misconfigured(
            "the server does not know meta commands: memcached 1.6.18 or later is needed",
        ),
        false => Failure::indeterminate("the server's answer is not a reply"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(line: &str) -> (StoreErrorKind, StoreErrorKind) {
        let failure = || classify_line(line.as_bytes());
        (failure().for_read().kind(), failure().for_write().kind())
    }

    #[test]
    fn a_refusal_proves_that_the_command_was_not_applied() {
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
    fn any_other_line_proves_nothing_and_is_not_shown() {
        use StoreErrorKind::{Indeterminate, Unavailable};
        for line in ["SERVER_ERROR out of memory reading request", "secret", "HD", ""] {
            assert_eq!(kinds(line), (Unavailable, Indeterminate), "{line}");
        }
        assert!(!format!("{:?}", classify_line(b"secret")).contains("secret"));
    }

    #[test]
    fn a_command_that_was_never_sent_was_not_applied() {
        let failure = before_sending(Failure::indeterminate("no answer to the login"));
        assert_eq!(failure.for_write().kind(), StoreErrorKind::Unavailable);
        let failure = before_sending(classify_line(b"CLIENT_ERROR unauthenticated"));
        assert_eq!(failure.for_write().kind(), StoreErrorKind::Denied);
    }
}
