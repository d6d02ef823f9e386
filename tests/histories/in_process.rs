//! A correct store and deliberately wrong ones, with the cart's face in this process: the check finds nothing
//! in the histories of the one, and the fault of each of the others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use cloakroom::store::SessionStore;
use cloakroom::{Key, LazySession, Session, SessionError, SessionLayer};
use cloakroom_testing::histories::{Crowd, Kind, Random, Shop, Violation, check, look_again};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::planted::{Planted, Wrong};

type Answer = Result<Json<Value>, SessionError>;
type Items = BTreeMap<String, u32>;

/// The cart of `examples/cart` on nodes in this process. Dropping them ends them.
struct Carts {
    urls: Vec<String>,
    _serving: JoinSet<()>,
}

impl Carts {
    /// Opens three nodes. Each addition adds this many.
    async fn open(store: Arc<dyn SessionStore>, quantity: fn() -> u32) -> Self {
        let key = Key::from_bytes(&[7; 32]).unwrap();
        let (mut urls, mut serving) = (Vec::new(), JoinSet::new());
        for _ in 0..3 {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            urls.push(format!("http://{}", listener.local_addr().unwrap()));
            let app = Router::new()
                .route("/api/session", get(show))
                .route("/api/items", post(add))
                .route("/api/login", post(log_in))
                .route("/api/logout", post(log_out))
                .layer(SessionLayer::new(store.clone(), key.clone()))
                .with_state(quantity);
            serving.spawn(async move { axum::serve(listener, app).await.unwrap() });
        }
        Self { urls, _serving: serving }
    }

    /// Has visitors shop for a moment, and returns what is wrong with their history.
    async fn violations(&self, seed: u64) -> (usize, Vec<Violation>) {
        let mut random = Random::new(seed);
        let shop = Arc::new(Shop::at(self.urls.clone()));
        let crowd = Crowd::enter(&shop, &mut random);
        sleep(Duration::from_millis(500)).await;
        let tickets = crowd.leave().await;
        look_again(&shop, &tickets, &mut random).await;
        (shop.recorder.len(), check(&shop.recorder.history()))
    }
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
    let carts = Carts::open(Arc::new(Planted::new(Wrong::Nothing)), one).await;
    let mut calls = 0;
    for seed in 0.. {
        let (more, violations) = carts.violations(seed).await;
        assert!(violations.is_empty(), "{}", violations[0]);
        calls += more;
        if calls > 1_500 {
            break;
        }
    }
}

/// Has visitors shop until violations of all these kinds were found.
async fn finds(wrong: Wrong, quantity: fn() -> u32, expected: &[Kind]) {
    let carts = Carts::open(Arc::new(Planted::new(wrong)), quantity).await;
    let (mut calls, mut found) = (0, BTreeSet::new());
    for seed in 0.. {
        let (more, violations) = carts.violations(seed).await;
        calls += more;
        found.extend(violations.iter().map(|violation| violation.kind));
        if expected.iter().all(|kind| found.contains(kind)) {
            println!("{wrong:?}: {found:?} in {calls} calls");
            return;
        }
        assert!(calls < 60_000, "{wrong:?}: only {found:?} in {calls} calls");
    }
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
