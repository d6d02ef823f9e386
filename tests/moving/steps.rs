//! The states between the writes of a move, and what each command makes of them.

use cloakroom::store::{Created, Replaced, SessionStore, StoreErrorKind, Touched};
use cloakroom_testing::{Command, Fault, HOUR, MINUTE};

use crate::pair::{KEY, Pair, conflict, created, kind, replaced};

#[tokio::test]
async fn a_move_whose_server_died_after_the_fence_is_settled_by_whoever_comes() {
    for step in 0..2 {
        let pair = Pair::new();
        let version = pair.in_old("one").await;
        pair.dies_after_the_fence(&version, "two").await;
        let found = pair.both()[step].load(&KEY).await.unwrap().unwrap();
        assert_eq!(found.bytes, "two");
        assert!(!pair.to.has_a_note().await);
        assert_eq!(pair.all_find("two").await, found.version);
        replaced(pair.both()[step].replace(&KEY, &found.version, &pair.entry("three")).await);
        pair.all_find("three").await;
    }
}

#[tokio::test]
async fn a_writer_that_still_has_the_old_version_gets_the_moved_entry() {
    for step in 0..2 {
        let pair = Pair::new();
        let version = pair.in_old("one").await;
        pair.dies_after_the_fence(&version, "two").await;
        let there = conflict(pair.both()[step].replace(&KEY, &version, &pair.entry("mine")).await);
        assert_eq!(there.bytes, "two");
        let touched = pair.both()[step].touch(&KEY, &version, pair.in_a(2 * HOUR)).await;
        assert_eq!(touched.unwrap(), Touched::Skipped);
        pair.all_find("two").await;
    }
}

#[tokio::test]
async fn before_the_fence_the_old_entry_counts() {
    let pair = Pair::new();
    let version = pair.in_old("one").await;
    pair.from.faulty.next(Command::Replace, Fault::LoseRequest);
    let answer = pair.new_first().replace(&KEY, &version, &pair.entry("two")).await;
    assert_eq!(kind(answer), StoreErrorKind::Indeterminate);
    assert!(pair.to.has_a_note().await, "it has to stay for a fence that may still come");
    assert_eq!(pair.all_find("one").await, version);
}

#[tokio::test]
async fn a_fence_that_comes_late_is_the_moment_of_the_move() {
    let pair = Pair::new();
    let version = pair.in_old("one").await;
    pair.from.faulty.next(Command::Replace, Fault::Late);
    let answer = pair.new_first().replace(&KEY, &version, &pair.entry("two")).await;
    assert_eq!(kind(answer), StoreErrorKind::Indeterminate);
    assert_eq!(pair.all_find("one").await, version);
    pair.from.faulty.deliver().await;
    pair.all_find("two").await;
}

#[tokio::test]
async fn a_fence_that_comes_after_another_write_is_refused() {
    let pair = Pair::new();
    let version = pair.in_old("one").await;
    pair.from.faulty.next(Command::Replace, Fault::Late);
    let late = pair.new_first().replace(&KEY, &version, &pair.entry("late")).await;
    assert_eq!(kind(late), StoreErrorKind::Indeterminate);
    replaced(pair.old_first().replace(&KEY, &version, &pair.entry("two")).await);
    pair.from.faulty.deliver().await;
    let version = pair.all_find("two").await;
    // The next move finds the tentative entry of the late one, which leads nowhere.
    replaced(pair.new_first().replace(&KEY, &version, &pair.entry("three")).await);
    assert_eq!(pair.to.has().await.unwrap().bytes, "three");
    pair.all_find("three").await;
}

#[tokio::test]
async fn a_refused_fence_takes_its_tentative_entry_back() {
    let pair = Pair::new();
    let version = pair.in_old("one").await;
    let other = pair.entry("other");
    replaced(pair.from.bare.replace(&KEY, &version, &other).await);
    let there = conflict(pair.new_first().replace(&KEY, &version, &pair.entry("mine")).await);
    assert_eq!(there.bytes, "other");
    assert_eq!(pair.to.has().await, None);

    pair.from.faulty.next(Command::Replace, Fault::Fail(StoreErrorKind::Unavailable));
    let answer = pair.new_first().replace(&KEY, &there.version, &pair.entry("mine")).await;
    assert_eq!(kind(answer), StoreErrorKind::Unavailable);
    assert_eq!(pair.to.has().await, None);

    pair.from.bare.delete(&KEY).await.unwrap();
    let answer = pair.new_first().replace(&KEY, &there.version, &pair.entry("mine")).await;
    assert_eq!(answer.unwrap(), Replaced::Gone);
    assert_eq!(pair.to.has().await, None);
}

#[tokio::test]
async fn a_lost_answer_to_settling_is_unknown_and_another_look_tells() {
    let pair = Pair::new();
    let version = pair.in_old("one").await;
    pair.to.faulty.next(Command::Replace, Fault::LoseReply);
    let answer = pair.new_first().replace(&KEY, &version, &pair.entry("two")).await;
    assert_eq!(kind(answer), StoreErrorKind::Indeterminate);
    pair.all_find("two").await;
}

