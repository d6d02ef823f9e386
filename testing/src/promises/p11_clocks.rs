//! P11: the library checks both time limits by the server's clock, whatever the store still
//! returns.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use cloakroom::store::{
    Created, Entry, NewEntry, Replaced, SessionStore, StoreError, StoreKey, Touched, Version,
};
use cloakroom::{SessionLayer, Timestamp};
use http::StatusCode;

use crate::promises::Ground;
use crate::{HOUR, MINUTE, Visitor, clock};

const MOMENT: Duration = Duration::from_millis(1);

/// A store without a clock: no entry in it ever expires.
#[derive(Clone, Debug, Default)]
struct Timeless {
    entries: Arc<Mutex<BTreeMap<StoreKey, Entry>>>,
    pace: Option<Pace>,
}

/// The time that each load takes.
#[derive(Clone, Debug)]
struct Pace {
    clock: cloakroom::ManualClock,
    takes: Duration,
    /// Whether other tasks run meanwhile.
    waits: bool,
}

fn entry(new: &NewEntry) -> Entry {
    Entry::new(new.commit.into(), new.deadline, new.bytes.clone())
}

#[async_trait]
impl SessionStore for Timeless {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        if let Some(Pace { clock, takes, waits }) = &self.pace {
            if *waits {
                tokio::task::yield_now().await;
            }
            clock.advance(*takes);
        }
        Ok(self.entries.lock().unwrap().get(key).cloned())
    }

    async fn create(&self, key: &StoreKey, new: &NewEntry) -> Result<Created, StoreError> {
        self.entries.lock().unwrap().insert(*key, entry(new));
        Ok(Created::Done(new.commit.into()))
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        new: &NewEntry,
    ) -> Result<Replaced, StoreError> {
        match self.entries.lock().unwrap().get_mut(key) {
            None => Ok(Replaced::Gone),
            Some(there) if there.version != *expected => Ok(Replaced::Conflict(there.clone())),
            Some(there) => {
                *there = entry(new);
                Ok(Replaced::Done(there.version))
            }
        }
    }

    async fn touch(
        &self,
        key: &StoreKey,
        _: &Version,
        deadline: Timestamp,
    ) -> Result<Touched, StoreError> {
        self.entries.lock().unwrap().get_mut(key).ok_or_else(missing)?.deadline = deadline;
        Ok(Touched::Done)
    }

    async fn delete(&self, key: &StoreKey) -> Result<(), StoreError> {
        self.entries.lock().unwrap().remove(key);
        Ok(())
    }
}

fn missing() -> StoreError {
    StoreError::new(cloakroom::store::StoreErrorKind::Corrupt, "nothing to touch")
}

async fn read(visitor: &Visitor) -> String {
    visitor.visit(async |session| session.get::<u32>("k")).await.body
}

fn timeless() -> (cloakroom::ManualClock, Visitor) {
    let clock = clock();
    let key = cloakroom::Key::generate().unwrap();
    let layer = SessionLayer::new(Timeless::default(), key).clock(clock.clone());
    (clock, Visitor::new(layer))
}

pub async fn p11_the_idle_timeout_ends_a_session_to_the_millisecond(ground: Ground) {
    for late in [false, true] {
        let house = ground();
        let guest = house.guest().await;
        house.clock.advance(30 * MINUTE - MOMENT);
        if late {
            house.clock.advance(MOMENT);
        }
        assert_eq!(read(&guest).await, if late { "None" } else { "Some(1)" });
    }
}

pub async fn p11_the_idle_timeout_holds_when_the_store_still_returns_the_bytes() {
    let (clock, guest) = timeless();
    guest.visit(async |session| session.insert("k", &1_u32)).await.is_ok();
    clock.advance(30 * MINUTE - MOMENT);
    assert_eq!(read(&guest.copy()).await, "Some(1)");
    clock.advance(30 * MINUTE);
    assert_eq!(read(&guest).await, "None");
}

/// Whether the load waits for something, or keeps its thread all the time.
pub async fn p11_a_session_that_expires_while_it_is_loaded_is_over() {
    for (waits, takes, expected) in [
        (false, 30 * MINUTE - MOMENT, "Some(1)"),
        (false, 30 * MINUTE, "None"),
        (true, 30 * MINUTE - MOMENT, "Some(1)"),
        (true, 30 * MINUTE, "None"),
    ] {
        let clock = clock();
        let pace = Pace { clock: clock.clone(), takes, waits };
        let store = Timeless { pace: Some(pace), ..Timeless::default() };
        let key = cloakroom::Key::generate().unwrap();
        let guest = Visitor::new(SessionLayer::new(store, key).clock(clock));
        guest.visit(async |session| session.insert("k", &1_u32)).await.is_ok();
        assert_eq!(read(&guest).await, expected, "{waits} {takes:?}");
    }
}

