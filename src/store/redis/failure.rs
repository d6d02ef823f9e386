//! What an error of the client library says about the command it was for.

use fred::error::{Error, ErrorKind};

use crate::error::{StoreError, StoreErrorKind};

/// Refusals that prove that the command was not carried out, by the code they begin with.
const REFUSALS: [(&str, StoreErrorKind); 14] = [
    ("BUSY", StoreErrorKind::Unavailable),
    ("LOADING", StoreErrorKind::Unavailable),
    ("MASTERDOWN", StoreErrorKind::Unavailable),
    ("MISCONF", StoreErrorKind::Unavailable),
    ("NOREPLICAS", StoreErrorKind::Unavailable),
    ("OOM", StoreErrorKind::Unavailable),
    ("READONLY", StoreErrorKind::Unavailable),
    ("THROTTLED", StoreErrorKind::Unavailable),
    ("TRYAGAIN", StoreErrorKind::Unavailable),
    ("NOAUTH", StoreErrorKind::Denied),
    ("NOPERM", StoreErrorKind::Denied),
    ("WRONGPASS", StoreErrorKind::Denied),
    ("WRONGTYPE", StoreErrorKind::Corrupt),
    ("CROSSSLOT", StoreErrorKind::Misconfigured),
];

/// What `ERR` says when a command could not even be begun. Other texts prove nothing: proxies use it
/// for answers that they have not got.
const SETTINGS: [&str; 5] = [
    "ERR unknown command",
    "ERR wrong number of arguments",
    "ERR syntax error",
    "ERR DB index is out of range",
    "ERR invalid expire time",
];

/// A command that was not answered as it should.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server does not have this script (yet). Nothing was carried out.
    NoScript,
    /// Another server has this key, or is about to. Nothing was carried out.
    Redirected(Error),
    /// The server, or this process, declined. Nothing was carried out.
    Refused(StoreErrorKind, Error),
    /// No answer to this command. It may have been carried out, now or later.
    Lost(Error),
}

impl Failure {
    /// `fatal` lists the codes on which the client library gives up the connection: it then hands
    /// the refusal of one command to all that are under way, to which it says nothing.
    pub(super) fn of(error: Error, fatal: &[String]) -> Self {
        let error = without_arguments(error);
        let code = code(error.details());
        if code == "NOSCRIPT" {
            return Self::NoScript;
        }
        if SETTINGS.iter().any(|text| error.details().starts_with(text)) {
            return Self::Refused(StoreErrorKind::Misconfigured, error);
        }
        // What the library says instead of following a `MOVED` or an `ASK`.
        if *error.kind() == ErrorKind::Routing && error.details() == "Too many redirections." {
            return Self::Redirected(error);
        }
        let refusal = REFUSALS.iter().find(|(known, _)| *known == code);
        match refusal {
            Some((_, kind)) if !fatal.iter().any(|known| known == code) => {
                Self::Refused(*kind, error)
            }
            _ => Self::Lost(error),
        }
    }

    /// Whether the server we are connected to is no longer the primary.
    pub(super) fn is_demotion(&self) -> bool {
        let demoted = ["READONLY", "MASTERDOWN"];
        matches!(self, Self::Refused(_, error) if demoted.contains(&code(error.details())))
    }

    pub(super) fn is_silence(&self) -> bool {
        matches!(self, Self::Lost(error) if *error.kind() == ErrorKind::Timeout)
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
            Self::NoScript => StoreError::new(
                StoreErrorKind::Unavailable,
                "the server forgot a script as soon as it had it",
            ),
            Self::Redirected(error) => StoreError::new(StoreErrorKind::Unavailable, error),
            Self::Refused(kind, error) => StoreError::new(kind, error),
            Self::Lost(error) => StoreError::new(doubt, error),
        }
    }
}

/// Servers quote the beginning of what a command that they do not know was given: a key's name, and
/// a session's first bytes.
fn without_arguments(error: Error) -> Error {
    match error.details().split_once(", with args") {
        Some((told, _)) => Error::new(error.kind().clone(), told.to_owned()),
        None => error,
    }
}

/// The word that says what was refused. Redis 6 tells what a script was refused at the end of `ERR
/// Error running script (call to f_…): @user_script:10: @user_script: 10: -OOM command not …`.
fn code(details: &str) -> &str {
    let script = details.strip_prefix("ERR Error running script");
    let place = script.and_then(|rest| rest.rsplit_once("@user_script"));
    let refusal = place.and_then(|(_, rest)| rest.splitn(3, ':').nth(2));
    let refusal = refusal.map_or(details, |refusal| refusal.trim_start().trim_start_matches('-'));
    if refusal.contains("The user executing the script can't") {
        return "NOPERM";
    }
    refusal.split_whitespace().next().unwrap_or_default()
}

