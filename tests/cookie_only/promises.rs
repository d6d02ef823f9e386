//! P2, P4, P8, P10 and P11 for sessions without a server.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use cloakroom::{LazySession, SessionError};
use http::StatusCode;

use crate::{kinds, put, value};
use cloakroom_testing::{HOUR, House, MINUTE, Trace, hang_up, reply, respond};

#[tokio::test]
async fn p2_an_untouched_session_is_neither_verified_nor_issued() {
    for kind in kinds() {
        let house = House::in_cookies(kind);
        let guest = house.guest().await;
        let trace = Trace::listen();
        let answer = guest.ask(async |_| reply(StatusCode::OK)).await;
        assert_eq!(trace.lines(), Vec::<String>::new());
        assert_eq!((answer.set_cookies().len(), answer.header("vary")), (0, None));
        value(&guest).await;
        let verified = |line: &&String| line.contains("session cookie verified");
        assert_eq!(trace.lines().iter().filter(verified).count(), 1);
    }
}

#[tokio::test]
async fn p4_a_change_is_one_set_cookie_and_the_same_bytes_are_none() {
    for kind in kinds() {
        let house = House::in_cookies(kind);
        let guest = house.guest().await;
        let answer = put(&guest, 2).await;
        assert_eq!(answer.is_ok().set_cookies().len(), 1);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let answer = put(&guest, 2).await;
        assert_eq!(answer.is_ok().set_cookies().len(), 0, "the same bytes");
        let answer = guest
            .visit(async |session| {
                for n in 0..9_u32 {
                    session.insert(format!("n{n}").as_str(), &n)?;
                }
                session.save().await?;
                session.update("k", |k: &mut u32| *k += 1)
            })
            .await;
        assert_eq!(answer.is_ok().set_cookies().len(), 1, "however many keys and saves");
        assert_eq!(value(&guest).await, Some(3));
        house.clock.advance(20 * MINUTE);
        let answer = guest.visit(async |session| session.get::<u32>("k")).await;
        assert_eq!(answer.is_ok().set_cookies().len(), 0, "a read does not issue it anew");
    }
}

