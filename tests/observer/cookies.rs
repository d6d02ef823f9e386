//! Cookies that are refused.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use cloakroom::events::CookieRefused;
use cloakroom::store::MemoryStore;
use cloakroom::{CookieSessions, Key, Observer, SessionLayer};
use cloakroom_testing::{COOKIE, HOUR, House, Visitor, reply, respond};
use http::StatusCode;

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

tokio::task_local! {
    static CLIENT: &'static str;
}

/// Counts per client, as the guide's example does.
#[derive(Clone, Default)]
struct PerClient(Arc<Mutex<BTreeMap<&'static str, u32>>>);

impl Observer for PerClient {
    fn cookie_refused(&self, _: &CookieRefused) {
        *self.0.lock().unwrap().entry(CLIENT.get()).or_default() += 1;
    }
}

/// The observer is told in the task of the request, where the app knows who the client is.
#[tokio::test]
async fn r70_refused_cookies_can_be_counted_per_client() {
    for house in [House::open(), House::in_cookies(CookieSessions::signed())] {
        let counts = PerClient::default();
        let house = house.with(|layer| layer.observer(counts.clone()));
        let guest = house.guest().await;
        let guess = async |cookie: &str| {
            let visitor = house.visitor();
            visitor.set_cookie(COOKIE, cookie);
            visitor.visit(async |session| session.get::<u32>("k")).await.is_ok();
        };
        let (good, forged) = (guest.ticket(), forged(&guest.ticket()));
        let all = cloakroom_testing::all((0..10).map(|n| {
            let (client, cookie) = match n {
                0..6 => ("192.0.2.1", "made-up"),
                6..9 => ("192.0.2.2", &*forged),
                _ => ("192.0.2.3", &*good),
            };
            CLIENT.scope(client, guess(cookie))
        }));
        all.await;
        let counts = counts.0.lock().unwrap().clone();
        assert_eq!(counts, BTreeMap::from([("192.0.2.1", 6), ("192.0.2.2", 3)]));
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
