//! Why a login is not good enough for a step.

/// The login that a step [asks for](crate::Session::require_login) and that the session does not have.
///
/// ```
/// use cloakroom::{LoginRequired, SessionError};
///
/// let refused = SessionError::from(LoginRequired::Newer);
/// assert_eq!((refused.status(), refused.to_string()), (
///     http::StatusCode::FORBIDDEN,
///     "the login is longer ago than this step allows".to_owned(),
/// ));
/// assert_eq!(SessionError::from(LoginRequired::Any).status(), 401);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoginRequired {
    /// Nobody is logged in.
    #[error("nobody is logged in")]
    Any,
    /// The login has a lower [level](crate::AuthLevel). One of the level that the step asks for is new, too, so
    /// this is told before `Newer`.
    #[error("the login is weaker than this step asks for")]
    Stronger,
    /// The login was too long ago.
    #[error("the login is longer ago than this step allows")]
    Newer,
}
