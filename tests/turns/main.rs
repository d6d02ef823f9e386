//! Tickets that are renewed by time: the cookie changes, nobody notices, and a copy ends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod attacks;
#[cfg(feature = "near")]
mod behind_near;

use std::time::{Duration, SystemTime};

use cloakroom::store::StoreErrorKind;
use cloakroom::{Roster, SessionLayer};
use cloakroom_testing::Command::{Load, Replace, Touch};
use cloakroom_testing::{
    Answer, COOKIE, Fault, HOUR, House, MINUTE, Recorder, Visitor, reply, respond,
};
use http::StatusCode;

const EVERY: Duration = Duration::from_secs(15 * 60);
const SECOND: Duration = Duration::from_secs(1);

fn open() -> House {
    House::open().with(|layer| layer.renew_every(EVERY))
}

/// Somebody who is logged in, with `k = 1`.
async fn user(house: &House) -> Visitor {
    let user = house.visitor();
    let login = user.visit(async |session| {
        session.insert("k", &1_u32)?;
        session.log_in("ada").await
    });
    login.await.is_ok();
    house.counting.take();
    user
}

async fn read(visitor: &Visitor) -> Answer {
    visitor.visit(async |session| session.get::<u32>("k")).await
}

#[track_caller]
fn found(answer: &Answer) {
    assert_eq!(answer.is_ok().body, "Some(1)");
}

#[tokio::test]
async fn r14_a_ticket_is_renewed_by_time_and_the_one_before_ends_after_an_overlap() {
    let (house, told) = (open(), Recorder::default());
    let house = house.with(|layer| layer.observer(told.clone()));
    let user = user(&house).await;
    house.clock.advance(EVERY - SECOND);
    assert_eq!(read(&user).await.set_cookies(), Vec::<&str>::new());
    house.clock.advance(SECOND);
    let first = user.copy();
    let renewed = read(&user).await;
    found(&renewed);
    assert_eq!(renewed.set_cookies().len(), 1);
    assert_eq!(renewed.header("cache-control"), Some("no-store"));
    assert_ne!(user.ticket(), first.ticket());
    assert_eq!(user.ticket().len(), first.ticket().len());

    // Nobody has brought the new one, so the old one is good, and gets it again.
    house.clock.advance(10 * MINUTE);
    let again = first.copy();
    found(&read(&again).await);
    assert_eq!(again.ticket(), user.ticket());
    // From its first use on, a minute is left.
    let used = read(&user).await;
    assert_eq!(used.set_cookies(), Vec::<&str>::new());
    house.clock.advance(MINUTE - SECOND);
    found(&read(&first.copy()).await);
    house.clock.advance(SECOND);
    told.take();
    assert_eq!(read(&first).await.body, "None");
    assert_eq!(told.take(), ["load done", "refused outdated"]);
    found(&read(&user).await);
}

#[tokio::test]
async fn r14_parallel_requests_with_the_old_ticket_all_go_on() {
    let house = open();
    let tab = user(&house).await;
    house.clock.advance(EVERY);
    let tabs = [tab.copy(), tab.copy(), tab.copy()];
    // Each loads before the others have stored anything.
    let loaded = tokio::sync::Barrier::new(tabs.len());
    let answers = cloakroom_testing::all(tabs.iter().enumerate().map(async |(n, tab)| {
        let answer = tab.visit(async |session| {
            loaded.wait().await;
            session.update("k", |k: &mut u32| *k += 1)?;
            session.insert(&format!("tab {n}"), &n)
        });
        answer.await
    }));
    for answer in answers.await {
        answer.is_ok();
    }
    // Whichever comes to the browser last: one ticket, or none.
    let tickets: std::collections::BTreeSet<_> = tabs.iter().map(Visitor::ticket).collect();
    assert!(tickets.len() <= 2, "{tickets:?}");
    for tab in &tabs {
        let all = tab.visit(async |session| {
            for n in 0..3 {
                assert_eq!(session.get::<usize>(&format!("tab {n}"))?, Some(n));
            }
            session.get::<u32>("k")
        });
        assert_eq!(all.await.is_ok().body, "Some(4)");
    }
    assert!(tabs.iter().all(|other| other.ticket() == tabs[0].ticket()));
}

