//! Several tickets in one request: a browser sends one for every path and domain that has a cookie of
//! our name.

use std::time::Duration;

use cloakroom::store::StoreErrorKind::Unavailable;
use cloakroom::{LazySession, Session, SessionError};
use tokio::time::Instant;

use crate::Command::{Load, Replace};
use crate::promises::Ground;
use crate::{Answer, COOKIE, Fault, HOUR, House, MINUTE, Trace, Visitor, respond};

/// Returns a visitor whose session holds `k`, a minute after the one before.
async fn guest(house: &House, k: u32) -> Visitor {
    house.clock.advance(MINUTE);
    let guest = house.visitor();
    guest.visit(async move |session| session.insert("k", &k)).await.is_ok();
    house.counting.take();
    guest
}

/// Returns a visitor with a "remembered" session, whose ticket expires after all others.
async fn remembered(house: &House, k: u32) -> Visitor {
    let guest = guest(house, k).await;
    let remember = guest.visit(async |session: Session| session.remember(99 * HOUR, 99 * HOUR));
    remember.await.is_ok();
    house.counting.take();
    guest
}

/// Returns a visitor whose session has vanished from the store.
async fn absent(house: &House) -> Visitor {
    let guest = remembered(house, 1).await;
    assert_eq!(read(&guest).await.body, "Some(1)");
    house.store.delete(&house.counting.last_key()).await.unwrap();
    guest
}

/// Returns a browser that sends all these tickets, in this order.
fn sending(house: &House, tickets: &[String]) -> Visitor {
    let visitor = house.visitor();
    visitor.set_cookie(COOKIE, &tickets.join(&format!("; {COOKIE}=")));
    visitor
}

/// Returns browsers that send the tickets of both, one in this order and one in the other.
fn both(house: &House, one: &Visitor, other: &Visitor) -> [Visitor; 2] {
    let tickets = [one.ticket(), other.ticket()];
    let reversed = [other.ticket(), one.ticket()];
    [sending(house, &tickets), sending(house, &reversed)]
}

async fn read(visitor: &Visitor) -> Answer {
    visitor.visit(async |session| session.get::<u32>("k")).await
}

/// Logs out, with or without loading the session first.
async fn log_out(visitor: &Visitor, lazily: bool) -> Answer {
    let log_out = async move |lazy: LazySession| {
        if !lazily {
            lazy.load().await.unwrap();
        }
        respond(lazy.destroy().await)
    };
    visitor.ask(log_out).await
}

async fn write(visitor: &Visitor) -> Answer {
    visitor.visit(async |session| session.insert("k", &9_u32)).await
}

fn forged(ticket: &str) -> String {
    format!("{}AAAA", &ticket[..ticket.len() - 4])
}

pub async fn several_tickets_of_which_one_is_proven_are_one_load(ground: Ground) {
    let house = ground();
    let ticket = guest(&house, 1).await.ticket();
    for tickets in [
        [forged(&ticket), ticket.clone()],
        [ticket.clone(), forged(&ticket)],
        [ticket.clone(), ticket.clone()],
    ] {
        let visitor = sending(&house, &tickets);
        assert_eq!(read(&visitor).await.body, "Some(1)");
        assert_eq!(house.counting.take(), [Load]);
    }
}

pub async fn of_several_live_sessions_the_one_created_last_is_used(ground: Ground) {
    let house = ground();
    let older = remembered(&house, 1).await;
    let newer = guest(&house, 2).await;
    for visitor in both(&house, &older, &newer) {
        assert_eq!(read(&visitor).await.body, "Some(2)");
        assert_eq!(house.counting.take(), [Load, Load]);
        write(&visitor).await.is_ok();
        assert_eq!(house.counting.take(), [Load, Load, Replace]);
        assert_eq!(read(&older).await.body, "Some(1)");
        newer.visit(async |session| session.insert("k", &2_u32)).await.is_ok();
        house.counting.take();
    }
}

pub async fn of_several_live_sessions_the_one_renewed_last_is_used(ground: Ground) {
    let house = ground();
    let renewed = guest(&house, 1).await;
    let created = guest(&house, 2).await;
    house.clock.advance(MINUTE);
    renewed.visit(async |session| session.log_in("ada").await).await.is_ok();
    for visitor in both(&house, &renewed, &created) {
        assert_eq!(read(&visitor).await.body, "Some(1)");
    }
}

