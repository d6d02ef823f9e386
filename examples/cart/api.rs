//! The JSON API.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use cloakroom::{LazySession, Session, SessionError};
use serde::{Deserialize, Serialize};

use crate::Shop;
use crate::answer::Refusal;
use crate::cart::{self, Items, Sku, UserName};

type Shared = State<Arc<Shop>>;
type Body<T> = Result<Json<T>, JsonRejection>;
type Holding = Result<Query<Hold>, QueryRejection>;
type Answer = Result<Json<View>, Refusal>;

#[derive(Debug, Serialize)]
pub(crate) struct View {
    node: String,
    store: String,
    user: Option<String>,
    items: Items,
    count: u64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Addition {
    pub(crate) sku: Sku,
    pub(crate) qty: i64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Login {
    pub(crate) user: UserName,
}

/// `?hold=MS`: how long a request waits between its change and its response, so that a person can make
/// two requests overlap.
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

pub(crate) async fn session(State(shop): Shared, session: Session) -> Answer {
    Ok(Json(view(&shop, &session)?))
}

pub(crate) async fn add(
    State(shop): Shared,
    session: Session,
    hold: Holding,
    body: Body<Addition>,
) -> Answer {
    let (Query(hold), Json(Addition { sku, qty })) = (hold?, body?);
    cart::add(&session, sku, qty)?;
    settled(&shop, &session, &hold).await
}

pub(crate) async fn remove(
    State(shop): Shared,
    session: Session,
    hold: Holding,
    sku: Result<Path<Sku>, PathRejection>,
) -> Answer {
    let (Query(hold), Path(sku)) = (hold?, sku?);
    cart::remove(&session, sku)?;
    settled(&shop, &session, &hold).await
}

pub(crate) async fn login(
    State(shop): Shared,
    session: Session,
    hold: Holding,
    body: Body<Login>,
) -> Answer {
    let (Query(hold), Json(Login { user })) = (hold?, body?);
    cart::login(&session, &user).await?;
    settled(&shop, &session, &hold).await
}

pub(crate) async fn logout(session: LazySession, hold: Holding) -> Result<StatusCode, Refusal> {
    let Query(hold) = hold?;
    cart::logout(&session).await?;
    hold.wait().await;
    Ok(StatusCode::NO_CONTENT)
}

/// Stores the change and returns the cart as it is stored.
///
/// The layer would store the change after the handler without `save`. With `save`, the response also
/// shows what other requests have changed meanwhile.
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
