//! Classifies the driver's errors: was the statement certainly not applied, or may it have been?

use std::io;

use mysql_async::{DriverError, Error, IoError, ServerError};
use tokio_rustls::rustls;

use super::refusals::{is_out_of_connections, is_read_only, refusal};
use crate::error::StoreErrorKind;
use crate::store::failure::Failure;

/// The server has undone the statement, because others waited for its locks as it waited for theirs.
const DEADLOCK: u16 = 1213;
/// The connection has lost its prepared statement.
const LOST_STATEMENT: u16 = 1243;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// A failure, and what it tells about the connection and the server.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) failure: Failure,
    pub(super) server: Hint,
}

/// The action that the pool takes after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hint {
    /// Nothing.
    None,
    /// Close this connection: it cannot be used any more.
    Close,
    /// Close all connections: the server is a replica now, or it does not answer.
    CloseAll,
    /// Begin a new pool: the driver's one has ended with the runtime that it was first used in.
    RenewPool,
    /// Wait until another command gives its connection back.
    WaitForConnection,
    /// Send the command once more: the others have gone on meanwhile.
    Repeat,
}

impl Failed {
    pub(super) fn not_applied(kind: StoreErrorKind, text: impl Into<String>) -> Self {
        Self { failure: Failure::not_applied(kind, text.into()), server: Hint::None }
    }

    pub(super) fn unavailable(text: &'static str) -> Self {
        Self::not_applied(StoreErrorKind::Unavailable, text)
    }

    pub(super) fn unavailable_because(source: impl Into<Source>) -> Self {
        let failure = Failure::not_applied(StoreErrorKind::Unavailable, source);
        Self { failure, server: Hint::None }
    }

    pub(super) fn misconfigured(text: impl Into<String>) -> Self {
        Self::not_applied(StoreErrorKind::Misconfigured, text)
    }

    /// Creates the failure of a statement that was sent and whose answer leaves doubt.
    pub(super) fn indeterminate(text: &'static str) -> Self {
        Self { failure: Failure::indeterminate(text), server: Hint::None }
    }

    /// Creates the failure of a command whose pool has ended before it.
    pub(super) fn pool_ended() -> Self {
        Self { server: Hint::RenewPool, ..Self::unavailable("the connections' runtime has ended") }
    }

    /// Names the server that failed.
    pub(super) fn at(self, server: &str) -> Self {
        Self { failure: self.failure.at(server), ..self }
    }

    pub(super) fn close_all(mut self) -> Self {
        self.server = Hint::CloseAll;
        self
    }

    /// Turns the failure of something that comes before the write, or after a write that proved to have
    /// changed nothing, into the failure of the command. An answer lost there leaves no doubt.
    pub(super) fn without_doubt(mut self) -> Self {
        if let Failure::Indeterminate(source) = self.failure {
            self.failure = Failure::not_applied(StoreErrorKind::Unavailable, source);
            if self.server == Hint::None {
                self.server = Hint::Close;
            }
        }
        self
    }
}

/// Classifies the error of a statement that was handed to the driver.
pub(super) fn classify(error: Error) -> Failed {
    match error {
        Error::Server(error) => classify_code(&error),
        Error::Driver(DriverError::PacketTooLarge) => {
            Failed::not_applied(StoreErrorKind::TooLarge, "the statement is too large to be sent")
        }
        Error::Io(IoError::Io(error)) => lost(error),
        // A failure of our own, from the first statements on a connection.
        Error::Other(error) => match error.downcast::<Greeted>() {
            Ok(greeted) => greeted.0,
            Err(_) => Failed::indeterminate("the driver failed"),
        },
        Error::Driver(error) => Failed::indeterminate(driver_text(&error)),
        Error::Io(IoError::Tls(_)) => Failed::indeterminate("TLS failed"),
        Error::Url(_) => Failed::indeterminate("the driver failed"),
    }
}

/// Classifies the error of opening a connection. Nothing of the command was sent.
pub(super) fn classify_opening(error: Error) -> Failed {
    match error {
        Error::Io(IoError::Io(error)) if is_bad_certificate(&error) => {
            Failed::misconfigured("the server's certificate is not trusted, or is for another name")
        }
        Error::Io(IoError::Tls(_)) => Failed::misconfigured("TLS cannot be set up for this server"),
        Error::Driver(DriverError::NoClientSslFlagFromServer) => {
            Failed::misconfigured("the server has no TLS, and the connection has to be encrypted")
        }
        Error::Driver(
            error @ (DriverError::UnknownAuthPlugin { .. }
            | DriverError::CleartextPluginDisabled
            | DriverError::MysqlOldPasswordDisabled),
        ) => Failed::misconfigured(driver_text(&error)),
        error => classify(error).without_doubt(),
    }
}

fn classify_code(error: &ServerError) -> Failed {
    // The state is text of the server too: five characters of the standard, or nothing is shown.
    let is_state = error.state.len() == 5 && error.state.bytes().all(|b| b.is_ascii_alphanumeric());
    let state = if is_state { error.state.as_str() } else { "?????" };
    let Some(refusal) = refusal(error.code) else {
        let text = format!("the server's error {} ({state}) proves nothing", error.code);
        return Failed { failure: Failure::indeterminate(text), server: Hint::None };
    };
    let text = format!("{} (error {}, {state})", refusal.text, error.code);
    let failed = Failed::not_applied(refusal.kind, text);
    match error.code {
        code if is_read_only(code) => failed.close_all(),
        // The driver goes on believing that the connection has the statement.
        LOST_STATEMENT => Failed { server: Hint::Close, ..failed },
        DEADLOCK => Failed { server: Hint::Repeat, ..failed },
        code if is_out_of_connections(code) => Failed { server: Hint::WaitForConnection, ..failed },
        _ => failed,
    }
}