/// Why a connection could not be had at all.
pub(super) fn of_connecting(error: Error) -> StoreError {
    let says = |part| error.details().contains(part);
    let kind = match error.kind() {
        ErrorKind::Auth => StoreErrorKind::Denied,
        ErrorKind::Config | ErrorKind::Url | ErrorKind::InvalidArgument | ErrorKind::Tls => {
            StoreErrorKind::Misconfigured
        }
        // The library reports what TLS objects to as an error of the socket.
        _ if says("InvalidCertificate") => StoreErrorKind::Misconfigured,
        _ => match Failure::of(error.clone(), &[]) {
            Failure::Refused(kind, _) => kind,
            _ => StoreErrorKind::Unavailable,
        },
    };
    StoreError::new(kind, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(details: &'static str, fatal: &[&str]) -> (StoreErrorKind, StoreErrorKind) {
        let fatal: Vec<_> = fatal.iter().map(|&code| code.to_owned()).collect();
        let failure = || Failure::of(Error::new(ErrorKind::Unknown, details), &fatal);
        (failure().of_a_read().kind(), failure().of_a_write().kind())
    }

    #[test]
    fn a_refusal_proves_that_nothing_was_done() {
        use StoreErrorKind::{Corrupt, Denied, Misconfigured, Unavailable};
        for (details, kind) in [
            ("READONLY You can't write against a read only replica.", Unavailable),
            ("LOADING Redis is loading the dataset in memory", Unavailable),
            ("TRYAGAIN Multiple keys request during rehashing of slot", Unavailable),
            ("OOM command not allowed when used memory > 'maxmemory'.", Unavailable),
            ("NOPERM this user has no permissions", Denied),
            ("WRONGTYPE Operation against a key holding the wrong kind of value", Corrupt),
            ("ERR unknown command 'EVALSHA', with args beginning with: 'x' ", Misconfigured),
            ("ERR The user executing the script can't run this command or subcommand", Denied),
        ] {
            assert_eq!(kinds(details, &[]), (kind, kind), "{details}");
        }
    }

    /// As Redis 6.2 has it.
    #[test]
    fn what_a_script_was_refused_is_found_at_the_end() {
        use StoreErrorKind::{Corrupt, Unavailable};
        for (refusal, kind) in [
            ("-OOM command not allowed when used memory > 'maxmemory'.", Unavailable),
            ("-READONLY You can't write against a read only replica.", Unavailable),
            ("WRONGTYPE Operation against a key holding the wrong kind of value", Corrupt),
        ] {
            let head = "ERR Error running script (call to f_0123): @user_script:10:";
            let error = format!("{head} @user_script: 10: {refusal} ");
            let failure = Failure::of(Error::new(ErrorKind::Unknown, error), &[]);
            assert_eq!(failure.is_demotion(), refusal.contains("READONLY"));
            assert_eq!(failure.of_a_write().kind(), kind, "{refusal}");
        }
    }

    #[test]
    fn an_error_says_nothing_of_what_a_command_was_given() {
        let error = Error::new(
            ErrorKind::Unknown,
            "ERR unknown command 'X', with args beginning with: 'secret' ",
        );
        assert!(!format!("{:?}", Failure::of(error, &[])).contains("secret"));
    }

    #[test]
    fn a_redirection_proves_that_nothing_was_done() {
        let error = Error::new(ErrorKind::Routing, "Too many redirections.");
        let failure = Failure::of(error, &[]);
        assert!(matches!(failure, Failure::Redirected(_)), "{failure:?}");
        assert_eq!(failure.of_a_write().kind(), StoreErrorKind::Unavailable);
    }

    #[test]
    fn a_refusal_that_others_may_have_got_proves_nothing() {
        use StoreErrorKind::{Indeterminate, Unavailable};
        assert_eq!(kinds("READONLY …", &["READONLY"]), (Unavailable, Indeterminate));
        assert_eq!(kinds("CLUSTERDOWN The cluster is down", &[]), (Unavailable, Indeterminate));
        assert_eq!(kinds("Too many failed write attempts.", &[]), (Unavailable, Indeterminate));
        assert_eq!(kinds("", &[]), (Unavailable, Indeterminate));
        assert_eq!(kinds("ERR Connection timed out", &[]), (Unavailable, Indeterminate));
    }
}
