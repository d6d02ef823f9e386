//! The visitor's cookies, over services that know no session.

use std::convert::Infallible;
use std::time::Duration;

use cloakroom::store::MemoryStore;
use cloakroom::testing::{FaultyStore, TestVisitor, signed_cookie};
use cloakroom::{CookieSessions, Key, Session, SessionError, SessionLayer};
use http::header::{COOKIE, SET_COOKIE};
use http::{Request, Response};
use tower::service_fn;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn layer() -> SessionLayer {
    SessionLayer::new(MemoryStore::new(), Key::generate().unwrap())
}

async fn log_in(session: Session) -> Result<(), SessionError> {
    session.log_in("ada").await
}

async fn principal(session: Session) -> Result<Option<String>, SessionError> {
    Ok(session.principal())
}

/// Answers with the cookies of the request, and sets the one in its body.
async fn echo(request: Request<String>) -> Result<Response<String>, Infallible> {
    let sent = request.headers().get_all(COOKIE).iter().map(|value| value.to_str().unwrap());
    let mut response = Response::new(sent.collect::<Vec<_>>().join(" & "));
    if !request.body().is_empty() {
        response.headers_mut().append(SET_COOKIE, request.into_body().parse().unwrap());
    }
    Ok(response)
}

#[tokio::test]
async fn cookies_are_kept_changed_and_removed() {
    let visitor = TestVisitor::new(service_fn(echo));
    assert_eq!(visitor.get("/").await.body(), "");
    visitor.post("/", "a=1").await;
    visitor.post("/", "b=1; HttpOnly; SameSite=Strict").await;
    assert_eq!(visitor.get("/").await.body(), "a=1; b=1");
    visitor.post("/", "a=2").await;
    assert_eq!(visitor.get("/").await.body(), "a=2; b=1");
    assert_eq!(visitor.cookie("a").as_deref(), Some("2"));
    visitor.post("/", "a=; Max-Age=0").await;
    visitor.remove_cookie("b");
    assert_eq!(visitor.get("/").await.body(), "");
}

#[tokio::test]
async fn a_request_keeps_the_cookies_that_it_has() {
    let visitor = TestVisitor::new(service_fn(echo));
    visitor.set_cookie("a", "1");
    let own = Request::get("/").header(COOKIE, "b=2").body(String::new()).unwrap();
    assert_eq!(visitor.send(own).await.body(), "b=2 & a=1");
}

#[tokio::test]
async fn tabs_share_cookies_and_copies_do_not() {
    let visitor = TestVisitor::new(service_fn(echo));
    visitor.post("/", "a=1").await;
    let (tab, copy) = (visitor.clone(), visitor.copy());
    tab.post("/", "a=2").await;
    copy.set_cookie("c", "3");
    assert_eq!(visitor.get("/").await.body(), "a=2");
    assert_eq!(copy.get("/").await.body(), "a=1; c=3");
}

#[tokio::test]
async fn a_restart_keeps_what_has_a_date() {
    let visitor = TestVisitor::new(service_fn(echo));
    for cookie in ["a=1", "b=1; Max-Age=60", "c=1; Expires=Fri, 01 Jan 2500 00:00:00 GMT"] {
        visitor.post("/", cookie).await;
    }
    visitor.restart();
    assert_eq!(visitor.get("/").await.body(), "b=1; c=1");
}

#[tokio::test]
async fn the_error_of_an_action_and_of_its_commit_come_back() {
    let store = FaultyStore::new(MemoryStore::new());
    let layer = SessionLayer::new(store.clone(), Key::generate().unwrap());
    let visitor = TestVisitor::new(());
    let refused = visitor.with_session(&layer, async |_| Err::<(), _>(SessionError::Gone)).await;
    assert!(matches!(refused, Err(SessionError::Gone)));
    store.outage();
    let outage = visitor.with_session(&layer, log_in).await.unwrap_err();
    assert!(outage.is_outage(), "{outage:?}");
    assert!(signed_cookie(&layer, log_in).await.unwrap_err().is_outage());
    assert!(visitor.cookies().is_empty());
}

#[tokio::test]
async fn what_a_failed_action_changed_is_not_stored() {
    let (layer, visitor) = (layer(), TestVisitor::new(()));
    let result = visitor.with_session(&layer, async |session| {
        session.insert("k", &1)?;
        Err::<(), _>(SessionError::Gone)
    });
    assert!(result.await.is_err());
    assert!(visitor.with_session(&layer, async |session| Ok(session.is_new())).await.unwrap());
}

#[tokio::test]
#[should_panic = "no cookie: the session is empty"]
async fn an_empty_session_has_no_cookie() {
    let _ = signed_cookie(&layer(), async |_| Ok(())).await;
}

#[tokio::test]
async fn a_remembered_session_outlives_the_browser() {
    let (layer, visitor) = (layer(), TestVisitor::new(()));
    let remember = async |session: Session| {
        session.remember(DAY, 2 * DAY)?;
        session.log_in("ada").await
    };
    visitor.with_session(&layer, remember).await.unwrap();
    visitor.restart();
    let found = visitor.with_session(&layer, principal).await.unwrap();
    assert_eq!(found.as_deref(), Some("ada"));
}

#[tokio::test]
async fn sessions_in_several_cookies_work_too() {
    let sessions = CookieSessions::signed().chunks(3);
    let layer = SessionLayer::new(sessions, Key::generate().unwrap());
    let visitor = TestVisitor::new(());
    let large = "x".repeat(6_000);
    let insert = async |session: Session| session.insert("large", &large);
    visitor.with_session(&layer, insert).await.unwrap();
    assert!(visitor.cookies().len() > 1);
    let found = visitor.with_session(&layer, async |session| session.get::<String>("large"));
    assert_eq!(found.await.unwrap().unwrap(), large);
    let login = async |session: Session| session.log_in("ada").await;
    visitor.with_session(&layer, login).await.unwrap();
    visitor.with_session(&layer, async |session| session.destroy().await).await.unwrap();
    assert!(visitor.cookies().is_empty());

    let cookie = signed_cookie(&layer, log_in).await.unwrap();
    assert!(cookie.to_str().unwrap().starts_with("__Host-id="));
}

#[tokio::test]
#[should_panic = "\"not a uri\" is not a URI"]
async fn a_wrong_uri_is_named() {
    TestVisitor::new(service_fn(echo)).get("not a uri").await;
}

#[tokio::test]
#[should_panic = "the service fails: \"no upstream\""]
async fn a_service_that_fails_is_named() {
    let broken = service_fn(async |_: Request<String>| Err::<Response<()>, _>("no upstream"));
    TestVisitor::new(broken).get("/").await;
}

#[test]
#[should_panic = "no header can hold the cookie \"a\""]
fn a_cookie_that_fits_into_no_header_is_named() {
    TestVisitor::new(()).set_cookie("a", "line\nbreak");
}
