//! Requests that are made of the kept parts of another one, after its response has left: a websocket or a
//! streaming batch endpoint that calls the app's router for each of its messages.

use std::convert::Infallible;
use std::sync::Mutex;

use cloakroom::{LazySession, Session, SessionError, SessionLayer};
use http::request::Parts;
use http::{Request, Response};
use tower::{Layer, Service, service_fn};

use super::users::who;
use crate::promises::Ground;
use crate::{COOKIE, Handled, House, Visitor, respond};

/// Returns the parts of a request that has loaded its session, and whose response has left.
async fn kept_parts(visitor: &Visitor) -> Parts {
    let kept = Mutex::new(None);
    let service = visitor.layer().layer(service_fn(async |request: Request<()>| {
        let (parts, ()) = request.into_parts();
        let lazy = parts.extensions.get::<LazySession>().unwrap();
        let session = lazy.load().await.unwrap();
        *kept.lock().unwrap() = Some(parts);
        Ok::<_, Infallible>(respond(Ok(session.principal())))
    }));
    let Ok(answer) = visitor.send(service, Request::new(())).await;
    answer.is_ok();
    kept.into_inner().unwrap().expect("parts")
}

/// Sends a request that is made of `parts`, with their headers and extensions.
async fn late(
    layer: &SessionLayer,
    parts: &Parts,
    handler: impl AsyncFn(Session) -> Result<(), SessionError>,
) -> Handled {
    let mut service = layer.layer(service_fn(async |request: Request<()>| {
        let lazy = request.extensions().get::<LazySession>().unwrap();
        let result = match lazy.load().await {
            Ok(session) => handler(session).await,
            Err(error) => Err(error),
        };
        Ok::<_, Infallible>(respond(result))
    }));
    let Ok(answer) = service.call(Request::from_parts(parts.clone(), ())).await;
    answer
}

fn set_cookies(answer: &Handled) -> Vec<&str> {
    let cookies = answer.headers().get_all("set-cookie").iter();
    cookies.map(|cookie| cookie.to_str().unwrap()).collect()
}

/// Returns a browser with the ticket of this response.
fn browser_of(house: &House, answer: &Handled) -> Visitor {
    let [cookie] = set_cookies(answer)[..] else { panic!("{answer:?}") };
    let (name, rest) = cookie.split_once('=').unwrap();
    assert_eq!(name, COOKIE);
    let visitor = house.visitor();
    visitor.set_cookie(COOKIE, rest.split(';').next().unwrap());
    visitor
}

pub async fn p8_a_request_made_of_kept_parts_stores_what_it_acknowledges(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let parts = kept_parts(&guest).await;
    for n in 1..=2_u32 {
        let answer = late(&house.layer, &parts, async |s| s.update("n", |n: &mut u32| *n += 1));
        assert_eq!(answer.await.status(), 200);
        let stored = guest.visit(async |session| session.get::<u32>("n")).await;
        assert_eq!(stored.body, format!("Some({n})"));
    }
    let parts = kept_parts(&house.visitor()).await;
    let answer = late(&house.layer, &parts, async |session| session.insert("n", &7)).await;
    let stored = browser_of(&house, &answer).visit(async |s| s.get::<u32>("n")).await;
    assert_eq!(stored.body, "Some(7)");
}

pub async fn p7_a_login_in_a_request_made_of_kept_parts_sends_its_ticket(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let parts = kept_parts(&guest).await;
    let answer = late(&house.layer, &parts, async |session| session.log_in("ada").await).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(who(&browser_of(&house, &answer)).await.as_deref(), Some("ada"));
    guest.visit(async |session| session.get::<u32>("k")).await.is_ok();
    assert_eq!(who(&guest.copy()).await, None, "the id from before the login");
}

pub async fn p6_a_request_made_of_kept_parts_sees_a_logout(ground: Ground) {
    let house = ground();
    let ada = house.visitor();
    ada.visit(async |session| session.log_in("ada").await).await.is_ok();
    let parts = kept_parts(&ada).await;
    let sees = async |expected: Option<&str>| {
        let answer = late(&house.layer, &parts, async |session| {
            assert_eq!(session.principal().as_deref(), expected);
            Ok(())
        });
        assert_eq!(answer.await.status(), 200);
    };
    sees(Some("ada")).await;
    ada.visit(async |session| session.destroy().await).await.is_ok();
    sees(None).await;
}

/// A handler between two layers is still at work, and sends the inner one a request again whose response
/// has left. The outer layer's session is handed on in both, and the inner one's begins anew.
pub async fn a_layer_whose_response_has_left_begins_anew_within_an_open_one(ground: Ground) {
    let (house, shop) = (ground(), ground());
    let inner = shop.layer.clone().header("x-shop").unwrap();
    let handler = async |request: Request<()>| {
        let lazy = request.extensions().get::<LazySession>().unwrap().clone();
        let outer = lazy.named(COOKIE).expect("a layer around").load().await.unwrap();
        outer.update("n", |n: &mut u32| *n += 1).unwrap();
        let result = lazy.load().await.unwrap().insert("k", &1);
        let (parts, ()) = request.into_parts();
        let mut answer = respond(result);
        answer.extensions_mut().insert(parts);
        Ok::<_, Infallible>(answer)
    };
    let service = house.layer.layer(service_fn(async |request: Request<()>| {
        let mut within = inner.layer(service_fn(handler));
        let Ok(first) = within.call(request).await;
        let parts = first.extensions().get::<Parts>().unwrap().clone();
        let Ok(second) = within.call(Request::from_parts(parts, ())).await;
        assert!([first, second].iter().all(|answer| answer.headers().contains_key("x-shop")));
        Ok::<_, Infallible>(Response::new(String::new()))
    }));
    let visitor = house.visitor();
    let Ok(answer) = visitor.send(service, Request::new(())).await;
    assert_eq!(answer.is_ok().set_cookies().len(), 1);
    assert_eq!(visitor.visit(async |s| s.get::<u32>("n")).await.body, "Some(2)");
}

/// A session that nobody commits any more is not found by its name either.
pub async fn a_layer_whose_response_has_left_is_not_found_by_its_name(ground: Ground) {
    let (house, shop) = (ground(), ground());
    let parts = kept_parts(&house.visitor()).await;
    let inner = shop.layer.clone().header("x-shop").unwrap();
    let mut service = inner.layer(service_fn(async |request: Request<()>| {
        let lazy = request.extensions().get::<LazySession>().unwrap();
        assert!(lazy.named("x-shop").is_some() && lazy.named(COOKIE).is_none());
        Ok::<_, Infallible>(Response::new(String::new()))
    }));
    let Ok(_) = service.call(Request::from_parts(parts, ())).await;
}
