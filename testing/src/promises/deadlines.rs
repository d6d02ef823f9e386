//! A request with a hanging store is answered within the deadlines, and the layer recovers by
//! itself.

use std::time::Duration;

use cloakroom::store::StoreErrorKind;
use cloakroom::{OutagePolicy, SessionError};
use tokio::time::Instant;

use crate::Command::{Create, Load, Replace};
use crate::promises::Ground;
use crate::{Answer, Fault, House, Visitor, respond};

async fn read(visitor: &Visitor) -> Answer {
    visitor.visit(async |session| session.get::<u32>("k")).await
}

async fn timed<T>(future: impl Future<Output = T>) -> (T, Duration) {
    let start = Instant::now();
    (future.await, start.elapsed())
}

const SLACK: Duration = Duration::from_millis(100);

pub async fn a_load_that_hangs_is_answered_503_within_two_seconds() {
    let house = House::open();
    let guest = house.guest().await;
    house.faulty.next(Load, Fault::Hang);
    let (answer, waited) = timed(read(&guest)).await;
    assert_eq!(answer.status, 503);
    assert!(answer.error.unwrap().is_outage());
    assert!(waited <= Duration::from_secs(2) + SLACK, "{waited:?}");
    assert_eq!(read(&guest).await.body, "Some(1)", "it recovers by itself");
}

pub async fn a_commit_that_hangs_is_answered_503_within_five_seconds() {
    let house = House::open();
    let guest = house.guest().await;
    house.faulty.always(Replace, || Fault::Hang);
    let write = guest.visit(async |session| session.insert("k", &2));
    let (answer, waited) = timed(write).await;
    answer.is_outage();
    assert!(waited <= Duration::from_secs(5) + SLACK, "{waited:?}");
    house.faulty.clear_faults();
    assert_eq!(read(&guest).await.body, "Some(1)");
}

pub async fn a_first_session_that_hangs_is_answered_503_within_five_seconds() {
    let house = House::open();
    house.faulty.always(Create, || Fault::Hang);
    let visitor = house.visitor();
    let (answer, waited) = timed(visitor.visit(async |session| session.insert("k", &2))).await;
    answer.is_outage();
    assert!(waited <= Duration::from_secs(5) + SLACK, "{waited:?}");
}

pub async fn a_logout_that_hangs_is_answered_503_within_five_seconds() {
    let house = House::open();
    let guest = house.guest().await;
    house.faulty.always(Load, || Fault::Hang);
    house.faulty.always(Replace, || Fault::Hang);
    let log_out = guest.ask(async |lazy| respond(lazy.destroy().await));
    let (answer, waited) = timed(log_out).await;
    assert_eq!((answer.status.as_u16(), answer.set_cookies().len()), (503, 0));
    assert!(waited <= Duration::from_secs(5) + SLACK, "{waited:?}");
}

pub async fn a_logout_that_loses_every_answer_is_answered_503_within_five_seconds() {
    let house = House::open();
    let guest = house.guest().await;
    house.faulty.always(Replace, || Fault::LoseRequest);
    let (answer, waited) = timed(guest.visit(async |session| session.destroy().await)).await;
    assert_eq!(answer.status, 503);
    assert!(waited <= Duration::from_secs(5) + SLACK, "{waited:?}");
    let commands = house.counting.take();
    assert!(commands.len() < 100, "{} commands", commands.len());
}

pub async fn a_touch_that_hangs_fails_no_request() {
    let house = House::open();
    let guest = house.guest().await;
    house.clock.advance(10 * crate::MINUTE);
    house.faulty.always(crate::Command::Touch, || Fault::Hang);
    let (answer, waited) = timed(read(&guest)).await;
    assert_eq!(answer.body, "Some(1)");
    assert!(waited <= Duration::from_secs(2) + SLACK, "{waited:?}");
}

pub async fn a_load_and_a_touch_that_hangs_take_no_longer_than_a_load_may() {
    let house = House::open();
    let guest = house.guest().await;
    house.clock.advance(20 * crate::MINUTE);
    house.faulty.next(Load, Fault::Delay(Duration::from_millis(1500)));
    house.faulty.next(crate::Command::Touch, Fault::Hang);
    let start = Instant::now();
    let mut loaded = Duration::ZERO;
    let answer = guest.visit(async |session| {
        loaded = start.elapsed();
        session.get::<u32>("k")
    });
    assert_eq!(answer.await.body, "Some(1)");
    assert!(loaded <= Duration::from_secs(2) + SLACK, "{loaded:?}");
}

