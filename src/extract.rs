//! With the `axum` feature: sessions as arguments of handlers, and errors as their answers.

use std::convert::Infallible;
use std::time::Duration;

use axum_core::body::Body;
use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use http::request::Parts;

use crate::error::SessionError;
use crate::record::AuthLevel;
use crate::session::{LazySession, Session};

/// The innermost layer's session, not loaded.
///
/// Rejected with [`SessionError::MissingLayer`] (500) where no layer is around the handler.
impl<S: Send + Sync> FromRequestParts<S> for LazySession {
    type Rejection = SessionError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, SessionError> {
        parts.extensions.get::<Self>().cloned().ok_or(SessionError::MissingLayer)
    }
}

/// The innermost layer's session, if there is a layer.
impl<S: Send + Sync> OptionalFromRequestParts<S> for LazySession {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}

/// The innermost layer's session, loaded; a visitor without one gets an empty one.
impl<S: Send + Sync> FromRequestParts<S> for Session {
    type Rejection = SessionError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, SessionError> {
        let lazy = <LazySession as FromRequestParts<S>>::from_request_parts(parts, state).await?;
        lazy.load().await
    }
}

/// The session as [`LazySession::load_fresh`] returns it: from the store, never from this server's memory.
///
/// ```
/// use cloakroom::{Fresh, SessionError};
///
/// async fn pay(Fresh(session): Fresh) -> Result<(), SessionError> {
///     session.insert("paid", &true)
/// }
/// # let _ = pay;
/// ```
#[derive(Clone, Debug)]
#[doc(alias("consistent", "strong"))]
pub struct Fresh(pub Session);

impl<S: Send + Sync> FromRequestParts<S> for Fresh {
    type Rejection = SessionError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, SessionError> {
        let lazy = <LazySession as FromRequestParts<S>>::from_request_parts(parts, state).await?;
        lazy.load_fresh().await.map(Self)
    }
}

/// A session whose login has at least the level `LEVEL` and is at most `SECONDS` old, as
/// [`Session::require_login`] checks it.
///
/// Rejected with [`SessionError::LoginRequired`]. It reads the store, as [`Fresh`] does, because the step that asks for
/// it is one that matters.
///
/// ```
/// use cloakroom::{RequireLogin, SessionError};
///
/// /// Only within five minutes of a login with a second factor, which is level 2 in this app.
/// async fn pay(RequireLogin(session): RequireLogin<2, 300>) -> Result<(), SessionError> {
///     session.insert("paid", &true)
/// }
/// # let _ = pay;
/// ```
#[derive(Clone, Debug)]
#[doc(alias("step_up", "sudo", "reauthenticate"))]
pub struct RequireLogin<const LEVEL: u8, const SECONDS: u64>(pub Session);

impl<S, const LEVEL: u8, const SECONDS: u64> FromRequestParts<S> for RequireLogin<LEVEL, SECONDS>
where
    S: Send + Sync,
{
    type Rejection = SessionError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, SessionError> {
        let Fresh(session) = Fresh::from_request_parts(parts, state).await?;
        session.require_login(AuthLevel::new(LEVEL), Duration::from_secs(SECONDS))?;
        Ok(Self(session))
    }
}

/// The visitor's live session, or `None` for a visitor who has none.
///
/// A missing layer is a mistake, not a visitor without a session, and is rejected.
impl<S: Send + Sync> OptionalFromRequestParts<S> for Session {
    type Rejection = SessionError;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &S,
    ) -> Result<Option<Self>, SessionError> {
        let session = <Self as FromRequestParts<S>>::from_request_parts(parts, state).await?;
        Ok((!session.is_new()).then_some(session))
    }
}

impl IntoResponse for SessionError {
    /// The [status](SessionError::status), `Retry-After` with a 503, and the error itself in the
    /// extensions. The body is empty, except for [`SessionError::MissingLayer`], which tells the
    /// developer what was forgotten.
    fn into_response(self) -> Response {
        let explanation = matches!(self, Self::MissingLayer).then(|| self.to_string());
        let mut response: Response = self.into_empty_response();
        if let Some(explanation) = explanation {
            *response.body_mut() = Body::from(explanation);
        }
        response
    }
}
