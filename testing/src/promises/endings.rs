//! Ends of sessions, logins and requests that do not go as usual.

use std::cell::Cell;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cloakroom::store::StoreErrorKind;
use cloakroom::{Session, SessionError, UnreadablePolicy};

use super::hurried::hurried;
use crate::Command::{Create, Load, Replace};
use crate::promises::Ground;
use crate::{COOKIE, Fault, HOUR, House, MINUTE, Trace, Visitor, reply, respond};

/// A place where a handler leaves its session for later.
type Kept = Arc<Mutex<Option<Session>>>;

fn take(kept: &Kept) -> Session {
    kept.lock().unwrap().take().expect("the handler has run")
}

/// Sends a request whose handler prepares the session, keeps a handle, and answers with `status`.
async fn keep(
    visitor: &Visitor,
    status: u16,
    prepare: impl AsyncFnOnce(&Session) -> Result<(), SessionError>,
) -> Session {
    let kept = Kept::default();
    let fill = kept.clone();
    let request = visitor.ask(async move |lazy| {
        let session = lazy.load().await.unwrap();
        prepare(&session).await.unwrap();
        *fill.lock().unwrap() = Some(session);
        reply(http::StatusCode::from_u16(status).unwrap())
    });
    request.await;
    take(&kept)
}

async fn log_in(visitor: &Visitor, who: &str) {
    visitor.visit(async |session| session.log_in(who).await).await.is_ok();
}

async fn found(visitor: &Visitor) -> String {
    visitor.visit(async |s| Ok((s.principal(), s.keys()))).await.body
}

/// Returns a visitor who sends several tickets.
fn with_tickets(house: &House, tickets: &[String]) -> Visitor {
    let visitor = house.visitor();
    visitor.set_cookie(COOKIE, &tickets.join(&format!("; {COOKIE}=")));
    visitor
}

const ADA: &str = r#"(Some("ada"), ["k"])"#;
const NOBODY: &str = "(None, [])";

pub async fn p6_a_logout_that_keeps_data_is_refused_where_the_login_goes_on(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    log_in(&guest, "ada").await;
    let tab = guest.copy();
    let open = keep(&guest, 200, async |_| Ok(())).await;
    guest.visit(async |session| session.renew()).await.is_ok();
    tab.visit(async |session| session.log_out_keeping_data()).await.is_gone();
    open.reload().await.unwrap_err();
    open.log_out_keeping_data().unwrap();
    assert!(matches!(open.save().await, Err(SessionError::Gone)));
    assert_eq!(found(&guest).await, ADA);
}

pub async fn p6_a_handle_that_found_a_mark_remembers_where_the_session_went(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let tab = guest.copy();
    log_in(&guest, "ada").await;
    let open = keep(&tab, 200, async |_| Ok(())).await;
    for _ in 0..7 {
        house.clock.advance(5 * MINUTE);
        found(&guest).await;
    }
    assert!(matches!(open.destroy().await, Err(SessionError::Gone)));
    assert_eq!(found(&guest).await, ADA);
}

pub async fn p6_a_logout_beside_the_ticket_from_before_the_login_succeeds(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let old = guest.ticket();
    log_in(&guest, "ada").await;
    house.clock.advance(2 * MINUTE);
    let both = with_tickets(&house, &[old, guest.ticket()]);
    let answer = both.visit(async |session| session.destroy().await).await;
    assert_eq!(answer.is_ok().set_cookies().len(), 1);
    assert_eq!(found(&guest).await, NOBODY);
}

pub async fn p6_a_logout_ends_every_session_that_it_can(ground: Ground) {
    let house = ground();
    let ada = house.guest().await;
    ada.visit(async |session| session.remember(HOUR, 99 * HOUR)).await.is_ok();
    let old = ada.ticket();
    log_in(&ada, "ada").await;
    let bob = house.guest().await;
    log_in(&bob, "bob").await;
    house.clock.advance(2 * MINUTE);
    let both = with_tickets(&house, &[old, bob.ticket()]);
    let answer = both.ask(async |lazy| respond(lazy.destroy().await)).await;
    assert_eq!(answer.is_ok().set_cookies().len(), 1);
    assert_eq!(found(&bob).await, NOBODY);
}

