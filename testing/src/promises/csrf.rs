//! Tokens against cross-site requests, bound to the session.

use cloakroom::store::StoreErrorKind::Unavailable;
use cloakroom::{KeyRing, OutagePolicy, Session, SessionError};
use http::StatusCode;

use crate::Command::Load;
use crate::promises::Ground;
use crate::{Answer, Fault, Trace, Visitor};

/// Returns the token that the visitor's next page has in its forms.
async fn token(visitor: &Visitor) -> String {
    let answer = visitor
        .visit(async |session| Ok(session.csrf_token()?.map(|token| token.as_str().to_owned())));
    let shown = answer.await.is_ok().body.clone();
    let token = shown.strip_prefix("Some(\"").and_then(|rest| rest.strip_suffix("\")"));
    token.unwrap_or_else(|| panic!("{shown}")).to_owned()
}

/// Sends a form that stores a value.
async fn send(visitor: &Visitor, token: &str) -> Answer {
    let handler = async |session: Session| {
        session.insert("form", &1)?;
        session.verify_csrf(token)
    };
    visitor.visit(handler).await
}

async fn is_accepted(visitor: &Visitor, token: &str) {
    send(visitor, token).await.is_ok();
    visitor.visit(async |session| session.remove("form")).await.is_ok();
}

/// The answer is 403, and what the handler has changed before is not stored.
async fn is_refused(visitor: &Visitor, token: &str) {
    let answer = send(visitor, token).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{answer:?}");
    assert!(matches!(answer.error, Some(SessionError::CsrfRefused)), "{answer:?}");
    assert_eq!(answer.set_cookies(), Vec::<&str>::new());
    let form = visitor.visit(async |session| session.contains("form")).await;
    assert_eq!(form.is_ok().body, "false");
}

/// A change of the session's id, as a handler makes it.
async fn change_id(session: &Session, how: usize) -> Result<(), SessionError> {
    match how {
        0 => session.log_in("ada").await,
        1 => session.renew(),
        2 => session.remember(crate::HOUR, crate::HOUR),
        _ => session.log_out_keeping_data(),
    }
}

const CHANGES_OF_ID: usize = 4;

pub async fn r76_a_token_is_good_for_as_long_as_the_session_has_its_id(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let first = token(&guest).await;
    assert_eq!(first.len(), 64);
    let another_server = guest.at(&house.layer.clone());
    for visitor in [&guest, &another_server] {
        is_accepted(visitor, &first).await;
        is_accepted(visitor, &token(visitor).await).await;
    }
    assert_ne!(token(&guest).await, first, "each page has another one");
    house.clock.advance(20 * crate::MINUTE);
    is_accepted(&guest, &first).await;
}

pub async fn r76_a_token_from_before_a_login_or_renewal_is_refused_after_it(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    for how in 0..CHANGES_OF_ID {
        let (before, thief) = (token(&guest).await, guest.copy());
        guest.visit(async |session| change_id(&session, how).await).await.is_ok();
        is_refused(&guest, &before).await;
        let after = token(&guest).await;
        is_accepted(&guest, &after).await;
        assert_ne!(thief.ticket(), guest.ticket());
    }
}

pub async fn r76_a_token_of_another_session_is_refused(ground: Ground) {
    let house = ground();
    let (guest, attacker) = (house.guest().await, house.guest().await);
    let stolen = token(&attacker).await;
    is_refused(&guest, &stolen).await;
    is_accepted(&attacker, &stolen).await;
}

pub async fn r76_what_is_no_token_is_refused(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let good = token(&guest).await;
    let ticket = guest.ticket();
    for garbage in
        ["", "x", "null", &good[..63], &format!("{good}A"), &good.to_uppercase(), &ticket]
    {
        is_refused(&guest, garbage).await;
    }
    let bytes = guest.visit(async |session| {
        for len in 0..200 {
            assert!(session.verify_csrf(vec![0xff; len]).is_err());
        }
        session.verify_csrf(good.as_bytes())
    });
    bytes.await.is_ok();
}

pub async fn r76_a_token_for_another_cookie_is_refused(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let cookie = cloakroom::CookieOptions::builder().name("__Host-admin").build().unwrap();
    let admin = house.clone().with(|layer| layer.cookie(cookie));
    let theirs = token(&admin.guest().await).await;
    is_refused(&guest, &theirs).await;
    is_accepted(&guest, &token(&guest).await).await;
}