#[tokio::test]
async fn p7_a_login_as_another_user_clears_what_the_first_has_left() {
    for kind in kinds() {
        let house = House::in_cookies(kind);
        let guest = house.guest().await;
        let found = async |session: cloakroom::Session| Ok((session.principal(), session.keys()));
        for (user, left) in [("ada", r#"["k"]"#), ("ada", r#"["k"]"#), ("bob", "[]")] {
            guest.visit(async |session| session.log_in(user).await).await.is_ok();
            assert_eq!(guest.visit(found).await.body, format!("(Some({user:?}), {left})"));
        }
    }
}

#[tokio::test]
async fn p8_a_handler_that_fails_has_changed_nothing_but_what_it_saved() {
    let house = House::in_cookies(kinds()[0].clone());
    let guest = house.guest().await;
    let fail = async |lazy: LazySession, save: bool| {
        let session = lazy.load().await.unwrap();
        session.insert("k", &2_u32).unwrap();
        if save {
            session.save().await.unwrap();
        }
        session.insert("k", &3_u32).unwrap();
        reply(StatusCode::INTERNAL_SERVER_ERROR)
    };
    let answer = guest.ask(async |lazy| fail(lazy, false).await).await;
    assert_eq!((answer.set_cookies().len(), value(&guest).await), (0, Some(1)));
    let answer = guest.ask(async |lazy| fail(lazy, true).await).await;
    assert_eq!((answer.set_cookies().len(), value(&guest).await), (1, Some(2)));
}

/// A handle that outlives its response.
async fn kept(visitor: &crate::Visitor) -> LazySession {
    let kept = Arc::new(Mutex::new(None));
    let keep = Arc::clone(&kept);
    let answer = visitor.ask(async move |lazy| {
        let loaded = lazy.load().await;
        *keep.lock().unwrap() = Some(lazy);
        respond(loaded.map(drop))
    });
    answer.await.is_ok();
    kept.lock().unwrap().take().unwrap()
}

#[tokio::test]
async fn p8_nothing_is_acknowledged_that_no_cookie_can_carry() {
    for kind in kinds() {
        let house = House::in_cookies(kind);
        for visitor in [house.visitor(), house.guest().await] {
            let session = kept(&visitor).await.load().await.unwrap();
            session.insert("k", &9_u32).unwrap();
            assert!(matches!(session.save().await, Err(SessionError::TooLate)));
            session.discard();
            session.save().await.unwrap();
        }
        let late = kept(&house.guest().await).await.destroy().await;
        assert!(matches!(late, Err(SessionError::TooLate)), "{late:?}");
        kept(&house.visitor()).await.destroy().await.unwrap();
    }
}

#[tokio::test]
async fn an_open_handle_can_neither_be_kept_alive_nor_outlive_its_session() {
    for kind in kinds() {
        let house = House::in_cookies(kind);
        let session = kept(&house.guest().await).await.load().await.unwrap();
        session.reload().await.unwrap();
        assert!(matches!(session.touch().await, Err(SessionError::TooLate)));
        assert_eq!(session.get("k").unwrap(), Some(1_u32));
        house.clock.advance(30 * MINUTE);
        assert!(matches!(session.save().await, Err(SessionError::Gone)));
        assert!(matches!(session.reload().await, Err(SessionError::Gone)));
        assert_eq!(session.get::<u32>("k").unwrap(), None);
    }
}

#[tokio::test]
async fn a_touch_before_the_response_issues_the_cookie_anew() {
    for kind in kinds() {
        let house = House::in_cookies(kind);
        let guest = house.guest().await;
        house.clock.advance(20 * MINUTE);
        let answer = guest.visit(async |session| session.touch().await).await;
        assert_eq!(answer.is_ok().set_cookies().len(), 1);
        house.clock.advance(20 * MINUTE);
        assert_eq!(value(&guest).await, Some(1));
    }
}

#[tokio::test]
async fn p10_a_request_that_is_cut_off_leaves_the_cookie_as_it_was() {
    let house = House::in_cookies(kinds()[0].clone());
    let guest = house.guest().await;
    let cut = guest.visit(async |session| {
        session.insert("k", &2_u32)?;
        session.save().await?;
        tokio::task::yield_now().await;
        Ok(())
    });
    assert!(hang_up(cut, 1).await.is_none());
    assert_eq!(value(&guest).await, Some(1));
}

#[tokio::test]
async fn p11_a_replayed_cookie_dies_with_the_idle_time_since_its_last_change() {
    for kind in kinds() {
        let house = House::in_cookies(kind);
        let guest = house.guest().await;
        house.clock.advance(30 * MINUTE - Duration::from_millis(1));
        let copy = guest.copy();
        assert_eq!(value(&copy).await, Some(1));
        put(&guest, 2).await.is_ok();
        house.clock.advance(Duration::from_millis(1));
        assert_eq!((value(&copy).await, value(&guest).await), (None, Some(2)));
        house.clock.advance(30 * MINUTE);
        assert_eq!(value(&guest).await, None);
    }
}

#[tokio::test]
async fn p11_a_replayed_cookie_dies_with_its_absolute_lifetime_however_it_is_used() {
    for kind in kinds() {
        let house = House::in_cookies(kind).with(|layer| layer.absolute_lifetime(HOUR));
        let guest = house.guest().await;
        for minute in 1..60 {
            house.clock.advance(MINUTE);
            put(&guest, 1 + minute).await.is_ok();
        }
        house.clock.advance(MINUTE - Duration::from_millis(1));
        assert_eq!(value(&guest).await, Some(60));
        house.clock.advance(Duration::from_millis(1));
        assert_eq!(value(&guest).await, None);
    }
}

#[tokio::test]
async fn p11_a_session_that_runs_out_while_it_is_changed_is_gone() {
    let house = House::in_cookies(kinds()[0].clone());
    let guest = house.guest().await;
    let begun = house.clock.now();
    for renew in [false, true] {
        let clock = house.clock.clone();
        let late = guest.copy();
        let answer = late.visit(async move |session| {
            clock.advance(30 * MINUTE);
            if renew {
                session.renew().unwrap();
            }
            session.insert("k", &2_u32)
        });
        answer.await.is_gone();
        house.clock.set(begun);
    }
}

#[tokio::test]
async fn a_renewal_keeps_the_data_and_begins_the_lifetime_anew() {
    let house = House::in_cookies(kinds()[0].clone()).with(|layer| layer.absolute_lifetime(HOUR));
    let guest = house.guest().await;
    house.clock.advance(29 * MINUTE);
    let old = guest.ticket();
    let renew = async |session: cloakroom::Session| {
        session.renew().unwrap();
        Ok(())
    };
    guest.visit(renew).await.is_ok();
    assert_ne!(guest.ticket(), old);
    for _ in 0..2 {
        house.clock.advance(29 * MINUTE);
        assert_eq!(value(&guest).await, Some(1));
        guest.visit(async |session| session.insert("seen", &house.clock.now().as_millis())).await;
    }
    house.clock.advance(2 * MINUTE);
    assert_eq!(value(&guest).await, None);
}

#[tokio::test]
async fn a_remembered_session_keeps_its_times_and_its_max_age_counts_down() {
    let house = House::in_cookies(kinds()[1].clone());
    let guest = house.visitor();
    let answer = guest.visit(async |session| {
        session.remember(24 * HOUR, 30 * 24 * HOUR).unwrap();
        session.insert("k", &1_u32)
    });
    let answer = answer.await;
    let month = 30 * 24 * 60 * 60;
    assert!(answer.is_ok().set_cookies()[0].contains(&format!("Max-Age={month}")), "{answer:?}");
    house.clock.advance(23 * HOUR);
    let answer = put(&guest, 2).await;
    let left = month - 23 * 60 * 60;
    assert!(answer.is_ok().set_cookies()[0].contains(&format!("Max-Age={left}")), "{answer:?}");
    house.clock.advance(23 * HOUR);
    assert_eq!(value(&guest).await, Some(2));
    house.clock.advance(HOUR);
    assert_eq!(value(&guest).await, None);
}

#[tokio::test]
async fn a_logout_ends_what_was_changed_before_and_what_comes_after_is_new() {
    let house = House::in_cookies(kinds()[0].clone());
    let guest = house.guest().await;
    let answer = guest.visit(async |session| {
        session.insert("before", &1_u32)?;
        session.save().await?;
        session.destroy().await?;
        assert!(session.is_new());
        session.insert("after", &1_u32)
    });
    assert_eq!(answer.await.is_ok().set_cookies().len(), 1);
    let answer = guest.visit(async |session| Ok(session.keys())).await;
    assert_eq!(answer.body, "[\"after\"]");
    let visitor = house.visitor();
    let answer = visitor.ask(async |lazy| respond(lazy.destroy().await)).await;
    assert_eq!(answer.is_ok().set_cookies().len(), 0, "who has no cookie has none to lose");
}

#[tokio::test]
async fn what_is_in_a_session_is_hidden_by_the_private_kind_alone() {
    for (kind, readable) in kinds().into_iter().zip([true, false]) {
        let guest = House::in_cookies(kind).visitor();
        guest.visit(async |session| session.insert("secret", "xyzzy-xyzzy-xyzzy")).await.is_ok();
        use base64::Engine;
        let raw = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(guest.ticket()).unwrap();
        assert_eq!(raw.windows(5).any(|window| window == b"xyzzy"), readable);
    }
}

#[tokio::test]
async fn a_url_chooses_it() {
    for url in ["cookie:", "private-cookie:", "cookie:?chunks=2", "private-cookie:?chunks=4"] {
        let backend = cloakroom::connect(url).await.unwrap();
        let layer = cloakroom::SessionLayer::new(backend, crate::key(7));
        let guest = crate::Visitor::new(layer);
        put(&guest, 1).await.is_ok();
        assert_eq!(value(&guest).await, Some(1), "{url}");
    }
    for url in ["cookie://host", "cookie:?chunks=two", "cookie:?chunk=2", "private-cookie:x"] {
        assert!(cloakroom::connect(url).await.is_err(), "{url}");
    }
}

#[tokio::test]
async fn p11_shorter_timeouts_reach_sessions_that_exist() {
    for kind in kinds() {
        let house = House::in_cookies(kind);
        let guest = house.guest().await;
        let layer = || house.layer.clone();
        house.clock.advance(10 * MINUTE);
        assert_eq!(value(&guest.at(&layer().idle_timeout(10 * MINUTE))).await, None);
        assert_eq!(value(&guest.at(&layer().absolute_lifetime(10 * MINUTE))).await, None);
        assert_eq!(value(&guest.at(&layer().idle_timeout(11 * MINUTE))).await, Some(1));
    }
}
