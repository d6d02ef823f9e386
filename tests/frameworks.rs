//! The layer in real frameworks: axum's routers and extractors, and plain hyper over a socket.
#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::convert::Infallible;

use axum::body::{Body, to_bytes};
use axum::middleware::{Next, from_fn};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use bytes::Bytes;
use cloakroom::{LazySession, Session, SessionError};
use cloakroom_testing::Command::{Create, Load, Replace};
use cloakroom_testing::{Fault, House, Visitor};
use http::header::{COOKIE, SET_COOKIE};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Full};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tower::{Layer, ServiceExt, service_fn};

struct Page {
    status: StatusCode,
    cookies: Vec<String>,
    retry_after: Option<String>,
    body: String,
}

async fn page(app: &Router, path: &str, visitor: Option<&Visitor>) -> Page {
    let mut request = Request::builder().uri(path);
    if let Some(visitor) = visitor {
        request =
            request.header(COOKIE, format!("{}={}", cloakroom_testing::COOKIE, visitor.ticket()));
    }
    let response = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let text = |name| parts.headers.get_all(name).iter().map(|v| v.to_str().unwrap().to_owned());
    Page {
        status: parts.status,
        cookies: text("set-cookie").collect(),
        retry_after: text("retry-after").next(),
        body: String::from_utf8(to_bytes(body, 1 << 20).await.unwrap().to_vec()).unwrap(),
    }
}

async fn count(session: Session) -> Result<String, SessionError> {
    let count = session.update("k", |k: &mut u32| {
        *k += 1;
        *k
    })?;
    Ok(count.to_string())
}

async fn maybe(session: Option<Session>) -> String {
    match session {
        Some(session) => format!("a guest with {:?}", session.keys()),
        None => "a stranger".to_owned(),
    }
}

async fn lazily(lazy: LazySession) -> &'static str {
    drop(lazy);
    "not looked at"
}

async fn maybe_lazily(lazy: Option<LazySession>) -> &'static str {
    if lazy.is_some() { "a layer" } else { "no layer" }
}

fn routes() -> Router {
    Router::new()
        .route("/count", get(count))
        .route("/maybe", get(maybe))
        .route("/lazily", get(lazily))
        .route("/maybe-lazily", get(maybe_lazily))
}

#[tokio::test]
async fn axum_extracts_a_session() {
    let house = House::open();
    let app = routes().layer(house.layer.clone());
    let first = page(&app, "/count", None).await;
    assert_eq!((first.status.as_u16(), &*first.body, first.cookies.len()), (200, "1", 1));
    let guest = house.guest().await;
    let second = page(&app, "/count", Some(&guest)).await;
    assert_eq!((&*second.body, second.cookies.len()), ("2", 0));
}

#[tokio::test]
async fn axum_layers_a_single_route() {
    let house = House::open();
    let app = Router::new()
        .route("/count", get(count))
        .route_layer(house.layer.clone())
        .route("/maybe-lazily", get(maybe_lazily));
    assert_eq!(page(&app, "/count", None).await.body, "1");
    assert_eq!(page(&app, "/maybe-lazily", None).await.body, "no layer");
    assert_eq!(page(&app, "/nowhere", None).await.status, 404);
}

#[tokio::test]
async fn routers_that_are_mounted_with_a_layer_each_share_one_session() {
    async fn count_it(
        session: Session,
        request: axum::extract::Request,
        next: Next,
    ) -> Response<Body> {
        count(session).await.unwrap();
        next.run(request).await
    }
    let house = House::open();
    let layered = |router: Router| router.layer(from_fn(count_it)).layer(house.layer.clone());
    let cart = layered(routes());
    let shop = layered(Router::new().nest("/cart", cart));
    let app = layered(Router::new().nest("/shop", shop));
    let first = page(&app, "/shop/cart/count", None).await;
    assert_eq!((&*first.body, first.cookies.len()), ("4", 1));
    let guest = house.guest().await;
    assert_eq!(page(&app, "/shop/cart/count", Some(&guest)).await.body, "5");
    assert_eq!(house.counting.take(), [Load, Replace]);
}

#[tokio::test]
async fn a_handler_that_leaves_by_the_question_mark_stores_nothing() {
    async fn half_way(session: Session) -> Result<(), SessionError> {
        session.insert("k", &2)?;
        Err(SessionError::Gone)
    }
    let house = House::open();
    let app = Router::new().route("/", get(half_way)).layer(house.layer.clone());
    let guest = house.guest().await;
    assert_eq!(page(&app, "/", Some(&guest)).await.status, 409);
    assert_eq!(house.counting.take(), [Load]);
}

#[tokio::test]
async fn an_optional_session_is_none_for_strangers() {
    let house = House::open();
    let app = routes().layer(house.layer.clone());
    assert_eq!(page(&app, "/maybe", None).await.body, "a stranger");
    let guest = house.guest().await;
    assert_eq!(page(&app, "/maybe", Some(&guest)).await.body, "a guest with [\"k\"]");
    house.clock.advance(cloakroom_testing::HOUR);
    assert_eq!(page(&app, "/maybe", Some(&guest)).await.body, "a stranger");
}

