//! P2: a request that does not use the session costs nothing.

use http::{Response, StatusCode};

use crate::promises::Ground;
use crate::{Command, Trace, reply};

pub async fn p2_without_a_cookie_nothing_happens(ground: Ground) {
    let house = ground();
    let trace = Trace::listen();
    let answer = house.visitor().ask(async |_| reply(StatusCode::OK)).await;
    assert!(answer.headers.is_empty(), "{answer:?}");
    assert_eq!(house.counting.take(), []);
    assert_eq!(trace.lines(), Vec::<String>::new());
}

pub async fn p2_with_a_valid_cookie_nothing_happens_either(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    // After this time a read would move the deadline.
    house.clock.advance(20 * crate::MINUTE);
    let trace = Trace::listen();
    let answer = guest.ask(async |_| reply(StatusCode::OK)).await;
    assert!(answer.headers.is_empty(), "{answer:?}");
    assert_eq!(house.counting.take(), []);
    assert_eq!(trace.verifications(), 0);
}

pub async fn p2_the_verification_that_is_missing_there_is_seen_where_the_session_is_read(
    ground: Ground,
) {
    let house = ground();
    let guest = house.guest().await;
    let trace = Trace::listen();
    guest.visit(async |session| session.get::<u32>("k")).await.is_ok();
    assert_eq!(trace.verifications(), 1);
    assert_eq!(house.counting.take(), [Command::Load]);
}

pub async fn p2_the_apps_own_headers_stay_as_they_are(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let answer = guest
        .ask(async |_| {
            let response = Response::builder()
                .header("cache-control", "public, max-age=60")
                .header("vary", "accept")
                .header("set-cookie", "theme=dark");
            response.body(String::new()).unwrap()
        })
        .await;
    assert_eq!(answer.headers.len(), 3);
    assert_eq!(answer.header("cache-control"), Some("public, max-age=60"));
    assert_eq!(answer.header("vary"), Some("accept"));
    assert_eq!(answer.set_cookies(), ["theme=dark"]);
}

pub async fn p2_a_visitor_without_a_cookie_who_reads_costs_the_store_nothing(ground: Ground) {
    let house = ground();
    let trace = Trace::listen();
    let answer = house.visitor().visit(async |session| session.get::<u32>("k")).await;
    assert_eq!(answer.body, "None");
    assert_eq!(answer.set_cookies(), Vec::<&str>::new());
    assert_eq!(house.counting.take(), []);
    assert_eq!(trace.verifications(), 0);
}
