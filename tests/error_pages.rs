//! The pages that an app writes for session errors: `SessionLayer::on_error`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::convert::Infallible;

use cloakroom::store::StoreErrorKind;
use cloakroom::{LazySession, Session, SessionError, SessionLayer};
use cloakroom_testing::Command::{Create, Load};
use cloakroom_testing::{Answer, Fault, Handled, House, Visitor};
use http::request::Parts;
use http::{Request, Response, StatusCode};
use tower::{Layer, service_fn};

/// Names the request and the error, so that a test sees what the page was told.
fn page(error: &SessionError, request: &Parts) -> Handled {
    Response::new(format!("{} {}: {error}", request.method, request.uri))
}

async fn send<E: cloakroom::ErrorAnswer<String> + Clone>(
    visitor: &Visitor,
    layer: &SessionLayer<E>,
    handler: impl AsyncFn(LazySession) -> Handled,
) -> Answer {
    let service = layer.layer(service_fn(async |request: Request<()>| {
        let lazy = request.extensions().get::<LazySession>().unwrap().clone();
        Ok::<_, Infallible>(handler(lazy).await)
    }));
    let Ok(answer) = visitor.send(service, Request::post("/cart?x=1").body(()).unwrap()).await;
    answer
}

async fn change(lazy: LazySession) -> Handled {
    let changed = async { lazy.load().await?.insert("k", &1) };
    match changed.await {
        Ok(()) => Response::builder()
            .header("set-cookie", "theme=dark")
            .header("location", "/done")
            .body("stored".into())
            .unwrap(),
        Err(error) => error.into_empty_response(),
    }
}

#[tokio::test]
async fn a_failed_commit_shows_the_page_with_the_errors_status() {
    let house = House::open();
    house.faulty.always(Create, || Fault::Fail(StoreErrorKind::Unavailable));
    let layer = house.layer.clone().on_error(page);
    let answer = send(&house.visitor(), &layer, change).await;
    answer.is_outage();
    assert_eq!(answer.body, "POST /cart?x=1: the session store is unavailable");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.set_cookies(), ["theme=dark"]);
    assert_eq!(answer.header("location"), None);
}

#[tokio::test]
async fn an_error_of_the_handler_shows_the_page_too() {
    let house = House::open();
    let visitor = house.guest().await;
    house.faulty.always(Load, || Fault::Fail(StoreErrorKind::Unavailable));
    let layer = house.layer.clone().on_error(page);
    let answer = send(&visitor, &layer, change).await;
    answer.is_outage();
    assert_eq!(answer.body, "POST /cart?x=1: the session store is unavailable");
    assert_eq!(answer.header("vary"), Some("Cookie"));
}

#[tokio::test]
async fn an_error_that_did_not_use_the_session_shows_the_page() {
    let house = House::open();
    let layer = house.layer.clone().on_error(page);
    let refuse = async |_| SessionError::CsrfRefused.into_empty_response();
    let answer = send(&house.visitor(), &layer, refuse).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(answer.body.starts_with("POST /cart?x=1: "), "{answer:?}");
}

#[tokio::test]
async fn a_page_that_the_handler_wrote_itself_stays() {
    let house = House::open();
    let layer = house.layer.clone().on_error(page);
    let own = async |_| {
        let mut response = Response::new("my own".to_owned());
        response.extensions_mut().insert(SessionError::Gone);
        response
    };
    assert_eq!(send(&house.visitor(), &layer, own).await.body, "my own");
    let plain = async |_| Response::builder().status(503).body("busy".to_owned()).unwrap();
    assert_eq!(send(&house.visitor(), &layer, plain).await.body, "busy");
}

#[tokio::test]
async fn a_page_may_have_a_status_and_headers_of_its_own() {
    let house = House::open();
    house.faulty.always(Create, || Fault::Fail(StoreErrorKind::Unavailable));
    let to_login = |_: &SessionError, _: &Parts| {
        Response::builder()
            .status(StatusCode::SEE_OTHER)
            .header("location", "/login")
            .header("cache-control", "public, max-age=60")
            .header("cdn-cache-control", "max-age=60")
            .header("set-cookie", "why=outage")
            .body(String::new())
            .unwrap()
    };
    let layer = house.layer.clone().on_error(to_login);
    let answer = send(&house.visitor(), &layer, change).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(answer.header("location"), Some("/login"));
    assert_eq!(answer.header("retry-after"), None);
    // An answer to one visitor's error is nobody else's.
    assert_eq!(answer.headers.get_all("cache-control").iter().count(), 1);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("cdn-cache-control"), None);
    assert_eq!(answer.set_cookies(), ["theme=dark", "why=outage"]);
    assert!(answer.error.is_some());
}

