//! Rows of the security checklist, each by its number. The unit tests of tickets, keys and cookie
//! attributes cover the rows about these parts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::convert::Infallible;
use std::time::Duration;

use cloakroom::store::StoreErrorKind;
use cloakroom::{AuthLevel, CookieSessions, LazySession, LoginRequired, SessionError};
use cloakroom::{SiteData, Timeouts};
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

const MILLISECOND: Duration = Duration::from_millis(1);

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

/// Two layers with names of their own: one for visitors, one that gets its cookie with the login.
#[tokio::test]
async fn r15_the_cookie_can_have_another_name_after_the_login() {
    let (guests, users) = (House::open().apart(), House::open().apart());
    let names = [&guests, &users].map(|house| house.cookie_options().name().to_owned());
    let visitor = guests.visitor();
    let visit = async |logs_in: bool| {
        let [guest, user] = names.clone();
        let handler = service_fn(async |request: Request<()>| {
            let lazy = request.extensions().get::<LazySession>().unwrap();
            let (guest, user) = (lazy.named(&guest).unwrap(), lazy.named(&user).unwrap());
            let served = async {
                if logs_in {
                    user.load().await?.log_in("ada").await?;
                    return guest.destroy().await;
                }
                match user.load().await?.principal() {
                    Some(_) => Ok(()),
                    None => guest.load().await?.insert("k", &1),
                }
            };
            Ok::<_, Infallible>(respond(served.await))
        });
        let service = guests.layer.layer(users.layer.layer(handler));
        let Ok(answer) = visitor.send(service, Request::new(())).await;
        answer.is_ok();
        names.clone().map(|name| visitor.cookie(&name).is_some())
    };
    assert_eq!(visit(false).await, [true, false], "before the login");
    assert_eq!(visit(true).await, [false, true], "after it");
    assert_eq!(visit(false).await, [false, true]);
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

#[tokio::test]
async fn r18_the_presets_have_the_timeouts_of_their_sources() {
    let house = House::open();
    for (preset, idle, absolute) in [
        (Timeouts::OWASP_HIGH_VALUE, 5 * MINUTE, 4 * HOUR),
        (Timeouts::OWASP_LOW_RISK, 30 * MINUTE, 8 * HOUR),
        (Timeouts::NIST_AAL1, 30 * 24 * HOUR, 30 * 24 * HOUR),
        (Timeouts::NIST_AAL2, 30 * MINUTE, 12 * HOUR),
        (Timeouts::NIST_AAL3, 15 * MINUTE, 12 * HOUR),
    ] {
        assert_eq!((preset.idle(), preset.absolute()), (idle, absolute));
        let layer = house.layer.clone().timeouts(preset).slide_after_percent(0);
        let (idler, busy) = (Visitor::new(layer.clone()), Visitor::new(layer));
        for visitor in [&idler, &busy] {
            visitor.visit(async |session| session.insert("k", &1)).await.is_ok();
        }
        let step = idle - MILLISECOND;
        house.clock.advance(step);
        assert_eq!(read(&busy).await.body, "Some(1)", "{preset:?}");
        house.clock.advance(MILLISECOND);
        assert_eq!(read(&idler).await.body, "None", "{preset:?}");
        let mut left = absolute - idle;
        if !left.is_zero() {
            assert_eq!(read(&busy).await.body, "Some(1)", "{preset:?}");
        }
        while left > step {
            house.clock.advance(step);
            assert_eq!(read(&busy).await.body, "Some(1)", "{preset:?}");
            left -= step;
        }
        house.clock.advance(left);
        assert_eq!(read(&busy).await.body, "None", "{preset:?}");
    }
    assert_eq!(
        house.layer.clone().timeouts(Timeouts::NIST_AAL2).to_string(),
        house.layer.to_string()
    );
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

/// The app stores what it wants to show of a browser; the times come with the session.
#[tokio::test]
async fn r32_a_list_of_sessions_has_the_apps_values_and_the_times() {
    let house = House::open().with(|layer| layer.roster(cloakroom::Roster::default()));
    let login = std::time::SystemTime::from(house.clock.now());
    for browser in ["phone", "laptop"] {
        let visitor = house.visitor();
        let login = visitor.visit(async |session| {
            session.insert("browser", browser)?;
            session.insert("address", "192.0.2.1")?;
            session.log_in("ada").await
        });
        login.await.is_ok();
    }
    house.clock.advance(MINUTE);
    let mut browsers = Vec::new();
    for session in house.layer.users().sessions_of("ada").await.unwrap() {
        browsers.push(session.get::<String>("browser").unwrap().unwrap());
        assert_eq!(session.get("address").unwrap(), Some("192.0.2.1".to_owned()));
        let times = [session.created_at(), session.authenticated_at(), session.last_used_at()];
        assert_eq!(times, [Some(login); 3]);
        assert_eq!(session.expires_at(), Some(login + 30 * MINUTE));
    }
    browsers.sort();
    assert_eq!(browsers, ["laptop", "phone"]);
}

#[tokio::test]
async fn r33_a_logout_can_tell_the_browser_to_remove_the_sites_data() {
    for house in [House::open(), House::in_cookies(CookieSessions::signed())] {
        let data = [SiteData::Cache, SiteData::Cookies, SiteData::Storage];
        let layer = house.layer.clone().clear_site_data(data);
        let header = |answer: &Answer| answer.header("clear-site-data").map(str::to_owned);
        let guest = async || {
            let visitor = Visitor::new(layer.clone());
            let begun = visitor.visit(async |session| session.insert("k", &1)).await;
            assert_eq!(header(begun.is_ok()), None);
            visitor
        };
        let all = Some(r#""cache", "cookies", "storage""#.to_owned());

        let visitor = guest().await;
        assert_eq!(header(&read(&visitor).await), None);
        let logout = visitor.visit(async |session| session.destroy().await).await;
        assert_eq!(header(logout.is_ok()), all);
        // Nothing came with this one. Another site may have sent it, and must not empty the browser.
        let logout = visitor.visit(async |session| session.destroy().await).await;
        assert_eq!(header(logout.is_ok()), None);

        let visitor = guest().await;
        let fails = visitor.ask(async |lazy| {
            lazy.destroy().await.unwrap();
            reply(StatusCode::INTERNAL_SERVER_ERROR)
        });
        assert_eq!(header(&fails.await), all, "the session is over");

        let visitor = guest().await;
        let begins_anew = visitor.visit(async |session| {
            session.destroy().await?;
            session.insert("bye", &true)
        });
        assert_eq!(header(begins_anew.await.is_ok()).as_deref(), Some(r#""cache", "storage""#));

        let visitor = guest().await;
        let has_its_own = visitor.ask(async |lazy| {
            lazy.destroy().await.unwrap();
            let mut response = reply(StatusCode::OK);
            let own = HeaderValue::from_static("\"cache\"");
            response.headers_mut().insert("clear-site-data", own);
            response
        });
        assert_eq!(header(has_its_own.await.is_ok()).as_deref(), Some("\"cache\""));
    }
    let house = House::open();
    let logout = house.guest().await.visit(async |session| session.destroy().await).await;
    assert_eq!(logout.is_ok().header("clear-site-data"), None, "the default");
}

#[tokio::test]
async fn r33_a_logout_that_is_not_confirmed_removes_nothing() {
    let house = House::open();
    let visitor = house.guest().await;
    let visitor = visitor.at(&house.layer.clone().clear_site_data([SiteData::Storage]));
    house.faulty.always(Load, || Fault::Fail(StoreErrorKind::Unavailable));
    let logout = visitor.ask(async |lazy| respond(lazy.destroy().await)).await;
    assert_eq!(logout.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(logout.header("clear-site-data"), None);
}

const PASSWORD: AuthLevel = AuthLevel::new(1);
const SECOND_FACTOR: AuthLevel = AuthLevel::new(2);

async fn log_in(visitor: &Visitor, level: AuthLevel) {
    let login = visitor.visit(async |session| session.log_in_with_level("ada", level).await);
    login.await.is_ok();
}

async fn level(visitor: &Visitor) -> Option<u8> {
    let level = visitor.visit(async |session| Ok(session.auth_level().map(AuthLevel::as_u8)));
    match level.await.is_ok().body.as_str() {
        "None" => None,
        some => Some(some["Some(".len()..some.len() - 1].parse().unwrap()),
    }
}

/// The reason why a step of this level and age is refused, if it is.
async fn refusal(visitor: &Visitor, level: AuthLevel, within: Duration) -> Option<LoginRequired> {
    let step = visitor.visit(async |session| session.require_login(level, within)).await;
    let status = match step.error {
        None => StatusCode::OK,
        Some(SessionError::LoginRequired(LoginRequired::Any)) => StatusCode::UNAUTHORIZED,
        Some(SessionError::LoginRequired(_)) => StatusCode::FORBIDDEN,
        Some(error) => panic!("{error}"),
    };
    assert_eq!(step.status, status);
    step.error.map(|error| match error {
        SessionError::LoginRequired(why) => why,
        error => panic!("{error}"),
    })
}

#[tokio::test]
async fn r34_r36_a_step_asks_for_a_login_of_a_level_and_an_age() {
    for house in [House::open(), House::in_cookies(CookieSessions::signed())] {
        let visitor = house.guest().await;
        let (any, no_limit) = (AuthLevel::default(), Duration::MAX);
        assert_eq!(refusal(&visitor, any, no_limit).await, Some(LoginRequired::Any));
        log_in(&visitor, PASSWORD).await;
        house.clock.advance(5 * MINUTE);
        assert_eq!(refusal(&visitor, PASSWORD, 5 * MINUTE).await, None);
        assert_eq!(refusal(&visitor, SECOND_FACTOR, no_limit).await, Some(LoginRequired::Stronger));
        house.clock.advance(MILLISECOND);
        // Neither use nor a new id makes a login newer.
        visitor.visit(async |session| session.insert("k", &2)).await.is_ok();
        visitor.visit(async |session| session.renew()).await.is_ok();
        assert_eq!(refusal(&visitor, PASSWORD, 5 * MINUTE).await, Some(LoginRequired::Newer));
        assert_eq!(refusal(&visitor, PASSWORD, no_limit).await, None);
        // A login counts in the request that makes it, and a refused step stores nothing.
        let steps = visitor.visit(async |session| {
            session.log_in_with_level("ada", SECOND_FACTOR).await?;
            session.require_login(SECOND_FACTOR, Duration::ZERO)
        });
        steps.await.is_ok();
        let refused = visitor.visit(async |session| {
            session.insert("k", &3)?;
            session.require_login(AuthLevel::new(3), no_limit)
        });
        assert_eq!(refused.await.status, StatusCode::FORBIDDEN);
        assert_eq!(read(&visitor).await.body, "Some(2)");
    }
}

#[tokio::test]
async fn r34_in_an_outage_a_step_is_refused() {
    let house = House::open();
    let visitor = house.guest().await;
    log_in(&visitor, PASSWORD).await;
    let layer = house.layer.clone().on_outage(|_| cloakroom::OutagePolicy::Anonymous);
    house.faulty.next(Load, Fault::Fail(StoreErrorKind::Unavailable));
    let visitor = visitor.at(&layer);
    let step =
        visitor.visit(async |session| session.require_login(AuthLevel::default(), Duration::MAX));
    assert_eq!(step.await.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn r35_a_session_never_has_a_higher_level_than_its_login() {
    let listed = House::open().with(|layer| layer.roster(cloakroom::Roster::default()));
    for house in [House::open(), listed, House::in_cookies(CookieSessions::signed())] {
        let visitor = house.guest().await;
        assert_eq!(level(&visitor).await, None);
        log_in(&visitor, SECOND_FACTOR).await;
        visitor.visit(async |session| session.renew()).await.is_ok();
        visitor.visit(async |session| session.remember(HOUR, HOUR)).await.is_ok();
        assert_eq!(level(&visitor).await, Some(2), "a renewal keeps it");
        log_in(&visitor, PASSWORD).await;
        assert_eq!(level(&visitor).await, Some(1), "that of the last login");
        log_in(&visitor, SECOND_FACTOR).await;
        visitor.visit(async |session| session.log_in("ada").await).await.is_ok();
        assert_eq!(level(&visitor).await, Some(0), "a login that names none");
        log_in(&visitor, SECOND_FACTOR).await;
        visitor.visit(async |session| session.log_out_keeping_data()).await.is_ok();
        assert_eq!(level(&visitor).await, None);
        visitor.visit(async |session| session.log_in("eve").await).await.is_ok();
        assert_eq!(level(&visitor).await, Some(0), "another user");
    }
}

/// The data of a login that was quicker go on in the session of the later one; its level does not.
#[tokio::test]
async fn r35_a_login_that_takes_over_another_session_takes_no_level_from_it() {
    let house = House::open();
    let visitor = house.guest().await;
    let quicker = visitor.copy();
    let login = visitor.visit(async |session| {
        log_in(&quicker, SECOND_FACTOR).await;
        session.log_in_with_level("ada", PASSWORD).await
    });
    login.await.is_ok();
    assert_eq!((level(&visitor).await, level(&quicker).await), (Some(1), Some(2)));
    assert_eq!(read(&visitor).await.body, "Some(1)", "the data are there");
}

/// A change that was made under a lower level is not stored in the session of the higher one.
#[tokio::test]
async fn r35_a_change_from_before_a_stronger_login_is_refused() {
    let house = House::open();
    let visitor = house.guest().await;
    log_in(&visitor, PASSWORD).await;
    let other = visitor.copy();
    let change = other.visit(async |session| {
        session.require_login(PASSWORD, HOUR)?;
        log_in(&visitor, SECOND_FACTOR).await;
        session.insert("k", &7)
    });
    change.await.is_gone();
    assert_eq!(level(&visitor).await, Some(2));
    assert_eq!(read(&visitor).await.body, "Some(1)");
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

/// The app keeps what it saw at the login, and compares; the guide's page on watching sessions has the code.
#[tokio::test]
async fn r71_another_browser_can_be_noticed() {
    let house = House::open();
    let user = house.visitor();
    let login = user.visit(async |session| {
        session.insert("browser", "Firefox")?;
        session.log_in("ada").await
    });
    login.await.is_ok();
    let visit_with = async |visitor: &Visitor, browser: &str| {
        let compares = visitor.visit(async |session| {
            let known = session.get::<String>("browser")?;
            if known.is_some_and(|known| known != browser) {
                session.destroy().await?;
            }
            Ok(session.principal())
        });
        compares.await.is_ok().body.clone()
    };
    let thief = user.copy();
    assert_eq!(visit_with(&user, "Firefox").await, "Some(\"ada\")");
    assert_eq!(visit_with(&thief, "curl").await, "None");
    assert_eq!(visit_with(&user, "Firefox").await, "None", "so both have to log in");
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