pub async fn p6_a_logout_ends_the_session_that_the_load_did_not_reach(ground: Ground) {
    let house = ground();
    let mut tickets = Vec::new();
    for _ in 0..4 {
        let dead = house.guest().await;
        dead.visit(async |session| session.remember(99 * HOUR, 99 * HOUR)).await.is_ok();
        dead.copy().visit(async |session| session.destroy().await).await.is_ok();
        tickets.push(dead.ticket());
    }
    let live = house.guest().await;
    tickets.push(live.ticket());
    let visitor = with_tickets(&house, &tickets);
    visitor.visit(async |session| session.destroy().await).await.is_ok();
    assert_eq!(found(&live).await, NOBODY);
}

pub async fn p7_an_old_id_and_the_password_do_not_get_what_came_later(ground: Ground) {
    let house = ground();
    let victim = house.guest().await;
    let thief = victim.copy();
    log_in(&victim, "ada").await;
    victim.visit(async |session| session.insert("second factor", &true)).await.is_ok();
    log_in(&thief, "ada").await;
    assert_eq!(found(&thief).await, r#"(Some("ada"), [])"#);
}

pub async fn p5_a_doubt_that_cannot_be_resolved_does_not_block_the_handle(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let open = keep(&guest, 200, async |_| Ok(())).await;
    open.insert("note", &1).unwrap();
    house.faulty.next(Replace, Fault::LoseRequest);
    house.faulty.next(Load, Fault::Fail(StoreErrorKind::Unavailable));
    open.save().await.unwrap_err();
    for number in 0..9 {
        guest.visit(async |session| session.insert("number", &number)).await.is_ok();
    }
    for _ in 0..2 {
        let saved = open.save().await;
        assert!(matches!(saved, Err(SessionError::Unconfirmed(None))), "{saved:?}");
    }
    open.reload().await.unwrap();
    open.discard();
    open.insert("note", &2).unwrap();
    open.save().await.unwrap();
    assert_eq!(found(&guest).await, r#"(None, ["k", "note", "number"])"#);
}

pub async fn p7_a_login_in_doubt_that_others_overtook_is_merged(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let tab = guest.copy();
    let answer = guest.visit(async |session| {
        session.log_in("ada").await?;
        house.faulty.next(Replace, Fault::LoseRequest);
        house.faulty.next(Load, Fault::Fail(StoreErrorKind::Unavailable));
        session.save().await.unwrap_err();
        for number in 0..9 {
            tab.visit(async |session| session.insert("number", &number)).await.is_ok();
        }
        session.save().await
    });
    answer.await.is_ok();
    assert_eq!(found(&guest).await, r#"(Some("ada"), ["k", "number"])"#);
}

pub async fn p12_only_a_login_goes_past_an_unreadable_session(ground: Ground) {
    let house = ground().with(|layer| layer.on_unreadable(|_| UnreadablePolicy::Anonymous));
    let guest = house.guest().await;
    found(&guest).await;
    let mut bytes = house.entry().await.bytes.to_vec();
    bytes[1] = 5;
    house.overwrite(bytes).await;
    let remembers = guest.visit(async |session| {
        session.remember(HOUR, HOUR)?;
        session.insert("flash", "wrong password")
    });
    let takes_back = guest.visit(async |session| {
        session.log_in("ada").await?;
        session.discard();
        session.insert("flash", "wrong password")
    });
    for answer in [remembers.await, takes_back.await] {
        assert!(answer.status.is_server_error(), "{answer:?}");
        assert_eq!(answer.set_cookies(), Vec::<&str>::new());
    }
    log_in(&guest, "ada").await;
    assert_eq!(found(&guest).await, r#"(Some("ada"), [])"#);
}

pub async fn p3_a_reload_does_not_shorten_the_session(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    house.clock.advance(14 * MINUTE);
    let answer = guest.visit(async |session| {
        session.reload().await?;
        session.get::<u32>("k")
    });
    answer.await.is_ok();
    house.clock.advance(17 * MINUTE);
    assert_eq!(found(&guest).await, r#"(None, ["k"])"#);
}

pub async fn a_login_that_begins_anew_is_as_large_as_any_may_be(ground: Ground) {
    let house = ground().with(|layer| layer.max_session_bytes(1_000));
    let guest = house.guest().await;
    let tab = guest.copy();
    log_in(&guest, "ada").await;
    let answer = tab.visit(async |session| {
        session.insert("large", &"x".repeat(5_000))?;
        session.log_in("ada").await
    });
    assert_eq!(answer.await.status, 413);
}

pub async fn a_session_over_a_lowered_limit_can_be_logged_in_to_and_made_smaller(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let large = async |session: Session| {
        session.insert("a", &"x".repeat(1_000))?;
        session.insert("b", &"x".repeat(1_000))
    };
    guest.visit(large).await.is_ok();
    let guest = guest.at(&house.layer.clone().max_session_bytes(900));
    log_in(&guest, "ada").await;
    guest.visit(async |session| session.remove("a")).await.is_ok();
    assert_eq!(guest.visit(async |session| session.insert("c", "more")).await.status, 413);
}

pub async fn p8_a_later_save_stores_nothing_of_a_handler_that_failed(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let open = keep(&guest, 500, async |session| {
        session.insert("paid", &true)?;
        session.log_in("ada").await
    });
    let open = open.await;
    assert_eq!(open.principal(), None);
    open.insert("progress", &1).unwrap();
    // Every clone is told that changes were dropped, until the app takes note of it.
    for clone in [&open, &open.clone()] {
        assert!(matches!(clone.save().await, Err(SessionError::TooLate)));
    }
    open.discard();
    open.insert("progress", &1).unwrap();
    open.save().await.unwrap();
    assert_eq!(found(&guest).await, r#"(None, ["k", "progress"])"#);
}

/// The commit at the end of the request is in doubt. A clone has changed the session meanwhile, and its
/// `save` finds that the commit was applied.
pub async fn p8_a_save_that_settles_another_commit_acknowledges_nothing_that_was_dropped(
    ground: Ground,
) {
    let attempt = hurried(async |timeout| {
        let house = ground();
        let guest = house.guest().await;
        let brief = guest.at(&house.layer.clone().commit_timeout(timeout));
        let (kept, has_ended) = (Kept::default(), Cell::new(false));
        let fill = kept.clone();
        house.faulty.next(Replace, Fault::LoseReply);
        house.faulty.next(Load, Fault::Pass);
        house.faulty.next(Load, Fault::Hang);
        let request = async {
            let handler = async move |session: Session| {
                session.insert("note", &1)?;
                *fill.lock().unwrap() = Some(session);
                Ok(())
            };
            let answer = brief.visit(handler).await;
            has_ended.set(true);
            answer
        };
        let meanwhile = async {
            while !house.faulty.is_spent() && !has_ended.get() {
                tokio::task::yield_now().await;
            }
            let is_in_time = !has_ended.get();
            is_in_time.then(|| {
                let open = take(&kept);
                open.insert("late", &1).unwrap();
                open
            })
        };
        let (answer, open) = tokio::join!(request, meanwhile);
        answer.is_outage();
        let open = open?;
        let saved = [open.save().await, open.save().await].map(Result::unwrap_err);
        saved.iter().all(|error| !error.is_outage()).then_some((guest, saved))
    });
    let (guest, saved) = attempt.await;
    assert!(matches!(saved, [SessionError::TooLate, SessionError::TooLate]), "{saved:?}");
    assert_eq!(found(&guest).await, r#"(None, ["k", "note"])"#);
}

pub async fn p7_a_panic_in_the_commit_closes_the_head() {
    let house = House::open();
    let guest = house.guest().await;
    let (other, kept) = (guest.copy(), Kept::default());
    let (fill, visitor) = (kept.clone(), guest.clone());
    let request = tokio::spawn(async move {
        let handler = async move |session: Session| {
            session.update("k", |value: &mut u32| {
                assert_ne!(*value, 5, "planted");
                *value += 1;
            })?;
            other.visit(async |session| session.insert("k", &5_u32)).await.is_ok();
            *fill.lock().unwrap() = Some(session);
            Ok(())
        };
        visitor.visit(handler).await;
    });
    assert!(request.await.unwrap_err().is_panic());
    let session = take(&kept);
    session.discard();
    session.renew().unwrap();
    assert!(matches!(session.save().await, Err(SessionError::TooLate)));
    assert_eq!(found(&guest).await, r#"(None, ["k"])"#);
}

pub async fn p7_a_double_click_runs_closures_on_what_the_login_begins_with(ground: Ground) {
    let house = ground();
    let first = house.guest().await;
    let second = first.copy();
    let login = async |session: Session| {
        let add = |value: &mut u32| match *value {
            0 => Err("empty"),
            _ => {
                *value += 1;
                Ok(())
            }
        };
        assert_eq!(session.try_update("k", add)?, Ok(()));
        session.log_in("ada").await
    };
    let answer = second.visit(async |session| {
        first.visit(login).await.is_ok();
        login(session).await
    });
    answer.await.is_ok();
    assert_eq!(found(&second).await, ADA);
}

pub async fn p7_a_login_after_a_refused_logout_begins_anew(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    log_in(&guest.copy(), "ada").await;
    house.clock.advance(2 * MINUTE);
    let answer = guest.visit(async |session| {
        session.destroy().await.unwrap_err();
        session.log_in("ada").await
    });
    answer.await.is_ok();
    assert_eq!(found(&guest).await, ADA);
}

/// One of two logouts waits while the other one is refused.
pub async fn p6_a_logout_that_waits_for_a_refused_one_is_refused_too(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let tab = guest.copy();
    log_in(&tab, "ada").await;
    house.clock.advance(2 * MINUTE);
    let answer = guest.visit(async |session| {
        house.faulty.next(Load, Fault::Delay(Duration::from_millis(20)));
        let clone = session.clone();
        let (one, other) = tokio::join!(session.destroy(), clone.destroy());
        assert!(matches!(one, Err(SessionError::Gone)), "{one:?}");
        assert!(matches!(other, Err(SessionError::Gone)), "{other:?}");
        Ok(())
    });
    answer.await.is_gone();
    assert_eq!(found(&tab).await, ADA);
}

/// The handler goes on as if it had logged the visitor out.
pub async fn p6_a_handler_that_overlooks_a_refused_logout_is_answered_409(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let tab = guest.copy();
    log_in(&tab, "ada").await;
    house.clock.advance(2 * MINUTE);
    let answer = guest.visit(async |session| {
        house.faulty.next(Load, Fault::Fail(StoreErrorKind::Unavailable));
        session.destroy().await.unwrap_err();
        session.save().await.unwrap_err();
        Ok("goodbye")
    });
    answer.await.is_gone();
    assert_eq!(found(&tab).await, ADA);
}

pub async fn p7_a_login_after_a_refused_logout_is_saved_and_stays(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    log_in(&guest.copy(), "ada").await;
    house.clock.advance(2 * MINUTE);
    let answer = guest.visit(async |session| {
        session.destroy().await.unwrap_err();
        session.log_in("ada").await?;
        session.save().await
    });
    answer.await.is_ok();
    assert_eq!(found(&guest).await, ADA);
}

/// The logout fails at first and is refused at the end of the request: the session lives on.
pub async fn p6_a_login_does_not_make_up_for_a_logout_that_failed(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let tab = guest.copy();
    log_in(&tab, "ada").await;
    house.clock.advance(2 * MINUTE);
    let answer = guest.visit(async |session| {
        house.faulty.next(Load, Fault::Fail(StoreErrorKind::Unavailable));
        session.destroy().await.unwrap_err();
        session.log_in("ada").await
    });
    answer.await.is_gone();
    assert_eq!(found(&tab).await, ADA);
}

pub async fn p7_a_login_whose_save_was_dropped_still_begins_anew(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let tab = guest.copy();
    let answer = guest.visit(async |session| {
        tab.visit(async |session| session.destroy().await).await.is_ok();
        session.insert("note", &1)?;
        session.save().await.unwrap_err();
        session.log_in("ada").await?;
        house.faulty.next(Create, Fault::Hang);
        let dropped = tokio::time::timeout(Duration::from_millis(20), session.save());
        dropped.await.unwrap_err();
        Ok(())
    });
    answer.await.is_ok();
    assert_eq!(found(&guest).await, r#"(Some("ada"), [])"#);
}

pub async fn p6_a_logout_also_ends_what_the_session_before_its_login_became(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let tab = guest.copy();
    let answer = guest.visit(async |session| {
        log_in(&tab, "ada").await;
        session.log_in("ada").await?;
        session.save().await?;
        session.destroy().await
    });
    answer.await.is_ok();
    assert_eq!(found(&tab).await, NOBODY);
}

pub async fn a_change_during_the_last_commit_that_nobody_saves_is_reported(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let kept = Kept::default();
    let (fill, late) = (kept.clone(), kept.clone());
    house.faulty.next(
        Replace,
        Fault::after(move || async move {
            late.lock().unwrap().as_ref().unwrap().insert("late", &1).unwrap();
        }),
    );
    let answer = guest.visit(async move |session| {
        session.insert("note", &1)?;
        *fill.lock().unwrap() = Some(session);
        Ok(())
    });
    answer.await.is_ok();
    let trace = Trace::listen();
    drop(take(&kept));
    let warnings = trace.lines().iter().filter(|line| line.contains("never saved")).count();
    assert_eq!(warnings, 1, "{:?}", trace.lines());
}

pub async fn a_session_tells_when_it_ends_once_it_is_remembered(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let answer = guest.visit(async |session| {
        session.remember(8 * HOUR, 48 * HOUR)?;
        let expected = session.expires_at();
        session.save().await?;
        assert_eq!(session.expires_at(), expected);
        Ok(())
    });
    answer.await.is_ok();
}
