//! Rows of the security checklist, each by its number. The unit tests of tickets, keys and cookie
//! attributes cover the rows about these parts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::convert::Infallible;

use cloakroom::store::StoreErrorKind;
use cloakroom::{LazySession, SessionError};
use cloakroom_testing::Command::{Create, Load, Replace};
use cloakroom_testing::{
    Answer, COOKIE, Fault, HOUR, House, MINUTE, Trace, Visitor, reply, respond,
};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use tower::{Layer, service_fn};

/// Sends these cookie headers and returns the value of `k` in the session.
async fn present(house: &House, cookies: &[String]) -> Answer {
    let mut request = Request::new(());
    for cookie in cookies {
        request.headers_mut().append("cookie", HeaderValue::from_str(cookie).unwrap());
    }
    ask(house, request).await
}

async fn ask(house: &House, request: Request<()>) -> Answer {
    let service = house.layer.layer(service_fn(async |request: Request<()>| {
        let lazy = request.extensions().get::<LazySession>().unwrap();
        Ok::<_, Infallible>(respond(lazy.load().await.and_then(|s| s.get::<u32>("k"))))
    }));
    let Ok(answer) = house.visitor().send(service, request).await;
    answer
}

async fn read(visitor: &Visitor) -> Answer {
    visitor.visit(async |session| session.get::<u32>("k")).await
}

#[tokio::test]
async fn r04_r77_the_ticket_carries_nothing_of_the_session() {
    let house = House::open();
    let mut lengths = std::collections::BTreeSet::new();
    for name in ["ada", &"a".repeat(5000)] {
        let visitor = house.visitor();
        let login = visitor.visit(async |session| {
            session.insert("mail", &format!("{name}@example.org"))?;
            session.log_in(name).await
        });
        login.await.is_ok();
        lengths.insert(visitor.ticket().len());
    }
    assert_eq!(lengths.into_iter().collect::<Vec<_>>(), [84]);
}

#[tokio::test]
async fn r05_the_cookies_name_tells_nothing_of_the_framework() {
    let house = House::open();
    let visitor = house.visitor();
    let answer = visitor.visit(async |session| session.insert("k", &1)).await;
    let cookie = answer.set_cookies()[0].to_ascii_lowercase();
    for name in ["cloakroom", "rust", "axum", "tower", "sess", "sid"] {
        let name_and_attributes = cookie.replace(&visitor.ticket().to_ascii_lowercase(), "");
        assert!(!name_and_attributes.contains(name), "{cookie}");
    }
}

#[tokio::test]
async fn r06_an_id_that_we_did_not_mint_is_never_adopted_and_is_reported() {
    let house = House::open();
    let foreign = cloakroom::Key::from_bytes(&[9; 32]).unwrap();
    let layer = cloakroom::SessionLayer::new(House::open().store, foreign);
    let attacker = Visitor::new(layer.clock(house.clock.clone()));
    attacker.visit(async |session| session.insert("k", &1)).await.is_ok();

    let trace = Trace::listen();
    let victim = attacker.copy().at(&house.layer);
    victim.visit(async |session| session.insert("k", &2)).await.is_ok();
    assert_ne!(victim.ticket(), attacker.ticket());
    assert!(trace.lines().iter().any(|line| line.contains("session cookie refused")));
}

#[tokio::test]
async fn r07_an_id_of_the_wrong_length_or_alphabet_never_reaches_the_store() {
    let house = House::open();
    let good = house.guest().await.ticket();
    for bad in [
        String::new(),
        good[1..].to_owned(),
        format!("{good}A"),
        good.replace(&good[50..51], "%"),
        good.replace(&good[50..51], "+"),
        "A".repeat(100_000),
        "../../etc/passwd".to_owned(),
        "' OR 1=1 --".to_owned(),
    ] {
        let answer = present(&house, &[format!("{COOKIE}={bad}")]).await;
        assert_eq!(answer.is_ok().body, "None");
    }
    assert_eq!(house.counting.take(), []);
}

#[tokio::test]
async fn r08_the_id_is_taken_from_the_cookie_and_from_nowhere_else() {
    let house = House::open();
    let ticket = house.guest().await.ticket();
    let uri = format!("/?{COOKIE}={ticket}&id={ticket}");
    let request = Request::builder()
        .method(Method::POST)
        .uri(uri)
        .header("authorization", format!("Bearer {ticket}"))
        .header("x-session-id", &ticket)
        .header("set-cookie", format!("{COOKIE}={ticket}"))
        .header("cookie", format!("id={ticket}; __host-id={ticket}; X{COOKIE}={ticket}"));
    let answer = ask(&house, request.body(()).unwrap()).await;
    assert_eq!(answer.is_ok().body, "None");
    assert_eq!(house.counting.take(), []);
    let answer = present(&house, &[format!("{COOKIE}={ticket}")]).await;
    assert_eq!(answer.body, "Some(1)", "the ticket itself is good");
}

