//! One of the two stores loses what it has acknowledged, has damaged bytes, or cannot take an entry: what is left then.

use cloakroom::store::{
    CommitId, Created, Entry, NewEntry, Replaced, SessionStore, StoreErrorKind, Touched,
};
use cloakroom_testing::{Command, Fault, HOUR, MINUTE};

use crate::pair::{KEY, Pair, Side, conflict, created, kind, replaced};

/// Lets a store evict its entry.
async fn evict(side: &Side) {
    side.bare.delete(&KEY).await.unwrap();
}

/// Lets a store fail over to a replica that has this entry still, or none yet.
async fn fail_over(side: &Side, to: Option<Entry>) {
    side.bare.delete(&KEY).await.unwrap();
    let Some(entry) = to else { return };
    let commit = CommitId::from_bytes(entry.version.as_bytes().try_into().unwrap());
    let again = NewEntry::new(commit, entry.deadline, entry.bytes);
    assert_eq!(created(side.bare.create(&KEY, &again).await), entry.version);
}

/// Lets a store call its entry damaged until somebody deletes it.
fn damage(side: &Side) {
    for command in [Command::Load, Command::Create, Command::Replace, Command::Touch] {
        side.faulty.always(command, || Fault::Fail(StoreErrorKind::Corrupt));
    }
}

#[tokio::test]
async fn a_session_that_the_old_store_evicts_is_over() {
    let pair = Pair::new();
    let version = pair.in_old("one").await;
    evict(&pair.from).await;
    pair.nobody_finds_it().await;
    for server in pair.both() {
        let written = server.replace(&KEY, &version, &pair.entry("two")).await;
        assert_eq!(written.unwrap(), Replaced::Gone);
        assert_eq!(server.touch(&KEY, &version, pair.in_a(2 * HOUR)).await.unwrap(), Touched::Gone);
        assert_eq!(pair.to.has().await, None);
    }
}

#[tokio::test]
async fn without_its_fence_a_tentative_entry_is_nothing() {
    for step in 0..2 {
        let pair = Pair::new();
        let version = pair.in_old("one").await;
        pair.dies_after_the_fence(&version, "two").await;
        evict(&pair.from).await;
        pair.nobody_finds_it().await;
        let written = pair.both()[step].replace(&KEY, &version, &pair.entry("late")).await;
        assert_eq!(written.unwrap(), Replaced::Gone);
        created(pair.both()[step].create(&KEY, &pair.entry("new")).await);
        pair.all_find("new").await;
    }
}

#[tokio::test]
async fn a_move_that_has_lost_its_fence_still_brings_the_newest_write() {
    let pair = Pair::new();
    let version = pair.in_old("one").await;
    let from = pair.from.clone();
    let evicts = Fault::after(move || async move { evict(&from).await });
    pair.to.faulty.next(Command::Replace, evicts);
    let version = replaced(pair.new_first().replace(&KEY, &version, &pair.entry("two")).await);
    assert_eq!(pair.all_find("two").await, version);
}

#[tokio::test]
async fn a_moved_session_does_not_need_its_fence() {
    for step in 0..2 {
        let pair = Pair::new();
        let version = pair.in_old("one").await;
        let version = replaced(pair.new_first().replace(&KEY, &version, &pair.entry("two")).await);
        evict(&pair.from).await;
        pair.all_find("two").await;
        let server = &pair.both()[step];
        assert_eq!(server.create(&KEY, &pair.entry("new")).await.unwrap(), Created::Exists);
        replaced(server.replace(&KEY, &version, &pair.mark()).await);
        pair.clock.advance(MINUTE);
        pair.nobody_finds_it().await;
    }
}

