//! Classifies failures of PostgreSQL: was the statement certainly not applied, or may it have been?
//!
//! | the server or the driver says | the statement |
//! |---|---|
//! | severity `ERROR` with a SQLSTATE, except 40003 and class 08 | was not applied |
//! | severity `FATAL`, or no SQLSTATE, after the statement was handed over | may have been applied |
//! | anything while the connection is being opened | was never sent |
//!
//! A `FATAL` proves nothing, because pgbouncer sends one too when its own connection to the server dies
//! half-way.
//!
//! The server's texts never become part of an error: the message can name the user, and the detail can
//! hold a row. The SQLSTATE says the same, and the server's own log has the rest.

use std::error::Error as StdError;

use tokio_postgres::Error;
use tokio_postgres::error::{DbError, Severity};
use tokio_rustls::rustls;

use crate::error::StoreErrorKind;
use crate::store::failure::Failure;

type Source = Box<dyn StdError + Send + Sync>;

use StoreErrorKind::{Corrupt, Denied, Misconfigured, TooLarge, Unavailable};

/// The kind of error that a SQLSTATE becomes, and its text. A shorter code stands for its whole class, and
/// the first match counts.
const MEANINGS: [(&str, StoreErrorKind, &str); 30] = [
    ("25006", Unavailable, "the server is read-only: it is not the primary"),
    ("28P01", Denied, "the password is wrong"),
    ("28", Denied, "the server does not let this user in"),
    ("42501", Denied, "the user lacks a privilege on the table"),
    ("3D000", Misconfigured, "the database does not exist"),
    ("3F000", Misconfigured, "the schema does not exist"),
    ("42P01", Misconfigured, "the table does not exist"),
    ("42703", Misconfigured, "the table lacks a column"),
    ("42P10", Misconfigured, "the table lacks its primary key"),
    ("40001", Unavailable, "another transaction was faster"),
    ("40P01", Unavailable, "a deadlock with another transaction"),
    ("53100", Unavailable, "the server's disk is full"),
    ("53200", Unavailable, "the server is out of memory"),
    ("53300", Unavailable, "the server has no connection left"),
    ("54", TooLarge, "a limit of the server is exceeded"),
    ("22001", TooLarge, "a value is too long for its column"),
    ("55P03", Unavailable, "a lock was not available in time"),
    ("57014", Unavailable, "the server cancelled the statement"),
    ("57P01", Unavailable, "an administrator ended the connection"),
    ("57P02", Unavailable, "the server restarts after a crash"),
    ("57P03", Unavailable, "the server is starting or stopping"),
    ("26000", Misconfigured, "a prepared statement is unknown: a pooler stands in between"),
    ("42P05", Misconfigured, "a prepared statement is there already: a pooler stands in between"),
    ("XX001", Corrupt, "the table is damaged"),
    ("XX002", Corrupt, "an index of the table is damaged"),
    ("0A", Misconfigured, "the server cannot do that"),
    ("22", Misconfigured, "a value does not fit its column"),
    ("23", Misconfigured, "a constraint of the table does not hold"),
    ("42", Misconfigured, "the table is not the one that this release expects"),
    ("08", Unavailable, "the connection failed"),
];

/// A statement that failed: its failure, and the SQLSTATE if the server gave one.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) failure: Failure,
    code: Option<String>,
}

impl Problem {
    /// Creates the problem of a statement that was never sent because the server cannot be reached.
    pub(super) fn not_sent(problem: impl Into<Source>) -> Self {
        Self { failure: Failure::not_applied(Unavailable, problem), code: None }
    }

    /// Creates the problem of a statement whose answer was lost.
    pub(super) fn lost(problem: impl Into<Source>) -> Self {
        Self { failure: Failure::indeterminate(problem), code: None }
    }

    /// Creates the problem of a statement that a read-only server answered.
    pub(super) fn read_only() -> Self {
        Self::refused("25006".to_owned())
    }

    fn refused(code: String) -> Self {
        let (kind, error) = explain(&code);
        Self { failure: Failure::not_applied(kind, error), code: Some(code) }
    }

    /// Classifies the error of a statement that was handed over to the driver.
    pub(super) fn of_statement(error: Error) -> Self {
        let Some(refusal) = error.as_db_error() else { return Self::lost(error) };
        let code = code_of(refusal);
        if proves_not_applied(refusal, &code) {
            return Self::refused(code);
        }
        Self { failure: Failure::indeterminate(explain(&code).1), code: Some(code) }
    }

    /// Classifies the error of opening a connection. No command was sent.
    pub(super) fn of_connecting(error: Error) -> Self {
        match error.as_db_error() {
            Some(refusal) => Self::refused(code_of(refusal)),
            None => Self { failure: unopened(error), code: None },
        }
    }

    pub(super) fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// Returns whether the server did not apply the statement, and may apply it if it is sent once more: another
    /// transaction was faster, or the server is not the primary any more.
    pub(super) fn may_be_sent_again(&self) -> bool {
        let passing = matches!(self.code(), Some("40001" | "40P01" | "25006"));
        passing && matches!(self.failure, Failure::NotApplied(..))
    }