fn lost(error: io::Error) -> Failed {
    Failed { failure: Failure::indeterminate(error), server: Hint::None }
}

fn is_bad_certificate(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(inner, Some(rustls::Error::InvalidCertificate(_)))
}

/// Returns a text of ours. The driver's own may hold a packet or a row, and so the bytes of a session.
fn driver_text(error: &DriverError) -> &'static str {
    match error {
        DriverError::ConnectionClosed => "the connection was closed",
        DriverError::PacketOutOfOrder | DriverError::UnexpectedPacket { .. } => {
            "the server's answer makes no sense"
        }
        DriverError::UnknownAuthPlugin { .. } => "the user's way to log in is not supported",
        DriverError::CleartextPluginDisabled => "the server asks for the password in plain text",
        DriverError::MysqlOldPasswordDisabled => "the user has a password of a long outdated kind",
        DriverError::PoolDisconnected => "the runtime of the connections has ended",
        _ => "the driver cannot read the server's answer",
    }
}

/// Carries a failure through the driver, which runs the first statements on each connection.
#[derive(Debug, thiserror::Error)]
#[error("the connection cannot be used")]
pub(super) struct Greeted(pub(super) Failed);

#[cfg(test)]
mod tests {
    use super::*;
    use StoreErrorKind::{Denied, Indeterminate, Misconfigured, TooLarge, Unavailable};

    fn server(code: u16) -> Error {
        let message = "Duplicate entry '\\x7F' for user 'secret'".to_owned();
        Error::Server(ServerError { code, message, state: "HY000".to_owned() })
    }

    fn kinds(error: fn() -> Error) -> (StoreErrorKind, StoreErrorKind) {
        let failure = || classify(error()).failure;
        (failure().for_read().kind(), failure().for_write().kind())
    }

    #[test]
    fn a_servers_refusal_proves_that_nothing_was_applied() {
        for (codes, kind) in [
            (&[1213, 1205, 1290, 1836, 1040, 1114, 1226, 1317, 3024, 1969, 1020][..], Unavailable),
            (&[1044, 1045, 1142, 1698], Denied),
            (&[1049, 1054, 1064, 1146, 1062], Misconfigured),
            (&[1153, 1406], TooLarge),
        ] {
            for &code in codes {
                let failure = || classify(server(code)).failure;
                assert_eq!(failure().for_write().kind(), kind, "{code}");
                assert_eq!(failure().for_read().kind(), kind, "{code}");
            }
        }
    }

    #[test]
    fn other_codes_and_lost_answers_leave_doubt_about_a_write() {
        for code in [1180, 1927, 1053, 2013, 1105, 7] {
            let failure = || classify(server(code)).failure;
            assert_eq!(failure().for_write().kind(), Indeterminate, "{code}");
            assert_eq!(failure().for_read().kind(), Unavailable, "{code}");
        }
        for error in [
            || Error::from(io::Error::from(io::ErrorKind::ConnectionReset)),
            || Error::Driver(DriverError::ConnectionClosed),
            || Error::Driver(DriverError::UnexpectedPacket { payload: vec![1] }),
        ] {
            assert_eq!(kinds(error), (Unavailable, Indeterminate));
        }
        assert_eq!(kinds(|| Error::Driver(DriverError::PacketTooLarge)), (TooLarge, TooLarge));
    }

    #[test]
    fn a_failure_to_connect_leaves_no_doubt() {
        for (error, kind) in [
            (Error::from(io::Error::from(io::ErrorKind::ConnectionRefused)), Unavailable),
            (server(1927), Unavailable),
            (server(1045), Denied),
            (Error::Driver(DriverError::NoClientSslFlagFromServer), Misconfigured),
        ] {
            assert_eq!(classify_opening(error).failure.for_write().kind(), kind);
        }
    }

    #[test]
    fn each_refusal_says_how_to_go_on() {
        for (code, hint) in [
            (1290, Hint::CloseAll),
            (1836, Hint::CloseAll),
            (1040, Hint::WaitForConnection),
            (1213, Hint::Repeat),
            (1205, Hint::None),
        ] {
            assert_eq!(classify(server(code)).server, hint, "{code}");
        }
    }

    #[test]
    fn no_text_of_the_server_and_no_packet_is_shown() {
        let payload = b"a secret packet".to_vec();
        for error in [
            server(1062),
            server(1),
            Error::Server(ServerError {
                code: 1062,
                message: String::new(),
                state: "a secret".into(),
            }),
            Error::Driver(DriverError::UnexpectedPacket { payload }),
        ] {
            let shown = format!("{:?}", classify(error).failure.for_write());
            assert!(!shown.contains("secret") && !shown.contains("97, 32"), "{shown}");
        }
        let shown = format!("{:?}", classify(server(1062)).failure.for_write());
        assert!(shown.contains("error 1062"), "{shown}");
    }
}