/// Only a roster is created under a key that others may create too. The page warns of it.
#[tokio::test]
async fn an_open_fence_that_is_evicted_before_its_entry_is_made_lets_two_be_made() {
    let pair = Pair::new();
    let (from, first, entry) = (pair.from.clone(), pair.old_first(), pair.entry("theirs"));
    let evicts = Fault::after(move || async move {
        evict(&from).await;
        created(first.create(&KEY, &entry).await);
    });
    pair.to.faulty.next(Command::Create, evicts);
    let [first, second] = pair.both();
    created(second.create(&KEY, &pair.entry("mine")).await);
    assert_eq!(first.load(&KEY).await.unwrap().unwrap().bytes, "theirs");
    assert_eq!(second.load(&KEY).await.unwrap().unwrap().bytes, "mine");
}

#[tokio::test]
async fn what_the_new_store_evicts_is_over_and_brings_no_older_entry_back() {
    for step in 0..2 {
        let pair = Pair::new();
        let old = pair.in_old("one").await;
        let moved = replaced(pair.new_first().replace(&KEY, &old, &pair.entry("two")).await);
        evict(&pair.to).await;
        pair.nobody_finds_it().await;
        let server = &pair.both()[step];
        for version in [old, moved] {
            let written = server.replace(&KEY, &version, &pair.entry("late")).await;
            assert_eq!(written.unwrap(), Replaced::Gone);
            let touched = server.touch(&KEY, &version, pair.in_a(3 * HOUR)).await;
            assert_eq!(touched.unwrap(), Touched::Gone);
        }
        pair.nobody_finds_it().await;
    }
}

#[tokio::test]
async fn a_tentative_entry_that_is_evicted_behind_its_fence_leaves_its_writer_in_doubt() {
    let pair = Pair::new();
    let version = pair.in_old("one").await;
    let to = pair.to.clone();
    pair.to.faulty.next(Command::Replace, Fault::after(move || async move { evict(&to).await }));
    let written = pair.new_first().replace(&KEY, &version, &pair.entry("two")).await;
    assert_eq!(kind(written), StoreErrorKind::Indeterminate);
    pair.nobody_finds_it().await;
}

#[tokio::test]
async fn a_new_store_that_fails_over_loses_no_more_than_it_lost() {
    let pair = Pair::new();
    let version = pair.in_old("one").await;
    pair.dies_after_the_fence(&version, "two").await;
    let tentative = pair.to.has().await;
    let version = pair.all_find("two").await;
    let settled = pair.to.has().await;
    replaced(pair.new_first().replace(&KEY, &version, &pair.entry("three")).await);

    fail_over(&pair.to, settled).await;
    assert_eq!(pair.all_find("two").await, version);
    // The fence still leads to the tentative entry, which is settled once more.
    fail_over(&pair.to, tentative).await;
    pair.all_find("two").await;
    fail_over(&pair.to, None).await;
    pair.nobody_finds_it().await;
}

#[tokio::test]
async fn an_old_store_that_fails_over_refuses_a_move_of_what_it_lost() {
    let pair = Pair::new();
    let version = pair.in_old("one").await;
    let before = pair.from.has().await;
    let lost = replaced(pair.old_first().replace(&KEY, &version, &pair.entry("two")).await);
    fail_over(&pair.from, before).await;
    let there = conflict(pair.new_first().replace(&KEY, &lost, &pair.entry("three")).await);
    assert_eq!((there.bytes.as_ref(), there.version), (&b"one"[..], version));
    assert_eq!(pair.to.has().await, None);
    replaced(pair.new_first().replace(&KEY, &version, &pair.entry("three")).await);
    pair.all_find("three").await;
}

/// The loss that no order of the commands can make good: the page warns of it.
#[tokio::test]
async fn an_old_store_that_loses_a_fence_shows_its_older_entry_where_it_is_asked_first() {
    let pair = Pair::new();
    let version = pair.in_old("one").await;
    let before = pair.from.has().await;
    let moved = replaced(pair.new_first().replace(&KEY, &version, &pair.entry("two")).await);
    fail_over(&pair.from, before).await;

    let [first, second] = pair.both();
    assert_eq!(first.load(&KEY).await.unwrap().unwrap().bytes, "one");
    assert_eq!(second.load(&KEY).await.unwrap().unwrap().bytes, "two");
    assert!(!second.advance(&KEY).await.unwrap(), "nothing is written over the newer entry");
    let moved = replaced(second.replace(&KEY, &moved, &pair.entry("three")).await);
    assert_eq!(second.load(&KEY).await.unwrap().unwrap().bytes, "three");

    replaced(second.replace(&KEY, &moved, &pair.mark()).await);
    assert_eq!(second.load(&KEY).await.unwrap().unwrap().bytes, "ended");
    pair.clock.advance(MINUTE);
    assert_eq!(second.load(&KEY).await.unwrap().unwrap().bytes, "one", "the logout is undone");
}

