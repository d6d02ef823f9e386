//! Sessions that are stored in their own cookie: the promises that hold without a server, and those
//! that cannot.
#![cfg(feature = "private")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod anonymous;
mod attributes;
mod cart;
mod crowded;
mod forged;
mod keys;
mod limits;
mod login;
mod pages;
mod promises;
mod races;
mod revocation;
mod revocation_faults;
mod size;
mod users;

use std::convert::Infallible;

use cloakroom::{CookieSessions, Key, KeyRing, LazySession, SessionLayer};
use http::header::COOKIE;
use http::{HeaderValue, Request, Response};
use tower::{Layer, ServiceExt, service_fn};

use cloakroom_testing::{House, Visitor};

/// Returns both kinds, signed and encrypted.
fn kinds() -> [CookieSessions; 2] {
    [CookieSessions::signed(), CookieSessions::encrypted()]
}

/// Opens a house whose tickets are signed with these keys.
fn house_with_keys(cookie: CookieSessions, keys: impl Into<KeyRing>) -> House {
    let house = House::in_cookies(cookie.clone());
    let layer = SessionLayer::new(cookie, keys).clock(house.clock.clone());
    house.with(|_| layer)
}

fn key(byte: u8) -> Key {
    Key::from_bytes(&[byte; 32]).unwrap()
}

async fn put(visitor: &Visitor, value: u32) -> cloakroom_testing::Answer {
    visitor.visit(async move |session| session.insert("k", &value)).await
}

/// Returns the value of `k` in the visitor's session.
async fn value(visitor: &Visitor) -> Option<u32> {
    let answer = visitor.visit(async |session| session.get::<u32>("k")).await;
    answer.is_ok();
    let body = answer.body.strip_prefix("Some(").and_then(|rest| rest.strip_suffix(')'));
    body.map(|value| value.parse().unwrap())
}

/// Returns the value of `k` in the session of a request with this `Cookie` header.
async fn value_of(layer: &SessionLayer, header: HeaderValue) -> Option<u32> {
    let app = layer.layer(service_fn(async |request: Request<()>| {
        let lazy = request.extensions().get::<LazySession>().unwrap().clone();
        let value = lazy.load().await.unwrap().get::<u32>("k").unwrap();
        Ok::<_, Infallible>(Response::new(Answered(value)))
    }));
    let mut request = Request::new(());
    request.headers_mut().insert(COOKIE, header);
    let Ok(response) = app.oneshot(request).await;
    assert_eq!(response.headers().get("set-cookie"), None);
    response.into_body().0
}

#[derive(Default)]
struct Answered(Option<u32>);
