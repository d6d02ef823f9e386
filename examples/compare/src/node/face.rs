//! The part of the cart's JSON API that shoppers use.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use cloakroom::{Field, LazySession, Session, SessionError, SessionLayer};
use serde::{Deserialize, Serialize};

use super::cart::{self, Items};
use crate::cluster::Traffic;

const PADDING: Field<String> = Field::new("padding");

#[derive(Debug)]
pub(super) struct Shop {
    node: String,
    store: String,
    /// The extra bytes: random letters, so that no compression makes them shorter.
    padding: String,
    traffic: Arc<Traffic>,
}

impl Shop {
    pub(super) fn new(node: String, store: &str, bytes: usize, traffic: Arc<Traffic>) -> Self {
        let store = store.split(':').next().unwrap_or_default().to_owned();
        let padding = std::iter::repeat_with(fastrand::alphanumeric).take(bytes).collect();
        Self { node, store, padding, traffic }
    }
}

pub(super) fn app(shop: Shop, sessions: SessionLayer) -> Router {
    Router::new()
        .route("/api/session", get(session))
        .route("/api/items", post(add))
        .route("/api/login", post(login))
        .route("/api/logout", post(logout))
        .route("/healthz", get(|| async { "ok" }))
        .layer(sessions)
        .route("/traffic", get(traffic))
        .with_state(Arc::new(shop))
}

type ShopState = State<Arc<Shop>>;
type Answer = Result<Json<View>, SessionError>;

#[derive(Debug, Serialize)]
struct View {
    node: String,
    store: String,
    user: Option<String>,
    items: Items,
    count: u64,
}

#[derive(Debug, Deserialize)]
struct Addition {
    sku: String,
    qty: u32,
}

#[derive(Debug, Deserialize)]
struct Login {
    user: String,
}

/// How many milliseconds a request waits between its change and its answer, so that requests
/// overlap.
#[derive(Debug, Deserialize)]
struct Hold {
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

async fn session(State(shop): ShopState, session: Session) -> Answer {
    Ok(Json(view(&shop, &session)?))
}

async fn add(
    State(shop): ShopState,
    session: Session,
    Query(hold): Query<Hold>,
    Json(Addition { sku, qty }): Json<Addition>,
) -> Answer {
    add_padding(&shop, &session)?;
    cart::add(&session, sku, qty)?;
    settled(&shop, &session, &hold).await
}

async fn login(
    State(shop): ShopState,
    session: Session,
    Query(hold): Query<Hold>,
    Json(Login { user }): Json<Login>,
) -> Answer {
    add_padding(&shop, &session)?;
    session.log_in(user).await?;
    settled(&shop, &session, &hold).await
}

async fn logout(session: LazySession, Query(hold): Query<Hold>) -> Result<Response, SessionError> {
    session.destroy().await?;
    hold.wait().await;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Adds the extra bytes before the first change of a session.
fn add_padding(shop: &Shop, session: &Session) -> Result<(), SessionError> {
    if session.is_new() && !shop.padding.is_empty() {
        session.insert(PADDING, &shop.padding)?;
    }
    Ok(())
}

/// Stores the change before the answer is written, so that the answer shows what is stored.
async fn settled(shop: &Shop, session: &Session, hold: &Hold) -> Answer {
    hold.wait().await;
    session.save().await?;
    Ok(Json(view(shop, session)?))
}

fn view(shop: &Shop, session: &Session) -> Result<View, SessionError> {
    let items = cart::items(session)?;
    Ok(View {
        node: shop.node.clone(),
        store: shop.store.clone(),
        user: session.principal(),
        count: cart::count(&items),
        items,
    })
}

/// Answers with the bytes that this node has exchanged on the connections that it opened to others.
async fn traffic(State(shop): ShopState) -> String {
    shop.traffic.bytes.load(Ordering::Relaxed).to_string()
}
