//! Logins that are refused because their user's sessions were ended: the session from before lives on, and a login
//! that is acknowledged later still ends it.

use cloakroom::{Roster, Session, SessionError, SessionLayer};

use super::users::{house, who};
use crate::Command::{Create, Replace};
use crate::promises::Ground;
use crate::{Fault, House, Visitor};

/// Returns the layer of another server over the same store, whose commands are not made to fail.
fn elsewhere(house: &House) -> SessionLayer {
    house.elsewhere().roster(Roster::default().look(false))
}

async fn visitor_with_cart(house: &House) -> Visitor {
    let visitor = house.visitor();
    visitor.visit(async |session| session.insert("cart", &["apple"])).await.is_ok();
    visitor
}

/// Logs in again, and demands that the ticket from before, which is in `old`, then leads to nothing.
async fn repeat_login(visitor: &Visitor, old: &Visitor) {
    has_cart(visitor).await;
    visitor.visit(async |session| session.log_in("ada").await).await.is_ok();
    has_cart(visitor).await;
    is_worthless(old).await;
}

async fn has_cart(visitor: &Visitor) {
    let look = async |session: Session| {
        assert!(session.get::<Vec<String>>("cart")?.is_some());
        Ok(())
    };
    visitor.visit(look).await.is_ok();
}

async fn is_worthless(old: &Visitor) {
    let look = async |session: Session| {
        assert_eq!(
            session.get::<Vec<String>>("cart")?,
            None,
            "the id from before the login still works"
        );
        assert_eq!(session.principal(), None);
        Ok(())
    };
    old.visit(look).await.is_ok();
}

/// Another tab writes into the old session before it is marked, so the new record is brought up to date, and found
/// ended.
pub async fn p7_a_login_that_is_ended_before_it_is_acknowledged_leaves_no_old_id(ground: Ground) {
    let house = house(ground);
    let ada = visitor_with_cart(&house).await;
    let (old, tab) = (ada.copy(), ada.copy().at(&elsewhere(&house)));
    let users = elsewhere(&house).users();
    let end = move || async move {
        tab.visit(async |session| session.insert("note", "x")).await.is_ok();
        let listed = users.sessions_of("ada").await.unwrap();
        assert!(users.end("ada", listed[0].handle().unwrap()).await.unwrap());
    };
    house.faulty.next(Replace, Fault::after(end));
    ada.visit(async |session| session.log_in("ada").await).await.is_gone();
    repeat_login(&ada, &old).await;
}

/// The handler ends the others and saves at the same time, and the end comes first.
pub async fn p7_a_login_beside_an_end_of_the_others_leaves_no_old_id(ground: Ground) {
    for catches in [false, true] {
        let house = house(ground);
        let users = house.layer.users();
        let ada = visitor_with_cart(&house).await;
        let old = ada.copy();
        let answer = ada.visit(async |session| {
            session.log_in("ada").await?;
            let (during, users) = (session.clone(), users.clone());
            let end = move || async move {
                users.end_others(&during).await.unwrap();
            };
            house.faulty.next(Create, Fault::after(end));
            let saved = session.save().await;
            if catches { Ok(()) } else { saved }
        });
        let answer = answer.await;
        if catches {
            answer.is_ok();
            assert_eq!(who(&ada).await.as_deref(), Some("ada"));
            is_worthless(&old).await;
        } else {
            answer.is_gone();
            repeat_login(&ada, &old).await;
        }
    }
}

pub async fn p7_a_login_after_a_refused_one_in_the_same_request_leaves_no_old_id(ground: Ground) {
    let house = house(ground);
    let users = house.layer.users();
    let ada = visitor_with_cart(&house).await;
    let old = ada.copy();
    let answer = ada.visit(async |session| {
        session.log_in("ada").await?;
        users.end_all("ada").await?;
        let refused = session.save().await;
        assert!(matches!(refused, Err(SessionError::Gone)), "{refused:?}");
        session.log_in("ada").await
    });
    answer.await.is_ok();
    assert_eq!(who(&ada).await.as_deref(), Some("ada"));
    has_cart(&ada).await;
    is_worthless(&old).await;
}
