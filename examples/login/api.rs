//! The JSON API.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Method, StatusCode};
use cloakroom::{CsrfToken, LazySession, Session};
use serde::{Deserialize, Serialize};

use crate::account::{self, Agent, Login, Note, PasswordChange, ROLE, UserName};
use crate::accounts::Role;
use crate::answer::Refusal;
use crate::devices::{self, Device};
use crate::guard::{Admin, Protected, User};
use crate::{App, Shared};

type Body<T> = Result<Json<T>, JsonRejection>;
type InPath<T> = Result<Path<T>, PathRejection>;
type Answer<T> = Result<Json<T>, Refusal>;

#[derive(Debug, Serialize)]
pub(crate) struct Me {
    node: String,
    user: Option<String>,
    role: Option<Role>,
    handle: Option<String>,
    csrf: Option<CsrfToken>,
}

/// `?hold=MS`: how long a login waits before its response, so that a person can make two requests overlap.
#[derive(Debug, Deserialize)]
pub(crate) struct Hold {
    hold: Option<u64>,
}

impl Hold {
    const MOST: u64 = 5_000;

    async fn wait(&self) {
        if let Some(hold) = self.hold {
            tokio::time::sleep(Duration::from_millis(hold.min(Self::MOST))).await;
        }
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct Text {
    text: Note,
}

#[derive(Debug, Serialize)]
pub(crate) struct Noted {
    note: Option<String>,
}

/// How many sessions were ended; `null` for sessions in cookies, which nobody can count.
#[derive(Debug, Serialize)]
pub(crate) struct Ended {
    ended: Option<usize>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Edited {
    edited: usize,
}

pub(crate) async fn me(State(app): Shared, session: Session) -> Answer<Me> {
    Ok(Json(view(&app, &session)?))
}

fn view(app: &App, session: &Session) -> Result<Me, Refusal> {
    let user = session.principal();
    Ok(Me {
        node: app.node.clone(),
        role: if user.is_some() { session.get(ROLE)? } else { None },
        user,
        handle: session.handle().map(|handle| handle.to_string()),
        csrf: session.csrf_token()?,
    })
}

/// Needs no token: the visitor has shown the password. See `guard::same_origin` for other sites.
pub(crate) async fn login(
    State(app): Shared,
    session: Session,
    hold: Result<Query<Hold>, QueryRejection>,
    headers: HeaderMap,
    body: Body<Login>,
) -> Answer<Me> {
    let (Query(hold), Json(login)) = (hold?, body?);
    account::log_in(&app, &session, login, &Agent::from(&headers)).await?;
    hold.wait().await;
    // The layer would store the login after the handler too, but the new token needs the new id.
    session.save().await?;
    Ok(Json(view(&app, &session)?))
}

pub(crate) async fn logout(
    Protected(session): Protected<LazySession>,
) -> Result<StatusCode, Refusal> {
    account::log_out(&session).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn note(session: Session) -> Answer<Noted> {
    Ok(Json(Noted { note: account::note(&session)? }))
}

pub(crate) async fn write_note(
    Protected(session): Protected<Session>,
    body: Body<Text>,
) -> Answer<Noted> {
    let Json(Text { text: Note(text) }) = body?;
    account::write_note(&session, Some(&text))?;
    note(session).await
}

pub(crate) async fn flash(
    Protected(session): Protected<Session>,
    body: Body<Text>,
) -> Result<StatusCode, Refusal> {
    let Json(Text { text: Note(text) }) = body?;
    session.flash(&text)?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn flashes(method: Method, session: Session) -> Answer<Vec<String>> {
    Ok(Json(account::take_messages(&method, &session).await?))
}

pub(crate) async fn password(
    State(app): Shared,
    Protected(user): Protected<User>,
    body: Body<PasswordChange>,
) -> Result<StatusCode, Refusal> {
    let Json(change) = body?;
    account::change_password(&app, &user, change, |_| Ok(())).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn devices(State(app): Shared, user: User) -> Answer<Vec<Device>> {
    Ok(Json(devices::of(&app, &user.name, &user.session).await?))
}

pub(crate) async fn end_device(
    State(app): Shared,
    Protected(user): Protected<User>,
    handle: InPath<String>,
) -> Result<StatusCode, Refusal> {
    let Path(handle) = handle?;
    devices::end(&app, &user.name, &handle).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn end_others(
    State(app): Shared,
    Protected(user): Protected<User>,
) -> Answer<Ended> {
    Ok(Json(Ended { ended: app.users.end_others(&user.session).await? }))
}

pub(crate) async fn sessions_of(
    State(app): Shared,
    Admin(admin): Admin,
    user: InPath<UserName>,
) -> Answer<Vec<Device>> {
    let Path(UserName(user)) = user?;
    Ok(Json(devices::of(&app, &user, &admin.session).await?))
}

pub(crate) async fn end_all(
    State(app): Shared,
    Protected(Admin(_)): Protected<Admin>,
    user: InPath<UserName>,
) -> Answer<Ended> {
    let Path(UserName(user)) = user?;
    Ok(Json(Ended { ended: app.users.end_all(&user).await? }))
}

pub(crate) async fn ban(
    State(app): Shared,
    Protected(Admin(_)): Protected<Admin>,
    user: InPath<UserName>,
) -> Answer<Edited> {
    let Path(UserName(user)) = user?;
    Ok(Json(Edited { edited: devices::ban(&app, &user).await? }))
}
