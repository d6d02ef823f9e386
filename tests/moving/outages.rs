//! One of the two stores is down. Errors, and no wrong answer.

use std::time::Duration;

use cloakroom::store::{Created, SessionStore, StoreErrorKind, Touched};
use cloakroom_testing::{Command, Fault, HOUR};

use crate::pair::{KEY, Pair, conflict, created, kind, replaced};

const UNAVAILABLE: StoreErrorKind = StoreErrorKind::Unavailable;

#[tokio::test]
async fn without_the_new_store_the_first_step_serves_the_sessions_of_the_old_one() {
    let pair = Pair::new();
    let version = pair.in_old("one").await;
    pair.to.faulty.outage();
    let server = pair.old_first();
    assert_eq!(server.load(&KEY).await.unwrap().unwrap().bytes, "one");
    let version = replaced(server.replace(&KEY, &version, &pair.entry("two")).await);
    assert_eq!(server.touch(&KEY, &version, pair.in_a(2 * HOUR)).await.unwrap(), Touched::Done);
    replaced(server.replace(&KEY, &version, &pair.mark()).await);

    pair.from.bare.delete(&KEY).await.unwrap();
    assert_eq!(kind(server.load(&KEY).await), UNAVAILABLE);
    assert_eq!(kind(server.create(&KEY, &pair.entry("new")).await), UNAVAILABLE);
    assert_eq!(kind(server.delete(&KEY).await), UNAVAILABLE);
    assert_eq!(pair.from.has().await, None);
}

#[tokio::test]
async fn without_the_new_store_the_second_step_writes_in_place_and_answers_no_load() {
    let pair = Pair::new();
    let version = pair.in_old("one").await;
    pair.to.faulty.outage();
    let server = pair.new_first();
    assert_eq!(kind(server.load(&KEY).await), UNAVAILABLE);
    let version = replaced(server.replace(&KEY, &version, &pair.entry("two")).await);
    assert_eq!(server.touch(&KEY, &version, pair.in_a(2 * HOUR)).await.unwrap(), Touched::Done);
    let foreign = pair.from.bare.replace(&KEY, &version, &pair.entry("three")).await;
    replaced(foreign);
    assert_eq!(conflict(server.replace(&KEY, &version, &pair.entry("x")).await).bytes, "three");
    assert_eq!(kind(server.touch(&KEY, &version, pair.in_a(3 * HOUR)).await), UNAVAILABLE);
    pair.from.bare.delete(&KEY).await.unwrap();
    assert_eq!(kind(server.create(&KEY, &pair.entry("new")).await), UNAVAILABLE);
    pair.to.faulty.clear_faults();
    assert_eq!(server.load(&KEY).await.unwrap(), None);
}

#[tokio::test]
async fn without_the_old_store_the_sessions_of_the_new_one_go_on() {
    let pair = Pair::new();
    let version = pair.in_new("one").await;
    pair.from.faulty.outage();
    assert_eq!(kind(pair.old_first().load(&KEY).await), UNAVAILABLE);
    let server = pair.new_first();
    assert_eq!(server.load(&KEY).await.unwrap().unwrap().bytes, "one");
    let version = replaced(server.replace(&KEY, &version, &pair.entry("two")).await);
    assert_eq!(server.touch(&KEY, &version, pair.in_a(2 * HOUR)).await.unwrap(), Touched::Done);
    replaced(server.replace(&KEY, &version, &pair.mark()).await);
    pair.to.bare.delete(&KEY).await.unwrap();
    for server in pair.both() {
        assert_eq!(kind(server.load(&KEY).await), UNAVAILABLE);
        assert_eq!(kind(server.create(&KEY, &pair.entry("new")).await), UNAVAILABLE);
        assert_eq!(kind(server.delete(&KEY).await), UNAVAILABLE);
        assert_eq!(kind(server.advance(&KEY).await), UNAVAILABLE);
    }
    assert_eq!(pair.to.has().await, None);
}

#[tokio::test]
async fn without_the_old_store_nothing_moves() {
    let pair = Pair::new();
    let version = pair.in_old("one").await;
    pair.from.faulty.outage();
    let server = pair.new_first();
    assert_eq!(kind(server.replace(&KEY, &version, &pair.entry("two")).await), UNAVAILABLE);
    assert_eq!(kind(server.touch(&KEY, &version, pair.in_a(2 * HOUR)).await), UNAVAILABLE);
    assert_eq!(pair.to.has().await, None);
    pair.from.faulty.clear_faults();
    assert_eq!(pair.all_find("one").await, version);
}

#[tokio::test]
async fn an_answer_lost_before_the_entry_was_sent_is_no_doubt() {
    let pair = Pair::new();
    pair.from.faulty.next(Command::Create, Fault::LoseReply);
    assert_eq!(kind(pair.new_first().create(&KEY, &pair.entry("one")).await), UNAVAILABLE);
    pair.to.faulty.next(Command::Create, Fault::LoseReply);
    let doubtful = pair.new_first().create(&KEY, &pair.entry("two")).await;
    assert_eq!(kind(doubtful), StoreErrorKind::Indeterminate);
    assert_eq!(pair.new_first().create(&KEY, &pair.entry("x")).await.unwrap(), Created::Exists);
    pair.all_find("two").await;
}

#[tokio::test]
async fn a_reader_that_settles_and_loses_the_answer_has_an_outage_and_no_doubt() {
    let pair = Pair::new();
    let version = pair.in_old("one").await;
    pair.dies_after_the_fence(&version, "two").await;
    pair.to.faulty.next(Command::Replace, Fault::LoseRequest);
    assert_eq!(kind(pair.old_first().load(&KEY).await), UNAVAILABLE);
    pair.all_find("two").await;
}

#[tokio::test]
async fn after_a_failed_move_nothing_is_tried_for_five_seconds() {
    let pair = Pair::new();
    let mut version = pair.in_old("one").await;
    let server = pair.new_first();
    pair.to.faulty.outage();
    for trips in [(1, 1), (1, 0), (1, 0)] {
        version = replaced(server.replace(&KEY, &version, &pair.entry("two")).await);
        assert_eq!(pair.trips(), trips);
    }
    pair.to.faulty.clear_faults();
    pair.clock.advance(Duration::from_secs(5));
    replaced(server.replace(&KEY, &version, &pair.entry("three")).await);
    assert_eq!(pair.trips(), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_new_store_that_does_not_answer_holds_a_write_up_for_half_a_second_once() {
    let pair = Pair::new();
    let mut version = pair.in_old("one").await;
    let server = pair.new_first();
    pair.to.faulty.always(Command::Create, || Fault::Hang);
    for millis in [500, 0, 0] {
        let began = tokio::time::Instant::now();
        version = replaced(server.replace(&KEY, &version, &pair.entry("two")).await);
        assert_eq!(began.elapsed().as_millis(), millis);
    }
    pair.to.faulty.clear_faults();
    assert_eq!(pair.all_find("two").await, version);
}

#[tokio::test]
async fn a_create_that_fails_leaves_nothing_that_counts() {
    let pair = Pair::new();
    pair.to.faulty.next(Command::Create, Fault::Fail(UNAVAILABLE));
    assert_eq!(kind(pair.new_first().create(&KEY, &pair.entry("one")).await), UNAVAILABLE);
    pair.nobody_finds_it().await;
    created(pair.old_first().create(&KEY, &pair.entry("two")).await);
    pair.all_find("two").await;
}
