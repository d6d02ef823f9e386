//! The response headers that the layer adds to the app's own.

use http::Response;

use crate::promises::Ground;
use crate::{Answer, Visitor};

/// Sends a request whose handler reads or writes and answers with these headers.
async fn answer(visitor: &Visitor, writes: bool, headers: &[(&str, &str)]) -> Answer {
    visitor
        .ask(async |lazy| {
            let session = lazy.load().await.unwrap();
            session.get::<u32>("k").unwrap();
            if writes {
                session.insert("k", &1).unwrap();
            }
            let mut response = Response::builder();
            for (name, value) in headers {
                response = response.header(*name, *value);
            }
            response.body(String::new()).unwrap()
        })
        .await
}

fn vary(answer: &Answer) -> Vec<String> {
    let values = answer.headers.get_all("vary").iter();
    values.map(|value| value.to_str().unwrap().to_ascii_lowercase()).collect()
}

pub async fn a_response_that_read_the_session_varies_by_cookie_and_is_private(ground: Ground) {
    let house = ground();
    for visitor in [house.visitor(), house.guest().await] {
        let answer = answer(&visitor, false, &[]).await;
        assert_eq!(vary(&answer), ["cookie"]);
        assert_eq!(answer.header("cache-control"), Some("private, no-cache"));
        assert_eq!(answer.headers.len(), 2);
    }
}

pub async fn the_apps_own_cache_control_stays_where_no_ticket_is_sent(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let answer = answer(&guest, false, &[("cache-control", "private, max-age=60")]).await;
    assert_eq!(answer.header("cache-control"), Some("private, max-age=60"));
    assert_eq!(vary(&answer), ["cookie"]);
}

pub async fn a_response_with_a_ticket_is_not_stored_whatever_the_app_said(ground: Ground) {
    let house = ground();
    let visitor = house.visitor();
    let app = [("cache-control", "public, max-age=60"), ("cache-control", "immutable")];
    let answer = answer(&visitor, true, &app).await;
    let values: Vec<_> = answer.headers.get_all("cache-control").iter().collect();
    assert_eq!(values, ["no-store"]);
    assert_eq!(answer.set_cookies().len(), 1);
    assert_eq!(vary(&answer), ["cookie"]);
}

/// Caches that know these headers obey them instead of `Cache-Control` (RFC 9213 section 2.2).
const FOR_SOME_CACHES: [&str; 9] = [
    "cdn-cache-control",
    "cloudflare-cdn-cache-control",
    "vercel-cdn-cache-control",
    "netlify-cdn-cache-control",
    "example-cache-control",
    "surrogate-control",
    "edge-control",
    "x-accel-expires",
    "expires",
];

pub async fn no_header_for_some_caches_stays_beside_a_ticket(ground: Ground) {
    let house = ground();
    let visitor = house.visitor();
    let app = FOR_SOME_CACHES.map(|name| (name, "max-age=600"));
    let with_ticket = answer(&visitor, true, &app).await;
    assert_eq!(with_ticket.set_cookies().len(), 1);
    for name in FOR_SOME_CACHES {
        assert_eq!(with_ticket.header(name), None, "{name}");
    }
    let read = answer(&visitor, false, &app).await;
    for name in FOR_SOME_CACHES {
        assert_eq!(read.header(name), Some("max-age=600"), "{name}: no ticket, the app decides");
    }
}

pub async fn a_response_that_removes_the_cookie_is_not_stored_either(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let answer = guest.visit(async |session| session.destroy().await).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(vary(&answer), ["cookie"]);
}

pub async fn vary_is_added_to_what_the_app_has_and_not_twice(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    for (app, expected) in [
        ("accept", &["accept", "cookie"][..]),
        ("accept, Cookie", &["accept, cookie"]),
        ("cookie", &["cookie"]),
        ("*", &["*"]),
        ("cookie-consent", &["cookie-consent", "cookie"]),
    ] {
        let answer = answer(&guest, false, &[("vary", app)]).await;
        assert_eq!(vary(&answer), expected, "{app}");
    }
}

pub async fn the_apps_cookies_and_ours_are_separate_headers(ground: Ground) {
    let house = ground();
    let visitor = house.visitor();
    let app = [("set-cookie", "theme=dark"), ("set-cookie", "lang=en")];
    let answer = answer(&visitor, true, &app).await;
    let cookies = answer.set_cookies();
    assert_eq!(cookies[..2], ["theme=dark", "lang=en"]);
    assert!(cookies[2].starts_with("__Host-id=") && cookies.len() == 3);
}

pub async fn a_write_to_a_session_that_exists_sends_no_ticket_again(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let before = guest.ticket();
    let answer = guest.visit(async |session| session.insert("k", &5)).await;
    assert_eq!(answer.set_cookies(), Vec::<&str>::new());
    assert_eq!(guest.ticket(), before);
    assert_eq!(answer.header("cache-control"), Some("private, no-cache"));
}

pub async fn the_body_passes_through_untouched(ground: Ground) {
    let house = ground();
    let answer = house
        .visitor()
        .ask(async |lazy| {
            lazy.load().await.unwrap().insert("k", &1).unwrap();
            Response::new("as it was".to_owned())
        })
        .await;
    assert_eq!(answer.body, "as it was");
}