pub async fn a_load_after_a_peek_takes_no_longer_than_one_load_may() {
    let house = House::open();
    let guest = house.guest().await;
    house.clock.advance(20 * crate::MINUTE);
    house.faulty.next(Load, Fault::Delay(Duration::from_millis(1900)));
    house.faulty.next(crate::Command::Touch, Fault::Hang);
    let start = Instant::now();
    let mut loaded = Duration::ZERO;
    let answer = guest.ask(async |lazy| {
        lazy.peek().await.unwrap();
        lazy.load().await.unwrap();
        loaded = start.elapsed();
        respond(Ok(()))
    });
    answer.await.is_ok();
    assert!(loaded <= Duration::from_secs(2) + SLACK, "{loaded:?}");
}

/// The second one does not wait for ever for the first, and loads by itself.
pub async fn a_load_beside_one_that_failed_fails_too() {
    let house = House::open();
    let guest = house.guest().await;
    house.faulty.next(Load, Fault::Hang);
    let answer = guest.ask(async |lazy| {
        let (one, other) = tokio::join!(lazy.load(), lazy.load());
        assert!(one.is_ok() && other.is_ok());
        respond(lazy.load().await.and_then(|session| session.insert("k", &2)))
    });
    // The one that was answered counts, and the session is changed, not begun anew.
    assert_eq!(answer.await.is_ok().set_cookies(), Vec::<&str>::new());
    house.faulty.next(Load, Fault::Hang);
    house.faulty.next(Load, Fault::Hang);
    let answer = guest.ask(async |lazy| {
        let (one, other) = tokio::join!(lazy.load(), lazy.load());
        assert!(one.is_err() && other.is_err());
        respond(one.and(other).map(|_| ()))
    });
    assert_eq!(answer.await.status, 503);
    assert_ne!(read(&guest).await.body, "None");
}

pub async fn a_load_beside_a_peek_is_use() {
    let house = House::open();
    let guest = house.guest().await;
    house.clock.advance(20 * crate::MINUTE);
    house.counting.take();
    house.faulty.always(Load, || Fault::Delay(Duration::from_millis(400)));
    let answer = guest.ask(async |lazy| {
        let (peeked, loaded) = tokio::join!(lazy.peek(), lazy.load());
        respond(peeked.and(loaded).map(|_| ()))
    });
    answer.await.is_ok();
    assert_eq!(house.counting.take(), [Load, Load, crate::Command::Touch]);
}

pub async fn no_clone_sees_a_session_that_the_early_touch_finds_over() {
    let house = House::open();
    let guest = house.guest().await;
    house.clock.advance(20 * crate::MINUTE);
    let clock = house.clock.clone();
    house.faulty.next(
        crate::Command::Touch,
        Fault::after(async move || {
            tokio::time::sleep(Duration::from_millis(100)).await;
            clock.advance(11 * crate::MINUTE);
        }),
    );
    let answer = guest.ask(async |lazy| {
        let clone = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            lazy.load().await
        };
        let (one, other) = tokio::join!(lazy.load(), clone);
        respond(one.and_then(|one| Ok((one.is_new(), other?.is_new()))))
    });
    assert_eq!(answer.await.body, "(true, true)");
}

pub async fn everything_slow_at_once_is_one_load_and_one_commit_deadline() {
    let house = House::open();
    let guest = house.guest().await;
    let slow = || Fault::Delay(Duration::from_millis(1999));
    house.faulty.always(Load, slow);
    house.faulty.next(Replace, Fault::Delay(Duration::from_millis(1999)));
    house.faulty.always(Replace, || Fault::Hang);
    let conflicting = guest.visit(async |session| {
        let key = house.counting.last_key();
        let mut entry = house.entry().await.bytes.to_vec();
        *entry.last_mut().unwrap() = 7;
        assert_eq!(house.overwrite(entry).await, key);
        session.insert("other", &2)
    });
    let (answer, waited) = timed(conflicting).await;
    answer.is_outage();
    assert!(waited <= Duration::from_secs(7) + SLACK, "{waited:?}");
}

