//! P7: after a login the old id is worthless.

use cloakroom::store::StoreErrorKind;

use crate::Command::{Create, Delete, Load, Replace};
use crate::promises::Ground;
use crate::{Fault, House, MINUTE, Visitor};

async fn log_in(visitor: &Visitor) -> crate::Answer {
    visitor.visit(async |session| session.log_in("ada").await).await
}

async fn state(visitor: &Visitor) -> String {
    let look = visitor.visit(async |session| Ok((session.get::<u32>("k")?, session.principal())));
    look.await.is_ok().body.clone()
}

const LOGGED_IN: &str = r#"(Some(1), Some("ada"))"#;
const ANONYMOUS: &str = "(Some(1), None)";
const NOBODY: &str = "(None, None)";

pub async fn p7_after_a_login_the_old_ticket_finds_nothing(ground: Ground) {
    let house = ground();
    let victim = house.guest().await;
    let attacker = victim.copy();
    log_in(&victim).await.is_ok();
    assert_ne!(victim.ticket(), attacker.ticket());
    assert_eq!(state(&attacker).await, NOBODY);
    assert_eq!(state(&victim).await, LOGGED_IN);
    house.clock.advance(2 * MINUTE);
    assert_eq!(state(&attacker).await, NOBODY, "when the mark is gone as well");
}

pub async fn p7_a_writer_in_flight_on_the_old_id_gets_gone(ground: Ground) {
    let house = ground();
    let victim = house.guest().await;
    let attacker = victim.copy();
    let answer = attacker
        .visit(async |session| {
            log_in(&victim).await.is_ok();
            session.insert("k", &666)
        })
        .await;
    answer.is_gone();
    assert_eq!(state(&victim).await, LOGGED_IN);
}

pub async fn p7_a_write_between_the_two_writes_of_a_login_moves_along(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let tab = guest.copy();
    let tab = tab.at(&house.server(house.store.clone(), house.key.clone()));
    house.faulty.next(
        Replace,
        Fault::after(move || async move {
            tab.visit(async |session| session.insert("cart", &3)).await.is_ok();
        }),
    );
    log_in(&guest).await.is_ok();
    assert_eq!(house.counting.take(), [Load, Create, Replace, Replace, Replace]);
    let cart = guest.visit(async |session| session.get::<u32>("cart")).await;
    assert_eq!(cart.body, "Some(3)");
    assert_eq!(state(&guest).await, LOGGED_IN);
}

pub async fn p7_of_two_logins_at_once_the_other_begins_anew(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let tab = guest.copy();
    let slower = tab
        .visit(async |session| {
            log_in(&guest).await.is_ok();
            session.log_in("bob").await
        })
        .await;
    slower.is_ok();
    let new_login = [Create, Replace, Delete, Load, Create];
    assert_eq!(house.counting.take(), [&[Load, Load, Create, Replace], &new_login[..]].concat());
    assert_eq!(state(&guest).await, LOGGED_IN);
}

pub async fn p7_a_login_whose_answer_was_lost_is_looked_up(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let attacker = guest.copy();
    house.faulty.next(Replace, Fault::LoseReply);
    log_in(&guest).await.is_ok();
    assert_eq!(house.counting.take(), [Load, Create, Replace, Load]);
    assert_eq!(state(&guest).await, LOGGED_IN);
    assert_eq!(state(&attacker).await, NOBODY);
}

pub async fn p7_a_login_whose_request_was_lost_is_sent_again() {
    let house = House::open();
    let guest = house.guest().await;
    let attacker = guest.copy();
    house.faulty.next(Replace, Fault::Late);
    log_in(&guest).await.is_ok();
    house.faulty.deliver().await;
    assert_eq!(state(&guest).await, LOGGED_IN);
    assert_eq!(state(&attacker).await, NOBODY);
}

pub async fn p7_an_unconfirmed_login_exposes_nothing(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    for fault in [Fault::LoseReply, Fault::LoseRequest] {
        house.faulty.next(Replace, fault);
        house.faulty.next(Load, Fault::Pass);
        house.faulty.next(Load, Fault::Fail(StoreErrorKind::Unavailable));
    }
    let answer = log_in(&guest).await;
    answer.is_outage();
    assert_eq!(answer.set_cookies(), Vec::<&str>::new());
    assert_eq!(state(&guest.copy()).await, NOBODY, "ended, and never the logged-in session");

    let guest = house.guest().await;
    house.faulty.clear_faults();
    house.faulty.next(Replace, Fault::LoseRequest);
    house.faulty.next(Load, Fault::Pass);
    house.faulty.next(Load, Fault::Fail(StoreErrorKind::Unavailable));
    log_in(&guest).await.is_outage();
    assert_eq!(state(&guest).await, ANONYMOUS, "whole, and never the logged-in session");
}

pub async fn p7_a_login_whose_new_record_cannot_be_written_leaves_the_old_session_whole(
    ground: Ground,
) {
    let house = ground();
    let guest = house.guest().await;
    house.faulty.always(Create, || Fault::Fail(StoreErrorKind::Unavailable));
    log_in(&guest).await.is_outage();
    assert_eq!(state(&guest).await, ANONYMOUS);
}

pub async fn p7_the_absolute_lifetime_begins_anew_and_the_data_stays(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    house.clock.advance(20 * MINUTE);
    log_in(&guest).await.is_ok();
    let begun = guest.visit(async |session| Ok(session.created_at())).await;
    let now = std::time::SystemTime::from(house.clock.now());
    assert_eq!(begun.body, format!("{:?}", Some(now)));
    assert_eq!(state(&guest).await, LOGGED_IN);
}

pub async fn p7_no_id_is_ever_given_out_twice(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let mut tickets = std::collections::BTreeSet::from([guest.ticket()]);
    for _ in 0..50 {
        log_in(&guest).await.is_ok();
        assert!(tickets.insert(guest.ticket()));
        let written = guest.visit(async |session| session.insert("n", &tickets.len())).await;
        assert_eq!(written.is_ok().set_cookies(), Vec::<&str>::new());
    }
}
