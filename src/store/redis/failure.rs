//! Classifies the errors of the client library: was the command certainly not applied, or may it have
//! been?
//!
//! The library's error kinds do not say on whose side a command failed, so only the words of the
//! server itself, given to that very command, count as proof that it was not applied.

use fred::error::{Error, ErrorKind};

use crate::error::StoreErrorKind;
use crate::store::failure::Failure;

/// The codes of refusals that prove that the command was not applied.
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

/// The texts of `ERR` that prove that the command was not even begun. Other texts prove nothing: a
/// proxy answers `ERR` as well when the server behind it has not answered.
const NEVER_BEGUN: [&str; 5] = [
    "ERR unknown command",
    "ERR wrong number of arguments",
    "ERR syntax error",
    "ERR DB index is out of range",
    "ERR invalid expire time",
];

/// The texts that stand for `NOPERM` where a script's command is refused: up to Redis 7.0, and from
/// Redis 7.2 and Valkey on. Neither has a code of its own.
const NO_PERMISSION: [&str; 2] =
    ["The user executing the script can't", "ERR ACL failure in script:"];

/// A command that failed, as far as this store has to tell failures apart.
#[derive(Clone, Debug)]
pub(super) enum RedisFailure {
    /// The server does not have this script (yet). The command was not applied.
    NoScript,
    /// Another server has this key, or is about to have it. The command was not applied.
    Redirected(Error),
    /// The server, or this process, refused the command. It was not applied.
    Refused(StoreErrorKind, Error),
    /// This command got no answer. It may have been applied, or may yet be.
    Lost(Error),
}

impl RedisFailure {
    /// Classifies an error of the client library.
    ///
    /// `fatal` lists the codes on which the client library gives up the connection. It then hands the
    /// refusal of one command to all commands under way, so that to most of them such a refusal
    /// proves nothing.
    pub(super) fn classify(error: Error, fatal: &[String]) -> Self {
        let error = without_arguments(error);
        let code = refusal_code(error.details());
        if code == "NOSCRIPT" {
            return Self::NoScript;
        }
        if NEVER_BEGUN.iter().any(|text| error.details().starts_with(text)) {
            return Self::Refused(StoreErrorKind::Misconfigured, error);
        }
        // The library gives this error instead of following a `MOVED` or an `ASK`.
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

    /// Whether the server that refused is no longer the primary.
    pub(super) fn is_demotion(&self) -> bool {
        let demoted = ["READONLY", "MASTERDOWN"];
        matches!(self, Self::Refused(_, error) if demoted.contains(&refusal_code(error.details())))
    }

    /// Whether this refusal of a command about several keys says nothing about a command about one of them:
    /// the server is a cluster behind one address, or a proxy, or its user may not use the command.
    pub(super) fn may_be_about_several_keys(&self) -> bool {
        let (Self::Refused(_, error) | Self::Lost(error)) = self else { return false };
        ["CROSSSLOT", "NOPERM", "ERR"].contains(&refusal_code(error.details()))
    }

    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused(..))
    }

    pub(super) fn has_code(&self, code: &str) -> bool {
        let (Self::Refused(_, error) | Self::Lost(error)) = self else { return false };
        refusal_code(error.details()) == code
    }

    /// Whether the command ended because its time was up.
    pub(super) fn is_timeout(&self) -> bool {
        matches!(self, Self::Lost(error) if *error.kind() == ErrorKind::Timeout)
    }
}

impl From<RedisFailure> for Failure {
    fn from(failure: RedisFailure) -> Self {
        match failure {
            RedisFailure::NoScript => Self::not_applied(
                StoreErrorKind::Unavailable,
                "the server forgot the script right after it was loaded",
            ),
            RedisFailure::Redirected(error) => {
                Self::not_applied(StoreErrorKind::Unavailable, error)
            }
            RedisFailure::Refused(kind, error) => Self::not_applied(kind, error),
            RedisFailure::Lost(error) => Self::indeterminate(error),
        }
    }
}

/// Removes the arguments that a server quotes when it does not know a command: the name of a key and
/// the first bytes of a session.
fn without_arguments(error: Error) -> Error {
    match error.details().split_once(", with args") {
        Some((text, _)) => Error::new(error.kind().clone(), text.to_owned()),
        None => error,
    }
}

/// Returns the word that tells what was refused, also where a script's command was refused.
///
/// Redis 6 puts the place in the script before the refusal, and later servers put it after. These are
/// the texts of 6.2.14 and 7.0.15; in 6.2 some end with a newline:
///
/// ```text
/// 6.2  call   ERR Error running script (call to f_0123…): @user_script:1: @user_script: 1: -OOM command not …
///             ERR Error running script (call to f_0123…): @user_script:1: WRONGTYPE Operation against …
///      pcall  @user_script: 1: -OOM command not …
///             WRONGTYPE Operation against …
/// 7.0  call   OOM command not … script: 0123…, on @user_script:1.
///      pcall  OOM command not …
/// ```
///
/// `pcall` stands for the field `err` that a script finds in the answer of `redis.pcall`, and for the
/// error that the client gets if the script returns that answer.
fn refusal_code(details: &str) -> &str {
    let refusal = without_place(details).trim_start_matches('-');
    if NO_PERMISSION.iter().any(|text| refusal.contains(text)) {
        return "NOPERM";
    }
    refusal.split_whitespace().next().unwrap_or_default()
}

/// Skips everything up to the place in the script, which is `@user_script:1:` or `@user_script: 1:`.
fn without_place(details: &str) -> &str {
    if !["ERR Error running script", "@user_script"].iter().any(|head| details.starts_with(head)) {
        return details;
    }
    let place = details.rsplit_once("@user_script");
    let refusal = place.and_then(|(_, rest)| rest.splitn(3, ':').nth(2));
    refusal.map_or(details, str::trim_start)
}

