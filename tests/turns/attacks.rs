//! Slow requests, thieves, several servers and lingering cookies, with tickets that are renewed by time.

use std::convert::Infallible;

use cloakroom::{LazySession, ManualClock, SessionLayer};
use cloakroom_testing::Command::Load;
use cloakroom_testing::{COOKIE, HOUR, House, MINUTE, Recorder, Visitor, respond};

use super::{EVERY, SECOND, found, open, read, user};

/// An upload that takes two minutes, and loads its session when it is there.
#[tokio::test]
async fn a_slow_request_puts_no_anonymous_cookie_over_the_renewed_one() {
    let house = open();
    let user = user(&house).await;
    house.clock.advance(EVERY);
    let upload = user.ask(async |lazy| {
        found(&read(&user).await);
        found(&read(&user).await);
        house.clock.advance(2 * MINUTE);
        let written = match lazy.load().await {
            Ok(session) => session.insert("upload", &7),
            Err(error) => Err(error),
        };
        respond(written)
    });
    let upload = upload.await;
    assert_eq!(upload.set_cookies(), Vec::<&str>::new(), "{upload:?}");
    found(&read(&user).await);
    upload.is_gone();
}

/// The overlap of a minute is there, too, if the new ticket is first used when its own turn is over.
#[tokio::test]
async fn the_overlap_is_not_left_out_if_the_new_ticket_is_used_late() {
    let (house, told) = (open(), Recorder::default());
    let house = house.with(|layer| layer.observer(told.clone()));
    let user = user(&house).await;
    house.clock.advance(EVERY);
    // The answer is lost, as that of a beacon that a page sends when it is closed.
    found(&read(&user.copy()).await);
    house.clock.advance(EVERY);
    // An hour later the page sends two requests at once. The other one is quick, and so is the next.
    told.take();
    let slow = user.ask(async |lazy| {
        found(&read(&user).await);
        found(&read(&user).await);
        house.clock.advance(SECOND);
        respond(lazy.load().await.and_then(|session| session.get::<u32>("k")))
    });
    let slow = slow.await;
    assert_eq!(slow.body, "Some(1)", "{:?}", told.take());
}

/// The same with the shortest time, and no answer lost.
#[tokio::test]
async fn the_overlap_is_a_minute_with_the_shortest_time_too() {
    let house = House::open().with(|layer| layer.renew_every(MINUTE));
    let user = user(&house).await;
    house.clock.advance(MINUTE);
    let old = user.copy();
    found(&read(&user).await);
    house.clock.advance(58 * SECOND);
    found(&read(&user).await); // the first use: a minute from now on
    house.clock.advance(2 * SECOND);
    found(&read(&user).await);
    found(&read(&old).await);
}

/// A middleware that peeks, as for a log line, before the handler loads.
#[tokio::test]
async fn a_look_before_a_use_does_not_keep_the_ticket_from_being_renewed() {
    let house = open();
    let user = user(&house).await;
    let looks_and_reads = async || {
        user.ask(async |lazy| {
            lazy.peek().await.unwrap();
            respond(lazy.load().await.and_then(|session| session.get::<u32>("k")))
        })
        .await
    };
    house.clock.advance(EVERY);
    assert_eq!(looks_and_reads().await.set_cookies().len(), 1);
    let _ = looks_and_reads().await;
}

/// A change after a look.
#[tokio::test]
async fn a_change_after_a_look_renews_the_ticket() {
    let house = open();
    let user = user(&house).await;
    house.clock.advance(EVERY);
    let changes = user.ask(async |lazy| {
        let peeked = lazy.peek().await.unwrap();
        respond(peeked.insert("k", &2))
    });
    assert_eq!(changes.await.set_cookies().len(), 1);
}

/// The first use goes unnoticed, so the old ticket is good without end.
#[tokio::test]
async fn a_first_use_after_a_look_ends_the_ticket_before() {
    let house = open();
    let user = user(&house).await;
    house.clock.advance(EVERY);
    let old = user.copy();
    found(&read(&user).await);
    for _ in 0..10 {
        house.clock.advance(MINUTE);
        let looks_and_reads = user.ask(async |lazy| {
            lazy.peek().await.unwrap();
            respond(lazy.load().await.and_then(|session| session.get::<u32>("k")))
        });
        found(&looks_and_reads.await);
    }
    assert_eq!(read(&old).await.body, "None");
}

/// The limit of every overlap: a copy that is used as often as the cookie is renewed beside it.
#[tokio::test]
async fn a_copy_that_is_used_all_the_time_goes_on_unnoticed() {
    let (house, told) = (open(), Recorder::default());
    let house = house.with(|layer| layer.observer(told.clone()));
    let user = user(&house).await;
    let thief = user.copy();
    for _ in 0..(HOUR.as_secs() / 30) {
        house.clock.advance(15 * SECOND);
        found(&read(&user).await);
        house.clock.advance(15 * SECOND);
        found(&read(&thief).await);
    }
    // One that pauses is noticed.
    for _ in 0..4 {
        house.clock.advance(EVERY);
        found(&read(&user).await);
    }
    house.clock.advance(MINUTE);
    told.take();
    assert_eq!(read(&thief).await.body, "None");
    assert!(told.take_events().iter().any(|event| event == "refused outdated"));
}