#[tokio::test]
async fn r14_a_request_under_way_goes_on_while_its_ticket_is_renewed() {
    let house = open();
    let slow = user(&house).await;
    let quick = slow.copy();
    let writes = slow.visit(async |session| {
        assert_eq!(session.get::<u32>("k")?, Some(1));
        house.clock.advance(EVERY);
        read(&quick).await.is_ok();
        read(&quick).await.is_ok();
        house.clock.advance(2 * MINUTE);
        session.update("k", |k: &mut u32| *k += 1)?;
        session.save().await?;
        session.touch().await?;
        session.reload().await
    });
    writes.await.is_ok();
    assert_eq!(read(&quick).await.body, "Some(2)");
}

#[tokio::test]
async fn r14_an_answer_that_is_lost_costs_nothing() {
    let house = open();
    let user = user(&house).await;
    for _ in 0..4 {
        house.clock.advance(EVERY);
        let lost = user.copy();
        found(&read(&lost).await);
        assert_ne!(lost.ticket(), user.ticket());
    }
    found(&read(&user).await);
}

#[tokio::test]
async fn r14_it_costs_two_writes_in_such_a_time() {
    let house = open();
    let user = user(&house).await;
    let cost = async |then: u32| {
        house.clock.advance(then * SECOND);
        found(&read(&user).await);
        house.counting.take()
    };
    assert_eq!(cost(60).await, [Load]);
    assert_eq!(cost(840).await, [Load, Touch, Replace]);
    assert_eq!(cost(1).await, [Load, Replace]);
    assert_eq!(cost(1).await, [Load]);
    let other = House::open();
    let user = self::user(&other).await;
    other.clock.advance(EVERY);
    found(&read(&user).await);
    assert_eq!(other.counting.take(), [Load, Touch]);
}

#[tokio::test]
async fn r14_p6_a_logout_ends_every_ticket_of_the_session() {
    for ends_with_the_old_one in [false, true] {
        for rostered in [false, true] {
            let house = open();
            let house = match rostered {
                true => house.with(|layer| layer.roster(Roster::default())),
                false => house,
            };
            let new = user(&house).await;
            let old = new.copy();
            house.clock.advance(EVERY);
            found(&read(&new).await);
            let (ends, other) = if ends_with_the_old_one { (&old, &new) } else { (&new, &old) };
            // While the other one is under way, and its turn would be stored at its end.
            let under_way = other.visit(async |session| {
                ends.visit(async |session| session.destroy().await).await.is_ok();
                session.get::<u32>("k")
            });
            under_way.await.is_ok();
            assert_eq!(read(other).await.body, "None");
            let late = other.visit(async |session| session.insert("k", &7)).await;
            assert_eq!(late.is_ok().set_cookies().len(), 1, "a new visitor");
        }
    }
}

#[tokio::test]
async fn r14_p6_a_turn_that_meets_a_logout_brings_nothing_back() {
    let house = open();
    let user = user(&house).await;
    house.clock.advance(EVERY);
    let copy = user.copy();
    let renews = user.visit(async |session| {
        copy.visit(async |session| session.destroy().await).await.is_ok();
        session.get::<u32>("k")
    });
    assert_eq!(renews.await.is_ok().set_cookies(), Vec::<&str>::new());
    assert_eq!(read(&user).await.body, "None");
}

#[tokio::test]
async fn r14_p7_a_login_or_renewal_ends_every_ticket_at_once() {
    for logs_in in [false, true] {
        let house = open();
        let new = user(&house).await;
        let old = new.copy();
        house.clock.advance(EVERY);
        found(&read(&new).await);
        let before = new.copy();
        let renews = new.visit(async |session| match logs_in {
            true => session.log_in("ada").await,
            false => session.renew(),
        });
        assert_eq!(renews.await.is_ok().set_cookies().len(), 1);
        for ticket in [&old, &before] {
            assert_eq!(read(ticket).await.body, "None", "no overlap");
            ticket.visit(async |session| session.insert("k", &7)).await.is_gone();
        }
        found(&read(&new).await);
        // The turns begin anew.
        house.clock.advance(EVERY - SECOND);
        assert_eq!(read(&new).await.set_cookies(), Vec::<&str>::new());
    }
}

