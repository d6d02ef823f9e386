//! The cart of `examples/cart` in this process.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use cloakroom::{LazySession, Session, SessionError, SessionLayer};
use cloakroom_testing::histories::Kind;
use cloakroom_testing::histories::cart::Shop;
use serde_json::{Value, json};

use super::Example;
use crate::planted::Wrong;

type Answer = Result<Json<Value>, SessionError>;
type Items = BTreeMap<String, u32>;

/// The cart, to which each addition adds this many.
fn cart(wrong: Wrong, quantity: fn() -> u32) -> Example<impl Fn(SessionLayer) -> Router> {
    let app = move |layer: SessionLayer| {
        Router::new()
            .route("/api/session", get(show))
            .route("/api/items", post(add))
            .route("/api/login", post(log_in))
            .route("/api/logout", post(log_out))
            .layer(layer)
            .with_state(quantity)
    };
    Example { wrong, app }
}

async fn show(session: Session) -> Answer {
    let items: Items = session.get("items")?.unwrap_or_default();
    Ok(Json(json!({"user": session.principal(), "items": items})))
}

async fn add(
    State(quantity): State<fn() -> u32>,
    session: Session,
    Json(body): Json<Value>,
) -> Answer {
    let (sku, quantity) = (body["sku"].as_str().unwrap().to_owned(), quantity());
    session.update("items", move |items: &mut Items| {
        *items.entry(sku.clone()).or_default() += quantity;
    })?;
    session.save().await?;
    show(session).await
}

async fn log_in(session: Session, Json(body): Json<Value>) -> Answer {
    session.log_in(body["user"].as_str().unwrap()).await?;
    session.save().await?;
    show(session).await
}

async fn log_out(session: LazySession) -> Result<StatusCode, SessionError> {
    session.destroy().await?;
    Ok(StatusCode::NO_CONTENT)
}

fn one() -> u32 {
    1
}

/// Draws a number that is seldom two.
fn seldom_two() -> u32 {
    use std::sync::atomic::{AtomicU32, Ordering};
    static ADDITIONS: AtomicU32 = AtomicU32::new(0);
    1 + u32::from(ADDITIONS.fetch_add(1, Ordering::Relaxed) % 30 == 29)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_correct_store_has_correct_histories() {
    cart(Wrong::Nothing, one).hold::<Shop>(1_500).await;
}

/// Has visitors shop until violations of all these kinds were found.
async fn finds(wrong: Wrong, quantity: fn() -> u32, expected: &[Kind]) {
    cart(wrong, quantity).find::<Shop>(expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_where_the_last_write_wins_loses_updates_and_brings_sessions_back() {
    finds(Wrong::LastWriteWins, one, &[Kind::Lost, Kind::Returned]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_acknowledges_and_does_nothing_is_found() {
    finds(Wrong::SkipsWrites, one, &[Kind::Lost]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_with_old_reads_goes_back_and_brings_sessions_back() {
    finds(Wrong::OldReads, one, &[Kind::Lost, Kind::Returned]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_drops_sessions_is_found() {
    finds(Wrong::Drops, one, &[Kind::Vanished]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_mixes_sessions_up_is_found() {
    finds(Wrong::MixesUp, one, &[Kind::Wrong]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_addition_that_counts_twice_is_found() {
    finds(Wrong::Nothing, seldom_two, &[Kind::Invented]).await;
}
