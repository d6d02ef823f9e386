//! The shorter idle timeout of visitors who are not logged in, by `SessionLayer::anonymous_idle_timeout`.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use cloakroom::{Session, SessionError};

use crate::promises::Ground;
use crate::{HOUR, House, MINUTE, Visitor};

const MOMENT: Duration = Duration::from_millis(1);

/// Five minutes for visitors who are not logged in, half an hour for those who are.
fn short(house: House) -> House {
    house.with(|layer| layer.anonymous_idle_timeout(5 * MINUTE))
}

async fn read(visitor: &Visitor) -> String {
    visitor.visit(async |session| session.get::<u32>("k")).await.body
}

async fn put(session: Session) -> Result<(), SessionError> {
    session.insert("n", &1_u32)
}

async fn log_in(session: Session) -> Result<(), SessionError> {
    session.log_in("ada").await
}

async fn log_out(session: Session) -> Result<(), SessionError> {
    session.log_out_keeping_data()
}

/// Demands that the session ends after this time without use, and not a millisecond earlier.
async fn ends_after(house: &House, visitor: &Visitor, idle: Duration) {
    let before = visitor.copy();
    let begun = house.clock.now();
    house.clock.advance(idle - MOMENT);
    let peeked = before.ask(async |lazy| {
        crate::respond(lazy.peek().await.and_then(|session| session.get::<u32>("k")))
    });
    assert_eq!(peeked.await.body, "Some(1)", "before {idle:?}");
    house.clock.advance(MOMENT);
    assert_eq!(read(&before).await, "None", "after {idle:?}");
    house.clock.set(begun);
}

pub async fn p11_a_visitor_who_is_not_logged_in_has_the_shorter_idle_timeout(ground: Ground) {
    let house = short(ground());
    let guest = house.guest().await;
    ends_after(&house, &guest, 5 * MINUTE).await;
    let guest = house.guest().await;
    for _ in 0..30 {
        house.clock.advance(4 * MINUTE);
        assert_eq!(read(&guest).await, "Some(1)", "reads move it");
    }
    guest.visit(put).await.is_ok();
    ends_after(&house, &guest, 5 * MINUTE).await;
}

pub async fn p11_a_login_sets_the_usual_idle_timeout(ground: Ground) {
    let house = short(ground());
    let guest = house.guest().await;
    guest.visit(log_in).await.is_ok();
    ends_after(&house, &guest, 30 * MINUTE).await;
    let fresh = house.visitor();
    let answer = fresh.visit(async |session| {
        session.insert("k", &1_u32)?;
        log_in(session).await
    });
    answer.await.is_ok();
    ends_after(&house, &fresh, 30 * MINUTE).await;
    fresh.visit(put).await.is_ok();
    fresh.visit(async |session| session.renew()).await.is_ok();
    ends_after(&house, &fresh, 30 * MINUTE).await;
}

pub async fn p11_a_logout_that_keeps_data_goes_back_to_the_shorter_timeout(ground: Ground) {
    let house = short(ground());
    let guest = house.guest().await;
    guest.visit(log_in).await.is_ok();
    guest.visit(log_out).await.is_ok();
    ends_after(&house, &guest, 5 * MINUTE).await;
    // Whatever a request does in between, the end of it counts.
    let both = guest.visit(async |session| {
        session.log_in("ada").await?;
        session.log_out_keeping_data()
    });
    both.await.is_ok();
    ends_after(&house, &guest, 5 * MINUTE).await;
    guest.visit(log_in).await.is_ok();
    let switched = guest.visit(async |session| {
        session.log_out_keeping_data()?;
        session.log_in("bob").await
    });
    switched.await.is_ok();
    ends_after(&house, &guest, 30 * MINUTE).await;
}

