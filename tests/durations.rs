//! Time-outs and lifetimes at their ends: each has a defined meaning, and none a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use cloakroom::store::MemoryStore;
use cloakroom::{CookieSessions, Key, KeyRing, Revocations, Revoke, SessionLayer, Timestamp};
use cloakroom_testing::Command::Load;
use cloakroom_testing::{Answer, Fault, HOUR, House, Trace, Visitor, reply};
use http::{Request, Response, StatusCode};
use tower::{Layer, service_fn};

const MAX: Duration = Duration::MAX;
const MILLISECOND: Duration = Duration::from_millis(1);
/// All of these count as one millisecond.
const NEXT_TO_NOTHING: [Duration; 3] = [Duration::ZERO, Duration::from_nanos(1), MILLISECOND];

/// Returns a house for each way of keeping sessions.
fn houses() -> [House; 2] {
    [House::open(), House::in_cookies(CookieSessions::signed())]
}

async fn put(visitor: &Visitor) -> Answer {
    visitor.visit(async |session| session.insert("k", &1_u32)).await
}

async fn value(visitor: &Visitor) -> String {
    visitor.visit(async |session| session.get::<u32>("k")).await.is_ok().body.clone()
}

#[tokio::test]
async fn the_longest_durations_make_a_session_that_practically_never_ends() {
    for house in houses() {
        let house = house.with(|layer| layer.idle_timeout(MAX).absolute_lifetime(MAX));
        let visitor = house.visitor();
        put(&visitor).await.is_ok();
        for _ in 0..3 {
            house.clock.advance(100_000 * HOUR);
            assert_eq!(value(&visitor).await, "Some(1)");
            put(&visitor).await.is_ok();
        }
        let ends = visitor.visit(async |session| Ok(session.expires_at())).await;
        assert_eq!(ends.body, format!("{:?}", Some(std::time::SystemTime::from(Timestamp::MAX))));
    }
}

#[tokio::test]
async fn each_longest_duration_alone_leaves_the_other_in_force() {
    for house in houses() {
        let idle = house.clone().with(|layer| layer.idle_timeout(MAX));
        let lifetime = house.with(|layer| layer.absolute_lifetime(MAX));
        for (house, lives, ends) in [(&idle, 11 * HOUR, 2 * HOUR), (&lifetime, HOUR / 4, HOUR)] {
            let visitor = house.visitor();
            put(&visitor).await.is_ok();
            house.clock.advance(lives);
            assert_eq!(value(&visitor).await, "Some(1)");
            house.clock.advance(ends);
            assert_eq!(value(&visitor).await, "None");
        }
    }
}

#[tokio::test]
async fn no_duration_counts_as_a_millisecond_after_which_the_session_is_over() {
    for least in NEXT_TO_NOTHING {
        for at in 0..2 {
            for house in houses() {
                let house = house.with(|layer| match at {
                    0 => layer.idle_timeout(least),
                    _ => layer.absolute_lifetime(least),
                });
                let visitor = house.visitor();
                assert_eq!(put(&visitor).await.is_ok().set_cookies().len(), 1);
                assert_eq!(value(&visitor).await, "Some(1)", "the clock stands still");
                house.clock.advance(MILLISECOND);
                assert_eq!(value(&visitor).await, "None");
                put(&visitor).await.is_ok();
            }
        }
    }
}

#[tokio::test]
async fn remember_takes_any_duration() {
    for (idle, lifetime, max_age) in [
        (MAX, MAX, 34_560_000),
        (MAX, HOUR, 3600),
        (Duration::ZERO, Duration::ZERO, 1),
        (HOUR, Duration::from_millis(1500), 2),
        (HOUR, MILLISECOND, 1),
    ] {
        for house in houses() {
            let visitor = house.visitor();
            let answer = visitor.visit(async |session| {
                session.remember(idle, lifetime)?;
                session.insert("k", &1_u32)
            });
            let answer = answer.await;
            let cookie = answer.is_ok().set_cookies()[0];
            let expected = format!("; Max-Age={max_age}");
            assert!(cookie.ends_with(&expected), "{idle:?} {lifetime:?}: {cookie}");
            assert_eq!(value(&visitor).await, "Some(1)");
            house.clock.advance(lifetime.clamp(MILLISECOND, 400 * 24 * HOUR));
            let lives = lifetime == MAX;
            assert_eq!(value(&visitor).await == "Some(1)", lives, "{idle:?} {lifetime:?}");
        }
    }
}