/// Returns the failure of a connection that could not be opened at all.
pub(super) fn connection_failure(error: Error) -> Failure {
    let says = |part| error.details().contains(part);
    let kind = match error.kind() {
        ErrorKind::Auth => StoreErrorKind::Denied,
        ErrorKind::Config | ErrorKind::Url | ErrorKind::InvalidArgument | ErrorKind::Tls => {
            StoreErrorKind::Misconfigured
        }
        // The library reports an untrusted certificate as an error of the socket.
        _ if says("InvalidCertificate") => StoreErrorKind::Misconfigured,
        _ => match RedisFailure::classify(error.clone(), &[]) {
            RedisFailure::Refused(kind, _) => kind,
            _ => StoreErrorKind::Unavailable,
        },
    };
    Failure::not_applied(kind, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(details: &'static str, fatal: &[&str]) -> (StoreErrorKind, StoreErrorKind) {
        let fatal: Vec<_> = fatal.iter().map(|&code| code.to_owned()).collect();
        let error = || Error::new(ErrorKind::Unknown, details);
        let failure = || Failure::from(RedisFailure::classify(error(), &fatal));
        (failure().for_read().kind(), failure().for_write().kind())
    }

    #[test]
    fn a_refusal_proves_that_the_command_was_not_applied() {
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

    /// Every text is as a server has given it; the tests in `tests/redis/refusals.rs` make the servers
    /// give most of them.
    #[test]
    fn the_refusal_of_a_command_in_a_script_is_found_in_the_texts_of_every_version() {
        use StoreErrorKind::{Corrupt, Denied, Unavailable};
        let no_right = "The user executing the script can't run this command or subcommand";
        let no_key = "The user executing the script can't access at least one of the keys \
            mentioned in the command arguments";
        let wrong_type = "WRONGTYPE Operation against a key holding the wrong kind of value";
        let head = "ERR Error running script (call to f_0123): @user_script:1:";
        let tail = " script: 0123, on @user_script:1.";
        for (refusal, kind) in [
            ("OOM command not allowed when used memory > 'maxmemory'.", Unavailable),
            ("READONLY You can't write against a read only replica.", Unavailable),
            ("NOREPLICAS Not enough good replicas to write.", Unavailable),
        ] {
            found(&format!("{head} @user_script: 1: -{refusal}\n"), kind);
            found(&format!("@user_script: 1: -{refusal}\n"), kind);
            found(&format!("{refusal}{tail}"), kind);
            found(refusal, kind);
        }
        for refusal in [no_right, no_key] {
            found(&format!("{head} @user_script: 1: {refusal}"), Denied);
            found(&format!("@user_script: 1: {refusal}"), Denied);
            found(&format!("ERR {refusal}{tail}"), Denied);
            found(&format!("ERR {refusal}"), Denied);
        }
        // Redis 8.0.2, Valkey 8.1.1 and 9.1.2.
        let newer = "ERR ACL failure in script: User u has no permissions to run the 'set' command";
        found(&format!("{newer}{tail}"), Denied);
        found(newer, Denied);
        found("ERR ACL failure in script: No permissions to access a key", Denied);
        found(&format!("{head} {wrong_type}"), Corrupt);
        found(&format!("{wrong_type}{tail}"), Corrupt);
        found(wrong_type, Corrupt);
    }

    #[track_caller]
    fn found(text: &str, kind: StoreErrorKind) {
        let error = Error::new(ErrorKind::Unknown, text.to_owned());
        let failure = RedisFailure::classify(error, &[]);
        assert_eq!(failure.is_demotion(), text.contains("READONLY"), "{text}");
        assert_eq!(Failure::from(failure).for_write().kind(), kind, "{text}");
    }

    #[test]
    fn an_error_of_a_script_that_is_no_refusal_proves_nothing() {
        for text in [
            "ERR Error running script (call to f_0123): @user_script:1: attempt to index a nil value",
            "ERR Error running script (call to f_0123)",
            "@user_script",
            "@user_script: 1: -",
            "@user_script:1: OUT OF OOM",
        ] {
            let error = Error::new(ErrorKind::Unknown, text);
            let failure = Failure::from(RedisFailure::classify(error, &[]));
            assert_eq!(failure.for_write().kind(), StoreErrorKind::Indeterminate, "{text}");
        }
    }

    #[test]
    fn an_error_shows_no_argument_of_its_command() {
        let error = Error::new(
            ErrorKind::Unknown,
            "ERR unknown command 'X', with args beginning with: 'secret' ",
        );
        assert!(!format!("{:?}", RedisFailure::classify(error, &[])).contains("secret"));
    }

    #[test]
    fn a_redirection_proves_that_the_command_was_not_applied() {
        let error = Error::new(ErrorKind::Routing, "Too many redirections.");
        let failure = RedisFailure::classify(error, &[]);
        assert!(matches!(failure, RedisFailure::Redirected(_)), "{failure:?}");
        assert_eq!(Failure::from(failure).for_write().kind(), StoreErrorKind::Unavailable);
    }

    #[test]
    fn a_refusal_that_may_belong_to_another_command_proves_nothing() {
        use StoreErrorKind::{Indeterminate, Unavailable};
        assert_eq!(kinds("READONLY …", &["READONLY"]), (Unavailable, Indeterminate));
        assert_eq!(kinds("CLUSTERDOWN The cluster is down", &[]), (Unavailable, Indeterminate));
        assert_eq!(kinds("Too many failed write attempts.", &[]), (Unavailable, Indeterminate));
        assert_eq!(kinds("", &[]), (Unavailable, Indeterminate));
        assert_eq!(kinds("ERR Connection timed out", &[]), (Unavailable, Indeterminate));
    }
}
