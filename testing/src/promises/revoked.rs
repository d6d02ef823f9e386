//! Revocations, for sessions in a store.

use std::time::Duration;

use cloakroom::store::MemoryStore;
use cloakroom::store::StoreErrorKind::Unavailable;
use cloakroom::{Revocations, Revoke, SessionError};

use crate::Command::Load;
use crate::promises::Ground;
use crate::{Fault, Faulty, House, MINUTE, Visitor};

/// Returns a house whose sessions can be revoked, and the store that keeps the revocations.
fn house(ground: Ground, staleness: Duration) -> (House, Revocations, Faulty) {
    let house = ground();
    let list = Faulty::new(MemoryStore::builder().clock(house.clock.clone()).build());
    let builder = Revocations::builder(list.clone()).staleness(staleness);
    let revocations = builder.clock(house.clock.clone()).build();
    (house.with(|layer| layer.revocations(revocations.clone())), revocations, list)
}

async fn login(house: &House, principal: &str) -> Visitor {
    let guest = house.guest().await;
    let principal = principal.to_owned();
    guest.visit(async move |session| session.log_in(principal).await).await.is_ok();
    house.counting.take();
    guest
}

async fn revoke(house: &House, revocations: &Revocations, whose: Revoke<'_>) {
    house.clock.advance(MINUTE);
    revocations.revoke_before(whose, house.clock.now().into()).await.unwrap();
}

async fn found(visitor: &Visitor) -> String {
    let answer = visitor.visit(async |s| Ok((s.principal(), s.get::<u32>("k")?))).await;
    answer.is_ok().body.clone()
}

const TEN_SECONDS: Duration = Duration::from_secs(10);
const NOBODY: &str = "(None, None)";

