//! Handles that stay open for minutes or hours after their request: websockets, streams, jobs.

use std::sync::{Arc, Mutex};

use cloakroom::store::StoreErrorKind;
use cloakroom::{Session, SessionError};

use crate::Command::{Load, Replace, Touch};
use crate::promises::Ground;
use crate::{Fault, HOUR, House, MINUTE, Trace, Visitor, poll_once, reply, respond};

/// Returns a handle of the visitor's session whose response has left.
async fn kept(visitor: &Visitor) -> Session {
    let slot = Arc::new(Mutex::new(None));
    let fill = slot.clone();
    let answer = visitor.ask(async move |lazy| {
        *fill.lock().unwrap() = Some(lazy.load().await.unwrap());
        reply(http::StatusCode::OK)
    });
    answer.await.is_ok();
    slot.lock().unwrap().take().expect("the handler has run")
}

async fn log_in(visitor: &Visitor, who: &str) {
    visitor.visit(async |session| session.log_in(who).await).await.is_ok();
}

async fn log_out(visitor: &Visitor) {
    visitor.visit(async |session| session.destroy().await).await.is_ok();
}

/// Returns the principal and the keys that the visitor's next request finds.
async fn found(visitor: &Visitor) -> String {
    let answer = visitor.visit(async |s| Ok((s.principal(), s.keys()))).await;
    answer.is_ok().body.clone()
}

async fn is_live(visitor: &Visitor) -> bool {
    visitor.visit(async |session| session.get::<u32>("k")).await.is_ok().body == "Some(1)"
}

/// Keeps the session in use for `minutes`.
async fn browse(house: &House, visitor: &Visitor, minutes: u32) {
    for _ in 0..minutes / 5 {
        house.clock.advance(5 * MINUTE);
        assert!(is_live(visitor).await);
    }
}

/// Makes the next commit end in doubt: its write is lost, and the store cannot be asked about it.
fn lose_next_write(house: &House) {
    house.faulty.next(Replace, Fault::LoseRequest);
    house.faulty.next(Load, Fault::Fail(StoreErrorKind::Unavailable));
}