#[tokio::test]
async fn a_move_that_another_server_has_settled_is_done() {
    let pair = Pair::new();
    let version = pair.in_old("one").await;
    let other = pair.old_first();
    let settles = Fault::after(move || async move { drop(other.load(&KEY).await) });
    pair.to.faulty.next(Command::Replace, settles);
    let version = replaced(pair.new_first().replace(&KEY, &version, &pair.entry("two")).await);
    assert_eq!(pair.all_find("two").await, version);
}

#[tokio::test]
async fn a_move_that_another_server_went_on_from_is_unknown() {
    let pair = Pair::new();
    let version = pair.in_old("one").await;
    let (other, next) = (pair.old_first(), pair.entry("three"));
    let goes_on = Fault::after(move || async move {
        let found = other.load(&KEY).await.unwrap().unwrap();
        replaced(other.replace(&KEY, &found.version, &next).await);
    });
    pair.to.faulty.next(Command::Replace, goes_on);
    let answer = pair.new_first().replace(&KEY, &version, &pair.entry("two")).await;
    assert_eq!(kind(answer), StoreErrorKind::Indeterminate);
    pair.all_find("three").await;
}

#[tokio::test]
async fn a_create_finds_what_is_in_either_store_and_behind_a_fence() {
    for step in 0..2 {
        let pair = Pair::new();
        pair.in_old("one").await;
        let create = async || pair.both()[step].create(&KEY, &pair.entry("new")).await;
        assert_eq!(create().await.unwrap(), Created::Exists);
        pair.from.bare.delete(&KEY).await.unwrap();

        let version = pair.in_old("one").await;
        pair.dies_after_the_fence(&version, "two").await;
        assert_eq!(create().await.unwrap(), Created::Exists);
        let version = pair.all_find("two").await;
        assert_eq!(create().await.unwrap(), Created::Exists);
        replaced(pair.both()[step].replace(&KEY, &version, &pair.mark()).await);
        assert_eq!(create().await.unwrap(), Created::Exists);
        pair.clock.advance(MINUTE);
        pair.nobody_finds_it().await;
        created(create().await);
        pair.all_find("new").await;
        assert!(pair.from.has_a_note().await, "the old store may have no entry behind its fence");
    }
}

#[tokio::test]
async fn a_create_writes_over_a_tentative_entry_that_no_fence_leads_to() {
    for step in 0..2 {
        let pair = Pair::new();
        let version = pair.in_old("one").await;
        pair.from.faulty.next(Command::Replace, Fault::LoseRequest);
        let answer = pair.new_first().replace(&KEY, &version, &pair.entry("two")).await;
        assert_eq!(kind(answer), StoreErrorKind::Indeterminate);
        pair.from.bare.delete(&KEY).await.unwrap();
        created(pair.both()[step].create(&KEY, &pair.entry("new")).await);
        pair.all_find("new").await;
    }
}

#[tokio::test]
async fn a_delete_ends_a_tentative_entry_that_counts_and_leaves_the_fence() {
    for step in 0..2 {
        let pair = Pair::new();
        let version = pair.in_old("one").await;
        pair.dies_after_the_fence(&version, "two").await;
        pair.both()[step].delete(&KEY).await.unwrap();
        pair.nobody_finds_it().await;
        assert!(pair.from.has_a_note().await);
        let (from, to) = pair.commands();
        assert!(!from.contains(&Command::Delete) && !to.contains(&Command::Delete));
    }
}

#[tokio::test]
async fn advance_moves_an_entry_as_it_is_and_settles_a_move() {
    let pair = Pair::new();
    assert!(pair.new_first().advance(&KEY).await.unwrap());
    let version = pair.in_old("one").await;
    let before = pair.from.has().await.unwrap();
    assert!(!pair.old_first().advance(&KEY).await.unwrap());
    assert_eq!(pair.from.has().await.unwrap(), before);
    assert!(pair.new_first().advance(&KEY).await.unwrap());
    let moved = pair.to.has().await.unwrap();
    assert_eq!((moved.bytes, moved.deadline), (before.bytes, before.deadline));
    assert_ne!(pair.all_find("one").await, version);

    let pair = Pair::new();
    let version = pair.in_old("one").await;
    pair.dies_after_the_fence(&version, "two").await;
    assert!(pair.new_first().advance(&KEY).await.unwrap());
    assert_eq!(pair.to.has().await.unwrap().bytes, "two");
}

#[tokio::test]
async fn loads_from_the_old_store_are_counted() {
    let pair = Pair::new();
    let server = pair.new_first();
    let version = pair.in_old("one").await;
    for loads in 1..=3 {
        server.load(&KEY).await.unwrap();
        assert_eq!(server.clone().found_in_old(), loads);
    }
    replaced(server.replace(&KEY, &version, &pair.entry("two")).await);
    server.load(&KEY).await.unwrap();
    assert_eq!(server.found_in_old(), 3);
}
