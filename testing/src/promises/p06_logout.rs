//! P6: logout is final.

use cloakroom::SessionError;
use cloakroom::store::StoreErrorKind;

use crate::Command::{self, Create, Load, Replace};
use crate::promises::Ground;
use crate::{Fault, House, MINUTE, Visitor, reply, respond, settle};

async fn log_out(visitor: &Visitor) {
    visitor.visit(async |session| session.destroy().await).await.is_ok();
}

async fn renew(visitor: &Visitor) {
    let answer = visitor.visit(async |session| {
        session.renew().unwrap();
        Ok(())
    });
    answer.await.is_ok();
}

/// Returns whether the session is still live for this visitor's cookies.
async fn is_live(visitor: &Visitor) -> bool {
    let answer = visitor.visit(async |session| session.get::<u32>("k")).await;
    assert_eq!(answer.set_cookies(), Vec::<&str>::new());
    answer.is_ok().body == "Some(1)"
}

pub async fn p6_a_writer_in_flight_gets_gone_and_no_cookie(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let answer = guest
        .visit(async |session| {
            log_out(&guest.copy()).await;
            session.insert("k", &2)
        })
        .await;
    answer.is_gone();
    assert!(!is_live(&guest).await);
}

pub async fn p6_a_writer_whose_own_answer_was_lost_gets_503(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let tab = guest.copy();
    house.faulty.next(Replace, Fault::LoseRequest);
    house.faulty.next(Load, Fault::Pass);
    house.faulty.next(Load, Fault::after(move || async move { log_out(&tab).await }));
    let answer = guest.visit(async |session| session.insert("k", &2)).await;
    assert!(matches!(answer.error, Some(SessionError::Unconfirmed(_))), "{answer:?}");
    answer.is_outage();
    assert_eq!(answer.set_cookies(), Vec::<&str>::new());
    assert!(!is_live(&guest).await);
}

pub async fn p6_a_write_executed_after_the_logout_brings_nothing_back(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let thief = guest.copy();
    house.faulty.next(Replace, Fault::Late);
    house.faulty.next(Load, Fault::Pass);
    house.faulty.next(Load, Fault::Fail(StoreErrorKind::Unavailable));
    guest.visit(async |session| session.insert("k", &2)).await.is_outage();
    log_out(&guest).await;
    house.faulty.deliver().await;
    assert!(!is_live(&thief).await);
}

pub async fn p6_a_touch_executed_after_the_logout_brings_nothing_back(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let thief = guest.copy();
    house.clock.advance(10 * MINUTE);
    house.faulty.next(Command::Touch, Fault::Late);
    assert!(is_live(&guest).await);
    log_out(&guest).await;
    let mark = house.entry().await;
    house.faulty.deliver().await;
    assert_eq!(house.entry().await, mark);
    assert!(!is_live(&thief).await);
}

pub async fn p6_a_request_after_the_logout_is_a_new_visitor(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let thief = guest.copy();
    log_out(&guest).await;
    assert_eq!(guest.cookie(crate::COOKIE), None);
    let before = thief.ticket();
    let answer = thief.visit(async |session| session.insert("k", &5)).await;
    answer.is_ok();
    assert_ne!(thief.ticket(), before);
}

pub async fn p6_the_ended_session_is_over_at_every_moment_after() {
    let house = House::open();
    let guest = house.guest().await;
    let thief = guest.copy();
    log_out(&guest).await;
    for _ in 0..12 {
        assert!(!is_live(&thief).await);
        house.clock.advance(10 * std::time::Duration::from_secs(1));
    }
    house.memory().purge_expired();
    assert!(house.memory().is_empty(), "the mark goes by itself");
}

pub async fn p6_a_renewal_in_flight_when_the_logout_comes_first_is_gone() {
    let house = House::open();
    let guest = house.guest().await;
    let answer = guest
        .visit(async |session| {
            log_out(&guest.copy()).await;
            session.renew().unwrap();
            Ok(())
        })
        .await;
    answer.is_gone();
    assert!(!is_live(&guest).await);
    house.clock.advance(2 * MINUTE);
    house.memory().purge_expired();
    assert!(house.memory().is_empty(), "the record made in vain was removed");
}

/// The logout's handler has loaded the session. The renewal is acknowledged before the logout is
/// sent.
pub async fn p6_a_logout_ends_what_a_quicker_renewal_made(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let tab = guest.copy();
    let answer = tab
        .visit(async |session| {
            renew(&guest).await;
            assert!(is_live(&guest).await);
            session.destroy().await
        })
        .await;
    answer.is_ok();
    assert!(!is_live(&guest).await, "the renewed session");
}

