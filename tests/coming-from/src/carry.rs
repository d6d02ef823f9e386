//! Carries the visitors over while the old sessions last.

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use cloakroom::{LazySession, Session, SessionError, SessionLayer};
use tower_sessions::{SessionManagerLayer, SessionStore, session};

use crate::after::{CART, VISITS};

/// Puts both layers around the routes: `old` with the store and the options that it had, and `new`.
pub fn both<S>(routes: Router, old: SessionManagerLayer<S>, new: SessionLayer) -> Router
where
    S: SessionStore + Clone,
{
    routes.layer(from_fn(carry)).layer(old).layer(new)
}

async fn carry(
    lazy: LazySession,
    old: tower_sessions::Session,
    request: Request,
    next: Next,
) -> Result<Response, Failure> {
    if old.id().is_none() {
        return Ok(next.run(request).await); // no old cookie: no store is asked
    }
    let session = lazy.load().await?;
    if session.is_new() {
        copy(&old, &session).await?;
        session.save().await?;
    } else {
        old.flush().await?; // the browser has the new cookie
    }
    let response = next.run(request).await;
    if session.is_new() && old.id().is_some() {
        old.flush().await?; // the handler logged out, or there was nothing to copy
    }
    Ok(response)
}

/// Copies each value by its type, and the login.
async fn copy(old: &tower_sessions::Session, session: &Session) -> Result<(), Failure> {
    if let Some(visits) = old.get("visits").await? {
        session.insert(VISITS, &visits)?;
    }
    if let Some(cart) = old.get("cart").await? {
        session.insert(CART, &cart)?;
    }
    if let Some(user) = old.get::<String>("user").await? {
        session.log_in(user).await?;
    }
    Ok(())
}

enum Failure {
    Old(session::Error),
    New(SessionError),
}

impl From<session::Error> for Failure {
    fn from(error: session::Error) -> Self {
        Self::Old(error)
    }
}

impl From<SessionError> for Failure {
    fn from(error: SessionError) -> Self {
        Self::New(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::Old(error) => {
                tracing::error!(%error, "an old session cannot be carried over");
                StatusCode::SERVICE_UNAVAILABLE.into_response()
            }
            Self::New(error) => error.into_response(),
        }
    }
}
