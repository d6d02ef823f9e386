//! P5 with lost answers: no write is applied twice, and none is acknowledged without proof.

use cloakroom::SessionError;
use cloakroom::store::StoreErrorKind;

use crate::Command::{Create, Load, Replace};
use crate::promises::Ground;
use crate::{Fault, House, Visitor};

fn add(value: &mut u32) {
    *value += 1;
}

async fn count(visitor: &Visitor) -> crate::Answer {
    visitor.visit(async |session| session.update("k", add)).await
}

async fn value(visitor: &Visitor) -> String {
    visitor.visit(async |session| session.get::<u32>("k")).await.body
}

/// Returns the same browser with a layer whose store has no faults.
fn elsewhere(house: &House, guest: &Visitor) -> Visitor {
    guest.at(&house.server(house.store.clone(), house.key.clone()))
}

fn unconfirmed(answer: &crate::Answer) {
    assert!(matches!(answer.error, Some(SessionError::Unconfirmed(_))), "{answer:?}");
    answer.is_outage();
    assert_eq!(answer.set_cookies(), Vec::<&str>::new());
}

pub async fn p5_a_lost_answer_that_is_found_applied_is_not_applied_twice(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    house.faulty.next(Replace, Fault::LoseReply);
    count(&guest).await.is_ok();
    assert_eq!(house.counting.take(), [Load, Replace, Load]);
    assert_eq!(value(&guest).await, "Some(2)");
}

pub async fn p5_a_lost_request_is_sent_again() {
    let house = House::open();
    let guest = house.guest().await;
    house.faulty.next(Replace, Fault::LoseRequest);
    count(&guest).await.is_ok();
    assert_eq!(house.counting.take(), [Load, Replace, Load, Replace]);
    assert_eq!(value(&guest).await, "Some(2)");
}

pub async fn p5_a_late_write_that_was_sent_again_is_applied_once() {
    let house = House::open();
    let guest = house.guest().await;
    house.faulty.next(Replace, Fault::Late);
    count(&guest).await.is_ok();
    house.faulty.deliver().await;
    assert_eq!(value(&guest).await, "Some(2)");
}

pub async fn p5_a_lost_answer_and_a_few_other_commits_is_still_found(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let others = elsewhere(&house, &guest);
    house.faulty.next(Replace, Fault::LoseReply);
    house.faulty.next(Load, Fault::Pass);
    house.faulty.next(
        Load,
        Fault::after(move || async move {
            for _ in 0..7 {
                count(&others).await.is_ok();
            }
        }),
    );
    count(&guest).await.is_ok();
    assert!(house.faulty.is_spent());
    assert_eq!(value(&guest).await, "Some(9)");
}

pub async fn p5_a_lost_answer_pushed_out_by_eight_other_commits_acknowledges_nothing(
    ground: Ground,
) {
    let house = ground();
    let guest = house.guest().await;
    let others = elsewhere(&house, &guest);
    house.faulty.next(Replace, Fault::LoseReply);
    house.faulty.next(Load, Fault::Pass);
    house.faulty.next(
        Load,
        Fault::after(move || async move {
            for _ in 0..8 {
                count(&others).await.is_ok();
            }
        }),
    );
    unconfirmed(&count(&guest).await);
    assert_eq!(value(&guest).await, "Some(10)", "each counted once, ours included");
}

pub async fn p5_a_lost_request_overtaken_by_another_commit_is_merged() {
    let house = House::open();
    let guest = house.guest().await;
    let others = elsewhere(&house, &guest);
    house.faulty.next(Replace, Fault::Late);
    house.faulty.next(Load, Fault::Pass);
    house.faulty.next(
        Load,
        Fault::after(move || async move {
            count(&others).await.is_ok();
        }),
    );
    count(&guest).await.is_ok();
    assert!(house.faulty.is_spent());
    assert_eq!(value(&guest).await, "Some(3)");
    house.faulty.deliver().await;
    assert_eq!(value(&guest).await, "Some(3)", "the late one expects a version that is no more");
}

pub async fn p5_a_repeat_that_meets_its_own_late_write_is_done() {
    let house = House::open();
    let guest = house.guest().await;
    let faulty = house.faulty.clone();
    house.faulty.next(Replace, Fault::Late);
    house.faulty.next(Replace, Fault::after(move || async move { faulty.deliver().await }));
    count(&guest).await.is_ok();
    assert_eq!(house.counting.take(), [Load, Replace, Load, Replace]);
    assert_eq!(value(&guest).await, "Some(2)");
}

pub async fn p5_a_lost_answer_with_a_store_that_cannot_be_asked_is_unconfirmed(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    house.faulty.next(Replace, Fault::LoseReply);
    house.faulty.next(Load, Fault::Pass);
    house.faulty.next(Load, Fault::Fail(StoreErrorKind::Unavailable));
    unconfirmed(&count(&guest).await);
    assert_eq!(value(&guest).await, "Some(2)");
}

pub async fn p5_a_store_that_loses_every_answer_is_not_asked_in_a_busy_loop() {
    let house = House::open();
    let guest = house.guest().await;
    house.faulty.always(Replace, || Fault::LoseRequest);
    let start = tokio::time::Instant::now();
    unconfirmed(&count(&guest).await);
    let waited = start.elapsed().as_millis();
    assert!((5000..5100).contains(&waited), "{waited}");
    let asked = house.counting.take().len();
    assert!(asked < 12_000, "{asked} commands in five seconds");
    house.faulty.clear_faults();
    assert_eq!(value(&guest).await, "Some(1)");
}

pub async fn p5_a_first_session_whose_answer_is_lost_is_repeated_under_a_fresh_id() {
    let house = House::open();
    let guest = house.visitor();
    house.faulty.next(Create, Fault::LoseReply);
    count(&guest).await.is_ok();
    assert_eq!(house.counting.take(), [Create, Create]);
    assert_eq!(house.memory().len(), 2, "the orphan expires");
    assert_eq!(value(&guest).await, "Some(1)");
    house.clock.advance(crate::HOUR);
    house.memory().purge_expired();
    assert!(house.memory().is_empty());
}

pub async fn p5_an_unconfirmed_save_is_settled_by_the_end_of_the_request(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    house.faulty.next(Replace, Fault::LoseReply);
    house.faulty.next(Load, Fault::Pass);
    house.faulty.next(Load, Fault::Fail(StoreErrorKind::Unavailable));
    let answer = guest
        .visit(async |session| {
            session.update("k", add)?;
            let saved = session.save().await;
            assert!(matches!(saved, Err(SessionError::Unconfirmed(_))));
            session.update("later", add)
        })
        .await;
    answer.is_ok();
    assert_eq!(value(&guest).await, "Some(2)");
    let later = guest.visit(async |session| session.get::<u32>("later")).await;
    assert_eq!(later.body, "Some(1)");
}
