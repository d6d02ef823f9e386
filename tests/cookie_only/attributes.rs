//! The attributes of the cookies that sessions travel in.

use std::convert::Infallible;

use cloakroom::{
    CookieOptions, CookieSessions, LazySession, SameSite, Session, SessionError, SessionLayer,
};
use http::Request;
use tower::{Layer, service_fn};

use crate::{kinds, put, value};
use cloakroom_testing::{Answer, HOUR, House, MINUTE, Visitor, respond};

fn house(kind: CookieSessions) -> House {
    let cookie = CookieOptions::builder().persistent().build().unwrap();
    House::in_cookies(kind).with(|layer| layer.cookie(cookie))
}

#[tokio::test]
async fn a_persistent_cookie_carries_what_is_left_of_its_sessions_lifetime() {
    for kind in kinds() {
        let house = house(kind);
        let guest = house.visitor();
        for left in [12 * 3600, 12 * 3600 - 25 * 60, 12 * 3600 - 50 * 60] {
            let answer = put(&guest, left).await;
            let [cookie] = answer.is_ok().set_cookies()[..] else { panic!("{answer:?}") };
            assert!(cookie.ends_with(&format!("; Max-Age={left}")), "{cookie}");
            house.clock.advance(25 * MINUTE);
        }
        house.clock.advance(5 * MINUTE);
        assert_eq!(value(&guest).await, None, "the idle timeout is the server's");
    }
}

#[tokio::test]
async fn a_remembered_session_and_a_removal_keep_their_max_age_in_a_persistent_cookie() {
    let house = house(kinds()[0].clone());
    let guest = house.visitor();
    let remembered = guest.visit(async |session| {
        session.remember(24 * HOUR, 30 * 24 * HOUR)?;
        session.log_in("ada").await
    });
    assert!(remembered.await.is_ok().set_cookies()[0].ends_with("; Max-Age=2592000"));
    let gone = guest.visit(async |session| session.destroy().await).await;
    assert_eq!(gone.is_ok().set_cookies()[0].matches("Max-Age").count(), 1);
    assert!(gone.set_cookies()[0].ends_with("; Max-Age=0"), "{gone:?}");
}

#[tokio::test]
async fn a_cookie_becomes_persistent_and_back_at_its_next_change() {
    let house = House::in_cookies(kinds()[0].clone());
    let lasting =
        house.layer.clone().cookie(CookieOptions::builder().persistent().build().unwrap());
    let guest = house.guest().await;
    let is_persistent = async |visitor: &Visitor, value| {
        put(visitor, value).await.is_ok().set_cookies()[0].contains("Max-Age")
    };
    assert!(is_persistent(&guest.at(&lasting), 2).await);
    assert!(!is_persistent(&guest, 3).await);
    assert_eq!(value(&guest).await, Some(3));
}

/// Sends a request to `path` through the layer.
async fn at(
    path: &str,
    visitor: &Visitor,
    layer: &SessionLayer,
    handler: impl AsyncFn(Session) -> Result<Option<u32>, SessionError>,
) -> Answer {
    let service = layer.layer(service_fn(async |request: Request<()>| {
        let lazy = request.extensions().get::<LazySession>().unwrap();
        Ok::<_, Infallible>(respond(handler(lazy.load().await.unwrap()).await))
    }));
    let request = Request::builder().uri(path).body(()).unwrap();
    let Ok(answer) = visitor.send(service, request).await;
    answer
}

async fn count(session: Session) -> Result<Option<u32>, SessionError> {
    session.update("k", |k: &mut u32| {
        *k += 1;
        Some(*k)
    })
}

async fn leave(session: Session) -> Result<Option<u32>, SessionError> {
    session.destroy().await.map(|()| None)
}

#[tokio::test]
async fn a_request_chooses_the_attributes_of_its_cookies() {
    for kind in kinds() {
        let house = House::in_cookies(kind);
        let embedded = CookieOptions::builder().same_site(SameSite::None).persistent();
        let layer = house
            .layer
            .clone()
            .cookie_when(embedded.build().unwrap(), |request| request.uri.path() == "/callback");
        let (layer, guest) = (layer.unwrap(), house.visitor());
        let rest = "; HttpOnly; SameSite=Lax; Secure; Path=/";
        let embedded = "; HttpOnly; SameSite=None; Secure; Path=/; Max-Age=43200";
        for (path, attributes, value) in
            [("/", rest, "Some(1)"), ("/callback", embedded, "Some(2)"), ("/", rest, "Some(3)")]
        {
            let answer = at(path, &guest, &layer, count).await;
            assert_eq!(answer.body, value);
            assert!(answer.is_ok().set_cookies()[0].ends_with(attributes), "{answer:?}");
        }
        let gone = at("/callback", &guest, &layer, leave).await;
        assert_eq!(
            gone.is_ok().set_cookies(),
            ["__Host-id=; HttpOnly; SameSite=None; Secure; Path=/; Max-Age=0"]
        );
    }
}

/// Nothing else than the cookie holds the session, so a rule must not choose between two of them.
#[tokio::test]
async fn a_logout_removes_the_cookie_of_the_domain_that_its_request_chooses_alone() {
    let named = || CookieOptions::builder().name("id");
    let layer = House::in_cookies(kinds()[0].clone()).layer.cookie(named().build().unwrap());
    let domain = named().domain("example.org").build().unwrap();
    let layer = layer.cookie_when(domain, |request| request.uri.path() == "/shop").unwrap();
    let guest = Visitor::new(layer.clone());
    let begun = at("/shop", &guest, &layer, count).await;
    assert!(begun.is_ok().set_cookies()[0].ends_with("; Domain=example.org"), "{begun:?}");
    // A browser has two cookies now, and this visitor's jar, which knows no domains, has one.
    let of_the_domain = guest.copy();
    let gone = at("/", &guest, &layer, leave).await;
    assert_eq!(
        gone.is_ok().set_cookies(),
        ["id=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0"]
    );
    assert_eq!(at("/", &of_the_domain, &layer, count).await.body, "Some(2)");
}