#[tokio::test]
async fn a_remembered_visitor_needs_the_old_key_for_the_remembered_lifetime() {
    let [old, new] = [7, 8].map(|byte| Key::from_bytes(&[byte; 32]).unwrap());
    let rings = [KeyRing::new(new.clone()).verify_also(old).unwrap(), KeyRing::new(new)];
    let house = House::open(); // signs with the old key
    let visitor = house.visitor();
    let answer = visitor.visit(async |session| {
        session.remember(30 * 24 * HOUR, 30 * 24 * HOUR)?;
        session.insert("k", &1_u32)
    });
    answer.await.is_ok();
    let [with_both, with_new] = rings.map(|ring| {
        let layer = SessionLayer::new(house.store.clone(), ring).clock(house.clock.clone());
        visitor.copy().at(&layer)
    });
    house.clock.advance(13 * HOUR);
    assert_eq!(value(&with_new).await, "None", "one absolute lifetime is not enough");
    house.clock.advance(29 * 24 * HOUR);
    assert_eq!(value(&with_both).await, "Some(1)");
}

#[tokio::test(start_paused = true)]
async fn timeouts_of_the_store_are_between_a_millisecond_and_thirty_seconds() {
    for (timeout, waits) in [
        (Duration::ZERO, MILLISECOND),
        (Duration::from_nanos(1), MILLISECOND),
        (Duration::from_secs(1), Duration::from_secs(1)),
        (MAX, Duration::from_secs(30)),
    ] {
        let house =
            House::open().with(|layer| layer.command_timeout(timeout).commit_timeout(timeout));
        let guest = house.guest().await;
        assert_eq!(value(&guest).await, "Some(1)", "a store that answers at once is in time");
        house.faulty.always(Load, || Fault::Hang);
        let began = tokio::time::Instant::now();
        let answer = guest.visit(async |session| session.get::<u32>("k")).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        let waited = began.elapsed();
        assert!(waited >= waits && waited <= waits + 2 * MILLISECOND, "{timeout:?}: {waited:?}");
        let answer = guest.ask(async |lazy| {
            let ended = lazy.destroy().await;
            reply(ended.map_or_else(|error| error.status(), |()| StatusCode::OK))
        });
        assert_eq!(answer.await.status, StatusCode::SERVICE_UNAVAILABLE);
    }
}

#[tokio::test(start_paused = true)]
async fn revocations_take_any_duration() {
    for duration in [Duration::ZERO, MAX] {
        let builder = Revocations::builder(MemoryStore::new());
        let revocations = builder.staleness(duration).kept(duration).build();
        let now = std::time::SystemTime::now();
        revocations.revoke_before(Revoke::Principal("alice"), now).await.unwrap();
        let house = House::in_cookies(CookieSessions::signed());
        let house = house.with(|layer| layer.revocations(revocations).command_timeout(MAX));
        let guest = house.guest().await;
        assert_eq!(value(&guest).await, "Some(1)");
    }
}

fn warnings(change: impl FnOnce(SessionLayer) -> SessionLayer) -> Vec<String> {
    let layer = change(SessionLayer::new(MemoryStore::new(), Key::generate().unwrap()));
    let trace = Trace::listen();
    let service = || {
        service_fn(async |_: Request<()>| {
            Ok::<_, std::convert::Infallible>(Response::new(String::new()))
        })
    };
    let _ = (layer.layer(service()), layer.clone().layer(service()));
    trace.lines().into_iter().filter(|line| line.starts_with("WARN")).collect()
}

#[test]
fn an_idle_timeout_longer_than_the_lifetime_is_warned_about_once() {
    let shown = warnings(|layer| layer.idle_timeout(13 * HOUR));
    assert_eq!(shown.len(), 1, "{shown:?}");
    assert!(shown[0].contains("idle timeout") && shown[0].contains("absolute lifetime"));
    for fits in [12 * HOUR, HOUR] {
        assert_eq!(warnings(|layer| layer.idle_timeout(fits)), Vec::<String>::new());
    }
    let in_any_order = |layer: SessionLayer| {
        layer.idle_timeout(20 * HOUR).absolute_lifetime(30 * HOUR).slide_after_percent(5)
    };
    assert_eq!(warnings(in_any_order), Vec::<String>::new());
}

#[test]
fn a_duration_of_zero_is_warned_about() {
    let zero = Duration::ZERO;
    let all: [fn(SessionLayer, Duration) -> SessionLayer; 4] = [
        |layer, zero| layer.idle_timeout(zero),
        |layer, zero| layer.idle_timeout(zero).absolute_lifetime(zero),
        |layer, zero| layer.command_timeout(zero),
        |layer, zero| layer.commit_timeout(zero),
    ];
    for set in all {
        let shown = warnings(|layer| set(layer, zero));
        assert!(shown.len() == 1 && shown[0].contains("zero"), "{shown:?}");
    }
}