pub async fn p6_a_revoked_principal_is_logged_out_and_nobody_else_is(ground: Ground) {
    let (house, revocations, _list) = house(ground, TEN_SECONDS);
    let (ada, bob, guest) =
        (login(&house, "ada").await, login(&house, "bob").await, house.guest().await);
    revoke(&house, &revocations, Revoke::Principal("ada")).await;
    assert_eq!(found(&ada).await, NOBODY);
    assert_eq!(found(&bob).await, r#"(Some("bob"), Some(1))"#);
    assert_eq!(found(&guest).await, "(None, Some(1))");
    revoke(&house, &revocations, Revoke::All).await;
    assert_eq!(found(&bob).await, NOBODY);
    assert_eq!(found(&guest).await, NOBODY);
    assert_eq!(found(&login(&house, "ada").await).await, r#"(Some("ada"), Some(1))"#);
}

pub async fn p6_an_open_handle_learns_that_its_session_is_revoked(ground: Ground) {
    let (house, revocations, _list) = house(ground, TEN_SECONDS);
    let ada = login(&house, "ada").await;
    let mut handles = Vec::new();
    for _ in 0..4 {
        let keep = async |session: cloakroom::Session| {
            session.principal();
            handles.push(session);
            Ok(())
        };
        ada.visit(keep).await.is_ok();
    }
    revoke(&house, &revocations, Revoke::Principal("ada")).await;
    let [saved, changed, reloaded, touched] = &handles[..] else { panic!("four handles") };
    changed.insert("k", &2).unwrap();
    for answer in
        [saved.save().await, changed.save().await, reloaded.reload().await, touched.touch().await]
    {
        assert!(matches!(answer, Err(SessionError::Gone)), "{answer:?}");
    }
    assert!(handles.iter().all(|session| session.principal().is_none()));
}

/// Nobody loads a session on the handle's server meanwhile, so nothing else asks for the list.
pub async fn p6_a_save_learns_what_another_server_has_revoked(ground: Ground) {
    let (house, _here, list) = house(ground, Duration::ZERO);
    let ada = login(&house, "ada").await;
    let mut kept = None;
    let keep = async |session: cloakroom::Session| {
        kept = Some(session);
        Ok(())
    };
    ada.visit(keep).await.is_ok();
    let session = kept.expect("a session");
    let there = Revocations::builder(list).clock(house.clock.clone()).build();
    revoke(&house, &there, Revoke::Principal("ada")).await;
    session.insert("k", &2).unwrap();
    let saved = session.save().await;
    assert!(matches!(saved, Err(SessionError::Gone)), "{saved:?}");
}

pub async fn p6_a_logout_that_keeps_data_does_not_save_a_revoked_session(ground: Ground) {
    let (house, revocations, _list) = house(ground, TEN_SECONDS);
    let ada = login(&house, "ada").await;
    let answer = ada.visit(async |session| {
        revoke(&house, &revocations, Revoke::Principal("ada")).await;
        session.log_out_keeping_data()
    });
    let answer = answer.await;
    assert_eq!((answer.status.as_u16(), answer.set_cookies().len()), (409, 0));
}

/// Other servers may not know of the revocation yet.
pub async fn p6_a_logout_ends_the_record_of_a_revoked_session(ground: Ground) {
    let (house, revocations, _list) = house(ground, TEN_SECONDS);
    let elsewhere = house.layer.clone().revocations(Revocations::new(MemoryStore::new()));
    let ada = login(&house, "ada").await;
    let copy = ada.copy().at(&elsewhere);
    revoke(&house, &revocations, Revoke::Principal("ada")).await;
    assert_eq!(found(&copy).await, r#"(Some("ada"), Some(1))"#);
    ada.visit(async |session| session.destroy().await).await.is_ok();
    assert_eq!(found(&copy).await, NOBODY);
}

pub async fn p7_a_login_before_the_revocation_is_refused(ground: Ground) {
    let (house, revocations, _list) = house(ground, TEN_SECONDS);
    for visitor in [login(&house, "ada").await, house.visitor()] {
        let answer = visitor.visit(async |session| {
            session.log_in("ada").await?;
            revoke(&house, &revocations, Revoke::Principal("ada")).await;
            Ok(())
        });
        let answer = answer.await;
        assert_eq!((answer.status.as_u16(), answer.set_cookies().len()), (409, 0));
    }
}

/// A login whose session has moved takes over that one's data, unless somebody else may have had it.
pub async fn p7_a_login_that_begins_anew_takes_nothing_from_a_revoked_session(ground: Ground) {
    let (house, revocations, _list) = house(ground, TEN_SECONDS);
    let late = house.guest().await;
    let thief = late.copy();
    thief.visit(async |session| session.log_in("ada").await).await.is_ok();
    revoke(&house, &revocations, Revoke::Principal("ada")).await;
    late.visit(async |session| session.log_in("ada").await).await.is_ok();
    assert_eq!(found(&late).await, r#"(Some("ada"), None)"#);
}

pub async fn p7_a_login_after_the_revocation_keeps_its_data(ground: Ground) {
    let (house, revocations, _list) = house(ground, TEN_SECONDS);
    let ada = login(&house, "ada").await;
    let elsewhere = ada.copy();
    let answer = ada.visit(async |session| {
        revoke(&house, &revocations, Revoke::Principal("ada")).await;
        session.log_in("ada").await
    });
    answer.await.is_ok();
    assert_eq!(found(&ada).await, r#"(Some("ada"), Some(1))"#);
    assert_eq!(found(&elsewhere).await, NOBODY);
}

pub async fn p6_a_renewal_does_not_save_a_revoked_session(ground: Ground) {
    let (house, revocations, _list) = house(ground, TEN_SECONDS);
    let ada = login(&house, "ada").await;
    let answer = ada.visit(async |session| {
        revoke(&house, &revocations, Revoke::All).await;
        session.renew()
    });
    let answer = answer.await;
    assert_eq!((answer.status.as_u16(), answer.set_cookies().len()), (409, 0));
}

pub async fn p3_revocations_cost_the_sessions_store_nothing(ground: Ground) {
    let (house, _revocations, _list) = house(ground, TEN_SECONDS);
    let ada = login(&house, "ada").await;
    for _ in 0..3 {
        assert_eq!(found(&ada).await, r#"(Some("ada"), Some(1))"#);
        assert_eq!(house.counting.take(), [Load]);
    }
}

pub async fn p6_while_nobody_knows_what_is_revoked_sessions_are_503(ground: Ground) {
    let (house, _revocations, list) = house(ground, Duration::ZERO);
    let ada = login(&house, "ada").await;
    list.always(Load, || Fault::Fail(Unavailable));
    let answer = ada.visit(async |session| session.get::<u32>("k")).await;
    assert_eq!(answer.status.as_u16(), 503, "{answer:?}");
    let anonymous = house.layer.clone().on_outage(|_| cloakroom::OutagePolicy::Anonymous);
    assert_eq!(found(&ada.at(&anonymous)).await, NOBODY);
}