/// The renewal has written its new record, but has not replaced the old one yet.
pub async fn p6_a_logout_between_the_two_writes_of_a_renewal_ends_it() {
    let house = House::open();
    let guest = house.guest().await;
    let tab = elsewhere(&house, &guest.copy());
    house.faulty.next(Replace, Fault::after(move || async move { log_out(&tab).await }));
    let answer = guest.visit(async |session| {
        session.renew().unwrap();
        Ok(())
    });
    answer.await.is_gone();
    assert!(!is_live(&guest).await);
    house.clock.advance(2 * MINUTE);
    house.memory().purge_expired();
    assert!(house.memory().is_empty());
}

pub async fn p6_a_logout_follows_two_renewals_in_a_row(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let tab = guest.copy();
    let answer = tab
        .visit(async |session| {
            renew(&guest).await;
            renew(&guest).await;
            session.destroy().await
        })
        .await;
    answer.is_ok();
    assert!(!is_live(&guest).await);
}

pub async fn p6_a_logout_without_loading_follows_a_renewal(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let tab = guest.copy();
    renew(&guest).await;
    tab.ask(async |lazy| respond(lazy.destroy().await)).await.is_ok();
    assert!(!is_live(&guest).await);
}

pub async fn p6_a_write_that_loaded_the_mark_of_a_renewal_is_gone(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let tab = guest.copy();
    renew(&guest).await;
    tab.visit(async |session| session.insert("k", &2)).await.is_gone();
    assert!(is_live(&guest).await);
}