/// A slow request whose ticket is outdated by the time it ends gets no good one.
#[tokio::test]
async fn an_outdated_ticket_is_not_exchanged_for_the_present_one_conflict() {
    let house = open();
    let user = user(&house).await;
    house.clock.advance(EVERY);
    let thief = user.copy();
    let slow = thief.visit(async |session| {
        for _ in 0..3 {
            found(&read(&user).await);
            found(&read(&user).await);
            house.clock.advance(EVERY);
        }
        session.get::<u32>("k")
    });
    let slow = slow.await;
    assert_eq!(slow.set_cookies(), Vec::<&str>::new());
    assert_eq!(read(&thief).await.body, "None");
}

/// A slow request that brought the ticket before, while the user logs in again.
#[tokio::test]
async fn a_slow_request_puts_no_ticket_over_that_of_a_renewal() {
    for logs_in in [false, true] {
        let house = open();
        let user = user(&house).await;
        house.clock.advance(EVERY);
        // Two requests at once; the quick one has begun the turn when the slow one loads.
        found(&read(&user.copy()).await);
        let slow = user.visit(async |session| {
            found(&read(&user).await);
            let renews = user.visit(async |session| match logs_in {
                true => session.log_in("ada").await,
                false => session.renew(),
            });
            renews.await.is_ok();
            house.clock.advance(20 * SECOND);
            session.get::<u32>("k")
        });
        let slow = slow.await;
        assert_eq!(slow.set_cookies(), Vec::<&str>::new(), "logs in: {logs_in}");
        found(&read(&user).await);
    }
}

/// The same over a logout and a login, and over a bare logout.
#[tokio::test]
async fn a_slow_request_puts_no_ticket_over_a_logout() {
    for logs_in in [true, false] {
        let house = open();
        let user = user(&house).await;
        house.clock.advance(EVERY);
        found(&read(&user.copy()).await);
        let slow = user.visit(async |session| {
            user.visit(async |session| session.destroy().await).await.is_ok();
            if logs_in {
                user.visit(async |session| session.log_in("bob").await).await.is_ok();
            }
            session.get::<u32>("k")
        });
        let slow = slow.await;
        assert_eq!(slow.set_cookies(), Vec::<&str>::new(), "logs in: {logs_in}");
    }
}

/// Somebody who is logged in for two days, with `k = 1`.
async fn remembered_user(house: &House) -> Visitor {
    let user = house.visitor();
    let login = user.visit(async |session| {
        session.insert("k", &1_u32)?;
        session.remember(48 * HOUR, 48 * HOUR)?;
        session.log_in("ada").await
    });
    login.await.is_ok();
    user
}

/// A "remembered" session ends while a slow request runs: nothing removes a cookie.
#[tokio::test]
async fn a_session_that_ends_meanwhile_removes_no_cookie() {
    let house = open();
    let user = remembered_user(&house).await;
    house.clock.advance(HOUR);
    found(&read(&user.copy()).await);
    house.clock.advance(47 * HOUR - SECOND);
    let slow = user.visit(async |session| {
        house.clock.advance(2 * SECOND);
        session.get::<u32>("k")
    });
    assert_eq!(slow.await.set_cookies(), Vec::<&str>::new());
}

/// The same with a renewed ticket, which is good to the end of the minute.
#[tokio::test]
async fn a_renewed_session_that_ends_meanwhile_removes_no_cookie() {
    let house = open();
    house.clock.advance(10 * SECOND);
    let user = remembered_user(&house).await;
    house.clock.advance(HOUR);
    found(&read(&user).await);
    found(&read(&user).await);
    house.clock.advance(HOUR);
    found(&read(&user.copy()).await);
    house.clock.advance(46 * HOUR - SECOND);
    let slow = user.visit(async |session| {
        house.clock.advance(2 * SECOND);
        session.get::<u32>("k")
    });
    assert_eq!(slow.await.set_cookies(), Vec::<&str>::new());
}

/// A session as large as the layer allows.
#[tokio::test]
async fn a_session_that_is_full_is_renewed_too() {
    let house = open().with(|layer| layer.max_session_bytes(1_000));
    let user = user(&house).await;
    let mut fill = 1_000;
    loop {
        let data = "x".repeat(fill);
        if user.visit(async |session| session.insert("data", &data)).await.status == 200 {
            break;
        }
        fill -= 1;
    }
    house.clock.advance(EVERY);
    assert_eq!(read(&user).await.set_cookies().len(), 1, "filled with {fill}");
}

/// The user whose ticket was renewed by a thief logs in again.
#[tokio::test]
async fn a_login_in_place_of_an_outdated_ticket_ends_its_session() {
    let house = open();
    let user = user(&house).await;
    let thief = user.copy();
    house.clock.advance(EVERY);
    found(&read(&thief).await);
    found(&read(&thief).await);
    house.clock.advance(MINUTE);
    assert_eq!(read(&user).await.body, "None");
    user.visit(async |session| session.log_in("ada").await).await.is_ok();
    assert_eq!(read(&thief).await.body, "None", "the thief goes on");
}

