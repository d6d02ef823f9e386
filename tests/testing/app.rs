//! A whole axum app, visited.

use axum::response::{Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router, body::Body};
use cloakroom::store::MemoryStore;
use cloakroom::testing::{
    CommandKind::Load, CommandKind::Replace, Fault, FaultyStore, TestSession, TestVisitor,
    signed_cookie,
};
use cloakroom::{CookieOptions, Field, Key, LazySession, Session, SessionError, SessionLayer};
use http::header::{CONTENT_TYPE, COOKIE};
use http::{Request, StatusCode};
use std::collections::HashMap;
use tower::ServiceExt;

const VISITS: Field<u32> = Field::new("visits");

fn layer(store: &FaultyStore) -> SessionLayer {
    SessionLayer::new(store.clone(), Key::from_bytes(&[7; 32]).unwrap())
}

fn store() -> FaultyStore {
    FaultyStore::new(MemoryStore::new())
}

fn app(sessions: SessionLayer) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/login", post(login))
        .route("/logout", post(async |lazy: LazySession| lazy.destroy().await))
        .route("/count", get(count))
        .route("/json", post(async |Json(n): Json<u32>| Json(n + 1)))
        .layer(sessions)
}

async fn home(session: Session) -> String {
    session.principal().unwrap_or_else(|| "stranger".into())
}

async fn login(
    session: Session,
    Form(form): Form<HashMap<String, String>>,
) -> Result<Redirect, SessionError> {
    session.log_in(&form["name"]).await?;
    Ok(Redirect::to("/"))
}

async fn count(session: Session) -> Result<String, SessionError> {
    session.update(VISITS, |visits| {
        *visits += 1;
        visits.to_string()
    })
}

#[tokio::test]
async fn a_visitor_logs_in_and_out() {
    let visitor = TestVisitor::new(app(layer(&store())));
    assert_eq!(visitor.get("/").await.text().await, "stranger");
    let response = visitor.post("/login", "name=ada").await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    assert_eq!(response.headers()["location"], "/");
    assert_eq!(visitor.get("/").await.text().await, "ada");
    assert_eq!(visitor.post("/logout", "").await.status(), 200);
    assert!(visitor.cookies().is_empty());
    assert_eq!(visitor.get("/").await.text().await, "stranger");
}

#[tokio::test]
async fn a_session_that_a_test_has_made_is_the_apps() {
    let layer = layer(&store());
    let visitor = TestVisitor::new(app(layer.clone()));
    visitor.with_session(&layer, async |session| session.log_in("ada").await).await.unwrap();
    assert_eq!(visitor.get("/").await.text().await, "ada");
    visitor.get("/count").await;
    let visits = visitor.with_session(&layer, async |session| session.get(VISITS)).await.unwrap();
    assert_eq!(visits, Some(1));

    let cookie = signed_cookie(&layer, async |session| session.log_in("bob").await).await.unwrap();
    assert!(cookie.is_sensitive());
    let request = Request::get("/").header(COOKIE, cookie).body(Body::empty()).unwrap();
    let body = app(layer).oneshot(request).await.unwrap().into_body();
    assert_eq!(axum::body::to_bytes(body, 9).await.unwrap(), "bob");
}

#[tokio::test]
async fn any_body_goes_in_and_out() {
    let visitor = TestVisitor::new(app(layer(&store())));
    let json = Request::post("/json").header(CONTENT_TYPE, "application/json");
    let response = visitor.send(json.body(Body::from("41")).unwrap()).await;
    assert_eq!(response.bytes().await, "42");
    // The body of a layer that makes its own responses, and one that comes in pieces.
    let pieces = Router::new().route(
        "/",
        get(async || {
            let pieces = ["one ", "two"].map(|piece| Ok::<_, std::io::Error>(piece.to_owned()));
            Response::new(Body::new(Pieces(pieces.into())))
        }),
    );
    assert_eq!(TestVisitor::new(pieces).get("/").await.text().await, "one two");
}

/// A stream of frames, without a crate for streams.
struct Pieces(std::collections::VecDeque<Result<String, std::io::Error>>);

impl axum::body::HttpBody for Pieces {
    type Data = bytes::Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<bytes::Bytes>, std::io::Error>>> {
        let piece = self.0.pop_front();
        std::task::Poll::Ready(
            piece.map(|piece| piece.map(|text| hyper::body::Frame::data(text.into()))),
        )
    }
}