#[tokio::test]
async fn r14_r36_no_ticket_is_renewed_past_the_absolute_lifetime() {
    let house = open();
    let user = user(&house).await;
    let created = SystemTime::from(house.clock.now());
    for _ in 0..47 {
        house.clock.advance(EVERY);
        found(&read(&user).await);
    }
    let times = user.visit(async |session| Ok((session.created_at(), session.expires_at()))).await;
    assert_eq!(times.body, format!("{:?}", (Some(created), Some(created + 12 * HOUR))));
    house.clock.advance(EVERY);
    assert_eq!(read(&user).await.body, "None");
}

#[tokio::test]
async fn r14_visitors_who_are_not_logged_in_and_looks_and_failures_renew_nothing() {
    let house = open();
    let (guest, user) = (house.guest().await, user(&house).await);
    house.clock.advance(EVERY);
    assert_eq!(read(&guest).await.set_cookies(), Vec::<&str>::new());
    let peeks = user.ask(async |lazy| {
        let peeked = lazy.peek().await.and_then(|session| session.get::<u32>("k"));
        respond(peeked)
    });
    assert_eq!(peeks.await.is_ok().set_cookies(), Vec::<&str>::new());
    let fails = user.ask(async |lazy| {
        lazy.load().await.unwrap();
        reply(StatusCode::INTERNAL_SERVER_ERROR)
    });
    assert_eq!(fails.await.set_cookies(), Vec::<&str>::new());
    let untouched = user.ask(async |_| reply(StatusCode::OK)).await;
    assert_eq!(untouched.set_cookies(), Vec::<&str>::new());
    assert_eq!(read(&user).await.set_cookies().len(), 1);
}

#[tokio::test]
async fn r14_a_turn_that_cannot_be_stored_waits_for_the_next_request() {
    let faults = [
        Fault::Fail(StoreErrorKind::Unavailable),
        Fault::Fail(StoreErrorKind::Indeterminate),
        Fault::LoseReply,
    ];
    for fault in faults {
        let house = open();
        let user = user(&house).await;
        house.clock.advance(EVERY);
        house.faulty.next(Replace, fault);
        let fails = read(&user).await;
        found(&fails);
        assert_eq!(fails.set_cookies(), Vec::<&str>::new());
        let succeeds = read(&user).await;
        found(&succeeds);
        assert_eq!(succeeds.set_cookies().len(), 1);
        found(&read(&user).await);
    }
}

/// As when a replica that has not seen the last write takes the primary's place.
#[tokio::test]
async fn r14_a_turn_that_the_store_loses_costs_nobody_the_session() {
    let house = open();
    let user = user(&house).await;
    found(&read(&user).await);
    let before = house.entry().await;
    house.clock.advance(EVERY);
    found(&read(&user).await);
    found(&read(&user).await);
    house.overwrite(before.bytes).await;
    found(&read(&user).await);
    let old = user.copy();
    house.clock.advance(EVERY);
    found(&read(&user).await);
    found(&read(&user).await);
    house.clock.advance(MINUTE);
    found(&read(&user).await);
    assert_eq!(read(&old).await.body, "None");
}

/// Other servers judge tickets by the record, whether they renew any or not.
#[tokio::test]
async fn r14_a_server_without_the_option_refuses_what_is_outdated() {
    let house = open();
    let user = user(&house).await;
    let old = user.copy();
    house.clock.advance(EVERY);
    found(&read(&user).await);
    let elsewhere: SessionLayer = house.elsewhere();
    found(&read(&user.at(&elsewhere)).await);
    found(&read(&old.copy().at(&elsewhere)).await);
    found(&read(&user).await);
    house.clock.advance(MINUTE);
    found(&read(&user.at(&elsewhere)).await);
    assert_eq!(read(&old.at(&elsewhere)).await.body, "None");
}

