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

fn verifications(trace: &Trace) -> usize {
    trace.lines().iter().filter(|line| line.contains("session cookie verified")).count()
}

/// Returns this cookie with another signature.
fn forged(cookie: &str) -> String {
    let (before, after) = cookie.split_at(cookie.len() - 10);
    let other = if after.starts_with('A') { "B" } else { "A" };
    format!("{before}{other}{}", &after[1..])
}

#[tokio::test]
async fn p1_at_most_eight_cookies_of_a_request_are_verified() {
    for kind in crate::kinds() {
        let house = House::in_cookies(kind);
        let guest = house.guest().await;
        let good = format!("{COOKIE}={}; ", guest.ticket());
        let bad = format!("{COOKIE}={}; ", forged(&guest.ticket()));
        for (header, found, verified) in [
            (bad.repeat(1_000), None, 8),
            (bad.repeat(1_000) + &good, None, 8),
            (good.clone() + &bad.repeat(1_000), Some(1), 8),
            (bad.repeat(7) + &good, Some(1), 8),
            // What cannot be ours costs no signature, and hides nothing.
            (format!("{COOKIE}=junk; ").repeat(1_000) + &good, Some(1), 1),
        ] {
            let trace = Trace::listen();
            let header = HeaderValue::try_from(header).unwrap();
            assert_eq!(value_of(&house.layer, header).await, found);
            assert_eq!(verifications(&trace), verified);
        }
    }
}

#[tokio::test]
async fn p1_a_session_in_several_cookies_counts_once() {
    let house = House::in_cookies(CookieSessions::signed().chunks(4));
    let guest = house.guest().await;
    fill(&guest, 11_000).await;
    let names = [COOKIE, "__Host-id.1", "__Host-id.2", "__Host-id.3"];
    let pieces = names.map(|name| (name, guest.cookie(name).unwrap()));
    let text = |last: &dyn Fn(&str) -> String| {
        let all = pieces.iter().enumerate().map(|(at, (name, piece))| match at {
            3 => format!("{name}={}; ", last(piece)),
            _ => format!("{name}={piece}; "),
        });
        all.collect::<String>()
    };
    let (good, bad) = (text(&str::to_owned), text(&forged));
    for (header, found, verified) in
        [(bad.repeat(7) + &good, Some(1), 8), (bad.repeat(20) + &good, None, 8)]
    {
        let trace = Trace::listen();
        let header = HeaderValue::try_from(header).unwrap();
        assert_eq!(value_of(&house.layer, header).await, found);
        assert_eq!(verifications(&trace), verified);
    }
}
