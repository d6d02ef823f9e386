//! Names the server in an error, so that the operator sees where to look.

use std::error::Error;

use super::failure::Failure;

impl Failure {
    /// Names the server in front of the error itself. Errors end up in logs, so `server` must hold
    /// neither a user nor a password.
    pub(super) fn at(self, server: impl Into<String>) -> Self {
        let server = server.into();
        match self {
            Self::NotApplied(kind, source) => {
                Self::not_applied(kind, NamedServer { server, source })
            }
            Self::Indeterminate(source) => Self::indeterminate(NamedServer { server, source }),
        }
    }
}

/// The server that gave an error, or that could not be reached. The error itself is the source.
#[derive(Debug, thiserror::Error)]
#[error("{server}")]
struct NamedServer {
    server: String,
    source: Box<dyn Error + Send + Sync>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_stands_in_front_of_the_error() {
        let error = Failure::indeterminate("it closed the connection");
        let error = error.at("the server cache:11211").for_write();
        let server = error.source().map(ToString::to_string);
        assert_eq!(server.as_deref(), Some("the server cache:11211"));
        let cause = error.source().and_then(Error::source).map(ToString::to_string);
        assert_eq!(cause.as_deref(), Some("it closed the connection"));
    }
}