pub async fn p11_the_absolute_lifetime_ends_a_session_in_constant_use(ground: Ground) {
    let house = ground();
    for (clock, guest) in [timeless(), (house.clock.clone(), house.visitor())] {
        guest.visit(async |session| session.insert("k", &1_u32)).await.is_ok();
        for _ in 0..71 {
            clock.advance(10 * MINUTE);
            assert_eq!(read(&guest).await, "Some(1)");
        }
        clock.advance(10 * MINUTE - MOMENT);
        assert_eq!(read(&guest).await, "Some(1)");
        clock.advance(MOMENT);
        assert_eq!(read(&guest).await, "None");
    }
}

pub async fn p11_writes_do_not_lengthen_the_absolute_lifetime() {
    let (clock, guest) = timeless();
    guest.visit(async |session| session.insert("k", &1_u32)).await.is_ok();
    for at in 0..71_u32 {
        clock.advance(10 * MINUTE);
        guest.visit(async |session| session.insert("k", &at)).await.is_ok();
    }
    clock.advance(10 * MINUTE);
    assert_eq!(read(&guest).await, "None");
}

/// The session expires between another request's write and this one's conflict.
pub async fn p11_both_clocks_are_looked_at_after_a_conflict_too() {
    for wait in [30 * MINUTE, 12 * HOUR] {
        let (clock, guest) = timeless();
        guest.visit(async |session| session.insert("k", &1_u32)).await.is_ok();
        let answer = guest
            .visit(async |session| {
                guest.visit(async |other| other.insert("other", &2_u32)).await.is_ok();
                clock.advance(wait);
                session.insert("k", &3_u32)
            })
            .await;
        answer.is_gone();
    }
}

/// The session is that of a visitor who is not logged in.
pub async fn p11_the_anonymous_timeout_is_looked_at_after_a_load_and_after_a_conflict() {
    for conflicts in [false, true] {
        let (clock, guest) = timeless();
        let layer = guest.layer().clone().anonymous_idle_timeout(5 * MINUTE);
        // A server without the option has stored the longer one.
        guest.visit(async |session| session.insert("k", &1_u32)).await.is_ok();
        let strict = guest.at(&layer);
        assert_eq!(read(&strict).await, "Some(1)");
        let answer = strict.visit(async |session| {
            if conflicts {
                guest.visit(async |other| other.insert("other", &2_u32)).await.is_ok();
            }
            clock.advance(5 * MINUTE);
            session.insert("k", &3_u32)
        });
        answer.await.is_gone();
        clock.advance(5 * MINUTE);
        assert_eq!(read(&strict).await, "None");
    }
}

pub async fn p11_a_session_that_expires_while_its_handler_runs_is_gone(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let answer = guest
        .visit(async |session| {
            house.clock.advance(30 * MINUTE);
            session.insert("k", &3_u32)
        })
        .await;
    answer.is_gone();
    assert_eq!(read(&guest).await, "None");
}

pub async fn p11_the_absolute_lifetime_holds_at_the_write_when_the_store_does_not() {
    let (clock, guest) = timeless();
    guest.visit(async |session| session.insert("k", &1_u32)).await.is_ok();
    let answer = guest
        .visit(async |session| {
            clock.advance(12 * HOUR);
            session.insert("k", &3_u32)
        })
        .await;
    answer.is_gone();
}

pub async fn p11_a_shorter_idle_timeout_reaches_sessions_that_exist(ground: Ground) {
    let house = ground().with(|layer| layer.idle_timeout(12 * HOUR));
    for (age, body) in [(HOUR - MOMENT, "Some(1)"), (HOUR, "None"), (2 * HOUR, "None")] {
        let guest = house.guest().await;
        house.clock.advance(age);
        let stricter = guest.at(&house.layer.clone().idle_timeout(HOUR));
        assert_eq!(read(&stricter).await, body, "{age:?}");
    }
}

/// The record still has the timeout that it began with, as long as it is only read.
pub async fn p11_a_session_in_use_outlives_a_shorter_idle_timeout(ground: Ground) {
    for writes in [false, true] {
        let house = ground().with(|layer| layer.idle_timeout(10 * HOUR));
        let guest = house.guest().await;
        let stricter = guest.at(&house.layer.clone().idle_timeout(HOUR));
        for _ in 0..8 {
            house.clock.advance(HOUR - MOMENT);
            assert_eq!(read(&stricter).await, "Some(1)");
            if writes {
                stricter.visit(async |session| session.renew()).await.is_ok();
                stricter.visit(async |session| session.insert("n", &1)).await.is_ok();
                assert!(house.entry().await.deadline <= house.clock.now().saturating_add(HOUR));
            }
        }
        house.clock.advance(HOUR);
        assert_eq!(read(&stricter).await, "None");
    }
}

