//! A small shop: a counter, a cart, messages, a login and a logout.

use axum::Router;
use axum::extract::{Form, Path};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use tower_sessions::cookie::{SameSite, time::Duration};
use tower_sessions::session::Error;
use tower_sessions::{Expiry, Session, SessionManagerLayer, SessionStore};

pub fn app(store: impl SessionStore + Clone) -> Router {
    let sessions = SessionManagerLayer::new(store)
        .with_same_site(SameSite::Lax)
        .with_expiry(Expiry::OnInactivity(Duration::minutes(30)));
    routes().layer(sessions)
}

pub fn routes() -> Router {
    Router::new()
        .route("/", get(home))
        .route("/about", get(async || "A small shop.\n"))
        .route("/cart/{item}", post(add).delete(remove))
        .route("/login", post(login))
        .route("/logout", post(logout))
}

async fn home(session: Session) -> Result<String, Failure> {
    let visits = session.get::<u32>("visits").await?.unwrap_or_default() + 1;
    session.insert("visits", visits).await?;
    let user: Option<String> = session.get("user").await?;
    let cart: Vec<String> = session.get("cart").await?.unwrap_or_default();
    let messages: Vec<String> = session.remove("messages").await?.unwrap_or_default();
    Ok(format!("visit {visits}, user {user:?}, cart {cart:?}, messages {messages:?}\n"))
}

async fn add(session: Session, Path(item): Path<String>) -> Result<(), Failure> {
    let mut cart: Vec<String> = session.get("cart").await?.unwrap_or_default();
    cart.push(item);
    session.insert("cart", cart).await?;
    Ok(())
}

async fn remove(session: Session, Path(item): Path<String>) -> Result<(), Failure> {
    let mut cart: Vec<String> = session.get("cart").await?.unwrap_or_default();
    cart.retain(|other| *other != item);
    session.insert("cart", cart).await?;
    Ok(())
}

#[derive(Deserialize)]
struct Credentials {
    user: String,
    password: String,
}

async fn login(session: Session, Form(form): Form<Credentials>) -> Result<Response, Failure> {
    if form.password != "sesame" {
        return Ok(StatusCode::UNAUTHORIZED.into_response());
    }
    session.cycle_id().await?;
    session.insert("user", form.user).await?;
    session.insert("messages", ["Welcome!"]).await?;
    Ok(Redirect::to("/").into_response())
}

async fn logout(session: Session) -> Result<Redirect, Failure> {
    session.flush().await?;
    Ok(Redirect::to("/"))
}

struct Failure(Error);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        tracing::error!(error = %self.0, "the session cannot be used");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}