/// A failed commit is never a quiet success (P8), whatever the page's status.
#[tokio::test]
async fn p8_a_page_cannot_turn_a_failed_commit_into_a_success() {
    let house = House::open();
    house.faulty.always(Create, || Fault::Fail(StoreErrorKind::Unavailable));
    for status in [200, 201, 204, 206] {
        let layer = house.layer.clone().on_error(move |_: &SessionError, _: &Parts| {
            Response::builder().status(status).body("fine".to_owned()).unwrap()
        });
        send(&house.visitor(), &layer, change).await.is_outage();
    }
}

#[tokio::test]
async fn a_ticket_that_was_saved_before_the_error_goes_out_with_the_page() {
    let house = House::open();
    let layer = house.layer.clone().on_error(page);
    let visitor = house.visitor();
    let answer = send(&visitor, &layer, async |lazy| {
        let session: Session = lazy.load().await.unwrap();
        session.insert("k", &1).unwrap();
        session.save().await.unwrap();
        SessionError::Gone.into_empty_response()
    });
    let answer = answer.await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(answer.set_cookies()[0].starts_with("__Host-id="), "{answer:?}");
    assert!(answer.body.ends_with("the session ended while this request was changing it"));
}

#[tokio::test]
async fn of_nested_layers_each_writes_the_page_of_its_own_errors() {
    let (admin, shop) = (House::open(), House::open());
    let cookie = cloakroom::CookieOptions::builder().name("__Host-admin").build().unwrap();
    let outer = admin
        .layer
        .clone()
        .cookie(cookie)
        .on_error(|_: &SessionError, _: &Parts| Response::new("outer".to_owned()));
    let inner = shop
        .layer
        .clone()
        .on_error(|_: &SessionError, _: &Parts| Response::new("inner".to_owned()));
    let through = async || {
        let service = outer.layer(inner.layer(service_fn(async |request: Request<()>| {
            let lazy = request.extensions().get::<LazySession>().unwrap().clone();
            lazy.named("__Host-admin").unwrap().load().await.unwrap().insert("k", &1).unwrap();
            Ok::<_, Infallible>(change(lazy).await)
        })));
        let Ok(answer) = admin.visitor().send(service, Request::new(())).await;
        answer
    };
    assert_eq!(through().await.body, "stored");
    shop.faulty.always(Create, || Fault::Fail(StoreErrorKind::Unavailable));
    assert_eq!(through().await.body, "inner");
    shop.faulty.clear_faults();
    admin.faulty.always(Create, || Fault::Fail(StoreErrorKind::Unavailable));
    assert_eq!(through().await.body, "outer");
}

#[tokio::test]
async fn a_page_keeps_the_status_that_the_handler_chose() {
    let house = House::open();
    let layer = house.layer.clone().on_error(page);
    let unauthorized = async |_| {
        let mut response = SessionError::Gone.into_empty_response::<String>();
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        response.headers_mut().insert("content-length", "0".parse().unwrap());
        response.headers_mut().insert("vary", "Origin".parse().unwrap());
        response.headers_mut().insert("www-authenticate", "Basic".parse().unwrap());
        response
    };
    let answer = send(&house.visitor(), &layer, unauthorized).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(answer.body.starts_with("POST"), "{answer:?}");
    assert_eq!(answer.header("content-length"), None);
    assert_eq!(answer.header("vary"), Some("Origin"));
    assert_eq!(answer.header("www-authenticate"), Some("Basic"));
}

#[tokio::test]
async fn a_missing_layer_is_explained_and_not_put_on_a_page() {
    let house = House::open();
    let layer = house.layer.clone().on_error(page);
    let missing = async |_| {
        let mut response = SessionError::MissingLayer.into_empty_response::<String>();
        *response.body_mut() = "add the layer".to_owned();
        response
    };
    assert_eq!(send(&house.visitor(), &layer, missing).await.body, "add the layer");
}

#[tokio::test]
async fn options_can_be_set_after_the_page() {
    let house = House::open();
    let layer = house.layer.clone().on_error(page).idle_timeout(std::time::Duration::from_secs(60));
    assert!(layer.to_string().contains("idle timeout 1m"));
    assert!(format!("{layer:?}").contains("ErrorPage"), "{layer:?}");
}
