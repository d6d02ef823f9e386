//! A user's sessions from outside of any request: everything but their values.

use cloakroom::{Roster, Sealing, Session, SessionError, SessionLayer};
use cloakroom_testing::{House, MINUTE, Visitor};

use crate::{house, insert, log_in, value};

fn listed() -> House {
    house().with(|layer| layer.roster(Roster::default()))
}

async fn ada(house: &House) -> Visitor {
    let ada = house.visitor();
    insert(&ada, "cart", "apple").await;
    log_in(&ada, "ada").await;
    ada
}

async fn only_session(house: &House) -> Session {
    let mut sessions = house.layer.users().sessions_of("ada").await.unwrap();
    assert_eq!(sessions.len(), 1);
    sessions.remove(0)
}

#[track_caller]
fn is_sealed<T: std::fmt::Debug>(result: Result<T, SessionError>) {
    assert!(matches!(result, Err(SessionError::Sealed)), "{result:?}");
}

#[tokio::test]
async fn a_listed_session_shows_its_times_and_not_its_values() {
    let house = listed();
    let ada = ada(&house).await;
    let session = only_session(&house).await;
    assert_eq!(session.principal().as_deref(), Some("ada"));
    assert!(session.handle().is_some() && session.is_sealed());
    assert_eq!(session.last_used_at(), Some(house.clock.now().into()));
    assert_eq!(session.authenticated_at(), Some(house.clock.now().into()));
    assert!(session.created_at().is_some() && session.expires_at().is_some());
    assert_eq!(session.keys(), Vec::<String>::new());
    is_sealed(session.get::<String>("cart"));
    is_sealed(session.contains("cart"));
    is_sealed(session.insert("cart", "pear"));
    is_sealed(session.update("cart", |cart: &mut String| cart.push('!')));
    is_sealed(session.take::<String>("cart"));
    is_sealed(session.remove("cart"));
    is_sealed(session.clear());
    is_sealed(session.flash("hello"));
    is_sealed(session.take_flashes::<String>().await);
    session.save().await.unwrap();
    assert_eq!(value(&ada, "cart").await, r#"Some("apple")"#);
    let own = ada.visit(async |session| Ok(session.is_sealed())).await;
    assert_eq!(own.body, "false");
}

#[tokio::test]
async fn a_listed_session_can_be_touched_and_ended() {
    let house = listed();
    let ada = ada(&house).await;
    house.clock.advance(20 * MINUTE);
    only_session(&house).await.touch().await.unwrap();
    house.clock.advance(20 * MINUTE);
    assert_eq!(value(&ada, "cart").await, r#"Some("apple")"#);
    only_session(&house).await.reload().await.unwrap();
    only_session(&house).await.destroy().await.unwrap();
    assert_eq!(value(&ada, "cart").await, "None");
    assert!(house.layer.users().sessions_of("ada").await.unwrap().is_empty());
}

#[tokio::test]
async fn ends_work_as_without_seals() {
    let house = listed();
    let users = house.layer.users();
    let [one, two] = [ada(&house).await, ada(&house).await];
    let handle = one.visit(async |session| Ok(session.handle().unwrap().to_string())).await.body;
    let handle = handle.trim_matches('"').parse().unwrap();
    assert!(users.end("ada", handle).await.unwrap());
    assert_eq!(value(&one, "cart").await, "None");
    let three = ada(&house).await;
    two.visit(async |session| users.end_others(&session).await).await.is_ok();
    assert_eq!(value(&three, "cart").await, "None");
    assert_eq!(value(&two, "cart").await, r#"Some("apple")"#);
    assert_eq!(users.end_all("ada").await.unwrap(), Some(1));
    assert_eq!(value(&two, "cart").await, "None");
}

#[tokio::test]
async fn an_edit_is_refused_and_changes_nothing() {
    let house = listed();
    let ada = ada(&house).await;
    let users = house.layer.users();
    is_sealed(users.edit("ada", |session| session.insert("role", "banned")).await);
    assert_eq!(value(&ada, "role").await, "None");
    assert_eq!(value(&ada, "cart").await, r#"Some("apple")"#);
}

/// While servers are changed over, a session may still be in the clear. It is read from outside, and a layer that
/// seals does not write it in the clear again.
#[tokio::test]
async fn values_in_the_clear_are_read_from_outside_and_not_written() {
    let house = House::open().with(|layer| layer.roster(Roster::default()));
    let ada = ada(&house).await;
    let seals = house.layer.clone().sealed(Sealing::Write);
    let session = seals.users().sessions_of("ada").await.unwrap().remove(0);
    assert!(!session.is_sealed());
    assert_eq!(session.get::<String>("cart").unwrap().as_deref(), Some("apple"));
    is_sealed(seals.users().edit("ada", |session| session.insert("role", "banned")).await);
    assert_eq!(value(&ada, "role").await, "None");
    // A handle from before meets the sealed session at its commit.
    let outside = house.layer.clone().sealed(Sealing::Read).users();
    let session = outside.sessions_of("ada").await.unwrap().remove(0);
    insert(&ada.at(&seals), "cart", "pear").await;
    session.insert("role", "banned").unwrap();
    is_sealed(session.save().await);
    assert_eq!(value(&ada.at(&seals), "cart").await, r#"Some("pear")"#);
    assert_eq!(value(&ada.at(&seals), "role").await, "None");
}

/// Somebody who can write to the store lists a session of their own making.
#[tokio::test]
async fn in_the_last_step_a_session_in_the_clear_is_not_listed_and_is_ended() {
    let house = House::open().with(|layer| layer.roster(Roster::default()));
    ada(&house).await;
    let only = |layer: &SessionLayer| layer.clone().sealed(Sealing::Only).users();
    assert!(only(&house.layer).sessions_of("ada").await.unwrap().is_empty());
    assert_eq!(only(&house.layer).end_all("ada").await.unwrap(), Some(1));
    assert!(house.layer.users().sessions_of("ada").await.unwrap().is_empty());
}
