//! Carries the visitors over while the old sessions last.

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use cloakroom::{LazySession, Session, SessionError, SessionLayer};
use serde::de::DeserializeOwned;
use tower_sessions::service::CookieController;
use tower_sessions::{SessionManagerLayer, SessionStore, session};

use crate::after::{CART, VISITS};

/// Puts both layers around the routes: `old` with the store and the options that it had, and `new`.
pub fn both<S, C>(routes: Router, old: SessionManagerLayer<S, C>, new: SessionLayer) -> Router
where
    S: SessionStore + Clone,
    C: CookieController + Sync,
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
    let user = session.principal();
    let response = next.run(request).await;
    let has_left = user.is_some() && session.principal() != user;
    if old.id().is_some() && (session.is_new() || has_left) {
        old.flush().await?; // a logout, another user, or there was nothing to copy
    }
    Ok(response)
}

/// Copies each value by its type, and the login.
async fn copy(old: &tower_sessions::Session, session: &Session) -> Result<(), Failure> {
    if let Some(visits) = value(old, "visits").await? {
        session.insert(VISITS, &visits)?;
    }
    if let Some(cart) = value(old, "cart").await? {
        session.insert(CART, &cart)?;
    }
    if let Some(user) = value::<String>(old, "user").await? {
        session.log_in(user).await?;
    }
    Ok(())
}

/// Leaves out a value of another type, which would lock its visitor out of every page, the logout included.
async fn value<T: DeserializeOwned>(
    old: &tower_sessions::Session,
    key: &str,
) -> Result<Option<T>, session::Error> {
    match old.get(key).await {
        Err(session::Error::SerdeJson(error)) => {
            tracing::warn!(%error, key, "an old value is not carried over");
            Ok(None)
        }
        found => found,
    }
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