/// The dead ones expire after the live one, and two of them left a mark.
pub async fn a_dead_ticket_hides_no_live_session(ground: Ground) {
    let house = ground();
    let absent = absent(&house).await;
    let ended = remembered(&house, 1).await;
    ended.copy().visit(async |session| session.destroy().await).await.is_ok();
    let moved = remembered(&house, 1).await;
    moved.copy().visit(async |session| session.log_in("ada").await).await.is_ok();
    let live = guest(&house, 2).await;
    for dead in [absent, ended, moved] {
        for visitor in both(&house, &dead, &live) {
            assert_eq!(read(&visitor).await.body, "Some(2)");
            write(&visitor).await.is_ok();
            live.visit(async |session| session.insert("k", &2_u32)).await.is_ok();
        }
    }
}

/// A write would put an anonymous cookie over the fresh login.
pub async fn a_dead_ticket_hides_no_mark_of_a_renewal(ground: Ground) {
    let house = ground();
    let absent = absent(&house).await;
    let moved = guest(&house, 1).await;
    moved.copy().visit(async |session| session.log_in("ada").await).await.is_ok();
    for visitor in both(&house, &absent, &moved) {
        assert_eq!(read(&visitor).await.body, "None");
        write(&visitor).await.is_gone();
    }
}

/// To go on with another session than the one that could not be read would log the visitor out, or
/// in as somebody else.
pub async fn an_outage_at_one_of_several_sessions_is_an_outage(ground: Ground) {
    let house = ground();
    let (one, other) = (guest(&house, 1).await, guest(&house, 2).await);
    for visitor in both(&house, &one, &other) {
        for passed in 0..2 {
            for _ in 0..passed {
                house.faulty.next(Load, Fault::Pass);
            }
            house.faulty.next(Load, Fault::Fail(Unavailable));
            assert!(read(&visitor).await.error.is_some_and(|error| error.is_outage()));
            assert!(house.faulty.is_spent());
        }
    }
}

pub async fn no_more_than_four_sessions_are_loaded(ground: Ground) {
    let house = ground();
    let mut tickets = Vec::new();
    for k in 0..6 {
        tickets.push(guest(&house, k).await.ticket());
    }
    let visitor = sending(&house, &tickets);
    assert_eq!(read(&visitor).await.body, "Some(5)");
    assert_eq!(house.counting.take(), [Load; 4]);
}

pub async fn a_logout_ends_every_session_whose_ticket_the_request_carries(ground: Ground) {
    for lazily in [false, true] {
        let house = ground();
        let (one, other) = (remembered(&house, 1).await, guest(&house, 2).await);
        for visitor in both(&house, &one, &other) {
            let answer = log_out(&visitor, lazily).await;
            assert_eq!(answer.is_ok().set_cookies().len(), 1);
            for guest in [&one, &other] {
                assert_eq!(read(guest).await.body, "None", "lazily: {lazily}");
            }
        }
    }
}

pub async fn a_logout_that_leaves_one_session_is_unconfirmed(ground: Ground) {
    let house = ground();
    let (one, other) = (guest(&house, 1).await, guest(&house, 2).await);
    let [visitor, _] = both(&house, &one, &other);
    house.faulty.next(Replace, Fault::Pass);
    house.faulty.next(Replace, Fault::Fail(Unavailable));
    let answer = visitor.visit(async |session| session.destroy().await).await;
    assert!(matches!(answer.error, Some(SessionError::Unconfirmed(Some(_)))), "{answer:?}");
    assert_eq!((answer.status.as_u16(), answer.set_cookies().len()), (503, 0));
    assert_eq!(read(&other).await.body, "None", "the one in use is over");
    visitor.visit(async |session| session.destroy().await).await.is_ok();
    assert_eq!(read(&one).await.body, "None");
}

/// A cookie that lingers under another path holds it. It finds no session, and is too old to end one.
pub async fn an_id_from_before_a_login_keeps_no_logout_from_success(ground: Ground) {
    for lazily in [false, true] {
        let house = ground();
        let guest = guest(&house, 1).await;
        let mut tickets = vec![guest.ticket()];
        for _ in 0..2 {
            guest.visit(async |session| session.log_in("ada").await).await.is_ok();
            tickets.push(guest.ticket());
            house.clock.advance(2 * MINUTE);
        }
        let visitor = sending(&house, &tickets);
        let answer = log_out(&visitor, lazily).await;
        assert_eq!(answer.is_ok().set_cookies().len(), 1, "lazily: {lazily}");
        assert_eq!(read(&guest).await.body, "None", "lazily: {lazily}");
    }
}