pub async fn p11_a_shorter_anonymous_timeout_reaches_sessions_that_exist(ground: Ground) {
    let house = ground();
    let layer = house.layer.clone().anonymous_idle_timeout(5 * MINUTE);
    for writes in [false, true] {
        let guest = house.guest().await;
        let (user, stricter) = (house.guest().await, guest.at(&layer));
        user.visit(log_in).await.is_ok();
        ends_after(&house, &stricter, 5 * MINUTE).await;
        ends_after(&house, &user.at(&layer), 30 * MINUTE).await;
        for _ in 0..10 {
            house.clock.advance(5 * MINUTE - MOMENT);
            assert_eq!(read(&stricter).await, "Some(1)", "in use");
            if writes {
                stricter.visit(put).await.is_ok();
                stricter.visit(async |session| session.renew()).await.is_ok();
            }
        }
        ends_after(&house, &stricter, 5 * MINUTE).await;
        // A write has brought the timeout into the record, for servers that do not have it yet.
        let elsewhere = guest.at(&house.layer);
        ends_after(&house, &elsewhere, if writes { 5 } else { 30 } * MINUTE).await;
    }
}

pub async fn p11_a_login_on_a_server_without_the_option_sets_the_usual_timeout(ground: Ground) {
    let house = ground();
    let layer = house.layer.clone().anonymous_idle_timeout(5 * MINUTE);
    let guest = house.visitor().at(&layer);
    guest.visit(async |session| session.insert("k", &1_u32)).await.is_ok();
    let elsewhere = guest.at(&house.layer);
    elsewhere.visit(log_in).await.is_ok();
    ends_after(&house, &elsewhere, 30 * MINUTE).await;
}

pub async fn p11_a_remembered_visitor_keeps_the_timeouts_of_remember(ground: Ground) {
    let house = short(ground());
    let guest = house.guest().await;
    guest.visit(async |session| session.remember(20 * HOUR, 40 * HOUR)).await.is_ok();
    ends_after(&house, &guest, 20 * HOUR).await;
    guest.visit(log_in).await.is_ok();
    ends_after(&house, &guest, 20 * HOUR).await;
    // It was the wish of the user who leaves.
    guest.visit(log_out).await.is_ok();
    ends_after(&house, &guest, 5 * MINUTE).await;
}

pub async fn p11_a_longer_anonymous_timeout_counts_as_the_usual_one(ground: Ground) {
    for anonymous_first in [false, true] {
        let house = ground().with(|layer| match anonymous_first {
            true => layer.anonymous_idle_timeout(2 * HOUR).idle_timeout(HOUR),
            false => layer.idle_timeout(HOUR).anonymous_idle_timeout(2 * HOUR),
        });
        let guest = house.guest().await;
        ends_after(&house, &guest, HOUR).await;
    }
}

/// The login creates its record, meets the write, and merges; the write of a slower tab finds the mark.
pub async fn p11_a_login_beside_writes_of_the_same_visitor_has_the_usual_timeout(ground: Ground) {
    let house = short(ground());
    let guest = house.guest().await;
    let (tab, slow) = (guest.copy(), guest.copy());
    let answer = slow.visit(async |session| {
        let login = guest.visit(async |session| {
            tab.visit(put).await.is_ok();
            session.log_in("ada").await
        });
        login.await.is_ok();
        session.insert("late", &1_u32)
    });
    answer.await.is_gone();
    let merged = guest.visit(async |session| session.get::<u32>("n")).await;
    assert_eq!(merged.body, "Some(1)");
    ends_after(&house, &guest, 30 * MINUTE).await;
}

pub async fn p11_a_logout_beside_writes_of_the_same_user_has_the_shorter_timeout(ground: Ground) {
    let house = short(ground());
    let guest = house.guest().await;
    guest.visit(log_in).await.is_ok();
    let tab = guest.copy();
    let answer = guest.visit(async |session| {
        tab.visit(put).await.is_ok();
        session.log_out_keeping_data()
    });
    answer.await.is_ok();
    ends_after(&house, &guest, 5 * MINUTE).await;
}