pub async fn p8_a_save_that_is_repeated_does_not_shorten_the_session(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let session = kept(&guest).await;
    session.insert("note", "x").unwrap();
    lose_next_write(&house);
    let first = session.save().await;
    assert!(matches!(first, Err(SessionError::Unconfirmed(_))), "{first:?}");
    browse(&house, &guest, 40).await;
    session.save().await.unwrap();
    house.clock.advance(29 * MINUTE);
    assert_eq!(found(&guest).await, r#"(None, ["k", "note"])"#);
}

pub async fn p8_a_save_that_finds_its_lost_write_applied_keeps_the_session_alive(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let session = kept(&guest).await;
    session.insert("note", "x").unwrap();
    house.faulty.next(Replace, Fault::LoseReply);
    house.faulty.next(Load, Fault::Fail(StoreErrorKind::Unavailable));
    session.save().await.unwrap_err();
    house.clock.advance(25 * MINUTE);
    session.save().await.unwrap();
    house.clock.advance(25 * MINUTE);
    assert_eq!(found(&guest).await, r#"(None, ["k", "note"])"#);
}

pub async fn p8_a_repeated_save_after_the_absolute_lifetime_is_gone(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let session = kept(&guest).await;
    session.insert("note", "x").unwrap();
    lose_next_write(&house);
    session.save().await.unwrap_err();
    house.clock.advance(13 * HOUR);
    let in_doubt = session.save().await;
    assert!(matches!(in_doubt, Err(SessionError::Unconfirmed(None))), "{in_doubt:?}");
    session.discard();
    let over = session.save().await;
    assert!(matches!(over, Err(SessionError::Gone)), "{over:?}");
}

pub async fn p7_a_renewal_that_is_repeated_leaves_a_mark_that_lives(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let (tab, slow) = (guest.copy(), guest.copy());
    let answer = guest.visit(async |session| {
        session.renew()?;
        lose_next_write(&house);
        session.save().await.unwrap_err();
        browse(&house, &tab, 25).await;
        session.save().await
    });
    answer.await.is_ok();
    house.clock.advance(25 * MINUTE);
    slow.visit(async |session| session.insert("k", &2)).await.is_gone();
    assert!(is_live(&guest).await);
}

pub async fn p5_a_save_of_an_open_handle_is_checked_against_the_store(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let session = kept(&guest).await;
    guest.visit(async |session| session.insert("admin", &true)).await.is_ok();
    session.remove("admin").unwrap();
    session.save().await.unwrap();
    assert_eq!(found(&guest).await, r#"(None, ["k"])"#);
}

pub async fn p5_a_second_commit_of_a_request_is_checked_against_the_store(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let tab = guest.copy();
    let answer = guest.visit(async |session| {
        session.insert("note", "x")?;
        session.save().await?;
        tab.visit(async |session| session.insert("admin", &true)).await.is_ok();
        session.remove("admin")
    });
    answer.await.is_ok();
    assert_eq!(found(&guest).await, r#"(None, ["k", "note"])"#);
}

pub async fn p6_a_logout_of_an_old_handle_ends_the_renewed_session(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let session = kept(&guest).await;
    log_in(&guest, "ada").await;
    browse(&house, &guest, 20).await;
    session.destroy().await.unwrap();
    assert_eq!(found(&guest).await, "(None, [])");
}

pub async fn p6_an_old_handle_that_finds_nothing_denies_that_the_session_is_over(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    guest.visit(async |session| session.remember(8 * HOUR, 48 * HOUR)).await.is_ok();
    let session = kept(&guest).await;
    log_in(&guest, "ada").await;
    house.clock.advance(2 * HOUR);
    let ended = session.destroy().await;
    assert!(matches!(ended, Err(SessionError::Unconfirmed(None))), "{ended:?}");
    assert_eq!(found(&guest).await, r#"(Some("ada"), ["k"])"#);
}

pub async fn p6_an_old_id_ends_the_new_session_for_a_minute_only(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let thief = guest.copy();
    log_in(&guest, "ada").await;
    house.clock.advance(MINUTE);
    let answer = thief.ask(async |lazy| respond(lazy.destroy().await)).await;
    answer.is_gone();
    let answer = thief.visit(async |session| session.destroy().await).await;
    answer.is_gone();
    assert_eq!(found(&guest).await, r#"(Some("ada"), ["k"])"#);
}

pub async fn p6_an_open_handle_learns_that_its_session_is_over(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    log_in(&guest, "ada").await;
    let handles = [kept(&guest).await, kept(&guest).await, kept(&guest).await];
    log_out(&guest).await;
    let [saved, reloaded, touched] = &handles;
    let answers = [saved.save().await, reloaded.reload().await, touched.touch().await];
    for (session, answer) in handles.iter().zip(answers) {
        assert!(matches!(answer, Err(SessionError::Gone)), "{answer:?}");
        session.discard();
        assert_eq!((session.principal(), session.keys()), (None, vec![]));
        assert!(matches!(session.save().await, Err(SessionError::Gone)));
        session.insert("k", &2).unwrap();
        assert!(matches!(session.save().await, Err(SessionError::Gone)));
        assert_eq!(session.get::<u32>("k").unwrap(), None);
    }
}

pub async fn p6_a_request_that_overlooks_gone_is_not_acknowledged(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let answer = guest
        .visit(async |session| {
            log_out(&guest.copy()).await;
            session.insert("k", &2)?;
            session.save().await.unwrap_err();
            Ok("stored")
        })
        .await;
    answer.is_gone();
}

pub async fn a_reload_shows_what_others_have_stored_and_keeps_what_is_not_saved(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let session = kept(&guest).await;
    session.insert("mine", &1).unwrap();
    guest.visit(async |session| session.insert("theirs", &2)).await.is_ok();
    session.reload().await.unwrap();
    assert_eq!(session.keys(), ["k", "mine", "theirs"]);
    assert_eq!(found(&guest).await, r#"(None, ["k", "theirs"])"#);
    session.save().await.unwrap();
    assert_eq!(found(&guest).await, r#"(None, ["k", "mine", "theirs"])"#);
}

pub async fn p7_a_reload_does_not_follow_a_login(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let thief = kept(&guest).await;
    log_in(&guest, "ada").await;
    let answer = thief.reload().await;
    assert!(matches!(answer, Err(SessionError::Gone)), "{answer:?}");
    assert_eq!((thief.principal(), thief.keys()), (None, vec![]));
}

pub async fn a_handle_of_a_visitor_without_a_session_has_nothing_to_reload(ground: Ground) {
    let house = ground();
    let session = kept(&house.visitor()).await;
    session.reload().await.unwrap();
    session.touch().await.unwrap();
    session.save().await.unwrap();
    assert!(house.counting.take().is_empty());
}

pub async fn a_touch_keeps_an_open_session_alive(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let session = kept(&guest).await;
    house.counting.take();
    for _ in 0..4 {
        house.clock.advance(20 * MINUTE);
        session.touch().await.unwrap();
    }
    assert_eq!(house.counting.take(), [Touch, Touch, Touch, Touch]);
    house.clock.advance(29 * MINUTE);
    assert!(is_live(&guest).await);
}

pub async fn a_touch_finds_a_session_that_others_have_changed(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let session = kept(&guest).await;
    guest.visit(async |session| session.insert("note", "x")).await.is_ok();
    house.clock.advance(20 * MINUTE);
    session.touch().await.unwrap();
    assert!(session.contains("note").unwrap());
    house.clock.advance(20 * MINUTE);
    assert!(is_live(&guest).await);
}

pub async fn p7_a_slow_request_never_puts_an_anonymous_cookie_over_a_login(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let slow = guest.copy();
    log_in(&guest, "ada").await;
    browse(&house, &guest, 25).await;
    slow.visit(async |session| session.insert("k", &2)).await.is_gone();
    slow.visit(async |session| session.renew()).await.is_gone();
}

pub async fn p5_a_change_is_never_merged_into_another_users_session(ground: Ground) {
    let house = ground();
    let (ada, bob) = (house.guest().await, house.guest().await);
    log_in(&bob, "bob").await;
    assert!(is_live(&bob).await);
    let bobs = house.entry().await;
    log_in(&ada, "ada").await;
    let answer = ada.visit(async |session| {
        house.overwrite(bobs.bytes.clone()).await;
        session.insert("k", &2)
    });
    answer.await.is_conflict_on("principal");
    assert!(is_live(&ada).await, "what is there now is as it was");
}

fn warnings(trace: &Trace) -> usize {
    trace.lines().iter().filter(|line| line.contains("never saved")).count()
}

pub async fn a_change_after_the_response_that_nobody_saves_is_reported(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let (saved, unsaved) = (kept(&guest).await, kept(&guest).await);
    saved.insert("saved", &1).unwrap();
    saved.save().await.unwrap();
    unsaved.insert("unsaved", &1).unwrap();
    let trace = Trace::listen();
    drop(saved);
    assert_eq!(warnings(&trace), 0);
    let clone = unsaved.clone();
    drop(unsaved);
    assert_eq!(warnings(&trace), 0);
    drop(clone);
    assert_eq!(warnings(&trace), 1, "{:?}", trace.lines());
}

/// A loop that selects between a `save` and a client who has stopped reading polls the `save` once
/// and then no more.
pub async fn p5_a_save_that_nobody_polls_any_more_holds_nothing(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let session = kept(&guest).await;
    house.faulty.next(Replace, Fault::Delay(MINUTE / 600));
    session.insert("note", "x").unwrap();
    let mut save = Box::pin(session.save());
    assert!(poll_once(&mut save).is_none());
    session.clone().touch().await.unwrap();
    assert_eq!(found(&guest).await, r#"(None, ["k", "note"])"#);
    save.await.unwrap();
}