/// The store has the longer deadline, and would take what a handler that began in time sends it. Another request
/// has been answered meanwhile that the session is over.
pub async fn p11_a_slow_handler_brings_nothing_back_that_a_shorter_timeout_has_ended(
    ground: Ground,
) {
    type Handler = fn(&cloakroom::Session) -> Result<(), cloakroom::SessionError>;
    let handlers: [Handler; 4] = [
        |_| Ok(()),
        |session| session.insert("k", &3_u32),
        |session| session.remove("k"),
        |session| session.renew(),
    ];
    for shorter_idle in [true, false] {
        for (at, handler) in handlers.into_iter().enumerate() {
            let house = ground();
            let guest = house.guest().await;
            let layer = house.layer.clone();
            let stricter = guest.at(&match shorter_idle {
                true => layer.idle_timeout(MINUTE),
                false => layer.absolute_lifetime(MINUTE),
            });
            let answer = stricter.visit(async |session| {
                house.clock.advance(MINUTE);
                assert_eq!(read(&stricter.copy()).await, "None");
                handler(&session)
            });
            let answer = answer.await;
            let expected = if at == 0 { StatusCode::OK } else { StatusCode::CONFLICT };
            assert_eq!(answer.status, expected, "handler {at}, {shorter_idle}");
            assert_eq!(read(&stricter).await, "None", "handler {at}");
        }
    }
}

pub async fn p11_a_shorter_absolute_lifetime_reaches_sessions_that_exist(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let stricter = guest.at(&house.layer.clone().absolute_lifetime(2 * HOUR));
    for _ in 0..11 {
        house.clock.advance(10 * MINUTE);
        assert_eq!(read(&guest).await, "Some(1)");
    }
    house.clock.advance(10 * MINUTE - MOMENT);
    assert_eq!(read(&stricter).await, "Some(1)");
    house.clock.advance(MOMENT);
    assert_eq!(read(&stricter).await, "None");
    assert_eq!(read(&guest).await, "Some(1)", "nothing was written");
}

/// A server that still has the longer timeouts keeps to them.
pub async fn p11_a_write_brings_the_shorter_timeouts_into_the_record(ground: Ground) {
    for shorter_idle in [false, true] {
        let house = ground();
        let guest = house.guest().await;
        let layer = house.layer.clone();
        let stricter = match shorter_idle {
            true => layer.idle_timeout(10 * MINUTE),
            false => layer.absolute_lifetime(10 * MINUTE),
        };
        let write = async |session: cloakroom::Session| session.insert("n", &1);
        guest.at(&stricter).visit(write).await.is_ok();
        house.clock.advance(10 * MINUTE - MOMENT);
        assert_eq!(read(&guest.copy()).await, "Some(1)");
        house.clock.advance(10 * MINUTE);
        assert_eq!(read(&guest).await, "None");
    }
}

pub async fn p11_longer_timeouts_do_not_reach_sessions_that_exist(ground: Ground) {
    let house = ground();
    let layer = house.layer.clone().idle_timeout(5 * HOUR).absolute_lifetime(48 * HOUR);
    let guest = house.guest().await.at(&layer);
    for _ in 0..47 {
        house.clock.advance(15 * MINUTE);
        assert_eq!(read(&guest).await, "Some(1)");
    }
    house.clock.advance(15 * MINUTE);
    assert_eq!(read(&guest).await, "None");
    let guest = house.guest().await.at(&layer);
    house.clock.advance(30 * MINUTE);
    assert_eq!(read(&guest).await, "None");
}

pub async fn p11_a_remembered_session_keeps_its_own_timeouts(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    guest.visit(async |session| session.remember(20 * HOUR, 40 * HOUR)).await.is_ok();
    let stricter = house.layer.clone().idle_timeout(MINUTE).absolute_lifetime(HOUR);
    house.clock.advance(19 * HOUR);
    assert_eq!(read(&guest.at(&stricter)).await, "Some(1)");
}

pub async fn p11_a_clock_set_back_does_no_harm(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let start = house.clock.now();
    house.clock.set(start.saturating_sub(HOUR));
    assert_eq!(read(&guest).await, "Some(1)");
    guest.visit(async |session| session.insert("k", &1_u32)).await.is_ok();
    house.clock.set(start);
    assert_eq!(read(&guest).await, "Some(1)");
}