/// Servers' clocks may differ by less than the overlap.
#[tokio::test]
async fn clocks_that_differ_by_half_a_minute_refuse_no_parallel_request() {
    let house = open();
    let user = user(&house).await;
    house.clock.advance(EVERY + MINUTE);
    let ahead = ManualClock::at(house.clock.now().saturating_add(30 * SECOND));
    let other: SessionLayer = house.elsewhere().clock(ahead).renew_every(EVERY);
    let old = user.copy();
    found(&read(&user).await);
    found(&read(&user).await);
    found(&read(&old.at(&other)).await);
}

/// A lingering cookie of another session that is outdated, beside a good one.
#[tokio::test]
async fn a_lingering_outdated_cookie_beside_a_good_one_is_not_reported() {
    let (house, told) = (open(), Recorder::default());
    let house = house.with(|layer| layer.observer(told.clone()));
    let first = user(&house).await;
    let old = first.ticket();
    house.clock.advance(EVERY);
    found(&read(&first).await);
    found(&read(&first).await);
    house.clock.advance(2 * MINUTE);
    let second = user(&house).await;
    let service = tower::Layer::layer(
        &house.layer,
        tower::service_fn(async |request: http::Request<()>| {
            let lazy = request.extensions().get::<LazySession>().unwrap();
            let read = lazy.load().await.and_then(|session| session.get::<u32>("k"));
            Ok::<_, Infallible>(respond(read))
        }),
    );
    let mut request = http::Request::new(());
    let cookies = format!("{COOKIE}={old}; {COOKIE}={}", second.ticket()).parse().unwrap();
    request.headers_mut().insert("cookie", cookies);
    told.take();
    let Ok(answer) = house.visitor().send(service, request).await;
    found(&answer);
    assert!(!told.take().contains(&"refused outdated".to_owned()));
}

/// A cookie of our name lingers whose session is over, and which expires before the outdated one.
#[tokio::test]
async fn a_login_ends_the_session_of_an_outdated_ticket_beside_a_dead_one() {
    let house = open();
    let dead = user(&house).await;
    house.clock.advance(MINUTE);
    let user = user(&house).await;
    let (old, lingering, thief) = (user.ticket(), dead.ticket(), user.copy());
    dead.visit(async |session| session.destroy().await).await.is_ok();
    house.clock.advance(EVERY);
    found(&read(&thief).await);
    found(&read(&thief).await);
    for _ in 0..5 {
        house.clock.advance(10 * MINUTE);
        found(&read(&thief).await);
    }
    let service = tower::Layer::layer(
        &house.layer,
        tower::service_fn(async |request: http::Request<()>| {
            let lazy = request.extensions().get::<LazySession>().unwrap();
            let login = async { lazy.load().await?.log_in("ada").await };
            Ok::<_, Infallible>(respond(login.await))
        }),
    );
    let mut request = http::Request::new(());
    let cookies = format!("{COOKIE}={old}; {COOKIE}={lingering}").parse().unwrap();
    request.headers_mut().insert("cookie", cookies);
    let Ok(answer) = house.visitor().send(service, request).await;
    answer.is_ok();
    assert_eq!(read(&thief).await.body, "None", "the thief goes on");
}

/// The option is off again, or not yet on everywhere.
#[tokio::test]
async fn without_the_option_a_first_use_still_ends_the_ticket_before() {
    let house = open();
    let user = user(&house).await;
    house.clock.advance(EVERY);
    let old = user.copy();
    found(&read(&user).await);
    let off = house.elsewhere();
    let (user, old) = (user.at(&off), old.at(&off));
    for _ in 0..20 {
        house.clock.advance(MINUTE);
        found(&read(&user).await);
    }
    assert_eq!(read(&old).await.body, "None");
}

/// Every request to a session that is written by others, too, is served; a turn is not starved.
#[tokio::test]
async fn load_only_after_a_turn() {
    let house = open();
    let user = user(&house).await;
    house.clock.advance(EVERY);
    found(&read(&user).await);
    found(&read(&user).await);
    house.counting.take();
    found(&read(&user).await);
    assert_eq!(house.counting.take(), [Load]);
}

/// A logout that keeps the data, with an outdated ticket.
#[tokio::test]
async fn a_logout_that_keeps_the_data_is_not_acknowledged_for_nothing() {
    let house = open();
    let user = user(&house).await;
    let old = user.copy();
    house.clock.advance(EVERY);
    found(&read(&user).await);
    found(&read(&user).await);
    house.clock.advance(MINUTE);
    let leaves = old.visit(async |session| session.log_out_keeping_data()).await;
    let still = user.visit(async |session| Ok(session.principal())).await;
    assert!(leaves.status != 200 || still.body == "None", "{leaves:?}, {still:?}");
}