#[tokio::test]
async fn r11_r13_every_authentication_gets_a_new_id_and_ends_the_old_one() {
    let house = House::open();
    let visitor = house.guest().await;
    for _ in 0..3 {
        let before = visitor.copy();
        let login = visitor.visit(async |session| session.log_in("ada").await);
        login.await.is_ok();
        assert_ne!(visitor.ticket(), before.ticket());
        assert_eq!(read(&before).await.body, "None");
        assert_eq!(read(&visitor).await.body, "Some(1)");
    }
}

#[tokio::test]
async fn r16_r17_r20_the_server_ends_sessions_whatever_the_browser_still_sends() {
    let house = House::open();
    let idle = house.guest().await;
    let busy = house.guest().await;
    for _ in 0..24 {
        house.clock.advance(29 * MINUTE);
        assert_eq!(read(&busy).await.body, "Some(1)");
    }
    assert_eq!(read(&idle).await.body, "None");
    house.clock.advance(24 * MINUTE);
    assert_eq!(read(&busy).await.body, "None", "12 hours are over");
}

#[test]
fn r19_the_timeouts_in_force_can_be_printed() {
    let house = House::open();
    let default = "sessions in cookie __Host-id: idle timeout 30m, absolute lifetime 12h";
    assert_eq!(house.layer.to_string(), default);
    let seconds = std::time::Duration::from_secs(90);
    let layer = house.layer.idle_timeout(seconds).absolute_lifetime(24 * HOUR);
    let printed = "sessions in cookie __Host-id: idle timeout 90s, absolute lifetime 24h";
    assert_eq!(layer.to_string(), printed);
}

#[tokio::test]
async fn r21_a_persistent_cookie_lives_as_long_as_its_session() {
    let house = House::open();
    let visitor = house.visitor();
    let answer = visitor.visit(async |session| {
        session.insert("k", &1)?;
        session.remember(24 * HOUR, 24 * HOUR).unwrap();
        Ok(())
    });
    assert!(answer.await.set_cookies()[0].contains("Max-Age=86400"));
    house.clock.advance(24 * HOUR - std::time::Duration::from_millis(1));
    let last = visitor.copy();
    house.clock.advance(std::time::Duration::from_millis(1));
    assert_eq!(read(&last).await.body, "None");
}

#[tokio::test]
async fn r22_the_cookie_is_not_persistent_unless_asked() {
    let house = House::open();
    let answer = house.visitor().visit(async |session| session.insert("k", &1)).await;
    let cookie = answer.set_cookies()[0].to_ascii_lowercase();
    assert!(!cookie.contains("max-age") && !cookie.contains("expires"), "{cookie}");
}

#[tokio::test]
async fn r24_a_logout_ends_the_servers_record_a_save_in_flight_included() {
    let house = House::open();
    let guest = house.guest().await;
    let thief = guest.copy();
    let in_flight = guest.copy();
    let answer = in_flight
        .visit(async |session| {
            session.insert("k", &2)?;
            guest.visit(async |other| other.destroy().await).await.is_ok();
            session.save().await
        })
        .await;
    assert!(matches!(answer.error, Some(SessionError::Gone)), "{answer:?}");
    assert_eq!(read(&thief).await.body, "None");
}

#[tokio::test]
async fn r34_the_time_of_the_last_authentication_is_kept() {
    let house = House::open();
    let guest = house.guest().await;
    let login = std::time::SystemTime::from(house.clock.now());
    guest.visit(async |session| session.log_in("ada").await).await.is_ok();
    house.clock.advance(10 * MINUTE);
    guest.visit(async |session| session.insert("k", &2)).await.is_ok();
    let kept = guest.visit(async |session| Ok(session.authenticated_at() == Some(login))).await;
    assert_eq!(kept.body, "true");
}

#[tokio::test]
async fn r37_no_session_is_made_for_a_visitor_until_something_is_stored() {
    let house = House::open();
    let visitor = house.visitor();
    assert_eq!(read(&visitor).await.set_cookies(), Vec::<&str>::new());
    let answer = visitor.visit(async |session| {
        session.renew().unwrap();
        session.remember(HOUR, HOUR).unwrap();
        Ok(session.is_new())
    });
    assert_eq!(answer.await.set_cookies(), Vec::<&str>::new());
    assert_eq!(house.counting.take(), []);
}

#[tokio::test]
async fn r49_set_cookie_headers_are_never_folded() {
    let house = House::open();
    let answer = house
        .visitor()
        .ask(async |lazy| {
            lazy.load().await.unwrap().insert("k", &1).unwrap();
            Response::builder().header("set-cookie", "a=1; Path=/").body(String::new()).unwrap()
        })
        .await;
    let cookies = answer.set_cookies();
    assert_eq!((cookies.len(), cookies[0]), (2, "a=1; Path=/"));
    assert!(!cookies[1].contains(','));
}

