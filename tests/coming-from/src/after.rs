//! A small shop: a counter, a cart, messages, a login and a logout.

use axum::Router;
use axum::extract::{Form, Path};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use cloakroom::{Backend, Field, Key, LazySession, Session, SessionError, SessionLayer};
use serde::Deserialize;

pub(crate) const VISITS: Field<u32> = Field::new("visits");
pub(crate) const CART: Field<Vec<String>> = Field::new("cart");

pub fn app(store: impl Into<Backend>, key: Key) -> Router {
    let sessions = SessionLayer::new(store, key);
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

async fn home(session: Session) -> Result<String, SessionError> {
    let visits = session.update(VISITS, |visits| {
        *visits += 1;
        *visits
    })?;
    let user = session.principal();
    let cart = session.get(CART)?.unwrap_or_default();
    let messages: Vec<String> = session.take_flashes().await?;
    Ok(format!("visit {visits}, user {user:?}, cart {cart:?}, messages {messages:?}\n"))
}

async fn add(session: Session, Path(item): Path<String>) -> Result<(), SessionError> {
    session.update(CART, move |cart| cart.push(item.clone()))
}

async fn remove(session: Session, Path(item): Path<String>) -> Result<(), SessionError> {
    session.update(CART, move |cart| cart.retain(|other| *other != item))
}

#[derive(Deserialize)]
struct Credentials {
    user: String,
    password: String,
}

async fn login(session: Session, Form(form): Form<Credentials>) -> Result<Response, SessionError> {
    if form.password != "sesame" {
        return Ok(StatusCode::UNAUTHORIZED.into_response());
    }
    session.log_in(form.user).await?;
    session.flash("Welcome!")?;
    Ok(Redirect::to("/").into_response())
}

async fn logout(session: LazySession) -> Result<Redirect, SessionError> {
    session.destroy().await?;
    Ok(Redirect::to("/"))
}