pub async fn r76_tokens_outlive_a_replaced_key_until_it_is_dropped(ground: Ground) {
    let house = ground();
    let new = cloakroom::Key::from_bytes(&[8; 32]).unwrap();
    let with = |keys: KeyRing| house.server(house.store.clone(), keys);
    let old_first = with(KeyRing::new(house.key.clone()).verify_also(new.clone()).unwrap());
    let new_first = with(KeyRing::new(new.clone()).verify_also(house.key.clone()).unwrap());
    let guest = house.guest().await.at(&old_first);
    let later = guest.at(&new_first);
    let (old_token, new_token) = (token(&guest).await, token(&later).await);
    for (visitor, token) in [(&later, &old_token), (&guest, &new_token)] {
        is_accepted(visitor, token).await;
    }
    // A session that began under the new key outlives the old one.
    let late = Visitor::new(new_first);
    late.visit(async |session| session.insert("k", &1)).await.is_ok();
    let token = token(&late).await;
    is_accepted(&late.at(&with(new.into())), &token).await;
}

pub async fn a_session_that_waits_for_its_new_id_has_no_token(ground: Ground) {
    let house = ground();
    for how in 0..CHANGES_OF_ID {
        let guest = house.guest().await;
        guest.visit(async |session| session.log_in("ada").await).await.is_ok();
        let answer = guest.visit(async |session| {
            let before = session.csrf_token()?.unwrap();
            change_id(&session, how).await?;
            assert!(session.csrf_token()?.is_none(), "way {how}");
            session.verify_csrf(before.as_str())?; // the request came with the id that it still has
            session.save().await?;
            assert!(session.verify_csrf(before.as_str()).is_err(), "way {how}");
            Ok(session.csrf_token()?.unwrap().to_string())
        });
        let answer = answer.await;
        let after = answer.is_ok().body.trim_matches('"').to_owned();
        is_accepted(&guest, &after).await;
    }
    let guest = house.guest().await;
    let answer = guest.visit(async |session| {
        session.renew()?;
        session.discard();
        Ok(session.csrf_token()?.is_some())
    });
    assert_eq!(answer.await.is_ok().body, "true", "the renewal was taken back");
}

pub async fn a_visitor_without_a_session_has_no_token(ground: Ground) {
    let house = ground();
    let (visitor, guest) = (house.visitor(), house.guest().await);
    let good = token(&guest).await;
    let answer = visitor.visit(async |session| {
        assert!(session.csrf_token()?.is_none());
        session.insert("k", &1)?;
        assert!(session.csrf_token()?.is_none(), "it is not stored yet");
        assert!(session.verify_csrf(&good).is_err());
        session.save().await?;
        assert!(session.csrf_token()?.is_some());
        session.destroy().await?;
        Ok(session.csrf_token()?.is_none())
    });
    assert_eq!(answer.await.is_ok().body, "true");
    is_refused(&house.visitor(), &good).await;
}

pub async fn p3_a_token_costs_no_command_and_is_in_no_log(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let trace = Trace::listen();
    let issued = token(&guest).await;
    assert_eq!(house.counting.take(), [Load]);
    let refused = guest.visit(async |session| session.verify_csrf(issued.to_lowercase()));
    assert_eq!(refused.await.status, StatusCode::FORBIDDEN);
    assert_eq!(house.counting.take(), [Load]);
    let lines = trace.lines();
    assert!(lines.iter().any(|line| line.contains("csrf token refused")), "{lines:?}");
    let (issued, refused) = (issued.as_str(), issued.to_lowercase());
    assert!(lines.iter().all(|line| !line.contains(issued) && !line.contains(&refused)));
}

pub async fn an_outage_that_the_app_goes_on_without_opens_no_form(ground: Ground) {
    let house = ground().with(|layer| layer.on_outage(|_| OutagePolicy::Anonymous));
    let guest = house.guest().await;
    let good = token(&guest).await;
    house.faulty.always(Load, || Fault::Fail(Unavailable));
    let answer = guest.visit(async |session| {
        assert!(session.csrf_token()?.is_none());
        session.verify_csrf(&good)
    });
    assert_eq!(answer.await.status, StatusCode::FORBIDDEN);
}