pub async fn p11_a_login_that_begins_anew_has_the_usual_timeout(ground: Ground) {
    let house = short(ground());
    let guest = house.guest().await;
    let tab = guest.copy();
    let answer = tab.visit(async |session| {
        guest.visit(log_in).await.is_ok();
        session.log_in("ada").await
    });
    answer.await.is_ok();
    ends_after(&house, &tab, 30 * MINUTE).await;
    let other = house.guest().await;
    let answer = other.visit(async |session| {
        other.copy().visit(async |session| session.destroy().await).await.is_ok();
        session.insert("k", &1_u32)?;
        session.log_in("bob").await
    });
    answer.await.is_ok();
    ends_after(&house, &other, 30 * MINUTE).await;
}

pub async fn an_anonymous_session_tells_when_it_ends(ground: Ground) {
    let house = short(ground());
    let guest = house.guest().await;
    let now = SystemTime::from(house.clock.now());
    let answer = guest.visit(async |session| {
        assert_eq!(session.expires_at(), Some(now + 5 * MINUTE));
        session.log_in("ada").await?;
        assert_eq!(session.expires_at(), Some(now + 30 * MINUTE));
        session.log_out_keeping_data()?;
        assert_eq!(session.expires_at(), Some(now + 5 * MINUTE));
        session.remember(2 * HOUR, 24 * HOUR)?;
        assert_eq!(session.expires_at(), Some(now + 2 * HOUR));
        session.discard();
        session.log_in("ada").await?;
        session.save().await?;
        assert_eq!(session.expires_at(), Some(now + 30 * MINUTE));
        Ok(())
    });
    answer.await.is_ok();
    let answer = guest.visit(async |session| {
        assert_eq!(session.expires_at(), Some(now + 30 * MINUTE));
        session.log_out_keeping_data()?;
        assert_eq!(session.expires_at(), Some(now + 5 * MINUTE));
        Ok(())
    });
    answer.await.is_ok();
    let answer = guest.visit(async |session| Ok(session.expires_at() == Some(now + 5 * MINUTE)));
    assert_eq!(answer.await.body, "true");
}

/// Returns a handle of the visitor's session whose response has left.
async fn kept(visitor: &Visitor) -> Session {
    let slot = Arc::new(Mutex::new(None));
    let fill = slot.clone();
    let answer = visitor.visit(async move |session| {
        *fill.lock().unwrap() = Some(session);
        Ok(())
    });
    answer.await.is_ok();
    slot.lock().unwrap().take().expect("the handler has run")
}

/// Sessions from a server without the option have the longer timeout in the store, which would let a handle
/// keep them alive.
pub async fn p11_an_open_handle_does_not_outlive_the_shorter_timeout(ground: Ground) {
    let house = ground();
    let strict = house.layer.clone().anonymous_idle_timeout(5 * MINUTE);
    for saves in [false, true] {
        let guest = house.guest().await;
        let session = kept(&guest.at(&strict)).await;
        house.clock.advance(29 * MINUTE);
        let ended = match saves {
            true => {
                session.insert("n", &1_u32).unwrap();
                session.save().await
            }
            false => session.touch().await,
        };
        assert!(matches!(ended, Err(SessionError::Gone)), "{ended:?}");
        assert_eq!(session.keys(), Vec::<String>::new());

        // Others have used it meanwhile, so it goes on.
        let guest = house.guest().await;
        let session = kept(&guest.at(&strict)).await;
        house.clock.advance(28 * MINUTE);
        assert_eq!(read(&guest).await, "Some(1)");
        house.clock.advance(MINUTE);
        session.insert("n", &1_u32).unwrap();
        match saves {
            true => session.save().await.unwrap(),
            false => session.touch().await.unwrap(),
        }
        session.save().await.unwrap();
        assert_eq!(read(&guest.at(&strict)).await, "Some(1)");
    }
}

/// The mark of a renewal on a server with a shorter timeout lives as long as the others expect it to.
pub async fn p6_a_logout_on_a_server_without_the_option_ends_what_a_login_made(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let session = kept(&guest).await;
    let strict = guest.at(&house.layer.clone().anonymous_idle_timeout(5 * MINUTE));
    house.clock.advance(MINUTE);
    strict.visit(log_in).await.is_ok();
    house.clock.advance(10 * MINUTE);
    session.destroy().await.unwrap();
    assert_eq!(read(&strict).await, "None");
}
