//! The events of a session's life, on both kinds of backend.

use cloakroom::events::SessionChange;
use cloakroom::{CookieSessions, Roster, Session};
use cloakroom_testing::{COOKIE, House, MINUTE, Trace, Visitor, reply};
use http::StatusCode;

use crate::{NOTHING, observed};

async fn log_in(visitor: &Visitor) {
    visitor.visit(async |session| session.log_in("ada").await).await.is_ok();
}

async fn read(visitor: &Visitor) {
    visitor.visit(async |session| session.get::<u32>("k")).await.is_ok();
}

#[tokio::test]
async fn a_session_in_a_store_is_told_with_its_commands_in_order() {
    let (house, told) = observed(House::open());
    let guest = house.visitor();
    guest.ask(async |_| reply(StatusCode::OK)).await.is_ok();
    read(&guest).await;
    assert_eq!(told.take(), NOTHING, "there is neither a session nor a cookie");
    guest.visit(async |session| session.insert("k", &1_u32)).await.is_ok();
    assert_eq!(told.take(), ["create done", "created"]);
    guest.ask(async |_| reply(StatusCode::OK)).await.is_ok();
    assert_eq!(told.take(), NOTHING, "the session is not used");
    read(&guest).await;
    assert_eq!(told.take(), ["load done", "loaded"]);
    guest.visit(async |session| session.insert("k", &2_u32)).await.is_ok();
    assert_eq!(told.take(), ["load done", "loaded", "replace done", "changed"]);
    log_in(&guest).await;
    let renewal = ["load done", "loaded", "create done", "replace done", "renewed"];
    assert_eq!(told.take(), [&renewal[..], &["logged_in"]].concat());
    guest.visit(async |session| session.renew()).await.is_ok();
    assert_eq!(told.take(), renewal);
    guest.visit(async |session| session.log_out_keeping_data()).await.is_ok();
    assert_eq!(told.take(), [&renewal[..], &["logged_out"]].concat());
    house.clock.advance(10 * MINUTE);
    read(&guest).await;
    assert_eq!(told.take(), ["load done", "loaded", "touch done"]);
    guest.visit(async |session| session.destroy().await).await.is_ok();
    assert_eq!(told.take(), ["load done", "loaded", "replace done", "ended by visitor"]);
}

#[tokio::test]
async fn a_session_in_a_cookie_is_told_in_the_same_order() {
    let (house, told) = observed(House::in_cookies(CookieSessions::signed()));
    let guest = house.visitor();
    read(&guest).await;
    assert_eq!(told.take(), NOTHING);
    guest.visit(async |session| session.insert("k", &1_u32)).await.is_ok();
    assert_eq!(told.take(), ["created"]);
    read(&guest).await;
    assert_eq!(told.take(), ["loaded"]);
    guest.visit(async |session| session.insert("k", &2_u32)).await.is_ok();
    assert_eq!(told.take(), ["loaded", "changed"]);
    log_in(&guest).await;
    assert_eq!(told.take(), ["loaded", "renewed", "logged_in"]);
    guest.visit(async |session| session.log_out_keeping_data()).await.is_ok();
    assert_eq!(told.take(), ["loaded", "renewed", "logged_out"]);
    guest.visit(async |session| session.touch().await).await.is_ok();
    assert_eq!(told.take(), ["loaded"]);
    guest.visit(async |session| session.destroy().await).await.is_ok();
    assert_eq!(told.take(), ["loaded", "ended by visitor"]);
}

#[tokio::test]
async fn a_first_login_is_a_new_session_and_a_login() {
    for house in [House::open(), House::in_cookies(CookieSessions::signed())] {
        let (house, told) = observed(house);
        log_in(&house.visitor()).await;
        assert_eq!(told.take_events(), ["created", "logged_in"]);
    }
}