#[tokio::test]
async fn damage_in_the_old_store_is_an_error_until_a_logout_removes_it() {
    for step in 0..2 {
        let pair = Pair::new();
        let version = pair.in_old("one").await;
        damage(&pair.from);
        let server = &pair.both()[step];
        let deadline = pair.in_a(2 * HOUR);
        assert_eq!(kind(server.load(&KEY).await), StoreErrorKind::Corrupt);
        let written = server.replace(&KEY, &version, &pair.entry("two")).await;
        assert_eq!(kind(written), StoreErrorKind::Corrupt);
        assert_eq!(kind(server.touch(&KEY, &version, deadline).await), StoreErrorKind::Corrupt);
        assert_eq!(kind(server.advance(&KEY).await), StoreErrorKind::Corrupt);
        let new = server.create(&KEY, &pair.entry("new")).await;
        assert_eq!(kind(new), StoreErrorKind::Corrupt);
        assert_eq!(pair.to.has().await, None, "nothing was moved over the damage");
        assert!(pair.from.has().await.is_some());

        server.delete(&KEY).await.unwrap();
        pair.from.faulty.clear_faults();
        pair.nobody_finds_it().await;
    }
}

#[tokio::test]
async fn a_damaged_fence_is_an_error_where_it_is_asked_first() {
    let pair = Pair::new();
    let version = pair.in_old("one").await;
    let version = replaced(pair.new_first().replace(&KEY, &version, &pair.entry("two")).await);
    damage(&pair.from);
    let [first, second] = pair.both();
    assert_eq!(kind(first.load(&KEY).await), StoreErrorKind::Corrupt);
    assert_eq!(second.load(&KEY).await.unwrap().unwrap().bytes, "two");
    replaced(second.replace(&KEY, &version, &pair.entry("three")).await);
    first.delete(&KEY).await.unwrap();
    pair.from.faulty.clear_faults();
    pair.nobody_finds_it().await;
}

#[tokio::test]
async fn a_moved_session_that_grows_too_large_is_refused_and_goes_on_as_it_was() {
    let pair = Pair::with(|to| to.max_bytes(1_000));
    let version = pair.in_old("one").await;
    let version = replaced(pair.new_first().replace(&KEY, &version, &pair.entry("two")).await);
    for server in pair.both() {
        let large = server.replace(&KEY, &version, &pair.entry(vec![b'x'; 2_000])).await;
        assert_eq!(kind(large), StoreErrorKind::TooLarge);
    }
    assert_eq!(pair.all_find("two").await, version);
}

#[tokio::test]
async fn a_session_that_is_too_large_to_move_is_kept_alive_and_does_not_hold_up_others() {
    let pair = Pair::with(|to| to.max_bytes(1_000));
    let large = pair.entry(vec![b'x'; 2_000]);
    let version = created(pair.from.bare.create(&KEY, &large).await);
    let server = pair.new_first();
    let touched = server.touch(&KEY, &version, pair.in_a(2 * HOUR)).await;
    assert_eq!(touched.unwrap(), Touched::Done);
    assert_eq!(server.load(&KEY).await.unwrap().unwrap().deadline, pair.in_a(2 * HOUR));
    // No pause, as after a failure: the next entry that fits is moved.
    replaced(server.replace(&KEY, &version, &pair.entry("small")).await);
    assert_eq!(pair.to.has().await.unwrap().bytes, "small");
}