/// The session that it led to may be the visitor's, so nothing was ended that should have been.
pub async fn an_id_from_before_a_login_beside_a_dead_ticket_is_refused(ground: Ground) {
    for lazily in [false, true] {
        let house = ground();
        let (dead, guest) = (absent(&house).await, guest(&house, 1).await);
        let tickets = [dead.ticket(), guest.ticket()];
        guest.visit(async |session| session.log_in("ada").await).await.is_ok();
        house.clock.advance(2 * MINUTE);
        let visitor = sending(&house, &tickets);
        let answer = log_out(&visitor, lazily).await;
        assert!(matches!(answer.error, Some(SessionError::Gone)), "lazily: {lazily}: {answer:?}");
        assert_eq!((answer.status.as_u16(), answer.set_cookies().len()), (409, 0));
        assert_eq!(read(&guest).await.body, "Some(1)");
    }
}

/// No request loads that many sessions, so this one finds nothing where the last ticket leads; its logout
/// finds that the session goes on elsewhere.
pub async fn a_handle_whose_logout_was_refused_is_over(ground: Ground) {
    for (lazily, discarding) in [(false, false), (false, true), (true, false), (true, true)] {
        let house = ground();
        let mut tickets = Vec::new();
        for _ in 0..4 {
            tickets.push(absent(&house).await.ticket());
        }
        let guest = guest(&house, 1).await;
        tickets.push(guest.ticket());
        guest.visit(async |session| session.log_in("ada").await).await.is_ok();
        house.clock.advance(2 * MINUTE);
        let visitor = sending(&house, &tickets);
        let refused = async move |lazy: LazySession| {
            if !lazily {
                lazy.load().await.unwrap();
            }
            let logged_out = lazy.destroy().await;
            assert!(matches!(logged_out, Err(SessionError::Gone)), "{logged_out:?}");
            let session = lazy.load().await.unwrap();
            if discarding {
                session.discard();
            }
            session
        };
        let answer = visitor.ask(async move |lazy: LazySession| {
            let session = refused(lazy).await;
            for answer in [session.touch().await, session.reload().await, session.save().await] {
                assert!(matches!(answer, Err(SessionError::Gone)), "{answer:?}");
            }
            session.insert("k", &2).unwrap();
            let saved = session.save().await;
            assert!(matches!(saved, Err(SessionError::Gone)), "{saved:?}");
            respond(session.destroy().await)
        });
        answer.await.is_gone();
        // A login begins a session anew.
        let answer = visitor.ask(async move |lazy: LazySession| {
            let session = refused(lazy).await;
            session.log_in("eve").await.unwrap();
            session.save().await.unwrap();
            respond(session.touch().await)
        });
        assert_eq!(answer.await.is_ok().set_cookies().len(), 1, "{lazily} {discarding}");
        assert_eq!(read(&guest).await.body, "Some(1)");
    }
}

pub async fn an_old_id_that_expires_last_keeps_no_logout_from_success(ground: Ground) {
    let house = ground();
    let (old, live) = (remembered(&house, 1).await, guest(&house, 2).await);
    let tickets = [old.ticket(), live.ticket()];
    let renewed = old.visit(async |session| session.renew()).await;
    renewed.is_ok();
    house.clock.advance(2 * MINUTE);
    let visitor = sending(&house, &tickets);
    let answer = log_out(&visitor, true).await;
    assert_eq!(answer.is_ok().set_cookies().len(), 1);
    assert_eq!(read(&live).await.body, "None");
}

/// Each cookie costs a signature, and the client chooses how many there are.
pub async fn no_more_than_eight_cookies_are_verified() {
    let house = House::open();
    let ticket = guest(&house, 1).await.ticket();
    for (junk, body) in [(7, "Some(1)"), (8, "None"), (80, "None")] {
        let mut tickets: Vec<String> = vec![forged(&ticket); junk];
        tickets.push(ticket.clone());
        let visitor = sending(&house, &tickets);
        let trace = Trace::listen();
        assert_eq!(read(&visitor).await.body, body);
        assert!(trace.verifications() <= 8, "{:?}", trace.lines());
    }
}

pub async fn several_slow_loads_take_no_longer_than_one_may() {
    let house = House::open();
    let (one, other) = (guest(&house, 1).await, guest(&house, 2).await);
    let [visitor, _] = both(&house, &one, &other);
    house.faulty.always(Load, || Fault::Delay(Duration::from_millis(1500)));
    let start = Instant::now();
    assert_eq!(read(&visitor).await.status, 503);
    assert!(start.elapsed() <= Duration::from_millis(2100), "{:?}", start.elapsed());
}
