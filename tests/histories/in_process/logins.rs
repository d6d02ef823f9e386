//! The part of `examples/login` that its clients call, in this process. Passwords are not checked.

use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use cloakroom::{LazySession, Roster, Session, SessionError, SessionLayer, Users};
use cloakroom_testing::histories::Kind;
use cloakroom_testing::histories::logins::Site;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::Example;
use crate::planted::Wrong;

fn login(wrong: Wrong) -> Example<impl Fn(SessionLayer) -> Router> {
    let app = |layer: SessionLayer| {
        let layer = layer.roster(Roster::default().limit(2_000));
        Router::new()
            .route("/api/me", get(me))
            .route("/api/login", post(log_in))
            .route("/api/logout", post(log_out))
            .route("/api/devices", get(list))
            .route("/api/devices/{handle}", delete(end))
            .route("/api/devices/end-others", post(end_others))
            .route("/api/admin/users/{user}/sessions", delete(end_all))
            .with_state(layer.users())
            .layer(layer)
    };
    Example { wrong, app }
}

/// A refused request.
enum Refusal {
    Status(StatusCode),
    Session(SessionError),
}

impl From<SessionError> for Refusal {
    fn from(error: SessionError) -> Self {
        Self::Session(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Status(status) => status.into_response(),
            Self::Session(error) => error.into_response(),
        }
    }
}

async fn me(session: Session) -> Result<Json<Value>, SessionError> {
    let handle = session.handle().map(|handle| handle.to_string());
    let csrf = session.csrf_token()?;
    Ok(Json(json!({"user": session.principal(), "handle": handle, "csrf": csrf})))
}

/// How long a login waits before its commit, in milliseconds.
#[derive(Deserialize)]
struct Hold {
    #[serde(default)]
    hold: u64,
}

async fn log_in(
    session: Session,
    Query(Hold { hold }): Query<Hold>,
    Json(body): Json<Value>,
) -> Result<Json<Value>, SessionError> {
    session.log_in(body["user"].as_str().unwrap()).await?;
    sleep(Duration::from_millis(hold)).await;
    session.save().await?;
    me(session).await
}

async fn log_out(session: LazySession) -> Result<StatusCode, SessionError> {
    session.destroy().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Returns the user who is logged in.
fn user(session: &Session) -> Result<String, Refusal> {
    session.principal().ok_or(Refusal::Status(StatusCode::UNAUTHORIZED))
}

fn verify(session: &Session, headers: &HeaderMap) -> Result<(), SessionError> {
    let token = headers.get("x-csrf-token").map(|token| token.as_bytes().to_vec());
    session.verify_csrf(token.unwrap_or_default())
}

async fn list(State(users): State<Users>, session: Session) -> Result<Json<Value>, Refusal> {
    let user = user(&session)?;
    let sessions = users.sessions_of(&user).await?;
    let devices = sessions.iter().map(|device| {
        let handle = device.handle().map(|handle| handle.to_string());
        json!({"handle": handle, "current": device.handle() == session.handle()})
    });
    Ok(Json(devices.collect()))
}

async fn end(
    State(users): State<Users>,
    session: Session,
    headers: HeaderMap,
    Path(handle): Path<String>,
) -> Result<StatusCode, Refusal> {
    let user = user(&session)?;
    verify(&session, &headers)?;
    let ended = users.end(&user, handle.parse().unwrap()).await?;
    Ok(if ended { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND })
}

async fn end_others(
    State(users): State<Users>,
    session: Session,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    user(&session)?;
    verify(&session, &headers)?;
    Ok(Json(json!({"ended": users.end_others(&session).await?})))
}

async fn end_all(
    State(users): State<Users>,
    session: Session,
    headers: HeaderMap,
    Path(user): Path<String>,
) -> Result<Json<Value>, Refusal> {
    if session.principal().as_deref() != Some("root") {
        return Err(Refusal::Status(StatusCode::FORBIDDEN));
    }
    verify(&session, &headers)?;
    Ok(Json(json!({"ended": users.end_all(&user).await?})))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_correct_store_has_correct_lists_and_ends() {
    login(Wrong::Nothing).hold::<Site>(1_500).await;
}

async fn finds(wrong: Wrong, expected: &[Kind]) {
    login(wrong).find::<Site>(expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_where_the_last_write_wins_loses_logins_from_lists() {
    finds(Wrong::LastWriteWins, &[Kind::Unlisted]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_acknowledges_ends_and_does_nothing_is_found() {
    finds(Wrong::SkipsWrites, &[Kind::Returned]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_drops_changes_of_rosters_hides_sessions_from_lists_and_ends() {
    finds(Wrong::SkipsRosterWrites, &[Kind::Unlisted, Kind::Returned]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_drops_marks_of_renewals_leaves_former_tickets_alive() {
    finds(Wrong::SkipsMovedMarks, &[Kind::Returned]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_with_old_rosters_hides_sessions_from_lists() {
    finds(Wrong::OldRosters, &[Kind::Unlisted]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_with_old_reads_brings_sessions_back() {
    finds(Wrong::OldReads, &[Kind::Returned]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_drops_sessions_ends_what_nobody_has_ended() {
    finds(Wrong::Drops, &[Kind::Vanished]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_mixes_sessions_up_is_found() {
    finds(Wrong::MixesUp, &[Kind::Wrong]).await;
}
