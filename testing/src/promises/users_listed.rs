//! The end of a session that a list of a user's sessions has shown: it ends that session, wherever
//! renewals have taken it, and no other that has begun in the same browser since.

use cloakroom::{Session, SessionError};

use super::users::{house, is_in, log_in, who};
use crate::promises::Ground;
use crate::{House, MINUTE};

/// Returns the only session of ada, as a job finds it.
async fn listed(house: &House) -> Session {
    let mut sessions = house.layer.users().sessions_of("ada").await.unwrap();
    let session = sessions.pop().expect("a session");
    assert!(sessions.is_empty());
    session
}

pub async fn p6_the_end_of_a_listed_session_spares_the_login_of_another_over_it(ground: Ground) {
    let house = house(ground);
    let browser = log_in(&house, "ada").await;
    let session = listed(&house).await;
    house.clock.advance(MINUTE);
    browser.visit(async |session| session.log_in("bob").await).await.is_ok();
    browser.visit(async |session| session.renew()).await.is_ok();
    session.destroy().await.unwrap();
    assert!(is_in(&browser, "bob").await);
}

pub async fn p6_the_end_of_a_listed_session_that_has_learned_of_it_spares_that_login(
    ground: Ground,
) {
    let house = house(ground);
    let browser = log_in(&house, "ada").await;
    let session = listed(&house).await;
    browser.visit(async |session| session.log_in("bob").await).await.is_ok();
    session.insert("note", "late").unwrap();
    assert!(matches!(session.save().await, Err(SessionError::Gone)));
    session.destroy().await.unwrap();
    assert!(is_in(&browser, "bob").await);
}

pub async fn p6_the_end_of_a_listed_session_spares_the_visitor_who_has_logged_out(ground: Ground) {
    let house = house(ground);
    let browser = log_in(&house, "ada").await;
    browser.visit(async |session| session.insert("cart", "apple")).await.is_ok();
    let session = listed(&house).await;
    browser.visit(async |session| session.log_out_keeping_data()).await.is_ok();
    session.destroy().await.unwrap();
    let cart = browser.visit(async |session| session.get::<String>("cart")).await;
    assert_eq!(cart.body, r#"Some("apple")"#);
}

pub async fn p6_the_end_of_a_listed_session_spares_the_next_login_of_its_user(ground: Ground) {
    let house = house(ground);
    let browser = log_in(&house, "ada").await;
    let session = listed(&house).await;
    browser.visit(async |session| session.log_in("bob").await).await.is_ok();
    browser.visit(async |session| session.log_in("ada").await).await.is_ok();
    session.destroy().await.unwrap();
    assert!(is_in(&browser, "ada").await);
}

pub async fn p6_the_end_of_a_listed_session_reaches_it_through_renewals(ground: Ground) {
    for learns_of_it in [false, true] {
        let house = house(ground);
        let browser = log_in(&house, "ada").await;
        let session = listed(&house).await;
        for _ in 0..2 {
            house.clock.advance(MINUTE);
            browser.visit(async |session| session.renew()).await.is_ok();
        }
        if learns_of_it {
            session.insert("note", "late").unwrap();
            assert!(matches!(session.save().await, Err(SessionError::Gone)));
        }
        session.destroy().await.unwrap();
        assert_eq!(who(&browser).await, None);
    }
}