pub async fn the_deadlines_can_be_set() {
    let second = Duration::from_secs(1);
    let house =
        House::open().with(|layer| layer.command_timeout(second / 4).commit_timeout(second / 2));
    let guest = house.guest().await;
    house.faulty.always(Replace, || Fault::Hang);
    let write = guest.visit(async |session| session.insert("k", &2));
    let (answer, waited) = timed(write).await;
    answer.is_outage();
    assert!(waited <= second / 2 + SLACK, "{waited:?}");
    house.faulty.always(Load, || Fault::Hang);
    let (answer, waited) = timed(read(&guest)).await;
    assert_eq!(answer.status, 503);
    assert!(waited <= second / 4 + SLACK, "{waited:?}");
}

fn catalogue_is_for_everybody() -> House {
    House::open().with(|layer| layer.on_outage(|_| OutagePolicy::Anonymous))
}

pub async fn where_the_app_says_so_an_outage_reads_as_anonymous() {
    for fault in [Fault::Hang, Fault::Fail(StoreErrorKind::Unavailable), Fault::LoseRequest] {
        let house = catalogue_is_for_everybody();
        let guest = house.guest().await;
        house.faulty.next(Load, fault);
        let answer = guest
            .visit(async |session| {
                assert!(session.is_new());
                session.get::<u32>("k")
            })
            .await;
        assert_eq!(answer.is_ok().body, "None");
        assert_eq!(answer.set_cookies(), Vec::<&str>::new());
        assert_eq!(house.counting.take(), [Load]);
        assert_eq!(read(&guest).await.body, "Some(1)");
    }
}

pub async fn what_could_not_be_read_is_never_written() {
    let house = catalogue_is_for_everybody();
    let guest = house.guest().await;
    house.faulty.always(Load, || Fault::Fail(StoreErrorKind::Unavailable));
    let answer = guest
        .visit(async |session| {
            let kind = |result: Result<(), SessionError>| match result {
                Err(SessionError::Store(error)) => error.kind(),
                other => panic!("{other:?}"),
            };
            let unavailable = StoreErrorKind::Unavailable;
            assert_eq!(kind(session.insert("k", &2)), unavailable);
            assert_eq!(kind(session.update("k", |_: &mut u32| ())), unavailable);
            assert_eq!(kind(session.log_in("ada").await), unavailable);
            assert_eq!(kind(session.log_out_keeping_data()), unavailable);
            assert_eq!(kind(session.remove("k")), unavailable);
            assert_eq!(kind(session.take::<u32>("k").map(drop)), unavailable);
            assert_eq!(kind(session.clear()), unavailable);
            assert_eq!(kind(session.renew()), unavailable);
            assert_eq!(
                kind(session.remember(Duration::from_secs(60), Duration::from_secs(60))),
                unavailable
            );
            Ok(())
        })
        .await;
    answer.is_ok();
    assert_eq!(answer.set_cookies(), Vec::<&str>::new());
    assert_eq!(house.counting.take(), [Load]);
    house.faulty.clear_faults();
    assert_eq!(read(&guest).await.body, "Some(1)");
}

pub async fn without_a_policy_an_outage_fails_closed_and_the_policy_is_per_request(ground: Ground) {
    let house = ground().with(|layer| {
        layer.on_outage(|request| match request.uri.path() {
            "/catalogue" => OutagePolicy::Anonymous,
            _ => OutagePolicy::FailClosed,
        })
    });
    let guest = house.guest().await;
    house.faulty.always(Load, || Fault::Fail(StoreErrorKind::Unavailable));
    assert_eq!(read(&guest).await.status, 503);
    let service = tower::Layer::layer(
        &house.layer,
        tower::service_fn(async |request: http::Request<()>| {
            let lazy = request.extensions().get::<cloakroom::LazySession>().unwrap();
            Ok::<_, std::convert::Infallible>(respond(lazy.load().await.map(|_| ())))
        }),
    );
    let request = http::Request::builder().uri("/catalogue").body(()).unwrap();
    let Ok(answer) = guest.send(service, request).await;
    answer.is_ok();
}

/// The policy applies to outages only. A store that refuses access, or a damaged record, needs
/// somebody to repair it.
pub async fn the_policy_is_for_outages_only() {
    let kinds = [StoreErrorKind::Denied, StoreErrorKind::Misconfigured, StoreErrorKind::Corrupt];
    for kind in kinds {
        let house = catalogue_is_for_everybody();
        let guest = house.guest().await;
        house.faulty.next(Load, Fault::Fail(kind));
        assert_eq!(read(&guest).await.status, 500, "{kind:?}");
    }
}