/// Cookies that linger under another path: the latest ticket of a session counts.
#[tokio::test]
async fn r14_of_two_tickets_of_one_session_the_later_counts() {
    let house = open();
    let user = user(&house).await;
    let old = user.ticket();
    house.clock.advance(EVERY);
    found(&read(&user).await);
    found(&read(&user).await);
    house.clock.advance(2 * MINUTE);
    let new = user.ticket();
    for both in [format!("{old}; {COOKIE}={new}"), format!("{new}; {COOKIE}={old}")] {
        let mut request = http::Request::new(());
        let cookies = format!("{COOKIE}={both}").parse().unwrap();
        request.headers_mut().insert("cookie", cookies);
        let service = tower::Layer::layer(
            &house.layer,
            tower::service_fn(async |request: http::Request<()>| {
                let lazy = request.extensions().get::<cloakroom::LazySession>().unwrap();
                let read = lazy.load().await.and_then(|session| session.get::<u32>("k"));
                Ok::<_, std::convert::Infallible>(respond(read))
            }),
        );
        let Ok(answer) = house.visitor().send(service, request).await;
        found(&answer);
    }
}

#[tokio::test]
async fn r14_a_remembered_session_keeps_the_age_of_its_cookie() {
    let house = open();
    let user = house.visitor();
    let login = user.visit(async |session| {
        session.insert("k", &1_u32)?;
        session.remember(24 * HOUR, 48 * HOUR)?;
        session.log_in("ada").await
    });
    login.await.is_ok();
    house.clock.advance(HOUR);
    let renewed = read(&user).await;
    let cookie = renewed.set_cookies()[0];
    assert!(cookie.contains(&format!("Max-Age={}", 47 * 3600)), "{cookie}");
}

#[tokio::test]
async fn less_than_a_minute_is_a_minute() {
    let house = House::open().with(|layer| layer.renew_every(Duration::ZERO));
    let user = user(&house).await;
    house.clock.advance(MINUTE - SECOND);
    assert_eq!(read(&user).await.set_cookies(), Vec::<&str>::new());
    house.clock.advance(SECOND);
    assert_eq!(read(&user).await.set_cookies().len(), 1);
}

/// The seal of a session's values depends on the key that has signed its ticket. So a renewed ticket has the same key,
/// also while the signing key is being replaced.
#[cfg(feature = "sealed")]
#[tokio::test]
async fn r14_a_renewed_ticket_opens_the_seal_of_the_one_before() {
    use cloakroom::{Key, KeyRing, Sealing};

    let clock = cloakroom_testing::House::open().clock;
    let store = cloakroom::store::MemoryStore::builder().clock(clock.clone()).build();
    let key = |byte| Key::from_bytes(&[byte; 32]).unwrap();
    let layer = |keys: KeyRing| {
        let layer = SessionLayer::new(store.clone(), keys).clock(clock.clone());
        layer.sealed(Sealing::Only).renew_every(EVERY)
    };
    let user = Visitor::new(layer(KeyRing::new(key(1)).verify_also(key(2)).unwrap()));
    let login = user.visit(async |session| {
        session.insert("k", &1_u32)?;
        session.log_in("ada").await
    });
    login.await.is_ok();
    let rolled = layer(KeyRing::new(key(2)).verify_also(key(1)).unwrap());
    let user = user.at(&rolled);
    for _ in 0..3 {
        clock.advance(EVERY);
        let before = user.ticket();
        found(&read(&user).await);
        assert_ne!(user.ticket(), before);
        found(&read(&user).await);
    }
    let old = user.copy();
    user.visit(async |session| session.insert("k", &2_u32)).await.is_ok();
    clock.advance(EVERY);
    assert_eq!(read(&user).await.body, "Some(2)");
    assert_eq!(read(&old).await.body, "Some(2)");
}
