//! Cookie attributes by request, by `SessionLayer::cookie_when`.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cloakroom::{CookieOptions, LazySession, SameSite, Session, SessionError, SessionLayer};
use http::Request;
use tower::{Layer, service_fn};

use crate::promises::Ground;
use crate::{Answer, HOUR, House, MINUTE, Visitor, respond};

/// The options of a cookie whose name allows a domain.
fn options(domain: Option<&'static str>, same_site: SameSite) -> CookieOptions {
    let builder = CookieOptions::builder().name("__Secure-id").same_site(same_site);
    match domain {
        Some(domain) => builder.domain(domain).build().unwrap(),
        None => builder.build().unwrap(),
    }
}

/// Returns a layer whose cookie is `SameSite=None` at `/callback`, has a domain on `shop.example.org`, and
/// belongs to the host alone everywhere else.
fn layer(house: &House) -> SessionLayer {
    let layer = house.layer.clone().cookie(options(None, SameSite::Lax));
    let layer = layer
        .cookie_when(options(None, SameSite::None), |request| request.uri.path() == "/callback");
    let domain = options(Some("example.org"), SameSite::Lax);
    layer
        .unwrap()
        .cookie_when(domain, |request| request.uri.host() == Some("shop.example.org"))
        .unwrap()
}

async fn at(
    uri: &str,
    visitor: &Visitor,
    layer: &SessionLayer,
    handler: impl AsyncFn(Session) -> Result<(), SessionError>,
) -> Answer {
    let service = layer.layer(service_fn(async |request: Request<()>| {
        let session = request.extensions().get::<LazySession>().unwrap().load().await;
        Ok::<_, Infallible>(respond(match session {
            Ok(session) => handler(session).await,
            Err(error) => Err(error),
        }))
    }));
    let request = Request::builder().uri(uri).body(()).unwrap();
    let Ok(answer) = visitor.send(service, request).await;
    answer
}

/// The attributes of the answer's one cookie.
#[track_caller]
fn attributes(answer: &Answer) -> &str {
    let [cookie] = answer.is_ok().set_cookies()[..] else { panic!("{answer:?}") };
    assert!(cookie.starts_with("__Secure-id="), "{cookie}");
    cookie.split_once("; ").unwrap().1
}

const HOST: &str = "HttpOnly; SameSite=Lax; Secure; Path=/";
const CALLBACK: &str = "HttpOnly; SameSite=None; Secure; Path=/";
const DOMAIN: &str = "HttpOnly; SameSite=Lax; Secure; Path=/; Domain=example.org";

async fn put(session: Session) -> Result<(), SessionError> {
    session.insert("k", &1_u32)
}

async fn renew(session: Session) -> Result<(), SessionError> {
    session.renew()
}

async fn is_there(session: Session) -> Result<(), SessionError> {
    assert_eq!(session.get::<u32>("k")?, Some(1));
    Ok(())
}

async fn is_gone(session: Session) -> Result<(), SessionError> {
    assert_eq!(session.get::<u32>("k")?, None);
    Ok(())
}

pub async fn a_request_chooses_the_attributes_of_its_cookie(ground: Ground) {
    let house = ground();
    let (layer, guest) = (layer(&house), house.visitor());
    assert_eq!(attributes(&at("/", &guest, &layer, put).await), HOST);
    assert_eq!(attributes(&at("/callback", &guest, &layer, renew).await), CALLBACK);
    // The name is what is signed, so every variant reads what another has set.
    at("/", &guest, &layer, is_there).await.is_ok();
    let shop = "https://shop.example.org/";
    at(shop, &guest, &layer, is_there).await.is_ok();
    assert_eq!(attributes(&at(shop, &guest, &layer, renew).await), DOMAIN);
    at("/callback", &guest, &layer, is_there).await.is_ok();
    assert_eq!(attributes(&at("/", &guest, &layer, renew).await), HOST);
}

pub async fn the_first_rule_that_holds_decides_and_is_asked_before_the_handler(ground: Ground) {
    let house = ground();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let layer = layer(&house);
    let layer = layer.cookie_when(options(Some("example.com"), SameSite::Lax), move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        true
    });
    let (layer, guest) = (layer.unwrap(), house.visitor());
    assert_eq!(attributes(&at("/callback", &guest, &layer, put).await), CALLBACK);
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    let answer = at("/", &guest, &layer, async |session| {
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        session.renew()
    });
    assert_eq!(attributes(&answer.await), format!("{HOST}; Domain=example.com"));
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

/// Browsers drop a cookie only for a removal with its own domain and path.
pub async fn p6_a_removal_has_the_attributes_that_its_request_chooses(ground: Ground) {
    let house = ground();
    let layer = layer(&house);
    for (uri, expected) in
        [("/", HOST), ("/callback", CALLBACK), ("https://shop.example.org/", DOMAIN)]
    {
        let guest = house.visitor();
        at(uri, &guest, &layer, put).await.is_ok();
        let gone = at(uri, &guest, &layer, async |session| session.destroy().await).await;
        assert_eq!(attributes(&gone), format!("{expected}; Max-Age=0"));
        assert!(gone.set_cookies()[0].starts_with("__Secure-id=;"));
    }
}

/// The browser keeps a ticket that leads nowhere.
pub async fn p6_a_session_begun_under_one_domain_is_over_when_it_ends_under_another(
    ground: Ground,
) {
    let house = ground();
    let (layer, guest) = (layer(&house), house.visitor());
    let begun = at("https://shop.example.org/", &guest, &layer, put).await;
    assert_eq!(attributes(&begun), DOMAIN);
    let kept = guest.copy();
    let gone = at("/", &guest, &layer, async |session| session.destroy().await).await;
    assert_eq!(attributes(&gone), format!("{HOST}; Max-Age=0"), "another cookie to a browser");
    at("https://shop.example.org/", &kept, &layer, is_gone).await.is_ok();
}

pub async fn other_options_reach_every_variant_and_another_cookie_replaces_them(ground: Ground) {
    let house = ground();
    let stricter = layer(&house).idle_timeout(10 * MINUTE).absolute_lifetime(HOUR);
    for uri in ["/", "/callback"] {
        let guest = house.visitor();
        at(uri, &guest, &stricter, put).await.is_ok();
        house.clock.advance(10 * MINUTE);
        at(uri, &guest, &stricter, is_gone).await.is_ok();
    }
    let plain = layer(&house).cookie(options(None, SameSite::Strict));
    let answer = at("/callback", &house.visitor(), &plain, put).await;
    assert_eq!(attributes(&answer), "HttpOnly; SameSite=Strict; Secure; Path=/");
}
