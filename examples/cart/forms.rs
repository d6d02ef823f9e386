//! The forms of the page. They do the same as `api.rs`, for browsers without scripts.
//!
//! Another site can make a visitor's browser send these forms, but without the session's cookie: with
//! `SameSite=Lax`, browsers leave it out of POST requests that come from another site. An app that does
//! not trust other hosts of its own domain adds a token to its forms (ASVS 3.5.1).

use axum::extract::Form;
use axum::extract::rejection::FormRejection;
use axum::response::Redirect;
use cloakroom::{LazySession, Session};
use serde::Deserialize;

use crate::answer::Refusal;
use crate::api::{Addition, Login};
use crate::cart::{self, Sku};

type Fields<T> = Result<Form<T>, FormRejection>;
/// Redirects to the page with 303, so that a reload does not send the form again.
type Answer = Result<Redirect, Refusal>;

#[derive(Debug, Deserialize)]
pub(crate) struct Removal {
    sku: Sku,
}

pub(crate) async fn add(session: Session, fields: Fields<Addition>) -> Answer {
    let Form(Addition { sku, qty }) = fields?;
    cart::add(&session, sku, qty)?;
    Ok(Redirect::to("/"))
}

pub(crate) async fn remove(session: Session, fields: Fields<Removal>) -> Answer {
    let Form(Removal { sku }) = fields?;
    cart::remove(&session, sku)?;
    Ok(Redirect::to("/"))
}

pub(crate) async fn login(session: Session, fields: Fields<Login>) -> Answer {
    let Form(Login { user }) = fields?;
    cart::login(&session, &user).await?;
    Ok(Redirect::to("/"))
}

pub(crate) async fn logout(session: LazySession) -> Answer {
    cart::logout(&session).await?;
    Ok(Redirect::to("/"))
}
