//! Store commands and their times, and the outages that they show.

use std::time::Duration;

use cloakroom::CookieSessions;
use cloakroom::store::StoreErrorKind::{Corrupt, Unavailable};
use cloakroom_testing::Command::{Create, Load, Replace};
use cloakroom_testing::{Fault, House, Trace, Visitor};

use crate::{NOTHING, observed};

async fn read(visitor: &Visitor) -> http::StatusCode {
    visitor.visit(async |session| session.get::<u32>("k")).await.status
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_told_when_it_begins_and_when_it_is_over() {
    let (house, told) = observed(House::open());
    let trace = Trace::listen();
    let guest = house.guest().await;
    told.take();
    house.faulty.always(Load, || Fault::Fail(Unavailable));
    for _ in 0..3 {
        assert_eq!(read(&guest).await, 503);
        tokio::time::advance(Duration::from_secs(20)).await;
    }
    let failed = "load unavailable";
    assert_eq!(told.take(), [failed, "outage begun", failed, failed]);
    house.faulty.clear_faults();
    assert_eq!(read(&guest).await, 200);
    assert_eq!(told.take(), ["load done", "outage over", "loaded"]);
    assert!(told.shown().contains("lasted: 60s"), "{}", told.shown());
    assert_eq!(read(&guest).await, 200);
    assert_eq!(told.take(), ["load done", "loaded"]);
    let count = |text: &str| trace.lines().iter().filter(|line| line.contains(text)).count();
    assert_eq!(
        count("WARN cloakroom::session::report: message=the session store does not answer"),
        1
    );
    assert_eq!(count("the session store answers again"), 1);
}

/// What is begun in the last moment of a commit gets no time to be answered.
#[tokio::test(start_paused = true)]
async fn a_command_that_is_cut_short_by_the_end_of_its_commit_is_no_outage() {
    let (house, told) = observed(House::open());
    let house = house.with(|layer| layer.commit_timeout(Duration::from_millis(2_500)));
    let guest = house.guest().await;
    told.take();
    let delay = || Fault::Delay(Duration::from_millis(1_900));
    house.faulty.next(Replace, delay());
    let other = guest.at(&house.elsewhere());
    let answer = guest.visit(async |session| {
        other.visit(async |other| other.insert("other", &2)).await.is_ok();
        // The conflict takes 1.9 s, and 0.6 s are left for the next attempt.
        house.faulty.next(Replace, delay());
        session.insert("k", &2)
    });
    assert_eq!(answer.await.status, 503);
    let told = told.take();
    assert!(told.contains(&"replace indeterminate".to_owned()), "{told:?}");
    assert!(!told.contains(&"outage begun".to_owned()), "{told:?}");
}

#[tokio::test]
async fn an_answer_that_is_a_refusal_is_no_outage() {
    let (house, told) = observed(House::open());
    let guest = house.guest().await;
    told.take();
    house.faulty.next(Load, Fault::Fail(Corrupt));
    assert_eq!(read(&guest).await, 500);
    assert_eq!(told.take(), ["load corrupt"]);
}

#[tokio::test(start_paused = true)]
async fn the_time_of_each_command_is_measured() {
    let (house, told) = observed(House::open());
    let guest = house.visitor();
    house.faulty.next(Create, Fault::Delay(Duration::from_millis(700)));
    guest.visit(async |session| session.insert("k", &1)).await.is_ok();
    house.faulty.next(Load, Fault::Hang);
    assert_eq!(read(&guest).await, 503);
    let took: Vec<_> = told.take_commands().iter().map(|event| event.took.as_millis()).collect();
    assert_eq!(took, [700, 2000], "the second is given up after the command timeout");
}

#[tokio::test]
async fn sessions_in_cookies_ask_no_store() {
    let (house, told) = observed(House::in_cookies(CookieSessions::signed()));
    let guest = house.guest().await;
    assert_eq!(read(&guest).await, 200);
    assert!(told.take_commands().is_empty());
    told.take();
    assert_eq!(told.take(), NOTHING);
}

/// The observer of one layer is told of an outage that the layers made from it, by setting another option,
/// share.
#[tokio::test]
async fn clones_of_a_layer_share_what_they_know_of_the_store() {
    let (house, told) = observed(House::open());
    let guest = house.guest().await;
    let clone = house.layer.clone().slide_after_percent(20);
    told.take();
    house.faulty.next(Load, Fault::Fail(Unavailable));
    assert_eq!(read(&guest).await, 503);
    assert_eq!(read(&guest.at(&clone)).await, 200);
    assert_eq!(
        told.take(),
        ["load unavailable", "outage begun", "load done", "outage over", "loaded"]
    );
}