#[tokio::test]
async fn a_lazy_session_costs_nothing() {
    let house = House::open();
    let app = routes().layer(house.layer.clone());
    let guest = house.guest().await;
    let page = page(&app, "/lazily", Some(&guest)).await;
    assert_eq!((&*page.body, page.cookies.len()), ("not looked at", 0));
    assert_eq!(house.counting.take(), []);
}

#[tokio::test]
async fn a_missing_layer_is_a_500_that_says_what_to_write() {
    let app = routes();
    for path in ["/count", "/maybe", "/lazily"] {
        let page = page(&app, path, None).await;
        assert_eq!(page.status, 500, "{path}");
        assert!(page.body.contains(".layer(SessionLayer::new("), "{path}: {}", page.body);
    }
    assert_eq!(page(&app, "/maybe-lazily", None).await.body, "no layer");
}

#[tokio::test]
async fn an_outage_is_a_503_with_an_empty_body() {
    use cloakroom::store::StoreErrorKind::Unavailable;
    let house = House::open();
    let app = routes().layer(house.layer.clone());
    let guest = house.guest().await;
    for path in ["/count", "/maybe"] {
        house.faulty.next(Load, Fault::Fail(Unavailable));
        let page = page(&app, path, Some(&guest)).await;
        assert_eq!((page.status.as_u16(), &*page.body), (503, ""), "{path}");
        assert_eq!(page.retry_after.as_deref(), Some("2"), "{path}");
    }
    house.faulty.always(Create, || Fault::Fail(Unavailable));
    let page = page(&app, "/count", None).await;
    assert_eq!((page.status.as_u16(), &*page.body, page.cookies.len()), (503, "", 0));
    assert_eq!(page.retry_after.as_deref(), Some("2"));
}

#[tokio::test]
async fn an_error_that_a_handler_returns_keeps_its_status_and_is_in_the_extensions() {
    let house = House::open();
    let wrong = async |session: Session| session.get::<String>("k").map(|_| ());
    let app = Router::new().route("/", get(wrong)).layer(house.layer.clone());
    let guest = house.guest().await;
    let cookie = format!("{}={}", cloakroom_testing::COOKIE, guest.ticket());
    let request = Request::builder().header(COOKIE, cookie).body(Body::empty()).unwrap();
    let response = app.oneshot(request).await.unwrap();
    assert_eq!(response.status(), 500);
    let error = response.extensions().get::<SessionError>().unwrap();
    assert!(matches!(error, SessionError::Decode { .. }));
    assert!(to_bytes(response.into_body(), 100).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_session_stands_beside_other_extractors() {
    let house = House::open();
    let form = async |session: Session, Form(fields): Form<Vec<(String, String)>>| {
        session.insert("fields", &fields)?;
        Ok::<_, SessionError>(Json(fields))
    };
    let app = Router::new().route("/", post(form)).layer(house.layer.clone());
    let request = Request::post("/")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from("a=b"))
        .unwrap();
    let response = app.oneshot(request).await.unwrap();
    assert!(response.headers().contains_key(SET_COOKIE));
    assert_eq!(to_bytes(response.into_body(), 100).await.unwrap(), r#"[["a","b"]]"#);
}

#[tokio::test]
async fn axum_serves_sessions_over_a_socket() {
    let house = House::open();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = routes().layer(house.layer.clone());
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let stream = TcpStream::connect(address).await.unwrap();
    assert_eq!(three_visits(stream, "/count").await, ["1", "2", "3"]);
    assert_eq!(house.memory().len(), 1);
    server.abort();
}

/// Sends three requests over one connection, each with the cookie from the first response.
async fn three_visits(stream: TcpStream, path: &str) -> Vec<String> {
    let (mut client, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut cookie = None;
    let mut bodies = Vec::new();
    for _ in 0..3 {
        let mut request = Request::get(path).header("host", "localhost");
        if let Some(cookie) = &cookie {
            request = request.header(COOKIE, cookie);
        }
        client.ready().await.unwrap();
        let sent = client.send_request(request.body(Empty::<Bytes>::new()).unwrap());
        let response = sent.await.unwrap();
        if let Some(set) = response.headers().get(SET_COOKIE) {
            cookie = Some(set.to_str().unwrap().split(';').next().unwrap().to_owned());
        }
        let body = response.into_body().collect().await.unwrap().to_bytes();
        bodies.push(String::from_utf8(body.to_vec()).unwrap());
    }
    drop(client);
    connection.await.unwrap().unwrap();
    bodies
}

#[tokio::test]
async fn plain_hyper_serves_sessions_over_a_socket() {
    let house = House::open();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let layer = house.layer.clone();
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let handler = service_fn(|request: Request<hyper::body::Incoming>| async move {
            let lazy = request.extensions().get::<LazySession>().unwrap().clone();
            let count = count(lazy.load().await.unwrap()).await.unwrap();
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(count))))
        });
        let service = TowerToHyperService::new(layer.layer(handler));
        let serving = hyper::server::conn::http1::Builder::new();
        serving.serve_connection(TokioIo::new(stream), service).await.unwrap();
    });
    let stream = TcpStream::connect(address).await.unwrap();
    assert_eq!(three_visits(stream, "/").await, ["1", "2", "3"]);
    server.await.unwrap();
    assert_eq!(house.memory().len(), 1);
}
