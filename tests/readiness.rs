//! Begin and end of a server: the probe of its backend, and the wait for the commits under way.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use cloakroom::store::StoreErrorKind;
use cloakroom::{Backend, CookieSessions, Roster};
use cloakroom_testing::Command::{Load, Replace};
use cloakroom_testing::{Fault, House, hang_up, poll_once};
use tokio::time::{Instant, timeout};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_a_commit_whose_client_has_hung_up() {
    let house = House::open();
    let guest = house.guest().await;
    house.faulty.next(Replace, Fault::Delay(SECOND));
    let change = guest.visit(async |session| session.insert("k", &2));
    assert!(hang_up(change, 3).await.is_none());

    let began = Instant::now();
    let shutdown = house.layer.shutdown();
    assert!(timeout(SECOND / 2, shutdown).await.is_err());
    house.layer.shutdown().await;
    assert_eq!(began.elapsed().as_millis() / 10, 100);
    assert_eq!(guest.visit(async |session| session.get::<u32>("k")).await.body, "Some(2)");
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_ends_that_nobody_waits_for_any_more() {
    let house = House::open().with(|layer| layer.roster(Roster::default()));
    let guest = house.visitor();
    guest.visit(async |session| session.log_in("ada").await).await.is_ok();
    house.faulty.always(Replace, || Fault::Delay(SECOND));
    let users = house.layer.users();
    assert!(hang_up(users.end_all("ada"), 2).await.is_none());

    let began = Instant::now();
    // Whichever clone of the layer is asked, and whatever options it was given since.
    house.layer.clone().idle_timeout(SECOND).shutdown().await;
    assert!(began.elapsed() >= SECOND);
    house.faulty.clear_faults();
    let principal = guest.visit(async |session| Ok(session.principal())).await;
    assert_eq!(principal.body, "None");
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_with_nothing_under_way_is_over_at_once() {
    let house = House::open();
    let guest = house.guest().await;
    // A request whose handler has not returned is its server's affair.
    let mut open = Box::pin(guest.visit(async |_| {
        std::future::pending::<()>().await;
        Ok(())
    }));
    assert!(poll_once(&mut open).is_none());
    timeout(Duration::from_millis(1), house.layer.shutdown()).await.unwrap();
    timeout(Duration::from_millis(1), house.layer.shutdown()).await.unwrap();
    // The layer still serves.
    guest.visit(async |session| session.insert("k", &3)).await.is_ok();
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_panics_does_not_keep_a_shutdown_waiting() {
    let house = House::open();
    let guest = house.guest().await;
    house.faulty.next(
        Replace,
        Fault::after(async || {
            tokio::time::sleep(SECOND).await;
            panic!("in the store")
        }),
    );
    let change = guest.visit(async |session| session.insert("k", &2));
    assert!(hang_up(change, 3).await.is_none());
    timeout(Duration::from_secs(10), house.layer.shutdown()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_check_is_one_read_and_tells_an_outage() {
    let house = House::open();
    let backend = Backend::from(house.counting.clone());
    backend.check().await.unwrap();
    assert_eq!(house.counting.take(), [Load]);
    assert!(house.memory().is_empty());

    for (kind, status) in [(StoreErrorKind::Unavailable, 503), (StoreErrorKind::Denied, 500)] {
        house.faulty.next(Load, Fault::Fail(kind));
        assert_eq!(backend.check().await.unwrap_err().status(), status);
    }
    backend.check().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_check_of_a_frozen_store_ends_after_two_seconds() {
    let house = House::open();
    house.faulty.next(Load, Fault::Hang);
    let began = Instant::now();
    let error = Backend::from(house.counting.clone()).check().await.unwrap_err();
    assert!(error.is_outage());
    assert_eq!(began.elapsed().as_secs(), 2);
}

#[tokio::test]
async fn sessions_in_cookies_are_always_ready() {
    Backend::from(CookieSessions::signed()).check().await.unwrap();
}