#[tokio::test]
async fn two_tabs_that_race_lose_no_update() {
    let store = store();
    let layer = layer(&store);
    let visitor = TestVisitor::new(app(layer));
    visitor.get("/count").await;
    // The second tab's request comes between the load and the write of the first one's.
    let second = visitor.clone();
    store.next(
        Replace,
        Fault::after(move || async move {
            assert_eq!(second.get("/count").await.text().await, "2");
        }),
    );
    let first = visitor.get("/count").await;
    assert_eq!((first.status(), &*first.text().await), (StatusCode::OK, "2"));
    assert!(store.is_spent());
    let both = tokio::join!(visitor.get("/count"), visitor.get("/count"));
    assert_eq!((both.0.status(), both.1.status()), (StatusCode::OK, StatusCode::OK));
    assert_eq!(visitor.get("/count").await.text().await, "6");
}

#[tokio::test]
async fn two_browsers_race_and_the_logout_wins() {
    let store = store();
    let visitor = TestVisitor::new(app(layer(&store)));
    visitor.post("/login", "name=ada").await;
    let thief = visitor.copy();
    store.next(
        Replace,
        Fault::after(move || async move {
            assert_eq!(visitor.post("/logout", "").await.status(), 200);
            assert!(visitor.cookies().is_empty());
        }),
    );
    let response = thief.get("/count").await;
    assert_eq!(response.status(), StatusCode::CONFLICT);
    assert!(matches!(response.session_error(), Some(SessionError::Gone)));
    // Their jars are apart: the thief has still what it stole, and it is worth nothing.
    assert_eq!(thief.cookies().len(), 1);
    assert_eq!(thief.get("/").await.text().await, "stranger");
}

#[tokio::test]
async fn an_outage_is_what_the_client_sees() {
    let store = store();
    let visitor = TestVisitor::new(app(layer(&store)));
    visitor.post("/login", "name=ada").await;
    store.next(Load, Fault::Fail(cloakroom::store::StoreErrorKind::Unavailable));
    let response = visitor.get("/").await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(response.headers().contains_key("retry-after"));
    assert!(response.session_error().is_some_and(|error| error.is_outage()));
    assert_eq!(visitor.get("/").await.text().await, "ada");
}

/// A page is written for the app's bodies, which the sessions of a test do not have.
#[tokio::test]
async fn a_layer_with_a_page_for_errors_works_too() {
    let store = store();
    let layer = layer(&store).on_error(|error, _| Response::new(Body::from(error.to_string())));
    let visitor = TestVisitor::new(Router::new().route("/", get(home)).layer(layer.clone()));
    visitor.with_session(&layer, async |session| session.log_in("ada").await).await.unwrap();
    assert_eq!(visitor.get("/").await.text().await, "ada");
    signed_cookie(&layer, async |session| session.log_in("ada").await).await.unwrap();
    assert!(!TestSession::in_layer(&layer).logged_in_as("ada").is_new());

    store.outage();
    let response = visitor.get("/").await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.text().await, "the session store is unavailable");
    let found = visitor.with_session(&layer, async |session| Ok(session.principal())).await;
    assert!(found.is_err_and(|error| error.is_outage()));
}

#[tokio::test]
async fn the_cookie_of_an_app_below_a_path_goes_there_only() {
    let cookie = CookieOptions::builder().name("__Secure-shop").path("/shop").build().unwrap();
    let layer = layer(&store()).cookie(cookie);
    let shop = app(layer.clone());
    let site = Router::new().nest("/shop", shop.clone()).fallback_service(shop);
    let visitor = TestVisitor::new(site);
    visitor.with_session(&layer, async |session| session.log_in("ada").await).await.unwrap();
    assert_eq!(visitor.get("/shop/").await.status(), 404);
    assert_eq!(visitor.get("/shop").await.text().await, "ada");
    assert_eq!(visitor.get("/").await.text().await, "stranger");
    let found = visitor.with_session(&layer, async |session| Ok(session.principal())).await;
    assert_eq!(found.unwrap().as_deref(), Some("ada"));
}

#[tokio::test]
async fn a_browser_on_plain_http_loses_a_secure_cookie() {
    let visitor = TestVisitor::new(app(layer(&store()))).plain_http();
    visitor.post("/login", "name=ada").await;
    assert_eq!(visitor.get("/").await.text().await, "stranger");

    let cookie = CookieOptions::builder().name("id").insecure_plain_http().build().unwrap();
    let visitor = TestVisitor::new(app(layer(&store()).cookie(cookie))).plain_http();
    visitor.post("/login", "name=ada").await;
    assert_eq!(visitor.get("/").await.text().await, "ada");
}

#[tokio::test]
async fn a_visitor_goes_from_one_server_to_the_other() {
    let store = store();
    let visitor = TestVisitor::new(app(layer(&store)));
    visitor.post("/login", "name=ada").await;
    let there = visitor.at(app(layer(&store)));
    assert_eq!(there.get("/").await.text().await, "ada");
    there.post("/logout", "").await;
    assert!(visitor.cookies().is_empty());
}