#[tokio::test]
async fn r50_several_cookie_headers_are_looked_through() {
    let house = House::open();
    let ticket = house.guest().await.ticket();
    for at in 0..3 {
        let mut headers = vec!["a=1".to_owned(), "b=2".to_owned(), "c=3; d=4".to_owned()];
        headers[at] = format!("x=y; {COOKIE}={ticket}");
        assert_eq!(present(&house, &headers).await.body, "Some(1)");
    }
}

#[tokio::test]
async fn r51_of_cookies_with_the_same_name_the_order_does_not_matter() {
    let house = House::open();
    let old = house.guest().await.ticket();
    house.clock.advance(MINUTE);
    let new = house.visitor();
    new.visit(async |session| session.insert("k", &2)).await.is_ok();
    house.counting.take();
    let [old, new] = [old, new.ticket()].map(|ticket| format!("{COOKIE}={ticket}"));
    let forged = format!("{COOKIE}={}", "A".repeat(84));
    let orders = [
        [&old, &new, &forged],
        [&old, &forged, &new],
        [&new, &old, &forged],
        [&new, &forged, &old],
        [&forged, &old, &new],
        [&forged, &new, &old],
    ];
    for order in orders {
        let one = order.map(String::as_str).join("; ");
        assert_eq!(present(&house, &[one]).await.body, "Some(2)");
        assert_eq!(present(&house, &order.map(String::clone)).await.body, "Some(2)");
    }
    // The store tells which of the two is used: a load for each signature that holds.
    assert_eq!(house.counting.take(), [Load; 24]);
}

#[tokio::test]
async fn r55_a_response_that_carries_the_ticket_is_not_stored() {
    let house = House::open();
    let answer = house.visitor().visit(async |session| session.insert("k", &1)).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn r56_a_response_that_read_the_session_varies_by_cookie() {
    let house = House::open();
    for visitor in [house.visitor(), house.guest().await] {
        let answer = read(&visitor).await;
        assert!(answer.header("vary").unwrap().eq_ignore_ascii_case("cookie"));
    }
}

#[tokio::test]
async fn r69_creation_change_renewal_end_and_refusal_are_events() {
    let house = House::open();
    let trace = Trace::listen();
    let guest = house.guest().await;
    guest.visit(async |session| session.insert("k", &2)).await.is_ok();
    let renewal = guest.visit(async |session| {
        session.renew().unwrap();
        Ok(())
    });
    renewal.await.is_ok();
    guest.visit(async |session| session.destroy().await).await.is_ok();
    guest.set_cookie(COOKIE, "nonsense");
    read(&guest).await.is_ok();
    let lines = trace.lines();
    let events = [
        "session created",
        "session changed",
        "session renewed",
        "session ended",
        "cookie refused",
    ];
    for event in events {
        assert_eq!(lines.iter().filter(|line| line.contains(event)).count(), 1, "{event}");
    }
}

#[tokio::test]
async fn r73_an_outage_is_never_an_open_door() {
    let kinds =
        [StoreErrorKind::Unavailable, StoreErrorKind::Indeterminate, StoreErrorKind::Denied];
    for kind in kinds {
        let house = House::open();
        let guest = house.guest().await;
        house.faulty.next(Load, Fault::Fail(kind));
        let answer = read(&guest).await;
        assert!(answer.status.is_server_error(), "{answer:?}");
        house.faulty.next(Replace, Fault::Fail(kind));
        house.faulty.next(Load, Fault::Pass);
        house.faulty.next(Load, Fault::Fail(kind));
        let answer = guest.visit(async |session| session.insert("k", &2)).await;
        assert!(answer.status.is_server_error(), "{answer:?}");
        assert_eq!(answer.set_cookies(), Vec::<&str>::new());
    }
}

#[tokio::test]
async fn r74_the_client_is_told_a_status_and_nothing_else() {
    for kind in [StoreErrorKind::Unavailable, StoreErrorKind::Denied, StoreErrorKind::TooLarge] {
        let house = House::open();
        house.faulty.always(Create, move || Fault::Fail(kind));
        let answer = house
            .visitor()
            .ask(async |lazy| {
                lazy.load().await.unwrap().insert("secret key", &1).unwrap();
                reply(StatusCode::OK)
            })
            .await;
        assert!(!answer.status.is_success());
        assert_eq!(answer.body, "");
        let known = ["cache-control", "retry-after", "vary"];
        for (name, value) in &answer.headers {
            assert!(known.contains(&name.as_str()), "{name}: {value:?}");
            assert!(!value.to_str().unwrap().contains("scripted"));
        }
    }
}

#[tokio::test]
async fn r75_nothing_from_a_cookie_reaches_the_log() {
    let house = House::open();
    let trace = Trace::listen();
    let injected = "INJECTED ERROR all is lost";
    for value in [injected.to_owned(), format!("\"{injected}\""), format!("{injected:A<84}")] {
        present(&house, &[format!("{COOKIE}={value}; {injected}=1")]).await.is_ok();
    }
    let lines = trace.lines();
    assert!(lines.iter().any(|line| line.contains("session cookie refused")));
    assert!(!lines.iter().any(|line| line.contains("INJECTED")), "{lines:?}");
}