pub async fn p6_a_renewal_that_loaded_the_mark_of_another_begins_a_new_session(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let tab = guest.copy();
    renew(&guest).await;
    let answer = tab.visit(async |session| session.log_in("ada").await).await;
    assert_eq!(answer.is_ok().set_cookies().len(), 1);
    let who = tab.visit(async |session| Ok((session.principal(), session.keys()))).await;
    assert_eq!(who.body, r#"(Some("ada"), [])"#);
    assert!(is_live(&guest).await, "the other one goes on");
}

pub async fn p6_a_late_renewal_after_the_logout_makes_nothing(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let thief = guest.copy();
    house.faulty.next(Replace, Fault::Late);
    house.faulty.next(Load, Fault::Pass);
    house.faulty.next(Load, Fault::Fail(StoreErrorKind::Unavailable));
    let answer = guest.visit(async |session| {
        session.renew().unwrap();
        Ok(())
    });
    let answer = answer.await;
    answer.is_outage();
    assert_eq!(answer.set_cookies(), Vec::<&str>::new());
    log_out(&guest).await;
    house.faulty.deliver().await;
    assert!(!is_live(&thief).await);
}

pub async fn p6_a_request_in_flight_without_a_session_never_sets_a_removal_cookie(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let tab = guest.copy();
    log_out(&guest).await;
    let read = tab.visit(async |session| session.get::<u32>("k")).await;
    assert_eq!(read.set_cookies(), Vec::<&str>::new());
    let changed = tab
        .visit(async |session| {
            session.remove("k").unwrap();
            session.clear().unwrap();
            session.renew().unwrap();
            Ok(())
        })
        .await;
    assert_eq!(changed.is_ok().set_cookies(), Vec::<&str>::new());
    let nobody = house.visitor();
    let left = nobody.visit(async |session| session.destroy().await).await;
    assert_eq!(left.is_ok().set_cookies(), Vec::<&str>::new());
}

pub async fn p6_changes_before_the_logout_are_dropped_and_changes_after_begin_anew(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let old = guest.copy();
    let answer = guest
        .visit(async |session| {
            session.insert("before", &1)?;
            session.destroy().await?;
            assert!(session.is_new() && session.keys().is_empty());
            session.insert("after", &2)
        })
        .await;
    assert_eq!(answer.is_ok().set_cookies().len(), 1);
    let keys = guest.visit(async |session| Ok(session.keys())).await;
    assert_eq!(keys.body, r#"["after"]"#);
    assert_ne!(guest.ticket(), old.ticket());
    assert!(!is_live(&old).await);
}

pub async fn p6_a_logout_whose_answer_was_lost_is_looked_up(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let thief = guest.copy();
    house.faulty.next(Replace, Fault::LoseReply);
    log_out(&guest).await;
    assert_eq!(house.counting.take(), [Load, Replace, Load]);
    assert!(!is_live(&thief).await);
}

pub async fn p6_an_unconfirmed_logout_keeps_the_cookie_and_can_be_tried_again(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    house.faulty.always(Replace, || Fault::Fail(StoreErrorKind::Unavailable));
    let answer = guest.visit(async |session| session.destroy().await).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.set_cookies(), Vec::<&str>::new());
    house.faulty.clear_faults();
    assert!(is_live(&guest).await);
    let thief = guest.copy();
    log_out(&guest).await;
    assert!(!is_live(&thief).await);
}

pub async fn p6_a_handler_that_overlooks_a_failed_logout_is_answered_503(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    house.faulty.always(Replace, || Fault::Fail(StoreErrorKind::Unavailable));
    let answer = guest.visit(async |session| {
        session.destroy().await.ok();
        Ok("goodbye")
    });
    let answer = answer.await;
    answer.is_outage();
    assert_eq!(answer.set_cookies(), Vec::<&str>::new());
}

pub async fn p6_a_logout_that_fails_at_first_succeeds_by_the_end_of_the_request(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let thief = guest.copy();
    house.faulty.next(Replace, Fault::Fail(StoreErrorKind::Unavailable));
    let answer = guest.visit(async |session| {
        session.destroy().await.ok();
        Ok("goodbye")
    });
    let answer = answer.await;
    answer.is_ok();
    assert!(answer.set_cookies()[0].contains("Max-Age=0"));
    assert!(!is_live(&thief).await);
}

/// A removal cookie has the attributes of the live one. With others, browsers would keep both.
pub async fn p6_the_removal_cookie_is_the_live_cookies_twin(ground: Ground) {
    let house = ground();
    let guest = house.visitor();
    let live = guest.visit(async |session| session.insert("k", &1)).await;
    let (_, attributes) =
        live.set_cookies()[0].split_once(';').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let gone = guest.visit(async |session| session.destroy().await).await;
    let removal = gone.set_cookies()[0].replace("; Max-Age=0", "");
    assert_eq!(removal, format!("__Host-id=;{attributes}"));
}

pub async fn p6_two_logouts_at_once_both_succeed() {
    let house = House::open();
    let guest = house.guest().await;
    let tab = guest.copy();
    let answer = guest
        .visit(async |session| {
            log_out(&tab).await;
            session.destroy().await
        })
        .await;
    answer.is_ok();
    settle().await;
    assert_eq!(house.counting.take(), [Load, Load, Replace, Replace]);
}

pub async fn p6_a_failed_handler_after_a_logout_does_not_undo_it(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let thief = guest.copy();
    let answer = guest
        .ask(async |lazy| {
            lazy.destroy().await.unwrap();
            reply(http::StatusCode::INTERNAL_SERVER_ERROR)
        })
        .await;
    assert!(answer.set_cookies()[0].contains("Max-Age=0"));
    assert!(!is_live(&thief).await);
    assert_eq!(house.counting.take().iter().filter(|&&command| command == Create).count(), 0);
}

fn elsewhere(house: &House, visitor: &Visitor) -> Visitor {
    visitor.at(&house.server(house.store.clone(), house.key.clone()))
}

/// One clone of a handle logs out while another one saves. Changes from before the logout belong to
/// the session that is over; changes after it belong to the next session.
pub async fn p6_nothing_of_a_save_that_failed_beside_the_logout_is_in_the_next_session() {
    let house = House::open();
    let guest = house.guest().await;
    let tab = guest.copy();
    let answer = guest.visit(async |session| {
        log_out(&tab).await;
        house.faulty.next(Replace, Fault::Delay(MINUTE / 60));
        session.insert("before", &1)?;
        let clone = session.clone();
        let saving = tokio::spawn(async move { clone.save().await });
        tokio::task::yield_now().await;
        let (saved, destroyed) = tokio::join!(saving, session.destroy());
        assert!(matches!(saved.unwrap(), Err(SessionError::Gone)));
        destroyed?;
        session.insert("after", &2)
    });
    answer.await.is_ok();
    let keys = guest.visit(async |session| Ok(session.keys())).await;
    assert_eq!(keys.body, "[\"after\"]");
}

pub async fn p6_a_logout_in_doubt_denies_nothing(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    house.faulty.next(Load, Fault::Pass);
    house.faulty.next(Replace, Fault::LoseReply);
    house.faulty.next(Load, Fault::Fail(StoreErrorKind::Unavailable));
    let answer = guest.visit(async |session| session.destroy().await).await;
    assert!(matches!(answer.error, Some(SessionError::Unconfirmed(Some(_)))), "{answer:?}");
    assert_eq!(answer.status, 503);
    assert!(!is_live(&guest).await, "its mark had been applied");
}
