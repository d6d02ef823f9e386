//! A session in pieces among other cookies.

use std::time::{Duration, Instant};

use cloakroom::CookieSessions;
use http::HeaderValue;

use crate::value_of;
use cloakroom_testing::{COOKIE, House, Trace, Visitor};

async fn fill(visitor: &Visitor, len: usize) {
    visitor.visit(async move |session| session.insert("text", &"x".repeat(len))).await.is_ok();
}

#[tokio::test]
async fn another_cookie_of_the_name_hides_no_pieces() {
    let house = House::in_cookies(CookieSessions::signed().chunks(2));
    let guest = house.guest().await;
    let old = guest.ticket();
    house.clock.advance(Duration::from_secs(1));
    crate::put(&guest, 2).await.is_ok();
    fill(&guest, 4000).await;
    let [a, b] = [COOKIE, "__Host-id.1"].map(|name| guest.cookie(name).unwrap());
    for lingering in [&*old, "", "junk"] {
        let header = format!("{COOKIE}={lingering}; {COOKIE}={a}; {COOKIE}.1={b}");
        let header = HeaderValue::try_from(header).unwrap();
        let found = value_of(&house.layer, header).await;
        assert_eq!(found, Some(2), "{lingering:.8}");
    }
}

/// A header of eight times the length may take eight times as long, but not sixty-four times.
#[tokio::test]
async fn forged_pieces_cost_time_by_their_number() {
    let house = House::in_cookies(CookieSessions::signed());
    let mut took = Vec::new();
    for number in [250, 2_000] {
        let forged = "__Host-id=AQTwAAAA;".repeat(number) + &"__Host-id.1=;".repeat(number);
        let header = HeaderValue::try_from(forged).unwrap();
        let mut quickest = Duration::MAX;
        // The quickest of many runs is one that nothing else on the machine interrupted.
        for _ in 0..40 {
            let began = Instant::now();
            assert_eq!(value_of(&house.layer, header.clone()).await, None);
            quickest = quickest.min(began.elapsed());
        }
        took.push(quickest);
    }
    assert!(took[1] < took[0] * 30, "{took:?}");
}

#[tokio::test]
async fn a_header_line_over_8k_is_warned_about() {
    let house = House::in_cookies(CookieSessions::signed().chunks(2));
    let guest = house.guest().await;
    let trace = Trace::listen();
    let mut len = 6000;
    while guest.visit(async move |s| s.insert("text", &"x".repeat(len + 1))).await.error.is_none() {
        len += 1;
    }
    let pieces =
        [COOKIE, "__Host-id.1"].map(|name| format!("{name}={}", guest.cookie(name).unwrap()));
    let line = format!("Cookie: {}", pieces.join("; "));
    let warned = trace.lines().iter().any(|line| line.contains("8 KB"));
    assert_eq!(line.len() > 8192, warned, "{}", line.len());
}