    /// Returns whether the failure may pass by itself, without a person.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self.failure, Failure::Indeterminate(_) | Failure::NotApplied(Unavailable, _))
    }

    pub(super) fn is_lost(&self) -> bool {
        matches!(self.failure, Failure::Indeterminate(_))
    }

    pub(super) fn at(self, server: &str) -> Self {
        Self { failure: self.failure.at(server), ..self }
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        Self { failure, code: None }
    }
}

/// The error of a server, without any of its texts.
#[derive(Debug, thiserror::Error)]
#[error("SQLSTATE {code}{meaning}")]
struct ServerError {
    code: String,
    meaning: String,
}

fn explain(code: &str) -> (StoreErrorKind, ServerError) {
    let known = MEANINGS.iter().find(|(known, ..)| code.starts_with(known));
    let (kind, meaning) = known
        .map_or((Unavailable, String::new()), |(_, kind, meaning)| (*kind, format!(", {meaning}")));
    (kind, ServerError { code: code.to_owned(), meaning })
}

/// Returns the SQLSTATE. What stands in its place but is not one is not repeated.
fn code_of(refusal: &DbError) -> String {
    let code = refusal.code().code();
    let is_code = code.len() == 5 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_code { code.to_owned() } else { "unknown".to_owned() }
}

fn proves_not_applied(refusal: &DbError, code: &str) -> bool {
    // Servers translate the plain severity, and old poolers send nothing else.
    let is_error = match refusal.parsed_severity() {
        Some(severity) => severity == Severity::Error,
        None => refusal.severity() == "ERROR",
    };
    is_error && is_conclusive(code)
}

fn is_conclusive(code: &str) -> bool {
    !code.starts_with("08") && !matches!(code, "40003" | "unknown")
}

/// Returns whether the server has refused a statement with one of these SQLSTATEs, and so has not run it.
pub(super) fn refused_with(error: &Error, codes: &[&str]) -> bool {
    error.as_db_error().is_some_and(|refusal| {
        let code = code_of(refusal);
        codes.contains(&&*code) && proves_not_applied(refusal, &code)
    })
}

/// Classifies a failure on the way to the server, about which the server itself said nothing.
fn unopened(error: Error) -> Failure {
    let cause = error.source().map(ToString::to_string).unwrap_or_default();
    let kind = match &*cause {
        "server does not support TLS" => Misconfigured,
        "password missing" | "unsupported authentication method" => Denied,
        _ if has_bad_certificate(&error) => Misconfigured,
        _ => Unavailable,
    };
    Failure::not_applied(kind, error)
}

fn has_bad_certificate(error: &Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        let inner = error.downcast_ref::<std::io::Error>().and_then(|error| error.get_ref());
        let inner = inner.and_then(|error| error.downcast_ref::<rustls::Error>());
        if matches!(inner, Some(rustls::Error::InvalidCertificate(_))) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Returns the failure of a command for a reason that only a person can remove.
pub(super) fn misconfigured(problem: impl Into<Source>) -> Failure {
    Failure::not_applied(Misconfigured, problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_says_what_a_refusal_means() {
        for (code, kind) in [
            ("57014", Unavailable),
            ("55P03", Unavailable),
            ("40001", Unavailable),
            ("40P01", Unavailable),
            ("53100", Unavailable),
            ("53200", Unavailable),
            ("53300", Unavailable),
            ("57P03", Unavailable),
            ("25006", Unavailable),
            ("XX000", Unavailable),
            ("54000", TooLarge),
            ("22001", TooLarge),
            ("42501", Denied),
            ("28000", Denied),
            ("28P01", Denied),
            ("42P01", Misconfigured),
            ("42703", Misconfigured),
            ("42883", Misconfigured),
            ("3F000", Misconfigured),
            ("3D000", Misconfigured),
            ("26000", Misconfigured),
            ("XX001", Corrupt),
            ("XX002", Corrupt),
        ] {
            let problem = Problem::refused(code.to_owned());
            assert_eq!(problem.code(), Some(code));
            assert_eq!(problem.failure.for_write().kind(), kind, "{code}");
        }
    }

    #[test]
    fn some_errors_prove_nothing() {
        for code in ["40003", "08000", "08003", "08006", "08P01", "unknown"] {
            assert!(!is_conclusive(code), "{code}");
        }
        assert!(is_conclusive("57014") && is_conclusive("40001"));
    }

    #[test]
    fn only_what_can_pass_by_itself_is_sent_again() {
        for (code, again) in [("40001", true), ("40P01", true), ("25006", true), ("53100", false)] {
            assert_eq!(Problem::refused(code.to_owned()).may_be_sent_again(), again, "{code}");
        }
        assert!(!Problem::lost("cut").may_be_sent_again() && Problem::lost("cut").is_lost());
        let failure = Failure::indeterminate("a pooler said so");
        let fatal = Problem { failure, code: Some("25006".to_owned()) };
        assert!(!fatal.may_be_sent_again());
    }

    #[test]
    fn an_error_shows_the_code_and_no_text_of_the_server() {
        let shown = format!("{:?}", Problem::refused("42P01".to_owned()).failure.for_write());
        assert!(shown.ends_with("SQLSTATE 42P01, the table does not exist"), "{shown}");
        let shown = format!("{:?}", Problem::refused("P0001".to_owned()).failure.for_write());
        assert!(shown.ends_with("SQLSTATE P0001"), "{shown}");
    }
}
