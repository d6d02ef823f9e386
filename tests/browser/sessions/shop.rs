//! A shop of one page, which shows what its session holds.

use axum::Router;
use axum::extract::Path;
use axum::response::{Html, Redirect};
use axum::routing::{get, post};
use cloakroom::{Session, SessionError};
use cloakroom_testing::HOUR;
use http::HeaderMap;
use http::header::COOKIE;

/// The page and what its buttons do, without a session layer and without a login. Everything is
/// under `/shop/`, so that a cookie can have that path.
pub(crate) fn shop() -> Router {
    Router::new()
        .route("/shop/", get(page))
        .route("/shop/apple", post(add_apple))
        .route("/shop/logout", post(log_out))
}

pub(crate) fn shop_with_login() -> Router {
    shop()
        .route("/shop/login/{name}", post(log_in))
        .route("/shop/remember/{name}", post(log_in_for_long))
}

async fn page(headers: HeaderMap, session: Session) -> Result<Html<String>, SessionError> {
    let cookies = headers.get(COOKIE).map_or(0, |all| all.to_str().unwrap().split("; ").count());
    let user = session.principal().unwrap_or_else(|| "nobody".to_owned());
    let apples: u32 = session.get("apples")?.unwrap_or_default();
    Ok(Html(format!(
        r#"<!doctype html><title>Shop</title>
        <p id="user">{user}</p><p id="apples">{apples}</p><p id="cookies">{cookies}</p>
        <p id="answers"></p>
        <form method="post" action="/shop/apple"><button id="apple">An apple</button></form>
        <form method="post" action="/shop/login/ada"><button id="login">Log in</button></form>
        <form method="post" action="/shop/logout"><button id="logout">Log out</button></form>"#
    )))
}

async fn add_apple(session: Session) -> Result<Redirect, SessionError> {
    session.update("apples", |apples: &mut u32| *apples += 1)?;
    Ok(Redirect::to("/shop/"))
}

async fn log_in(Path(name): Path<String>, session: Session) -> Result<Redirect, SessionError> {
    session.log_in(name).await?;
    Ok(Redirect::to("/shop/"))
}

async fn log_in_for_long(
    Path(name): Path<String>,
    session: Session,
) -> Result<Redirect, SessionError> {
    session.log_in(name).await?;
    session.remember(9 * HOUR, 99 * HOUR)?;
    Ok(Redirect::to("/shop/"))
}

async fn log_out(session: Session) -> Result<Redirect, SessionError> {
    session.destroy().await?;
    Ok(Redirect::to("/shop/"))
}