#[tokio::test]
async fn what_is_not_stored_is_not_told() {
    let (house, told) = observed(House::open());
    let guest = house.guest().await;
    told.take();
    let failed = guest.visit(async |session| {
        session.log_in("ada").await?;
        Err::<(), _>(cloakroom::SessionError::Contended)
    });
    assert_eq!(failed.await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(told.take_events(), ["loaded"]);
}

#[tokio::test]
async fn a_load_is_told_once_however_often_a_request_asks() {
    let (house, told) = observed(House::open());
    let guest = house.guest().await;
    told.take();
    let handles = guest.ask(async |lazy| {
        lazy.peek().await.unwrap();
        lazy.load().await.unwrap();
        lazy.clone().load().await.unwrap().reload().await.unwrap();
        reply(StatusCode::OK)
    });
    handles.await.is_ok();
    assert_eq!(told.take_events(), ["loaded"]);
}

#[tokio::test]
async fn several_saves_of_one_request_are_told_each() {
    let (house, told) = observed(House::open());
    let guest = house.visitor();
    let visit = guest.visit(async |session| {
        session.insert("k", &1)?;
        session.save().await?;
        session.insert("k", &2)?;
        session.save().await?;
        session.log_in("ada").await
    });
    visit.await.is_ok();
    assert_eq!(told.take_events(), ["created", "changed", "renewed", "logged_in"]);
}

#[tokio::test]
async fn a_session_that_is_over_by_itself_is_told_once_per_request() {
    let (house, told) = observed(House::open());
    let guest = house.guest().await;
    let (old, other) = (guest.ticket(), house.guest().await);
    house.clock.advance(31 * MINUTE);
    told.take();
    let visit = guest.ask(async |lazy| {
        lazy.load().await.unwrap();
        lazy.destroy().await.unwrap();
        reply(StatusCode::OK)
    });
    visit.await.is_ok();
    assert_eq!(told.take_events(), ["found_expired"]);
    // Two tickets, and neither leads to a session.
    let both = house.visitor();
    both.set_cookie(COOKIE, &format!("{old}; {COOKIE}={}", other.ticket()));
    read(&both).await;
    assert_eq!(told.take_events(), ["found_expired"]);
}

#[tokio::test]
async fn an_event_has_the_names_of_the_log() {
    let house = House::open().with(|layer| layer.roster(Roster::default()));
    let (house, told) = observed(house);
    let trace = Trace::listen();
    let guest = house.visitor();
    log_in(&guest).await;
    let events = told.take_sessions();
    let changes: Vec<_> = events.iter().map(|event| event.change).collect();
    assert_eq!(changes, [SessionChange::Created, SessionChange::LoggedIn]);
    let handle = events[1].handle.expect("the layer keeps a roster");
    let fingerprint = events[1].session.expect("it is stored");
    assert_eq!(events[0].session, Some(fingerprint));
    let lines = trace.lines();
    let login = lines.iter().find(|line| line.contains("logged in")).unwrap();
    assert!(login.starts_with("INFO cloakroom"), "{login}");
    assert!(login.contains(&format!("session={fingerprint} handle={handle}")), "{login}");
    let same = async |session: Session| Ok(session.handle());
    assert_eq!(guest.visit(same).await.body, format!("{:?}", Some(handle)));
    // The handle stays through a renewal, and the other name does not.
    told.take_sessions();
    guest.visit(async |session| session.renew()).await.is_ok();
    let renewed = told.take_sessions().pop().unwrap();
    assert_eq!((renewed.change, renewed.handle), (SessionChange::Renewed, Some(handle)));
    assert_ne!(renewed.session, Some(fingerprint));
    guest.visit(async |session| session.destroy().await).await.is_ok();
    let ended = told.take_sessions().pop().unwrap();
    assert_eq!((ended.session, ended.handle), (renewed.session, Some(handle)));
}

#[tokio::test]
async fn logins_logouts_and_ends_are_logged_for_the_operator() {
    for house in [House::open(), House::in_cookies(CookieSessions::signed())] {
        let trace = Trace::listen();
        let guest = house.visitor();
        log_in(&guest).await;
        guest.visit(async |session| session.log_out_keeping_data()).await.is_ok();
        guest.visit(async |session| session.destroy().await).await.is_ok();
        let lines = trace.lines();
        let told: Vec<_> = lines.iter().filter(|line| line.starts_with("INFO")).collect();
        assert_eq!(told.len(), 3, "{told:?}");
        for (line, text) in told.iter().zip(["logged in", "logged out", "session ended"]) {
            assert!(line.contains(text), "{line}");
        }
    }
}
