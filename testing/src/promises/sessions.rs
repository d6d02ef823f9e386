//! The session in a handler: its times, its principal, its clones, and its use after the response
//! head was sent.

use std::time::SystemTime;

use cloakroom::{Field, Session, SessionError};

use crate::promises::Ground;
use crate::{HOUR, House, MINUTE, respond};

const COUNT: Field<u32> = Field::new("k");

async fn remembered(house: &House) -> (crate::Visitor, String) {
    let visitor = house.visitor();
    let answer = visitor
        .visit(async |session| {
            session.remember(10 * 24 * HOUR, 30 * 24 * HOUR)?;
            session.log_in("ada").await
        })
        .await;
    let cookie = answer.is_ok().set_cookies()[0].to_owned();
    (visitor, cookie)
}

pub async fn a_remembered_session_outlives_the_browser_and_the_usual_lifetime(ground: Ground) {
    let house = ground();
    let (visitor, cookie) = remembered(&house).await;
    assert!(cookie.contains("Max-Age=2592000"), "{cookie}");
    house.clock.advance(9 * 24 * HOUR);
    let who = visitor.visit(async |session| Ok(session.principal())).await;
    assert_eq!(who.body, r#"Some("ada")"#);
}

pub async fn a_remembered_session_stays_so_through_writes_and_renewals(ground: Ground) {
    let house = ground();
    let (visitor, _) = remembered(&house).await;
    visitor.visit(async |session| session.insert("k", &1)).await.is_ok();
    house.clock.advance(9 * 24 * HOUR);
    let renewed = visitor.visit(async |session| {
        session.renew().unwrap();
        Ok(())
    });
    let renewed = renewed.await;
    assert!(renewed.is_ok().set_cookies()[0].contains("Max-Age=2592000"), "{renewed:?}");
    for _ in 0..3 {
        house.clock.advance(9 * 24 * HOUR);
        let who = visitor.visit(async |session| Ok(session.principal())).await;
        assert_eq!(who.body, r#"Some("ada")"#);
    }
    house.clock.advance(3 * 24 * HOUR);
    let who = visitor.visit(async |session| Ok(session.principal())).await;
    assert_eq!(who.body, "None", "30 days after the renewal");
}

pub async fn a_live_session_can_be_remembered(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let answer = guest.visit(async |session| {
        session.remember(24 * HOUR, 48 * HOUR).unwrap();
        Ok(())
    });
    assert!(answer.await.is_ok().set_cookies()[0].contains("Max-Age=172800"));
    house.clock.advance(23 * HOUR);
    assert_eq!(guest.visit(async |session| session.get(COUNT)).await.body, "Some(1)");
    house.clock.advance(23 * HOUR);
    assert_eq!(guest.visit(async |session| session.get(COUNT)).await.body, "Some(1)");
    house.clock.advance(2 * HOUR);
    assert_eq!(guest.visit(async |session| session.get(COUNT)).await.body, "None");
}

fn moments(session: &Session) -> (bool, Option<SystemTime>, Option<SystemTime>) {
    (session.is_new(), session.created_at(), session.expires_at())
}

pub async fn a_session_knows_its_times(ground: Ground) {
    let house = ground();
    let visitor = house.visitor();
    let begun = SystemTime::from(house.clock.now());
    let answer = visitor.visit(async |session| {
        assert_eq!(moments(&session), (true, None, None));
        session.insert("k", &1)?;
        assert!(session.is_new(), "until it is saved");
        session.save().await?;
        assert_eq!(moments(&session), (false, Some(begun), Some(begun + 30 * MINUTE)));
        Ok(())
    });
    answer.await.is_ok();
    house.clock.advance(MINUTE);
    let answer = visitor.visit(async |session| {
        assert_eq!(moments(&session), (false, Some(begun), Some(begun + 30 * MINUTE)));
        Ok(())
    });
    answer.await.is_ok();
}

pub async fn the_principal_and_when_it_was_set(ground: Ground) {
    let house = ground();
    let visitor = house.visitor();
    let login = SystemTime::from(house.clock.now());
    let answer = visitor.visit(async |session| {
        assert_eq!((session.principal(), session.authenticated_at()), (None, None));
        session.log_in("ada").await?;
        assert_eq!(session.principal().as_deref(), Some("ada"));
        assert_eq!(session.authenticated_at(), Some(login));
        Ok(())
    });
    answer.await.is_ok();
    house.clock.advance(MINUTE);
    let answer = visitor.visit(async |session| {
        assert_eq!(session.authenticated_at(), Some(login));
        session.clear().unwrap();
        assert_eq!(session.principal().as_deref(), Some("ada"), "clear takes keys only");
        session.log_out_keeping_data()?;
        assert_eq!((session.principal(), session.authenticated_at()), (None, None));
        Ok(())
    });
    answer.await.is_ok();
    let after = visitor.visit(async |session| Ok((session.principal(), session.is_new()))).await;
    assert_eq!(after.body, "(None, false)");
    let too_long = "a".repeat(65_536);
    let answer = visitor.visit(async |session| session.log_in(&too_long).await).await;
    assert!(matches!(answer.error, Some(SessionError::KeyTooLong { .. })));
}

pub async fn keys_are_what_is_there_sorted(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let answer = guest.visit(async |session| {
        session.insert("z", &1)?;
        session.insert("a", &1)?;
        session.update("m", |_: &mut u8| ())?;
        session.remove("z").unwrap();
        Ok(session.keys())
    });
    assert_eq!(answer.await.body, r#"["a", "k", "m"]"#);
    let answer = guest.visit(async |session| {
        session.clear().unwrap();
        session.insert("b", &1)?;
        Ok(session.keys())
    });
    assert_eq!(answer.await.body, r#"["b"]"#);
    assert_eq!(guest.visit(async |session| Ok(session.keys())).await.body, r#"["b"]"#);
}

pub async fn clones_are_the_same_session(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let answer = guest
        .ask(async |lazy| {
            let (one, other) = (lazy.load().await.unwrap(), lazy.clone().load().await.unwrap());
            one.insert("k", &2).unwrap();
            assert_eq!(other.get(COUNT).unwrap(), Some(2));
            other.clone().clear().unwrap();
            assert_eq!(one.get(COUNT).unwrap(), None);
            respond(Ok(()))
        })
        .await;
    answer.is_ok();
    assert_eq!(guest.visit(async |session| Ok(session.keys())).await.body, "[]");
}

/// Runs a request and returns its session, for use after the response head was sent.
async fn kept(visitor: &crate::Visitor) -> Session {
    let mut kept = None;
    let request = visitor.visit(async |session| {
        kept = Some(session);
        Ok(())
    });
    request.await.is_ok();
    kept.unwrap()
}

pub async fn after_the_head_has_left_save_changes_a_session(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let session = kept(&guest).await;
    let task = tokio::spawn(async move {
        session.update(COUNT, |count| *count += 1)?;
        session.save().await
    });
    task.await.unwrap().unwrap();
    assert_eq!(guest.visit(async |session| session.get(COUNT)).await.body, "Some(2)");
}

pub async fn after_the_head_has_left_it_is_too_late_to_begin_or_renew_a_session() {
    let house = House::open();
    let session = kept(&house.visitor()).await;
    session.insert("k", &1).unwrap();
    let saved = tokio::spawn(async move { session.save().await }).await.unwrap();
    assert!(matches!(saved, Err(SessionError::TooLate)), "{saved:?}");
    assert!(house.memory().is_empty());

    let guest = house.guest().await;
    let session = kept(&guest).await;
    session.renew().unwrap();
    assert!(matches!(session.save().await, Err(SessionError::TooLate)));
    assert_eq!(house.memory().len(), 1);
    assert_eq!(guest.visit(async |session| session.get(COUNT)).await.body, "Some(1)");
}

pub async fn after_the_head_has_left_a_logout_still_ends_the_session(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    kept(&guest).await.destroy().await.unwrap();
    assert_eq!(guest.visit(async |session| session.get(COUNT)).await.body, "None");
}

pub async fn a_stream_saves_again_and_again_and_merges_with_others(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let session = kept(&guest).await;
    for _ in 0..20 {
        let add = |count: &mut u32| *count += 1;
        guest.visit(async |other| other.update(COUNT, add)).await.is_ok();
        session.update(COUNT, add).unwrap();
        session.save().await.unwrap();
    }
    assert_eq!(guest.visit(async |session| session.get(COUNT)).await.body, "Some(41)");
}

pub async fn a_failed_load_is_not_repeated_within_the_request(ground: Ground) {
    use crate::{Command::Load, Fault};
    let house = ground();
    let guest = house.guest().await;
    house.faulty.next(Load, Fault::Fail(cloakroom::store::StoreErrorKind::Unavailable));
    let answer = guest
        .ask(async |lazy| {
            assert!(lazy.load().await.is_err());
            respond(lazy.load().await.map(|_| ()))
        })
        .await;
    assert_eq!(answer.status, 503);
    assert_eq!(house.counting.take(), [Load]);
}

pub async fn two_first_requests_at_once_make_two_sessions() {
    let house = House::open();
    let visitor = house.visitor();
    let answer = visitor
        .visit(async |session| {
            visitor.visit(async |other| other.insert("k", &1)).await.is_ok();
            session.insert("k", &2)
        })
        .await;
    answer.is_ok();
    assert_eq!(house.memory().len(), 2);
}
