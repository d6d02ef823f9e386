//! Logins that are sent twice, or whose session moves or ends meanwhile: they begin anew.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;

use cloakroom::SessionError;
use cloakroom::store::StoreErrorKind::Indeterminate;

use super::hurried::hurried;
use crate::Command::Replace;
use crate::promises::Ground;
use crate::{Fault, House, MINUTE, Visitor};

/// Returns a visitor without a login who has a cart.
async fn shopper(house: &House) -> Visitor {
    let shopper = house.visitor();
    shopper.visit(async |session| session.insert("cart", &["apple"])).await.is_ok();
    shopper
}

/// Returns the principal and the keys that the visitor's next request finds.
async fn found(visitor: &Visitor) -> String {
    let answer = visitor.visit(async |s| Ok((s.principal(), s.keys()))).await;
    answer.is_ok().body.clone()
}

const ADA_WITH_CART: &str = r#"(Some("ada"), ["cart"])"#;
const ADA_ALONE: &str = r#"(Some("ada"), [])"#;

pub async fn p7_both_requests_of_a_double_click_log_in_and_find_the_cart(ground: Ground) {
    let house = ground();
    let first = shopper(&house).await;
    let second = first.copy();
    let answer = second.visit(async |session| {
        first.visit(async |session| session.log_in("ada").await).await.is_ok();
        session.log_in("ada").await
    });
    assert_eq!(answer.await.is_ok().set_cookies().len(), 1);
    // Either answer may be the last to reach the browser.
    assert_eq!(found(&first).await, ADA_WITH_CART);
    assert_eq!(found(&second).await, ADA_WITH_CART);
}

pub async fn p7_a_double_click_that_moves_the_cart_is_no_conflict(ground: Ground) {
    let house = ground();
    let first = shopper(&house).await;
    let second = first.copy();
    let log_in = async |session: cloakroom::Session| {
        let cart: Vec<String> = session.take("cart")?.unwrap_or_default();
        session.log_in("ada").await?;
        session.insert("basket", &cart)
    };
    let answer = second.visit(async |session| {
        first.visit(log_in).await.is_ok();
        log_in(session).await
    });
    answer.await.is_ok();
    assert_eq!(found(&second).await, r#"(Some("ada"), ["basket"])"#);
}

pub async fn p7_a_login_that_is_repeated_later_finds_the_cart(ground: Ground) {
    let house = ground();
    let shopper = shopper(&house).await;
    let lost = shopper.copy();
    lost.visit(async |session| session.log_in("ada").await).await.is_ok();
    house.clock.advance(10 * MINUTE);
    shopper.visit(async |session| session.log_in("ada").await).await.is_ok();
    assert_eq!(found(&shopper).await, ADA_WITH_CART);
}

pub async fn p7_a_login_as_another_finds_nothing_of_the_first(ground: Ground) {
    let house = ground();
    let shopper = shopper(&house).await;
    let other = shopper.copy();
    other.visit(async |session| session.log_in("bob").await).await.is_ok();
    shopper.visit(async |session| session.log_in("ada").await).await.is_ok();
    assert_eq!(found(&shopper).await, ADA_ALONE);
    assert_eq!(found(&other).await, r#"(Some("bob"), ["cart"])"#);
}

pub async fn p7_a_login_as_another_user_clears_what_the_first_has_left(ground: Ground) {
    let house = ground();
    let shopper = shopper(&house).await;
    shopper.visit(async |session| session.log_in("ada").await).await.is_ok();
    assert_eq!(found(&shopper).await, ADA_WITH_CART);
    // The same user again, as for a second factor.
    shopper.visit(async |session| session.log_in("ada").await).await.is_ok();
    assert_eq!(found(&shopper).await, ADA_WITH_CART);
    let answer = shopper.visit(async |session| {
        session.insert("address", "Ada's")?;
        session.flash("for Ada")?;
        session.log_in("bob").await?;
        assert!(session.keys().is_empty());
        session.insert("note", "Bob's")
    });
    answer.await.is_ok();
    assert_eq!(found(&shopper).await, r#"(Some("bob"), ["note"])"#);
    // Two logins in one request.
    let answer = shopper.visit(async |session| {
        session.log_in("ada").await?;
        session.insert("note", "Ada's")?;
        session.log_in("bob").await
    });
    answer.await.is_ok();
    assert_eq!(found(&shopper).await, r#"(Some("bob"), [])"#);
    // A logout that keeps the data leaves them to whoever comes next.
    let answer = shopper.visit(async |session| {
        session.insert("cart", &["apple"])?;
        session.log_out_keeping_data()?;
        session.log_in("ada").await
    });
    answer.await.is_ok();
    assert_eq!(found(&shopper).await, ADA_WITH_CART);
}

pub async fn p7_a_login_whose_session_is_logged_out_meanwhile_begins_anew(ground: Ground) {
    let house = ground();
    let shopper = shopper(&house).await;
    let tab = shopper.copy();
    let answer = shopper.visit(async |session| {
        tab.visit(async |session| session.destroy().await).await.is_ok();
        session.log_in("ada").await
    });
    assert_eq!(answer.await.is_ok().set_cookies().len(), 1);
    assert_eq!(found(&shopper).await, ADA_ALONE);
}

pub async fn p7_a_login_after_gone_begins_anew_in_the_same_request(ground: Ground) {
    let house = ground();
    let shopper = shopper(&house).await;
    let tab = shopper.copy();
    let answer = shopper.visit(async |session| {
        tab.visit(async |session| session.destroy().await).await.is_ok();
        session.insert("note", "x")?;
        session.save().await.unwrap_err();
        session.log_in("ada").await
    });
    assert_eq!(answer.await.is_ok().set_cookies().len(), 1);
    assert_eq!(found(&shopper).await, ADA_ALONE);
}

pub async fn p7_a_renewal_alone_does_not_begin_anew(ground: Ground) {
    let house = ground();
    let shopper = shopper(&house).await;
    let tab = shopper.copy();
    let answer = shopper.visit(async |session| {
        tab.visit(async |session| session.log_in("ada").await).await.is_ok();
        session.log_out_keeping_data()?;
        session.renew()
    });
    answer.await.is_gone();
}

/// Both tickets of a double click may be in the browser, so a logout ends both sessions.
pub async fn p6_a_logout_that_cannot_end_the_session_before_the_login_is_unconfirmed(
    ground: Ground,
) {
    let attempt = hurried(async |timeout| {
        let house = ground();
        let first = shopper(&house).await;
        let second = first.copy().at(&house.layer.clone().commit_timeout(timeout));
        let was_met = Arc::new(AtomicBool::new(false));
        let answer = second.visit(async |session| {
            first.visit(async |session| session.log_in("ada").await).await.is_ok();
            session.log_in("ada").await?;
            session.save().await?;
            house.faulty.next(Replace, Fault::Pass);
            let was_met = was_met.clone();
            house.faulty.always(Replace, move || {
                was_met.store(true, SeqCst);
                Fault::Fail(Indeterminate)
            });
            session.destroy().await
        });
        let answer = answer.await;
        assert!(answer.error.is_some(), "{answer:?}");
        was_met.load(SeqCst).then_some((house, first, answer))
    });
    let (house, first, answer) = attempt.await;
    assert!(matches!(answer.error, Some(SessionError::Unconfirmed(_))), "{answer:?}");
    house.faulty.clear_faults();
    assert_eq!(found(&first).await, ADA_WITH_CART);
}
