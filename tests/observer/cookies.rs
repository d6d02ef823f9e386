//! Cookies that are refused.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use cloakroom::events::CookieRefused;
use cloakroom::store::MemoryStore;
use cloakroom::{CookieSessions, Key, LazySession, Observer, RefusedCookies, SessionLayer};
use cloakroom_testing::{COOKIE, HOUR, House, MINUTE, Visitor, reply, respond};
use http::{HeaderValue, Request, StatusCode};
use tower::{Layer, service_fn};

use crate::{NOTHING, observed};

/// A cookie of every kind that is refused, the hours that pass before it comes, and the reason.
async fn bad_cookies(house: &House, elsewhere: SessionLayer) -> [(String, u32, &'static str); 4] {
    let guest = house.guest().await;
    let elsewhere = Visitor::new(elsewhere.clock(house.clock.clone()));
    elsewhere.visit(async |session| session.insert("k", &1)).await.is_ok();
    let good = guest.ticket();
    [
        ("quetzal".to_owned(), 0, "malformed"),
        (elsewhere.ticket(), 0, "foreign_key"),
        (forged(&good), 0, "forged"),
        (good, 13, "expired"),
    ]
}

/// Returns the cookie with another signature.
fn forged(good: &str) -> String {
    let (before, after) = good.split_at(good.len() - 10);
    let other = if after.starts_with('A') { "B" } else { "A" };
    format!("{before}{other}{}", &after[1..])
}

fn foreign() -> Key {
    Key::from_bytes(&[9; 32]).unwrap()
}

#[tokio::test]
async fn a_refused_cookie_is_told_once_per_request_with_the_reason() {
    let houses = [
        (House::open(), SessionLayer::new(MemoryStore::new(), foreign())),
        (
            House::in_cookies(CookieSessions::signed()),
            SessionLayer::new(CookieSessions::signed(), foreign()),
        ),
    ];
    for (house, elsewhere) in houses {
        let (house, told) = observed(house);
        for (cookie, hours, why) in bad_cookies(&house, elsewhere.clone()).await {
            house.clock.advance(hours * HOUR);
            told.take();
            let visitor = house.visitor();
            visitor.set_cookie(COOKIE, &cookie);
            visitor.ask(async |_| reply(StatusCode::OK)).await.is_ok();
            assert_eq!(told.take(), NOTHING, "nobody has asked for the session");
            let visit = visitor.ask(async |lazy| {
                lazy.peek().await.unwrap();
                lazy.load().await.unwrap();
                respond(lazy.destroy().await)
            });
            visit.await.is_ok();
            assert_eq!(told.take(), [format!("refused {why}")]);
            visitor.set_cookie(COOKIE, &cookie);
            visitor.ask(async |lazy| respond(lazy.destroy().await)).await.is_ok();
            assert_eq!(told.take(), [format!("refused {why}")], "by a logout that loads nothing");
        }
    }
}

/// The app says who the client is, and only what nobody sends by accident is counted for it.
#[tokio::test]
async fn r70_refused_cookies_can_be_counted_per_client() {
    for house in [House::open(), House::in_cookies(CookieSessions::signed())] {
        let refused = RefusedCookies::new().clock(house.clock.clone());
        let (told, listener) = (Arc::<Mutex<Vec<_>>>::default(), refused.clone());
        let house = house.with(|layer| {
            let address_of = |request: &http::request::Parts| {
                request.headers.get("x-real-ip")?.to_str().ok()?.parse().ok()
            };
            layer.client_address(address_of).observer(listener).observer(Clients(Arc::clone(&told)))
        });
        let guest = house.guest().await;
        let guess = async |client: Option<&'static str>, cookie: &str| {
            let visitor = house.visitor();
            visitor.set_cookie(COOKIE, cookie);
            let mut request = Request::new(());
            if let Some(client) = client {
                request.headers_mut().insert("x-real-ip", HeaderValue::from_static(client));
            }
            let service = house.layer.layer(service_fn(async |request: Request<()>| {
                let lazy = request.extensions().get::<LazySession>().unwrap();
                Ok::<_, Infallible>(respond(lazy.load().await.map(drop)))
            }));
            let Ok(answer) = visitor.send(service, request).await;
            answer.is_ok();
        };
        let (good, forged) = (guest.ticket(), forged(&guest.ticket()));
        for _ in 0..3 {
            guess(Some("192.0.2.1"), "made-up").await;
            guess(Some("192.0.2.2"), &forged).await;
            guess(Some("192.0.2.3"), &good).await;
            guess(None, &forged).await;
        }
        let counts = [1, 2, 3].map(|host| refused.count(IpAddr::from([192, 0, 2, host])));
        assert_eq!(counts, [3, 3, 0]);
        let told = told.lock().unwrap().clone();
        let expected = ["192.0.2.1", "192.0.2.2", ""].map(|client| client.parse::<IpAddr>().ok());
        assert_eq!(told, expected.repeat(3));
        house.clock.advance(MINUTE);
        assert_eq!(refused.count(IpAddr::from([192, 0, 2, 1])), 0);
    }
}

/// The clients of refused cookies, as an observer of the app's own is told.
struct Clients(Arc<Mutex<Vec<Option<IpAddr>>>>);

impl Observer for Clients {
    fn cookie_refused(&self, event: &CookieRefused) {
        self.0.lock().unwrap().push(event.client);
    }
}

#[tokio::test]
async fn a_logout_that_loads_nothing_is_told() {
    for house in [House::open(), House::in_cookies(CookieSessions::signed())] {
        let (house, told) = observed(house);
        let guest = house.guest().await;
        told.take();
        guest.ask(async |lazy| respond(lazy.destroy().await)).await.is_ok();
        assert_eq!(told.take_events(), ["ended by visitor"]);
        let ended = told.take_sessions().pop().unwrap();
        assert!(ended.session.is_some());
        guest.ask(async |lazy| respond(lazy.destroy().await)).await.is_ok();
        assert_eq!(told.take_events(), NOTHING, "the cookie is gone");
    }
}
