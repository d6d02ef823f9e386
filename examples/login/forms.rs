//! The forms of the front page. They do the same as `api.rs`, for browsers without scripts, and tell the
//! outcome with a message on the next page.

use axum::extract::Form;
use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Redirect, Response};
use cloakroom::{LazySession, Session};
use serde::Deserialize;

use crate::account::{self, Agent, Login, Note, PasswordChange};
use crate::answer::Refusal;
use crate::guard::{Submitted, User};
use crate::{Shared, devices, home};

/// Redirects to the page with 303, so that a reload does not send the form again.
type Answer = Result<Redirect, Refusal>;

#[derive(Debug, Deserialize)]
pub(crate) struct Text {
    text: Note,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Device {
    handle: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Nothing {}

/// After a wrong password it shows the form again, with 401, and no session begins.
pub(crate) async fn login(
    State(app): Shared,
    session: Session,
    headers: HeaderMap,
    form: Result<Form<Login>, FormRejection>,
) -> Result<Response, Refusal> {
    let Form(login) = form?;
    let user = login.user.0.clone();
    match account::log_in(&app, &session, login, &Agent::from(&headers)).await {
        Ok(()) => {
            session.flash(&format!("Welcome, {user}."))?;
            Ok(Redirect::to("/").into_response())
        }
        Err(Refusal::Told(StatusCode::UNAUTHORIZED, why)) => {
            let page = home::wrong_password(&app, &session, &why)?;
            Ok((StatusCode::UNAUTHORIZED, Html(page)).into_response())
        }
        Err(refusal) => Err(refusal),
    }
}

pub(crate) async fn logout(
    Submitted(session, Nothing {}): Submitted<LazySession, Nothing>,
) -> Answer {
    account::log_out(&session).await?;
    Ok(Redirect::to("/"))
}

/// A person removes the note by emptying its field, where a space or a line break is easily left.
pub(crate) async fn note(Submitted(session, form): Submitted<Session, Text>) -> Answer {
    let Text { text: Note(text) } = form;
    let text = text.trim().to_owned();
    account::write_note(&session, (!text.is_empty()).then_some(&text))?;
    Ok(Redirect::to("/"))
}

pub(crate) async fn password(
    State(app): Shared,
    Submitted(user, change): Submitted<User, PasswordChange>,
) -> Answer {
    let tell =
        |ended| user.session.flash(&format!("Your password was changed. {}", logged_out(ended)));
    account::change_password(&app, &user, change, tell).await?;
    Ok(Redirect::to("/"))
}

pub(crate) async fn end_device(
    State(app): Shared,
    Submitted(user, form): Submitted<User, Device>,
) -> Answer {
    devices::end(&app, &user.name, &form.handle).await?;
    user.session.flash("That device was logged out.")?;
    Ok(Redirect::to("/"))
}

pub(crate) async fn end_others(
    State(app): Shared,
    Submitted(user, Nothing {}): Submitted<User, Nothing>,
) -> Answer {
    let ended = app.users.end_others(&user.session).await?;
    user.session.flash(&logged_out(ended))?;
    Ok(Redirect::to("/"))
}

pub(crate) fn logged_out(ended: Option<usize>) -> String {
    match ended {
        Some(0) => "No other device was logged in.".into(),
        Some(1) => "One other device was logged out.".into(),
        Some(ended) => format!("{ended} other devices were logged out."),
        None => "All other devices were logged out.".into(),
    }
}
