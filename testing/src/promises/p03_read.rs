//! P3: a read is one store command, and seldom moves the idle timeout.

use std::fmt::Debug;
use std::time::Duration;

use cloakroom::store::StoreErrorKind::Unavailable;
use cloakroom::{LazySession, SessionError};

use crate::Command::{Load, Replace, Touch};
use crate::promises::Ground;
use crate::{Answer, Command, Fault, HOUR, House, MINUTE, Visitor, respond};

async fn read(visitor: &Visitor) {
    let answer = visitor.visit(async |session| session.get::<u32>("k")).await;
    assert_eq!(answer.body, "Some(1)");
    assert_eq!(answer.set_cookies(), Vec::<&str>::new());
}

/// Sends a request whose handler may peek.
async fn peek<T: Debug>(
    visitor: &Visitor,
    handler: impl AsyncFnOnce(LazySession) -> Result<T, SessionError>,
) -> Answer {
    visitor.ask(async move |lazy| respond(handler(lazy).await)).await
}

pub async fn p3_reading_many_keys_is_one_load(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let answer = guest
        .visit(async |session| {
            session.get::<u32>("k")?;
            session.contains("other")?;
            session.get::<String>("third")?;
            Ok((session.keys(), session.principal(), session.is_new()))
        })
        .await;
    assert_eq!(answer.body, r#"(["k"], None, false)"#);
    assert_eq!(house.counting.take(), [Load]);
}

pub async fn p3_loading_twice_and_from_clones_is_one_load() {
    let house = House::open();
    let guest = house.guest().await;
    house.faulty.next(Load, Fault::Delay(Duration::from_millis(200)));
    guest
        .ask(async |lazy| {
            let (first, second) = tokio::join!(lazy.load(), async { lazy.clone().load().await });
            let third = lazy.load().await.unwrap();
            assert!([first.unwrap(), second.unwrap(), third].iter().all(|s| !s.is_new()));
            crate::respond(Ok(()))
        })
        .await
        .is_ok();
    assert_eq!(house.counting.take(), [Load]);
}

pub async fn p3_just_under_a_tenth_of_the_timeout_moves_nothing(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    // 9.99 per cent of 30 minutes.
    house.clock.advance(Duration::from_millis(179_820));
    read(&guest).await;
    assert_eq!(house.counting.take(), [Load]);
    house.clock.advance(Duration::from_millis(179));
    read(&guest).await;
    assert_eq!(house.counting.take(), [Load]);
}

pub async fn p3_a_tenth_of_the_timeout_moves_it_once(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    house.clock.advance(3 * MINUTE);
    read(&guest).await;
    assert_eq!(house.counting.take(), [Load, Touch]);
    assert_eq!(house.entry().await.deadline, house.clock.now().saturating_add(30 * MINUTE));
    read(&guest).await;
    assert_eq!(house.counting.take(), [Load]);
}

pub async fn p3_a_visitor_in_regular_use_pays_for_one_touch_per_tenth(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    for _ in 0..60 {
        house.clock.advance(MINUTE);
        read(&guest).await;
    }
    let commands = house.counting.take();
    assert_eq!(commands.iter().filter(|&&command| command == Load).count(), 60);
    assert_eq!(commands.iter().filter(|&&command| command == Touch).count(), 20);
}

pub async fn p3_zero_per_cent_moves_it_every_time_that_time_has_passed(ground: Ground) {
    let house = ground().with(|layer| layer.slide_after_percent(0));
    let guest = house.guest().await;
    read(&guest).await;
    assert_eq!(house.counting.take(), [Load], "no later deadline, nothing to move");
    for _ in 0..3 {
        house.clock.advance(Duration::from_millis(1));
        read(&guest).await;
        assert_eq!(house.counting.take(), [Load, Touch]);
    }
}

pub async fn p3_a_hundred_per_cent_never_moves_it(ground: Ground) {
    let house = ground().with(|layer| layer.slide_after_percent(100));
    let guest = house.guest().await;
    house.clock.advance(30 * MINUTE - Duration::from_millis(1));
    read(&guest).await;
    assert_eq!(house.counting.take(), [Load]);
    house.clock.advance(Duration::from_millis(1));
    assert_eq!(guest.visit(async |session| session.get::<u32>("k")).await.body, "None");
}

pub async fn p3_the_last_use_is_known_to_a_tenth_of_the_timeout(ground: Ground) {
    let house = ground();
    let began = house.clock.now();
    let guest = house.guest().await;
    let last_use = async || {
        let mut last = None;
        let answer = guest.visit(async |session| {
            last = session.last_used_at();
            Ok(())
        });
        answer.await.is_ok();
        last
    };
    assert_eq!(last_use().await, Some(began.into()));
    house.clock.advance(2 * MINUTE);
    assert_eq!(last_use().await, Some(began.into()), "the use is known, and does not move it");
    house.clock.advance(2 * MINUTE);
    assert_eq!(last_use().await, Some(began.into()), "it is moved after the handler");
    let moved = house.clock.now();
    house.clock.advance(MINUTE);
    assert_eq!(last_use().await, Some(moved.into()));
    house.clock.advance(20 * MINUTE);
    assert_eq!(last_use().await, Some(house.clock.now().into()), "or before, if it comes late");
    let new = house.visitor().visit(async |session| Ok(session.last_used_at())).await;
    assert_eq!(new.body, "None");
}

pub async fn p3_a_peek_does_not_move_it(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let ends = house.clock.now().saturating_add(30 * MINUTE);
    for _ in 0..29 {
        house.clock.advance(MINUTE);
        let answer = peek(&guest, async |lazy| {
            let session = lazy.peek().await?;
            Ok((session.get::<u32>("k")?, session.expires_at() == Some(ends.into())))
        });
        assert_eq!(answer.await.body, "(Some(1), true)");
        assert_eq!(house.counting.take(), [Load]);
    }
    house.clock.advance(MINUTE);
    let answer = peek(&guest, async |lazy| lazy.peek().await?.get::<u32>("k"));
    assert_eq!(answer.await.body, "None");
}

pub async fn p3_a_peek_beside_a_load_or_a_change_is_use(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let ends = |house: &House| house.clock.now().saturating_add(30 * MINUTE);
    for loads_first in [true, false] {
        house.clock.advance(10 * MINUTE);
        let answer = peek(&guest, async |lazy| {
            if loads_first {
                lazy.load().await?;
            }
            let session = lazy.peek().await?;
            lazy.load().await?;
            Ok(session.expires_at() == Some(ends(&house).into()))
        });
        assert_eq!(answer.await.body, "true");
        assert_eq!(house.counting.take(), [Load, Touch]);
        assert_eq!(house.entry().await.deadline, ends(&house));
    }
    house.clock.advance(10 * MINUTE);
    peek(&guest, async |lazy| lazy.peek().await?.insert("k", &2)).await.is_ok();
    assert_eq!(house.counting.take(), [Load, Replace]);
    assert_eq!(house.entry().await.deadline, ends(&house));
}

pub async fn p3_a_load_after_a_peek_does_not_wait_for_the_handler_when_it_is_late(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    house.clock.advance(20 * MINUTE);
    let mut commands = Vec::new();
    let answer = peek(&guest, async |lazy| {
        lazy.peek().await?;
        commands.push(house.counting.take());
        lazy.load().await?;
        commands.push(house.counting.take());
        Ok(())
    });
    answer.await.is_ok();
    commands.push(house.counting.take());
    assert_eq!(commands, [vec![Load], vec![Touch], vec![]]);
}

pub async fn p3_a_change_after_a_peek_is_use_even_if_it_leaves_the_same_bytes(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    house.clock.advance(28 * MINUTE);
    let ends = house.clock.now().saturating_add(30 * MINUTE);
    let answer = peek(&guest, async |lazy| {
        let session = lazy.peek().await?;
        session.insert("k", &1)?;
        Ok(session.expires_at() == Some(ends.into()))
    });
    assert_eq!(answer.await.body, "true");
    assert_eq!(house.counting.take(), [Load, Touch]);
    assert_eq!(house.entry().await.deadline, ends);
}

pub async fn p6_a_load_after_a_peek_that_finds_the_session_over_begins_no_other(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    house.clock.advance(20 * MINUTE);
    let answer = peek(&guest, async |lazy| {
        lazy.peek().await?.insert("mine", &7)?;
        // Use counts from here on, but the session is not kept alive by it.
        house.clock.advance(31 * MINUTE);
        lazy.load().await.map(|_| ())
    });
    let answer = answer.await;
    assert!(matches!(answer.error, Some(SessionError::Gone)), "{answer:?}");
    assert_eq!((answer.status.as_u16(), answer.set_cookies().len()), (409, 0));
}

pub async fn p6_a_logout_after_such_a_load_is_not_confirmed(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let tab = guest.copy();
    house.clock.advance(5 * MINUTE);
    let answer = peek(&guest, async |lazy| {
        lazy.peek().await?;
        house.clock.advance(MINUTE);
        tab.visit(async |session| session.log_in("ada").await).await.is_ok();
        house.clock.advance(20 * MINUTE);
        tab.visit(async |session| session.get::<u32>("k")).await.is_ok();
        // The mark of the login is over now, and the session lives on.
        house.clock.advance(11 * MINUTE);
        lazy.load().await?.destroy().await
    });
    let answer = answer.await;
    assert!(matches!(answer.error, Some(SessionError::Unconfirmed(_))), "{answer:?}");
    assert_eq!((answer.status.as_u16(), answer.set_cookies().len()), (503, 0));
    let principal = tab.visit(async |session| Ok(session.principal())).await.body;
    assert_eq!(principal, r#"Some("ada")"#);
}

pub async fn p3_a_write_moves_it_without_a_touch(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    house.clock.advance(10 * MINUTE);
    guest.visit(async |session| session.insert("k", &2)).await.is_ok();
    assert_eq!(house.counting.take(), [Load, Replace]);
    assert_eq!(house.entry().await.deadline, house.clock.now().saturating_add(30 * MINUTE));
}

pub async fn p3_the_timeout_never_moves_past_the_absolute_lifetime(ground: Ground) {
    let house = ground().with(|layer| layer.idle_timeout(8 * HOUR));
    let start = house.clock.now();
    let guest = house.guest().await;
    house.clock.advance(6 * HOUR);
    read(&guest).await;
    assert_eq!(house.counting.take(), [Load, Touch]);
    assert_eq!(house.entry().await.deadline, start.saturating_add(12 * HOUR));
    house.clock.advance(4 * HOUR);
    read(&guest).await;
    assert_eq!(house.counting.take(), [Load], "there is nothing left to move it to");
}

pub async fn p3_a_failed_touch_fails_no_request(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    house.clock.advance(3 * MINUTE);
    house.faulty.next(Touch, Fault::Fail(Unavailable));
    read(&guest).await;
    assert_eq!(house.counting.take(), [Load, Touch]);
}

/// Looks at the commands before and after the handler, `after` this time without use.
async fn around_the_handler(ground: Ground, after: Duration) -> [Vec<Command>; 2] {
    let house = ground();
    let guest = house.guest().await;
    house.clock.advance(after);
    let mut before = Vec::new();
    let answer = guest.visit(async |session| {
        before = house.counting.take();
        session.get::<u32>("k")
    });
    assert_eq!(answer.await.body, "Some(1)");
    [before, house.counting.take()]
}

/// The handler may take longer than what is left.
pub async fn p3_with_less_than_half_of_the_timeout_left_the_touch_is_sent_at_once(ground: Ground) {
    let half = around_the_handler(ground, 15 * MINUTE).await;
    assert_eq!(half, [vec![Load], vec![Touch]]);
    let less = around_the_handler(ground, 15 * MINUTE + Duration::from_millis(1)).await;
    assert_eq!(less, [vec![Load, Touch], vec![]]);
}

pub async fn p3_a_handler_that_takes_longer_than_what_was_left_keeps_its_session(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    house.clock.advance(29 * MINUTE);
    let answer = guest.visit(async |session| {
        house.clock.advance(20 * MINUTE);
        session.insert("k", &2_u32)
    });
    answer.await.is_ok();
    house.clock.advance(29 * MINUTE);
    assert_eq!(guest.visit(async |session| session.get::<u32>("k")).await.body, "Some(2)");
}

pub async fn p3_a_touch_before_the_handler_that_fails_is_tried_again_after_it(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    house.clock.advance(20 * MINUTE);
    house.faulty.next(Touch, Fault::Fail(Unavailable));
    read(&guest).await;
    assert_eq!(house.counting.take(), [Load, Touch, Touch]);
    house.clock.advance(20 * MINUTE);
    read(&guest).await;
}

pub async fn p3_a_touch_before_the_handler_that_finds_no_session_is_a_new_visitors(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    house.clock.advance(20 * MINUTE);
    let (store, key) = (house.store.clone(), house.counting.last_key());
    house.faulty.next(Touch, Fault::after(async move || store.delete(&key).await.unwrap()));
    let answer = guest.visit(async |session| Ok((session.is_new(), session.keys().len()))).await;
    assert_eq!(answer.body, "(true, 0)");
    assert_eq!(house.counting.take(), [Load, Touch]);
}
